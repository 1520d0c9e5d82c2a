package integration

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"datfs/dbback/practice"
)

// killIn runs a command and kills it in a step, once a session hangs there if one
// is to. The session stays behind.
func killIn(t *testing.T, cmd *exec.Cmd, step string, hangs func() bool) {
	t.Helper()
	steps := newStepWatcher(step)
	cmd.Stderr = steps
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	select {
	case <-steps.reached:
	case <-time.After(patience):
		t.Errorf("step %s was not reached:\n%s", step, steps)
	}
	for end := time.Now().Add(patience); hangs != nil && !hangs(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("no session hangs:\n%s", steps)
			break
		}
	}
	if hangs != nil {
		// What it said before it hung must have arrived, or it ends by writing to nobody.
		time.Sleep(200 * time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// A kill of datfs in each step of the restore of a database: the same command goes
// on, once the session that was left behind has ended, and ends well.
func TestRestore_Kill(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0, slowly...)
	set := s.set(t)
	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ step, fail, again string }{
		{"look", "hang SYS.Database.%OpenId", ""},
		{"prepare", "", ""}, // at any moment of it, or a little later
		{"dismount", "hang SYS.Database.Dismount", "dismount"},
		{"copy", "", ""},
		{"mount", "hang SYS.Database.Mount", "dismount"},
		{"apply", "hang EXTSELCT^DBREST", "dismount"},
		{"journals", "hang Journal.Restore.Run", "journals"},
		{"integrity", "hang CheckList^Integrity", "integrity"},
	} {
		t.Run(tt.step, func(t *testing.T) {
			sample(t, i)
			s.write(t, "user", tt.step)
			if tt.step != "dismount" {
				s.lose(t, "user")
			}
			arm(t, s.inst, tt.fail)
			var hangs func() bool
			if tt.fail != "" {
				hangs = func() bool { st, err := s.inst.Status(); return err == nil && len(st.Failures) == 0 }
			}
			killIn(t, s.command(t, "restore", "iris", set, "--database", "USER", "--instance", "PRACTICE", "--yes"), tt.step, hangs)
			if tt.fail != "" {
				r := s.restore(t, 11, set, "--database", "USER", "--instance", "PRACTICE", "--yes")
				if !strings.Contains(r.stderr, "a session that is still at work") {
					t.Errorf("beside the session that was left behind:\n%s", r.stderr)
				}
				s.endSessions(t)
			} else {
				s.wait(t, "no session", func(st *practice.Status) bool { return st.Sessions == 0 })
			}
			rep := s.goesOn(t, restoreFailure{step: tt.step, again: tt.again}, set, "--database", "USER", "--instance", "PRACTICE")
			s.holds(t, "user", rep.LastJournal)
			s.clean(t)
		})
	}
}

// The same of a restore of everything: in the steps that are its own.
func TestRestore_KillEverything(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0, slowly...)
	set := s.set(t)
	if err := s.inst.Stop(); err != nil {
		t.Fatal(err)
	}
	helper := s.another(t, "HELPER")
	s.ends(t)
	target, err := practice.At(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{set, "--all", "--instance", "PRACTICE", "--second-instance", "HELPER"}
	for i, tt := range []struct {
		step, fail string
		target     bool // it is armed there
		again      string
	}{
		{"wij", "", false, ""},
		{"copy", "", false, ""},
		{"apply", "hang EXTSELCT^DBREST", false, "copy"},
		{"journals", "hang Journal.Restore.Run", false, "journals"},
		{"release", "hang SYS.Database.Dismount", false, "release"},
		{"start", "", false, ""},
		{"validate", "hang session", true, "start"},
		{"normal", "", false, ""},
	} {
		t.Run(tt.step, func(t *testing.T) {
			sample(t, i)
			if err := target.Stop(t.Context()); err != nil && !errors.Is(err, practice.ErrDown) { // if the row before has failed
				t.Fatal(err)
			}
			for _, name := range []string{"", "user", "app"} {
				garble(t, s.dat(name))
			}
			var hangs func() bool
			hung := helper
			switch {
			case tt.target:
				words := strings.Fields(tt.fail)
				if err := target.Fail(t.Context(), words[0], words[1:]...); err != nil {
					t.Fatal(err)
				}
				hangs, hung = func() bool { st, err := target.Status(t.Context()); return err == nil && len(st.Failures) == 0 }, s
			case tt.fail != "":
				arm(t, helper.inst, tt.fail)
				hangs = func() bool { st, err := helper.inst.Status(); return err == nil && len(st.Failures) == 0 }
			}
			killIn(t, s.command(t, append([]string{"restore", "iris", "--yes"}, args...)...), tt.step, hangs)
			if tt.fail != "" {
				if !tt.target { // there it only asks
					s.restore(t, 11, append([]string{"--yes"}, args...)...)
				}
				hung.killSessions(t)
			}
			helper.wait(t, "no session", func(st *practice.Status) bool { return st.Sessions == 0 && st.Backup == "" })
			s.goesOn(t, restoreFailure{step: tt.step, again: tt.again}, args...)
			if st, err := target.Status(t.Context()); err != nil || st.State != practice.StateRunning || st.Mode != "" {
				t.Errorf("status %+v, %v", st, err)
			}
			if err := target.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"user", "app"} {
				s.fileHolds(t, name, s.dat(name), "")
			}
			if left := append(s.leftovers(t), helper.leftovers(t)...); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
			mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
		})
	}
}
