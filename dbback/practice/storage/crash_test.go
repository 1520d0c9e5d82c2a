package storage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// reopened checks an instance after a crash: sound, and with exactly what the oplog
// says.
func reopened(t *testing.T, cfg Config) *Instance {
	t.Helper()
	cfg.at = nil
	in := start(t, cfg)
	if rec := in.Recovery(); !rec.Crashed || len(rec.Failed) > 0 || len(rec.Skipped) > 0 {
		t.Fatalf("recovery: %+v", rec)
	}
	want, err := ReplayOplog(cfg.Oplog, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range cfg.Databases {
		sound(t, in, dir)
		if got := contents(t, in, dir); got != want[dir].Digest() {
			t.Errorf("%s: content %v, the oplog says %v", dir, got, want[dir].Digest())
		}
	}
	return in
}

// The write daemon is stopped for good at each of its steps, under load.
func TestCrashAtEveryStep(t *testing.T) {
	for _, tt := range []struct {
		point   string
		applied bool // the WIJ is needed
	}{
		{"wij-written", false}, {"wij-active", true}, {"databases-half", true}, {"databases-written", true},
	} {
		t.Run(tt.point, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.FlushEvery = 30 * time.Millisecond
			cfg.JournalSize = 300 << 10
			cfg.CompressJournals = true
			var armed atomic.Bool
			var in *Instance
			cfg.at = func(p string) bool {
				if p != tt.point || !armed.Load() {
					return false
				}
				before := in.Status()
				until(t, "an update after the checkpoint", func() bool {
					now := in.Status()
					return now.Journal != before.Journal || now.Offset > before.Offset+1000
				})
				return true
			}
			started, dirs := withDatabases(t, &cfg, "user", "app")
			in = started
			stop := load(t, in, LoadOptions{Seed: 4, HoldOpen: time.Hour})
			grown(t, in, dirs[0], 1<<20)
			armed.Store(true)
			until(t, "the crash", in.dead.Load)
			in.Crash()
			stop()
			if tt.point == "databases-half" {
				if len(findingsOf(t, filepath.Join(dirs[0], datName))) == 0 {
					t.Error("a database that was written half is not found damaged")
				}
			}
			in = reopened(t, cfg)
			rec := in.Recovery()
			if tt.applied != (rec.WIJBlocks > 0) {
				t.Errorf("%d blocks from the WIJ", rec.WIJBlocks)
			}
			if rec.RolledBack == 0 || rec.Records == 0 {
				t.Errorf("%d transactions rolled back, %d records applied", rec.RolledBack, rec.Records)
			}
			for _, dir := range dirs {
				if sum, n, err := in.Accounts(dir); err != nil || n != accounts || sum != accounts*startBalance {
					t.Errorf("%s: %d accounts with %d in all, %v", dir, n, sum, err)
				}
			}
		})
	}
}

// CrashWriting ends the instance with an active WIJ and a database that is written
// half.
func TestCrashWriting(t *testing.T) {
	cfg := testConfig(t)
	var crash atomic.Bool
	cfg.CrashWriting = crash.Load
	in, dirs := withDatabases(t, &cfg, "user")
	fillRows(t, in, dirs[0], 0, 300)
	if err := in.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	fillRows(t, in, dirs[0], 100, 900)
	crash.Store(true)
	if err := in.Flush(t.Context()); !errors.Is(err, ErrCrashed) {
		t.Fatalf("flush: %v", err)
	}
	in.Crash()
	if len(findingsOf(t, filepath.Join(dirs[0], datName))) == 0 {
		t.Error("a database that was written half is not found damaged")
	}
	cfg.CrashWriting = nil
	if rec := reopened(t, cfg).Recovery(); rec.WIJBlocks == 0 {
		t.Errorf("nothing came from the WIJ: %+v", rec)
	}
}

