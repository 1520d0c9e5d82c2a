package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func switchJournal(t *testing.T, in *Instance) (from string) {
	t.Helper()
	from, _, err := in.SwitchJournal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return from
}

// Files are named by day and counter, listed, chained, and compressed when closed.
func TestJournalFiles(t *testing.T) {
	cfg := testConfig(t)
	cfg.CompressJournals = true
	now := time.Date(2026, 11, 22, 23, 0, 0, 0, time.Local)
	cfg.Now = func() time.Time { return now }
	in, dirs := withDatabases(t, &cfg, "user")
	fillRows(t, in, dirs[0], 0, 10)
	switchJournal(t, in)
	fillRows(t, in, dirs[0], 10, 30)
	now = now.Add(2 * time.Hour)
	switchJournal(t, in)
	if err := in.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	in = start(t, cfg)
	list, err := in.Journals()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range list {
		names = append(names, filepath.Base(path))
	}
	if want := []string{"20261122.001", "20261122.002", "20261123.001", "20261123.002"}; !slices.Equal(names, want) {
		t.Fatalf("journals %q, want %q", names, want)
	}
	for i, path := range list {
		info, err := InspectJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		prev, next := "", ""
		if i > 0 {
			prev = list[i-1]
		}
		if i+1 < len(list) && i != 2 { // the third was closed by a shutdown, which knows of none after it
			next = list[i+1]
		}
		if info.Prev != prev || info.Next != next || info.Torn {
			t.Errorf("%s: %+v; want prev %q, next %q", path, info, prev, next)
		}
		found, err := FindJournal(path)
		if wantZ := i < 2; err != nil || strings.HasSuffix(found, "z") != wantZ {
			t.Errorf("%s is %s, %v", path, found, err)
		}
		if wantDirs := i < 2; wantDirs != (len(info.Databases) == 1) {
			t.Errorf("%s has records of %q", path, info.Databases)
		}
	}
	infos, err := in.CheckJournals(t.Context(), JournalRestore{First: list[0]})
	if err != nil || len(infos) != 4 {
		t.Errorf("check: %d files, %v", len(infos), err)
	}
}

