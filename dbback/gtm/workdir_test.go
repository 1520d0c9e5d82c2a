package gtm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

func TestUsers_Enters(t *testing.T) {
	owner, group, others := users{2, 5, 7}, users{1, 5, 7}, users{0, 5, 7}
	tests := []struct {
		who      users
		uid, gid uint32
		mode     uint32
		want     bool
	}{
		{owner, 5, 9, 0o700, true},
		{owner, 5, 9, 0o600, false},
		{owner, 0, 9, 0o700, false},
		{owner, 0, 9, 0o710, true}, // may be in that group
		{owner, 0, 9, 0o701, true},
		{users{2, 0, 0}, 5, 9, 0o700, true},
		{group, 5, 7, 0o700, false},
		{group, 0, 7, 0o710, true},
		{group, 0, 9, 0o710, false},
		{group, 0, 9, 0o711, true},
		{others, 5, 7, 0o770, false},
		{others, 0, 0, 0o711, true},
	}
	for _, tt := range tests {
		if got := tt.who.enters(&syscall.Stat_t{Uid: tt.uid, Gid: tt.gid, Mode: tt.mode}); got != tt.want {
			t.Errorf("%v, directory of %d:%d, mode %o: %v", tt.who, tt.uid, tt.gid, tt.mode, got)
		}
	}
}

// TestShutOut looks at directories for whoever may write to a database.
func TestShutOut(t *testing.T) {
	top := t.TempDir()
	for dir := filepath.Dir(filepath.Dir(top)); dir != "/"; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err != nil || st.Mode()&1 == 0 {
			t.Skipf("not everybody can enter %s: set TMPDIR to another directory (%v)", dir, err)
		}
	}
	for _, dir := range []string{filepath.Dir(top), top} { // these two are the test's own
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	private, deep, home := filepath.Join(top, "private"), filepath.Join(top, "private/a/b"), filepath.Join(top, "home")
	for _, dir := range []string{deep, home} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name     string
		database string
		mode     os.FileMode // of the database
		home     os.FileMode // of its directory
		private  os.FileMode
		at, who  string
	}{
		{"everybody may write", "home/t.dat", 0o666, 0o755, 0o700, private, "group "},
		{"all but the group may", "home/t.dat", 0o606, 0o755, 0o700, private, "other users"},
		{"the directory is open", "home/t.dat", 0o666, 0o755, 0o711, "", ""},
		{"only the owner may write", "home/t.dat", 0o644, 0o755, 0o700, "", ""},
		{"nobody else gets to the database", "home/t.dat", 0o666, 0o700, 0o700, "", ""},
		{"no database", "home/none.dat", 0o666, 0o755, 0o700, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(home, "t.dat")
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for path, mode := range map[string]os.FileMode{name: tt.mode, home: tt.home, private: tt.private} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			at, who := shutOut(deep, filepath.Join(top, tt.database))
			if at != tt.at || at != "" && !strings.HasPrefix(who.String(), tt.who) {
				t.Errorf("%q, %v", at, who)
			}
		})
	}
}

// TestWorkDir_Closed takes the marks of what processes of another user write to, in
// a directory that this user cannot enter: that is said before, and when it fails.
func TestWorkDir_Closed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root starts processes of another user")
	}
	l := newLive(t, shape{allocation: 300})
	l.load(1)
	l.giveAway()
	l.start("writer", 1, 0)
	l.start("writer", 2, 0)
	l.moved("DEFAULT", 20)
	work := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	look := func(level catalog.Level, who string) *Engine {
		t.Helper()
		e, err := New(Options{Gbldir: l.tools.gbldir, Work: work})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Preflight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Findings {
			if f.Level == level && strings.Contains(f.Text, work+" cannot be entered by "+who) && strings.Contains(f.Do, "--work-dir") {
				return e
			}
		}
		t.Errorf("no %v of %s in %v", level, who, s.Findings)
		return e
	}
	look(catalog.LevelFail, "user 65534")
	database := l.files("t.dat")[0]
	if err := errors.Join(os.Chown(database, 0, 0), os.Chmod(database, 0o666)); err != nil {
		t.Fatal(err)
	}
	e := look(catalog.LevelWarn, "group 0")
	run := &dbback.Run{Set: catalog.SetName{Instance: "GTM", Name: "x"}, Transcript: func(string, string) {}}
	err := e.Begin(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	// Which of two errors a shut-out process causes is chance: the other one, seen now and
	// then on a busy machine, does not tell of permissions.
	other := func(err error) bool { return err != nil && strings.Contains(err.Error(), "BCKUPBUFLUSH") }
	for deadline := time.Now().Add(patience); err == nil || other(err); err = e.Mark(t.Context()) {
		if time.Now().After(deadline) {
			t.Fatal("nobody changes anything while a marker is taken")
		}
		if err := os.Remove(filepath.Join(e.work, markerName("DEFAULT"))); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if !strings.Contains(err.Error(), "ENO13") || !strings.Contains(err.Error(), "must be able to enter "+e.work) {
		t.Errorf("%v", err)
	}
	if err := e.End(t.Context(), false); err != nil {
		t.Error(err)
	}
	l.stop()
}