// After an orderly end there is nothing to recover, open transactions are rolled
// back, and no lock is left.
func TestShutdown(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	fillRows(t, in, dirs[0], 0, 300)
	want := contents(t, in, dirs[0])
	txn, err := in.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := txn.Set(t.Context(), dirs[0], "Row", "000001", []byte("never")); err != nil {
		t.Fatal(err)
	}
	if err := in.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := in.Set(t.Context(), dirs[0], "Row", "1", nil); err == nil {
		t.Error("set after the end")
	}
	if _, err := os.Stat(filepath.Join(dirs[0], lckName)); !os.IsNotExist(err) {
		t.Errorf("iris.lck is left: %v", err)
	}
	soundFile(t, filepath.Join(dirs[0], datName))
	if got, err := DigestFile(filepath.Join(dirs[0], datName)); err != nil || got != want {
		t.Errorf("content %v, %v; want %v", got, err, want)
	}
	in = start(t, cfg)
	if rec := in.Recovery(); rec.Crashed || rec.Records > 0 || rec.WIJBlocks > 0 || rec.RolledBack > 0 {
		t.Errorf("recovery: %+v", rec)
	}
	if got := contents(t, in, dirs[0]); got != want {
		t.Errorf("content %v, want %v", got, want)
	}
}

// A WIJ from before a restore corrupts what was restored; without recovery it does
// not.
func TestStaleWIJ(t *testing.T) {
	for _, without := range []bool{false, true} {
		t.Run(fmt.Sprintf("without=%v", without), func(t *testing.T) {
			cfg := testConfig(t)
			var armed atomic.Bool
			cfg.at = func(p string) bool { return p == "wij-active" && armed.Load() }
			in, dirs := withDatabases(t, &cfg, "user")
			fillRows(t, in, dirs[0], 0, 300)
			if err := in.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			dat := filepath.Join(dirs[0], datName)
			old := filepath.Join(t.TempDir(), "old")
			copyFile(t, dat, old, nil)
			want, err := DigestFile(old)
			if err != nil {
				t.Fatal(err)
			}
			fillRows(t, in, dirs[0], 300, 3000)
			if err := in.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			fillRows(t, in, dirs[0], 100, 200)
			armed.Store(true)
			if err := in.Flush(t.Context()); err == nil {
				t.Fatal("flushed")
			}
			in.Crash()
			copyFile(t, old, dat, nil) // the restore
			cfg.at, cfg.NoRecovery = nil, without
			in = start(t, cfg)
			findings, err := in.Check(t.Context(), dirs[0])
			if err != nil {
				t.Fatal(err)
			}
			if without != (len(findings) == 0) {
				t.Errorf("without=%v: %d findings", without, len(findings))
			}
			if without {
				if got := contents(t, in, dirs[0]); got != want {
					t.Errorf("content %v, want that of the restore %v", got, want)
				}
			}
		})
	}
}

// A WIJ that is gone after a crash is said, and nothing is rolled forward.
func TestMissingWIJ(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	fillRows(t, in, dirs[0], 0, 10)
	in.Crash()
	if err := os.Rename(filepath.Join(cfg.Dir, wijName), filepath.Join(cfg.Dir, "IRIS.WIJ.old")); err != nil {
		t.Fatal(err)
	}
	in = start(t, cfg)
	if rec := in.Recovery(); !rec.Crashed || !rec.WIJMissing || rec.Records > 0 {
		t.Errorf("recovery: %+v", rec)
	}
	sound(t, in, dirs[0])
}

