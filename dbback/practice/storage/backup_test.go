package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// backUp makes a backup that must succeed.
func backUp(t *testing.T, in *Instance, typ BackupType, dirs []string) (string, *BackupResult) {
	t.Helper()
	path := filepath.Join(t.TempDir(), string(typ)+".cbk")
	res, err := in.Backup(t.Context(), BackupOptions{Type: typ, Databases: dirs, Path: path, Digests: true})
	if err != nil {
		t.Fatal(err)
	}
	return path, res
}

// Full, incremental, cumulative, incremental: each restores with what it builds on,
// and not without.
func TestChains(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	user := dirs[0]
	var (
		paths   []string
		results []*BackupResult
	)
	for i, typ := range []BackupType{Full, Incremental, Cumulative, Incremental} {
		fillRows(t, in, user, i*100, i*100+300)
		if i == 2 {
			if err := in.Kill(t.Context(), user, "Row", ""); err != nil {
				t.Fatal(err)
			}
			fillRows(t, in, user, 0, 50)
		}
		path, res := backUp(t, in, typ, dirs)
		paths, results = append(paths, path), append(results, res)
	}
	for _, tt := range []struct {
		name  string
		files []int
		want  int // the result whose content it is
		bad   bool
	}{
		{"full", []int{0}, 0, false},
		{"full, incremental", []int{0, 1}, 1, false},
		{"full, cumulative", []int{0, 2}, 2, false},
		{"full, incremental, cumulative", []int{0, 1, 2}, 2, false},
		{"full, cumulative, incremental", []int{0, 2, 3}, 3, false},
		{"full, incremental, incremental", []int{0, 1, 3}, 3, true},
		{"full, incremental twice", []int{0, 1, 1}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t)
			to := start(t, cfg)
			target := cleanDir(filepath.Join(cfg.Dir, "new"))
			for _, i := range tt.files {
				_, err := to.RestoreBackup(t.Context(), RestoreOptions{
					Path: paths[i], Targets: []RestoreTarget{{Source: user, Target: target, Create: true}},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			findings, err := to.Check(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			good := len(findings) == 0 && contents(t, to, target) == results[tt.want].Digests[user]
			if good == tt.bad {
				t.Errorf("good: %v; %d findings", good, len(findings))
			}
			if info, err := to.Database(target); err != nil || info.Directory != target || label0(t, target).directory != target {
				t.Errorf("the label names %q: %+v, %v", label0(t, target).directory, info, err)
			}
		})
	}
}

// label0 reads the label from a file.
func label0(t *testing.T, dir string) label {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, datName))
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLabel(b[:BlockSize])
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestBackupRefused(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user", "app")
	path := filepath.Join(t.TempDir(), "x.cbk")
	try := func(typ BackupType, dirs ...string) error {
		_, err := in.Backup(t.Context(), BackupOptions{Type: typ, Databases: dirs, Path: path})
		return err
	}
	for _, typ := range []BackupType{Incremental, Cumulative} {
		if err := try(typ, dirs...); !errors.Is(err, ErrNoFull) {
			t.Errorf("%s without a full one: %v", typ, err)
		}
	}
	if err := try(ExternalFull, dirs...); err == nil {
		t.Error("a backup of type E was made")
	}
	if err := in.RecordExternalFull(t.Context(), "copied", dirs); err != nil {
		t.Fatal(err)
	}
	if err := try(Incremental, dirs...); err != nil {
		t.Errorf("incremental after type E: %v", err)
	}
	if history, err := in.History(); err != nil || len(history) != 2 || history[1].Type != Incremental || history[1].Device != path {
		t.Errorf("history: %+v, %v", history, err)
	}
	if err := in.Mark(t.Context(), dirs); err != nil {
		t.Fatal(err)
	}
	if err := try(Incremental, dirs...); !errors.Is(err, ErrNoFull) {
		t.Errorf("incremental after a mark deleted the history: %v", err)
	}
	if err := in.Dismount(t.Context(), dirs[1]); err != nil {
		t.Fatal(err)
	}
	if err := try(Full, dirs...); !errors.Is(err, ErrNotMounted) {
		t.Errorf("full with a dismounted database: %v", err)
	}
	if err := in.Mark(t.Context(), dirs); !errors.Is(err, ErrNotMounted) {
		t.Errorf("mark with a dismounted database: %v", err)
	}
}

// A backup that fails leaves marked what was marked: the next one has it.
func TestFailedBackupForgetsNothing(t *testing.T) {
	stop, cancel := context.WithCancel(t.Context())
	for _, tt := range []struct {
		name string
		ctx  context.Context
		opts BackupOptions
		want error
	}{
		{"full disk", t.Context(), BackupOptions{Limit: 500 << 10}, syscall.ENOSPC},
		{"full disk at the end", t.Context(), BackupOptions{Limit: -1}, syscall.ENOSPC},
		{"aborted", stop, BackupOptions{Progress: func(ev BackupProgress) {
			if ev.Event == MarkerSet {
				cancel()
			}
		}}, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t)
			in, dirs := withDatabases(t, &cfg, "user")
			fillRows(t, in, dirs[0], 0, 200)
			full, _ := backUp(t, in, Full, dirs)
			fillRows(t, in, dirs[0], 100, 1500)
			tt.opts.Type, tt.opts.Databases, tt.opts.Path = Incremental, dirs, filepath.Join(t.TempDir(), "bad.cbk")
			if tt.opts.Limit < 0 {
				e, err := in.EstimateBackup(Incremental, dirs)
				if err != nil {
					t.Fatal(err)
				}
				tt.opts.Limit = e.Blocks*(partHead+4+BlockSize+4) + 500 // the blocks, not the trailer
			}
			if _, err := in.Backup(tt.ctx, tt.opts); !errors.Is(err, tt.want) {
				t.Fatalf("the backup that must fail: %v", err)
			}
			if history, err := in.History(); err != nil || len(history) != 1 {
				t.Errorf("history: %+v, %v", history, err)
			}
			inc, res := backUp(t, in, Incremental, dirs)
			restoreInto(t, []string{full, inc}, dirs[0], res.Digests[dirs[0]])
			if in.Status().Held || in.Status().Busy {
				t.Error("updates are still held")
			}
		})
	}
}