// A primary directory that fails is not the end: the alternate is used.
func TestAlternateDirectory(t *testing.T) {
	cfg := testConfig(t)
	cfg.AlternateDir = filepath.Join(cfg.Dir, "journal2")
	in, dirs := withDatabases(t, &cfg, "user")
	primary := in.Status().Primary
	if err := os.Rename(strings.TrimSuffix(primary, "/"), filepath.Join(cfg.Dir, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(strings.TrimSuffix(primary, "/"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, to, err := in.SwitchJournal(t.Context())
	if err != nil || filepath.Dir(to) != cfg.AlternateDir {
		t.Fatalf("switched to %s, %v", to, err)
	}
	fillRows(t, in, dirs[0], 0, 5)
	if err := os.RemoveAll(cfg.AlternateDir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.AlternateDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := in.SwitchJournal(t.Context()); err == nil {
		t.Error("switched to nowhere")
	}
	fillRows(t, in, dirs[0], 0, 5) // goes on in the old file
}

// What an open transaction or a crash needs is not purged, however old.
func TestPurge(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	a := switchJournal(t, in)
	txn, err := in.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := switchJournal(t, in)
	fillRows(t, in, dirs[0], 0, 3)
	c := switchJournal(t, in)
	later := time.Now().Add(time.Hour)
	if removed, err := in.PurgeJournals(t.Context(), time.Now().Add(-time.Hour)); err != nil || len(removed) > 0 {
		t.Errorf("removed young files %q, %v", removed, err)
	}
	if removed, err := in.PurgeJournals(t.Context(), later); err != nil || !slices.Equal(removed, []string{a}) {
		t.Errorf("with an open transaction: removed %q, %v; want %s", removed, err, a)
	}
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if removed, err := in.PurgeJournals(t.Context(), later); err != nil || !slices.Equal(removed, []string{b, c}) {
		t.Errorf("without: removed %q, %v; want %s and %s", removed, err, b, c)
	}
	if list, err := in.Journals(); err != nil || len(list) != 4 {
		t.Errorf("journal.log names %q, %v", list, err)
	}
	in.Crash()
	reopened(t, cfg)
}

// A journaled is an instance that has closed three journal files, and is gone.
type journaled struct {
	cfg   Config
	dirs  []string
	files []string
	mid   time.Time // between the second file's updates
}

func makeJournals(t *testing.T) journaled {
	t.Helper()
	var tick time.Duration
	j := journaled{cfg: testConfig(t)}
	j.cfg.Now = func() time.Time { tick += time.Microsecond; return time.Unix(1.7e9, 0).Add(tick) }
	in, dirs := withDatabases(t, &j.cfg, "user", "app")
	j.dirs = dirs
	for n := range 3 {
		for _, dir := range dirs {
			fillRows(t, in, dir, n*20, n*20+50)
		}
		if n == 1 {
			j.mid = j.cfg.Now()
			fillRows(t, in, dirs[0], 1000, 1010)
		}
		if n == 2 { // is not finished by the end of the last file
			txn, err := in.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := txn.Set(t.Context(), dirs[0], "Row", "000001", []byte("not committed either")); err != nil {
				t.Fatal(err)
			}
			if err := txn.Set(t.Context(), dirs[0], "Row", "000001", []byte("not committed")); err != nil {
				t.Fatal(err)
			}
			if err := txn.Kill(t.Context(), dirs[0], "Row", "000002"); err != nil {
				t.Fatal(err)
			}
		}
		j.files = append(j.files, switchJournal(t, in))
	}
	in.Crash()
	return j
}

// other makes an instance with empty databases for the journals to go to.
func (j journaled) other(t *testing.T) (*Instance, map[string]string) {
	t.Helper()
	cfg := testConfig(t)
	cfg.Dir = filepath.Join(t.TempDir(), "other")
	in, dirs := withDatabases(t, &cfg, "a", "b")
	return in, map[string]string{j.dirs[0]: dirs[0], j.dirs[1]: dirs[1]}
}

func TestRestoreJournals(t *testing.T) {
	j := makeJournals(t)
	at := func(n int) Content {
		want, err := ReplayOplog(j.cfg.Oplog, j.files[n])
		if err != nil {
			t.Fatal(err)
		}
		return want[j.dirs[0]]
	}
	unfinished := at(2)
	unfinished["Row"]["000001"] = "not committed"
	delete(unfinished["Row"], "000002")
	mid := at(1)
	for n := 1000; n < 1010; n++ {
		delete(mid["Row"], fmt.Sprintf("%06d", n))
	}
	for _, tt := range []struct {
		name string
		opts JournalRestore
		want Content // of the first database
		done int     // databases updated
	}{
		{"all", JournalRestore{Rollback: true}, at(2), 2},
		{"without rollback", JournalRestore{}, unfinished, 2},
		{"last by name", JournalRestore{Last: filepath.Base(j.files[1]), Rollback: true}, at(1), 2},
		{"until", JournalRestore{Until: j.mid, Rollback: true}, mid, 2},
		{"selected", JournalRestore{Select: j.dirs[:1], Rollback: true}, at(2), 1},
		{"the other selected", JournalRestore{Select: j.dirs[1:], Rollback: true}, Content{}, 1},
		{"by journal.log", JournalRestore{JournalLog: filepath.Join(j.cfg.Dir, journalLog), Last: j.files[2], Rollback: true}, at(2), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, redirect := j.other(t)
			tt.opts.First, tt.opts.Redirect = j.files[0], redirect
			if tt.opts.Last == "" {
				tt.opts.Last = j.files[2]
			}
			for range 2 { // twice is as once
				res, err := in.RestoreJournals(t.Context(), tt.opts)
				if err != nil || len(res.Errors) > 0 || len(res.Updated) != tt.done {
					t.Fatalf("%+v, %v", res, err)
				}
				sound(t, in, redirect[j.dirs[0]])
				if got := contents(t, in, redirect[j.dirs[0]]); got != tt.want.Digest() {
					t.Errorf("content %v, want %v", got, tt.want.Digest())
				}
			}
			in.Crash() // what was restored is in no journal, and must stay
			cfg := in.cfg
			cfg.Databases = []string{redirect[j.dirs[0]]}
			in = start(t, cfg)
			if got := contents(t, in, redirect[j.dirs[0]]); got != tt.want.Digest() {
				t.Errorf("after a crash: content %v, want %v", got, tt.want.Digest())
			}
		})
	}
}

// Without a way to the databases nothing is applied, and it is said.
func TestRestoreJournalsNowhere(t *testing.T) {
	j := makeJournals(t)
	in, redirect := j.other(t)
	res, err := in.RestoreJournals(t.Context(), JournalRestore{First: j.files[0], Last: j.files[2]})
	if err != nil || res.Records > 0 || len(res.Updated) > 0 || !slices.Equal(res.Skipped, slices.Sorted(slices.Values(j.dirs))) || len(res.Errors) != 2 {
		t.Errorf("%+v, %v", res, err)
	}
	if err := in.Dismount(t.Context(), redirect[j.dirs[0]]); err != nil {
		t.Fatal(err)
	}
	res, err = in.RestoreJournals(t.Context(), JournalRestore{First: j.files[0], Last: j.files[2], Redirect: redirect})
	if err != nil || !slices.Equal(res.Updated, []string{redirect[j.dirs[1]]}) || len(res.Errors) != 1 || !errors.Is(res.Errors[0], ErrNotMounted) {
		t.Errorf("%+v, %v", res, err)
	}
}

// overwrite changes a byte of a file.
func overwrite(name string, offset int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("\xa5"), offset)
	return errors.Join(err, f.Close())
}

// Files that are missing, damaged, cut or in the wrong order are found; what is
// missing or in the wrong order, before anything is applied.
func TestJournalsWithFaults(t *testing.T) {
	moved := func(t *testing.T, j journaled) JournalRestore {
		t.Helper()
		dir := t.TempDir()
		for _, path := range j.files {
			copyFile(t, path, filepath.Join(dir, filepath.Base(path)), nil)
		}
		return JournalRestore{First: filepath.Join(dir, filepath.Base(j.files[0]))}
	}
	for _, tt := range []struct {
		name    string
		spoil   func(dir string, names []string) error
		want    error
		applied bool
	}{
		{"good", func(string, []string) error { return nil }, nil, true},
		{"the second is missing", func(dir string, names []string) error {
			return os.Remove(filepath.Join(dir, names[1]))
		}, ErrJournalMissing, false},
		{"the second in place of the third", func(dir string, names []string) error {
			return os.Rename(filepath.Join(dir, names[1]), filepath.Join(dir, names[2]))
		}, ErrBadJournal, false},
		{"the second is cut", func(dir string, names []string) error {
			return os.Truncate(filepath.Join(dir, names[1]), journalHeader+1000)
		}, ErrBadJournal, true},
		{"the second is changed", func(dir string, names []string) error {
			return overwrite(filepath.Join(dir, names[1]), journalHeader+2000)
		}, ErrBadJournal, true},
		{"the last is cut", func(dir string, names []string) error {
			return os.Truncate(filepath.Join(dir, names[2]), journalHeader+1000)
		}, nil, true},
		{"the last is changed", func(dir string, names []string) error {
			return overwrite(filepath.Join(dir, names[2]), journalHeader+300)
		}, ErrBadJournal, true},
		{"the last is compressed", func(dir string, names []string) error {
			return compressFile(filepath.Join(dir, names[2]))
		}, nil, true},
		{"the last is compressed and cut", func(dir string, names []string) error {
			name := filepath.Join(dir, names[2])
			if err := compressFile(name); err != nil {
				return err
			}
			st, err := os.Stat(name + "z")
			if err != nil {
				return err
			}
			return os.Truncate(name+"z", st.Size()/2)
		}, ErrBadJournal, true},
		{"the first is something else", func(dir string, names []string) error {
			return os.WriteFile(filepath.Join(dir, names[0]), make([]byte, 10000), 0o600)
		}, ErrNotJournal, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := makeJournals(t)
			in, redirect := j.other(t)
			opts := moved(t, j)
			opts.Redirect = redirect
			var names []string
			for _, path := range j.files {
				names = append(names, filepath.Base(path))
			}
			if err := tt.spoil(filepath.Dir(opts.First), names); err != nil {
				t.Fatal(err)
			}
			if _, err := in.CheckJournals(t.Context(), opts); !errors.Is(err, tt.want) {
				t.Errorf("check: %v, want %v", err, tt.want)
			}
			empty := contents(t, in, redirect[j.dirs[0]])
			if _, err := in.RestoreJournals(t.Context(), opts); !errors.Is(err, tt.want) {
				t.Errorf("restore: %v, want %v", err, tt.want)
			}
			if applied := contents(t, in, redirect[j.dirs[0]]) != empty; applied != tt.applied {
				t.Errorf("something was applied: %v, want %v", applied, tt.applied)
			}
		})
	}
}

// Files are looked for by bare names in the locations given, compressed or not.
func TestJournalLocations(t *testing.T) {
	j := makeJournals(t)
	in, redirect := j.other(t)
	one, two := t.TempDir(), t.TempDir()
	for i, path := range j.files {
		to := filepath.Join([]string{one, two, one}[i], filepath.Base(path))
		copyFile(t, path, to, nil)
		if i == 1 {
			if err := compressFile(to); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	opts := JournalRestore{
		First: filepath.Base(j.files[0]), Last: filepath.Base(j.files[2]), Redirect: redirect, Rollback: true,
		Locations: []string{one, two}, JournalLog: filepath.Join(j.cfg.Dir, journalLog),
	}
	want, err := ReplayOplog(j.cfg.Oplog, j.files[2])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.RestoreJournals(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, in, redirect[j.dirs[0]]); got != want[j.dirs[0]].Digest() {
		t.Errorf("content %v, want %v", got, want[j.dirs[0]].Digest())
	}
	opts.Locations = []string{one}
	if _, err := in.RestoreJournals(t.Context(), opts); !errors.Is(err, ErrJournalMissing) {
		t.Errorf("without the second: %v", err)
	}
}

// A file that a crash left before journal.log named it is passed over.
func TestJournalNameTaken(t *testing.T) {
	cfg := testConfig(t)
	cfg.Now = func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local) }
	in := start(t, cfg)
	for _, name := range []string{"20261122.002", "20261122.003z", "20261121.009"} {
		if err := os.WriteFile(filepath.Join(in.Status().Primary, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, to, err := in.SwitchJournal(t.Context()); err != nil || filepath.Base(to) != "20261122.004" {
		t.Errorf("switched to %s, %v", to, err)
	}
}
