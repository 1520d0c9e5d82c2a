package storage

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// A copied is a dirty copy of databases with the incremental that heals it.
type copied struct {
	dirs   []string
	copies map[string]string // by directory, the copy's directory
	backup *BackupResult
	path   string
}

// copyLive does the backup method under load: mark, copy, record, incremental. A
// slow copy reads the blocks that name others long before those. A fast one
// is over before the write daemon has written what was dirty at the mark.
func copyLive(t *testing.T, in *Instance, dirs []string, slow bool) copied {
	t.Helper()
	ctx := t.Context()
	c := copied{dirs: dirs, copies: map[string]string{}, path: filepath.Join(t.TempDir(), "i.cbk")}
	if err := in.Mark(ctx, dirs); err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		to := cleanDir(t.TempDir())
		before := updates(in, dir)
		copyFile(t, filepath.Join(dir, datName), filepath.Join(to, datName), func(n int64) {
			if slow && n == 8 {
				until(t, "updates", func() bool { return updates(in, dir) >= before+50 })
				if err := in.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		c.copies[dir] = to
	}
	if err := in.RecordExternalFull(ctx, "copied", dirs); err != nil {
		t.Fatal(err)
	}
	var err error
	c.backup, err = in.Backup(ctx, BackupOptions{
		Type: Incremental, Databases: dirs, Path: c.path, SwitchJournal: true, Digests: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// updates returns the update sequence number of a mounted database.
func updates(in *Instance, dir string) uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.dbs[dir].usn
}

// restore restores copies and incremental on an instance of its own.
func (c copied) restore(t *testing.T) (in *Instance, res *RestoreResult) {
	t.Helper()
	cfg := testConfig(t)
	cfg.Dir = filepath.Join(t.TempDir(), "mgr2")
	in = start(t, cfg)
	opts := RestoreOptions{Path: c.path}
	for _, dir := range c.dirs {
		opts.Targets = append(opts.Targets, RestoreTarget{Source: dir, Target: c.copies[dir]})
	}
	res, err := in.RestoreBackup(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return in, res
}

func TestTheMethodHeals(t *testing.T) {
	cfg := testConfig(t)
	cfg.FlushEvery = 20 * time.Millisecond
	cfg.CompressJournals = true
	in, dirs := withDatabases(t, &cfg, "user", "app")
	stop := load(t, in, LoadOptions{Seed: 1, HoldOpen: 300 * time.Millisecond})
	for _, dir := range dirs {
		grown(t, in, dir, 2<<20)
	}
	c := copyLive(t, in, dirs, true)
	_, after, err := in.SwitchJournal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop()

	for _, dir := range dirs {
		if len(findingsOf(t, filepath.Join(c.copies[dir], datName))) == 0 {
			t.Errorf("the copy of %s alone is not found damaged", dir)
		}
	}
	to, res := c.restore(t)
	if len(res.Degraded) > 0 {
		t.Fatalf("degraded: %v", res.Degraded)
	}
	for _, dir := range dirs {
		sound(t, to, c.copies[dir])
		if got, want := contents(t, to, c.copies[dir]), c.backup.Digests[dir]; got != want {
			t.Errorf("%s: content %v, at the marker it was %v", dir, got, want)
		}
	}

	// The journals, applied twice, bring it to the end of the marker's file.
	marker := c.backup.Marker
	want, err := ReplayOplog(cfg.Oplog, marker)
	if err != nil {
		t.Fatal(err)
	}
	jr := JournalRestore{First: c.backup.Required, Last: marker, JournalLog: filepath.Join(cfg.Dir, journalLog), Rollback: true, Redirect: c.copies}
	for range 2 {
		jres, err := to.RestoreJournals(t.Context(), jr)
		if err != nil {
			t.Fatal(err)
		}
		if len(jres.Errors) > 0 || len(jres.Updated) != 2 {
			t.Errorf("updated %q, errors %v", jres.Updated, jres.Errors)
		}
		for _, dir := range dirs {
			sound(t, to, c.copies[dir])
			if got := contents(t, to, c.copies[dir]); got != want[dir].Digest() {
				t.Errorf("%s: content %v at the end of %s, the oplog says %v", dir, got, marker, want[dir].Digest())
			}
			if sum, n, err := to.Accounts(c.copies[dir]); err != nil || n != accounts || sum != accounts*startBalance {
				t.Errorf("%s: %d accounts with %d in all, %v", dir, n, sum, err)
			}
		}
	}
	if after == marker {
		t.Errorf("journal switched to %s, which has the marker", after)
	}
}

// healed tells whether copy and incremental give the content at the marker.
func (c copied) healed(t *testing.T) bool {
	t.Helper()
	to, _ := c.restore(t)
	for _, dir := range c.dirs {
		findings, err := to.Check(t.Context(), c.copies[dir])
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) > 0 || contents(t, to, c.copies[dir]) != c.backup.Digests[dir] {
			return false
		}
	}
	return true
}

// A mark that forgets what is dirty in memory must be found, and only that.
func TestMarkUnderLoad(t *testing.T) {
	for _, broken := range []bool{false, true} {
		t.Run(fmt.Sprintf("broken=%v", broken), func(t *testing.T) {
			cfg := testConfig(t)
			cfg.FlushEvery = 200 * time.Millisecond
			in, dirs := withDatabases(t, &cfg, "user")
			fill := load(t, in, LoadOptions{Seed: 2})
			grown(t, in, dirs[0], 1<<20)
			fill()
			load(t, in, LoadOptions{Seed: 3, Rate: 500})
			in.SetFault(MarkWithoutFlush, broken)
			bad := 0
			for range 5 {
				until(t, "something is dirty", func() bool { return in.Status().Dirty > 20 })
				if !copyLive(t, in, dirs, false).healed(t) {
					bad++
				}
			}
			if broken != (bad > 0) {
				t.Errorf("%d of 5 backups were bad", bad)
			}
		})
	}
}

// What is dirty at the mark, or on its way to the file, stays marked. No chance is
// involved: the write daemon stands still.
func TestMarkKeepsWhatIsNotWritten(t *testing.T) {
	for _, point := range []string{"", "wij-written", "wij-active", "databases-half", "databases-written"} {
		for _, broken := range []bool{false, true} {
			t.Run(fmt.Sprintf("point=%s,broken=%v", point, broken), func(t *testing.T) {
				cfg := testConfig(t)
				var c copied
				var backup func()
				cfg.at = func(p string) bool {
					if p == point && backup != nil {
						backup()
						backup = nil
					}
					return false
				}
				in, dirs := withDatabases(t, &cfg, "user")
				fillRows(t, in, dirs[0], 0, 500)
				if err := in.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				fillRows(t, in, dirs[0], 400, 600)
				in.SetFault(MarkWithoutFlush, broken)
				backup = func() { c = copyLive(t, in, dirs, false) }
				if point == "" {
					backup()
				} else if err := in.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if want := !broken || point == "databases-written"; c.healed(t) != want {
					t.Errorf("healed: %v, want %v", !want, want)
				}
			})
		}
	}
}

// fillRows sets the keys from first to below end.
func fillRows(t *testing.T, in *Instance, dir string, first, end int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(first), uint64(end)))
	for i := first; i < end; i++ {
		if err := in.Set(t.Context(), dir, "Row", fmt.Sprintf("%06d", i), filler(r, 500)); err != nil {
			t.Fatal(err)
		}
	}
}