// A cycle that fails to write a database is repeated, and a crash in the middle of
// the cycle after it loses nothing: the blocks of both are in the WIJ.
func TestFailedCycle(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			cfg := testConfig(t)
			var blocks atomic.Int64
			cfg.at = func(p string) bool { return p == "wij-block" && blocks.Add(-1) == 0 }
			in, dirs := withDatabases(t, &cfg, "user")
			fillRows(t, in, dirs[0], 0, 300)
			dat := filepath.Join(dirs[0], datName)
			bad, err := os.Open(dat) // cannot be written to
			if err != nil {
				t.Fatal(err)
			}
			defer bad.Close()
			file := func(f *os.File) (old *os.File) {
				in.mu.Lock()
				defer in.mu.Unlock()
				db := in.dbs[dirs[0]]
				old, db.f = db.f, f
				return old
			}
			good := file(bad)
			if err := in.Flush(t.Context()); err == nil {
				t.Fatal("a cycle that could not write succeeded")
			}
			file(good)
			fillRows(t, in, dirs[0], 100, 400)
			if crash {
				blocks.Store(15)
				if err := in.Flush(t.Context()); !errors.Is(err, ErrCrashed) {
					t.Fatal(err)
				}
				in.Crash()
				reopened(t, cfg)
				return
			}
			if err := in.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			soundFile(t, dat)
			if got, err := DigestFile(dat); err != nil || got != contents(t, in, dirs[0]) {
				t.Errorf("the file has content %v, %v", got, err)
			}
		})
	}
}

// childEnv tells the test binary to be an instance under load, in that directory.
const childEnv = "STORAGE_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child runs an instance under load, and prints a line for each transaction that it
// knows to be committed.
func child(dir string) {
	in, err := Open(context.Background(), childConfig(dir))
	if err != nil {
		fmt.Println("error", err)
		return
	}
	if len(in.Databases()) == 0 {
		err = in.CreateDatabase(context.Background(), DatabaseSpec{Directory: filepath.Join(dir, "user")})
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	go func() { _, _ = in.Load(context.Background(), LoadOptions{Users: 2}) }()
	for n := time.Now().UnixNano(); ; n++ {
		t, err := in.Begin(context.Background())
		key := strconv.FormatInt(n%500, 10)
		for _, global := range []string{"AckA", "AckB"} {
			if err == nil {
				err = t.Set(context.Background(), filepath.Join(dir, "user"), global, key, []byte(strconv.FormatInt(n, 10)))
			}
		}
		if err == nil {
			err = t.Commit(context.Background())
		}
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("done", key, n)
	}
}

func childConfig(dir string) Config {
	return Config{
		Dir: filepath.Join(dir, "mgr"), Databases: []string{filepath.Join(dir, "user")},
		FlushEvery: 10 * time.Millisecond, JournalSize: 1 << 20, CompressJournals: true,
	}
}

// A process is killed, really, a few times in a row, and what it said was committed
// is there.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		acked := map[string]string{}
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			words := strings.Fields(lines.Text())
			if len(words) != 3 || words[0] != "done" {
				t.Errorf("child: %s", lines.Text())
				break
			}
			acked[words[1]] = words[2]
			if n == 300+round*777 {
				break
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			if words := strings.Fields(lines.Text()); len(words) == 3 {
				acked[words[1]] = words[2]
			}
		}
		_ = cmd.Wait() // it was killed
		checkKilled(t, dir, acked)
	}
}

func checkKilled(t *testing.T, dir string, acked map[string]string) {
	t.Helper()
	cfg := childConfig(dir)
	in, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if rec := in.Recovery(); !rec.Crashed {
		t.Errorf("recovery: %+v", rec)
	}
	user := cfg.Databases[0]
	sound(t, in, user)
	if sum, n, err := in.Accounts(user); err != nil || n != 0 && (n != accounts || sum != accounts*startBalance) {
		t.Errorf("%d accounts with %d in all, %v", n, sum, err)
	}
	for key, want := range acked {
		a, _, errA := in.Get(user, "AckA", key)
		b, _, errB := in.Get(user, "AckB", key)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("key %s: half a transaction: %q and %q (%v, %v)", key, a, b, errA, errB)
		}
		if got, _ := strconv.ParseInt(string(a), 10, 64); strconv.FormatInt(got, 10) < want {
			t.Errorf("key %s: %d, but %s was committed", key, got, want)
		}
	}
	if err := in.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}
