package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback/practice"
)

// wrapper makes a command that opens a session of the instance; script is a shell
// script that has its path in $IRIS.
func (s *irisSite) wrapper(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wrapper")
	text := fmt.Sprintf("#!/bin/sh\nIRIS='%s'\n%s", s.inst.Command("iris"), script)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// A session that says something while it takes the incremental must not die of it
// that datfs was killed: it goes on to its end.
func TestIris_KillTalking(t *testing.T) {
	s := newSite(t, practice.StartOptions{Load: practice.LoadNone})
	dir := t.TempDir()
	began, gone, ended := filepath.Join(dir, "began"), filepath.Join(dir, "gone"), filepath.Join(dir, "ended")
	is := func(path string) func() bool {
		return func() bool {
			_, err := os.Stat(path)
			return err == nil
		}
	}
	talking := s.wrapper(t, fmt.Sprintf(`lines=$(cat)
case $lines in
*'BACKUP^DBACK("","I"'*)
	: >'%s'
	while ! [ -e '%s' ]; do echo 'Copied 1 blocks'; sleep 0.02; done
	for i in 1 2 3 4 5 6 7 8 9; do echo 'Copied 1 blocks'; sleep 0.02; done
	: >'%s' ;;
esac
printf '%%s\n' "$lines" | "$IRIS" session PRACTICE -U %%SYS
`, began, gone, ended))
	cmd := s.command(t, "backup", "iris", "--instance", "PRACTICE", "--command", talking)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, "a session takes the incremental", is(began))
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if err := os.WriteFile(gone, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, "the session goes on to its end", is(ended))
	s.eventually(t, "the next backup finds nobody at work", func() bool {
		r := s.datfs(t, "backup", "iris", "--instance", "PRACTICE")
		if r.code != 0 && !strings.Contains(r.stderr, "other backup") {
			t.Fatalf("exit code %d\n%s", r.code, r.stderr)
		}
		return r.code == 0
	})
	if info := s.newest(t); info.State != catalog.StateComplete {
		t.Errorf("state %s", info.State)
	}
	if left := s.leftovers(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A kill while the preflight has the databases listed leaves a list behind, which the
// next backup removes when nobody writes to it any more.
func TestIris_KillPreflight(t *testing.T) {
	s := newSite(t, practice.StartOptions{Load: practice.LoadNone, Fail: []string{"hang LISTDIRS^DBACK"}})
	cmd := s.command(t, "backup", "iris", "--instance", "PRACTICE")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "a session hangs", func(st *practice.Status) bool { return len(st.Failures) == 0 })
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if err := s.inst.ClearFailures(); err != nil {
		t.Fatal(err)
	}
	left := s.leftovers(t)
	if len(left) != 1 {
		t.Fatalf("left behind: %v", left)
	}
	s.backup(t, 0)
	if again := s.leftovers(t); !slices.Equal(again, left) {
		t.Errorf("while the session lives: %v, want %v", again, left)
	}
	s.endSessions(t)
	s.backup(t, 0)
	if again := s.leftovers(t); len(again) != 0 {
		t.Errorf("left behind: %v", again)
	}
}

// eventually returns when it is so.
func (s *irisSite) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}