// restoreInto restores backup files to a new database and checks its content.
func restoreInto(t *testing.T, paths []string, source string, want Digest) {
	t.Helper()
	cfg := testConfig(t)
	cfg.Dir = filepath.Join(t.TempDir(), "other")
	to := start(t, cfg)
	target := cleanDir(t.TempDir())
	for _, path := range paths {
		if _, err := to.RestoreBackup(t.Context(), RestoreOptions{Path: path, Targets: []RestoreTarget{{Source: source, Target: target}}}); err != nil {
			t.Fatal(err)
		}
	}
	sound(t, to, target)
	if got := contents(t, to, target); got != want {
		t.Errorf("content %v, want %v", got, want)
	}
}

// The bits survive a crash: what changed before it is in the next incremental.
func TestBitsSurviveCrash(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	fillRows(t, in, dirs[0], 0, 300)
	full, _ := backUp(t, in, Full, dirs)
	fillRows(t, in, dirs[0], 0, 20)
	if err := in.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	fillRows(t, in, dirs[0], 200, 220)
	in.Crash()
	in = reopened(t, cfg)
	inc, res := backUp(t, in, Incremental, dirs)
	if res.Blocks > 30 {
		t.Errorf("%d blocks in the incremental of 40 rows", res.Blocks)
	}
	restoreInto(t, []string{full, inc}, dirs[0], res.Digests[dirs[0]])
}

// Updates while a backup reads are in it, up to the marker.
func TestBackupPasses(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user", "app")
	fillRows(t, in, dirs[0], 0, 300)
	txn, err := in.Begin(t.Context()) // begun in an older journal than the marker's
	if err != nil {
		t.Fatal(err)
	}
	if err := txn.Set(t.Context(), dirs[0], "Row", "open", []byte("x")); err != nil {
		t.Fatal(err)
	}
	before := in.Status().Journal
	var events []string
	path := filepath.Join(t.TempDir(), "f.cbk")
	res, err := in.Backup(t.Context(), BackupOptions{
		Type: Full, Databases: dirs, Path: path, SwitchJournal: true, Digests: true, Description: "d",
		Progress: func(ev BackupProgress) {
			events = append(events, string(ev.Event))
			if ev.Event == PassBegins && !ev.Last {
				fillRows(t, in, dirs[0], ev.Pass*50, ev.Pass*50+80)
			}
			if ev.Event == MarkerSet && !in.Status().Held {
				t.Error("updates are not held in the last pass")
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	pass := " pass" + strings.Repeat(" copy copied", 2) + " pass-done"
	want := "switched" + pass + pass + strings.Replace(pass, "pass", "pass marker", 1)
	if got := strings.Join(events, " "); got != want {
		t.Errorf("events %q\nwant   %q", got, want)
	}
	if res.Required != before || res.Marker != res.Switched || res.Marker == before {
		t.Errorf("required %s, marker %s, switched %s; the transaction began in %s", res.Required, res.Marker, res.Switched, before)
	}
	found := false
	_, err = scanJournal(res.Marker, 0, func(r *record, offset int64) error {
		found = found || offset == res.Offset && r.Type == recMarker
		return nil
	})
	if err != nil || !found {
		t.Errorf("no marker at %d of %s, %v", res.Offset, res.Marker, err)
	}
	info, err := ReadBackup(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || info.Bytes != st.Size() || info.Bytes != res.Bytes || info.Blocks != res.Blocks ||
		info.Marker != res.Marker || info.Offset != res.Offset || info.Required != res.Required || info.Description != "d" {
		t.Errorf("the file says %+v, the result %+v; %v", info, res, err)
	}
	restoreInto(t, []string{path}, dirs[0], res.Digests[dirs[0]])
	restoreInto(t, []string{path}, dirs[1], res.Digests[dirs[1]])
}

// A backup file with a changed byte or a lost end is refused before a target is
// touched.
func TestDamagedBackup(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	fillRows(t, in, dirs[0], 0, 40)
	path, _ := backUp(t, in, Full, dirs)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, in, dirs[0])
	try := func(b []byte, what string, at int) {
		t.Helper()
		bad := filepath.Join(t.TempDir(), "bad.cbk")
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := in.RestoreBackup(t.Context(), RestoreOptions{Path: bad, All: true})
		if !errors.Is(err, ErrBadBackup) && !errors.Is(err, ErrNotBackup) {
			t.Errorf("%s at %d: %v", what, at, err)
		}
	}
	for at := 0; at < len(good); at += 3001 {
		b := slices.Clone(good)
		b[at] ^= 1
		try(b, "changed", at)
		try(good[:at], "cut", at)
	}
	try(good[:len(good)-1], "cut", len(good)-1)
	if got := contents(t, in, dirs[0]); got != want {
		t.Error("a refused restore changed the database")
	}
}

// Where a restore may go.
func TestRestoreTargets(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user", "app")
	fillRows(t, in, dirs[0], 0, 6000) // grows
	path, res := backUp(t, in, Full, dirs)
	root := t.TempDir()
	to := func(target string, create bool) (string, error) {
		var events []string
		_, err := in.RestoreBackup(t.Context(), RestoreOptions{
			Path: path, Targets: []RestoreTarget{{dirs[0], target, create}},
			Progress: func(ev RestoreProgress) {
				if len(events) == 0 || events[len(events)-1] != string(ev.Event) {
					events = append(events, string(ev.Event))
				}
				_ = in.Status() // may be asked for
			},
		})
		return strings.Join(events, " "), err
	}
	if _, err := to(filepath.Join(root, "none"), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("to a directory that does not exist: %v", err)
	}
	made := filepath.Join(root, "made")
	events, err := to(made, true)
	if want := "expanding restoring restored skipped restoring restored skipped restoring restored skipped mounted"; err != nil || events != want {
		t.Errorf("events %q, %v; want %q", events, err, want)
	}
	if got := contents(t, in, cleanDir(made)); got != res.Digests[dirs[0]] {
		t.Error("content differs")
	}
	if err := in.Dismount(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	if err := in.Mount(t.Context(), made, true); err != nil {
		t.Fatal(err)
	}
	if _, err := to(made, false); !errors.Is(err, ErrReadOnly) {
		t.Errorf("to a database mounted read-only: %v", err)
	}
	if err := in.Dismount(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	if _, err := to(made, false); err != nil {
		t.Errorf("to a dismounted database: %v", err)
	}
	sound(t, in, made)
	_, err = in.RestoreBackup(t.Context(), RestoreOptions{Path: path, Targets: []RestoreTarget{{Source: root}}})
	if !errors.Is(err, ErrNotInBackup) {
		t.Errorf("a source that is not in the file: %v", err)
	}
}

// An estimate is not far from the file.
func TestEstimate(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user", "app")
	fillRows(t, in, dirs[0], 0, 3000)
	for _, typ := range []BackupType{Full, Incremental, Cumulative} {
		e, err := in.EstimateBackup(typ, dirs)
		if err != nil {
			t.Fatal(err)
		}
		path, res := backUp(t, in, typ, dirs)
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if e.Blocks != res.Blocks || e.Databases != 2 || e.Bytes < st.Size() || e.Bytes > st.Size()+64<<10 {
			t.Errorf("%s: estimate %+v; %d blocks and %d bytes were written", typ, e, res.Blocks, st.Size())
		}
		fillRows(t, in, dirs[0], 10, 900)
	}
}

// What was restored is in no journal; it survives a crash all the same.
func TestCrashAfterRestore(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	fillRows(t, in, dirs[0], 0, 200)
	path, res := backUp(t, in, Full, dirs)
	fillRows(t, in, dirs[0], 100, 400)
	if _, err := in.RestoreBackup(t.Context(), RestoreOptions{Path: path, All: true}); err != nil {
		t.Fatal(err)
	}
	in.Crash()
	in = start(t, cfg)
	sound(t, in, dirs[0])
	if got := contents(t, in, dirs[0]); got != res.Digests[dirs[0]] {
		t.Errorf("content %v, want that of the restore %v", got, res.Digests[dirs[0]])
	}
}

// A copy whose map of changed blocks is torn, which no incremental brings, is made
// sound by mounting it; then every block counts as changed.
func TestTornMapHeals(t *testing.T) {
	for _, n := range []int64{blockChanged, blockCumulative} {
		cfg := testConfig(t)
		in, dirs := withDatabases(t, &cfg, "user")
		fillRows(t, in, dirs[0], 0, 200)
		backUp(t, in, Full, dirs)
		if err := in.Dismount(t.Context(), dirs[0]); err != nil {
			t.Fatal(err)
		}
		dat := filepath.Join(dirs[0], datName)
		f, err := os.OpenFile(dat, os.O_RDWR, 0)
		if err == nil {
			_, err = f.WriteAt(make([]byte, BlockSize/2), n*BlockSize)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(findingsOf(t, dat)) == 0 {
			t.Fatal("a torn map is not found")
		}
		if err := in.Mount(t.Context(), dirs[0], false); err != nil {
			t.Fatal(err)
		}
		sound(t, in, dirs[0])
		typ := map[int64]BackupType{blockChanged: Incremental, blockCumulative: Cumulative}[n]
		if e, err := in.EstimateBackup(typ, dirs); err != nil || e.Blocks < blocksPerMiB-firstDataBlock {
			t.Errorf("%s: %+v, %v", typ, e, err)
		}
	}
}
