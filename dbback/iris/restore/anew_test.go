package restore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// exists returns whether there is anything at a path.
func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// mustFail runs a restore that fails in a step.
func (r *restoring) mustFail(step string) *StepError {
	r.t.Helper()
	_, err := r.run()
	failed, ok := errors.AsType[*StepError](err)
	if !ok || failed.Step != step {
		r.t.Fatalf("error %v, want one of the step %s", err, step)
	}
	return failed
}

// One that was begun over another and failed is gone on with by its own command, which
// has no --anew.
func TestRun_AnewGoesOn(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	r.w.Write("mgr/user/IRIS.DAT", r.w.Database("mgr/user"))
	newer := r.nextSet()
	r.w.Say["JRUN"] = "@@JRUN|0|ERROR: a journal file"
	r.mustFail(stepJournals)
	left := r.plan.Work
	r.info, r.opts.Anew = newer, true
	r.mustFail(stepJournals)
	delete(r.w.Say, "JRUN")
	r.opts.Anew = false
	if _, err := r.run(); err != nil || r.next != stepJournals {
		t.Fatalf("error %v, it goes on with %q", err, r.next)
	}
	if exists(t, left) {
		t.Errorf("%s is left", left)
	}
}

// What is left of a restore that was given up, and cannot be removed, does not make a
// failure of one that is done.
func TestRun_CoveredStays(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	r.w.Write("mgr/user/IRIS.DAT", r.w.Database("mgr/user"))
	newer := r.nextSet()
	undo := failures(r)[stepJournals]()
	r.mustFail(stepJournals)
	undo()
	left := r.plan.Work
	immutable(t, filepath.Join(left, "dirlist.kept.txt"))
	r.info, r.opts.Anew = newer, true
	report, err := r.run()
	if err != nil || !report.Clean || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], left) || !strings.HasSuffix(report.Warnings[0], "; remove it") {
		t.Errorf("%v, %+v", err, report)
	}
	if exists(t, r.plan.Work) {
		t.Errorf("%s is left", r.plan.Work)
	}
}

// immutable makes that a file cannot be removed until the test ends.
func immutable(t *testing.T, path string) {
	t.Helper()
	if out, err := exec.Command("chattr", "+i", path).CombinedOutput(); err != nil {
		t.Skipf("%v: %s (takes root, and a file system that can)", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", path).Run() })
}

// A drill removes what it has restored: it is no reason to remove what is left of a
// restore to the same place.
func TestDrill_CoversNothing(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: filepath.Join(t.TempDir(), "to")})
	r.login = func(o *session.Options) { o.WorkDir = r.w.At("work") }
	r.opts.LookOnly = true
	if _, err := r.run(); err != nil {
		t.Fatal(err)
	}
	r.opts.LookOnly = false
	undo := failures(r)[stepPrepare]()
	r.mustFail(stepPrepare)
	undo()
	left := r.plan.Work
	r.login, r.opts.Drill, r.opts.Anew = nil, true, true
	report, err := r.run()
	if err != nil {
		t.Fatal(err)
	}
	if !exists(t, filepath.Join(left, session.StateName)) || slices.ContainsFunc(report.Notes, func(s string) bool { return strings.Contains(s, left) }) {
		t.Errorf("the state of the restore is gone; notes %q", report.Notes)
	}
}

// One that goes on has those journal files in its directory that its plan has, and none
// that a plan before brought: the instance would find it first.
func TestRun_OtherJournals(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: filepath.Join(t.TempDir(), "to")})
	undo := failures(r)[stepJournals]()
	r.mustFail(stepJournals)
	undo()
	const stale = "20261121.009"
	if err := os.WriteFile(filepath.Join(r.plan.journalDir(), stale), []byte("of an earlier plan"), 0o600); err != nil {
		t.Fatal(err)
	}
	var had []string
	r.onStep = func(step string) {
		if step == stepIntegrity {
			entries, _ := os.ReadDir(r.plan.journalDir())
			for _, e := range entries {
				had = append(had, e.Name())
			}
		}
	}
	if _, err := r.run(); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(had, "20261122.002") || slices.Contains(had, stale) {
		t.Errorf("the journals were read from a directory with %q", had)
	}
}

// One that ends before its first step has begun nothing, and says so.
func TestRun_EndsBeforeFirstStep(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	ctx, cancel := context.WithCancel(t.Context())
	opts := r.opts
	opts.Planned = func(p *Plan) { r.plan = p }
	opts.Confirm = func(*Plan, string) error { cancel(); return nil }
	_, err := Run(ctx, r.instance(), r.repo, r.info.SetName(), opts)
	failed, ok := errors.AsType[*StepError](err)
	if !ok || !errors.Is(err, context.Canceled) || failed.Work != "" || failed.Command != "" {
		t.Errorf("error %+v", err)
	}
	if exists(t, r.plan.Work) {
		t.Errorf("%s is left", r.plan.Work)
	}
	r.opts.NoJournals = true
	if _, err := r.run(); err != nil {
		t.Errorf("another restore: %v", err)
	}
}

// newerSet takes one more set of an instance that is about to get everything back.
func (r *restoring) newerSet() *catalog.SetInfo {
	r.t.Helper()
	second := r.w.Manager
	r.w.Manager = r.w.At("mgr/")
	r.w.Write("mgr/user/IRIS.DAT", r.w.Database("mgr/user"))
	info := r.nextSet()
	r.w.Manager = second
	for _, path := range []string{"mgr/user/iris.lck", "mgr/iris.lck"} {
		if err := ignoreMissing(os.Remove(r.w.At(path))); err != nil {
			r.t.Fatal(err)
		}
	}
	return info
}

// A restore over which another one was begun does not put its write image journal back
// to what that one has written, whether that one has ended or not; nor does it go on.
// As long as that one has written nothing, it does.
func TestGiveUp_Overwritten(t *testing.T) {
	for _, tt := range []struct {
		name, fails string // the step of the second one
		wij         string
	}{
		{"not written", stepPrepare, "write image journal"},
		{"half", stepApply, ""},
		{"ended", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRestoring(t, Options{Everything: true})
			first, newer := r.info, r.newerSet()
			r.opts.LookOnly = true
			if _, err := r.run(); err != nil {
				t.Fatal(err)
			}
			r.opts.LookOnly = false
			undo := failures(r)[stepPrepare]()
			r.mustFail(stepPrepare)
			undo()
			left := r.plan.Work
			// It has a database that the other one has not.
			old := filepath.Join(left, session.StateName)
			b, err := os.ReadFile(old)
			if err == nil {
				err = os.WriteFile(old, []byte(strings.Replace(string(b), `"dirs": [`, `"dirs": ["/more/",`, 1)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}

			r.info, r.opts.Anew = newer, true
			if tt.fails == "" {
				_, err := r.run()
				if err != nil {
					t.Fatal(err)
				}
				r.w.Write("status", "down, last used now")
				for _, path := range []string{"IRIS.WIJ", "iris.lck", "user/iris.lck"} {
					os.Remove(filepath.Join(r.w.At("mgr"), path))
				}
			} else {
				r.opts.LookOnly = true
				if _, err := r.run(); err != nil {
					t.Fatal(err)
				}
				r.opts.LookOnly = false
				undo := failures(r)[tt.fails]()
				r.mustFail(tt.fails)
				undo()
			}
			second := r.plan.Work
			r.info, r.opts.Anew = first, false
			if tt.wij == "" && tt.fails == "" { // repeated, it begins from the start
				r.opts.LookOnly = true
				if _, err := r.run(); err != nil || slices.ContainsFunc(r.logged, func(s string) bool { return strings.HasPrefix(s, "a run before this one ended") }) {
					t.Errorf("it goes on: %v, %q", err, r.logged)
				}
				r.opts.LookOnly = false
			}
			given, err := r.giveUp()
			if err != nil || exists(t, left) {
				t.Fatalf("%+v, %v", given, err)
			}
			if b, _ := os.ReadFile(r.w.At("mgr/IRIS.WIJ")); string(b) != tt.wij {
				t.Errorf("WIJ %q, notes %q", b, given.Notes)
			}
			if tt.fails != "" {
				r.info = newer
				if _, err := r.run(); err != nil {
					t.Errorf("the other one: %v", err)
				}
				if exists(t, second) || exists(t, r.w.At("mgr/IRIS.WIJ")) {
					t.Error("it has left its directory, or a WIJ")
				}
			}
		})
	}
}

// One that is interrupted between two steps says what its state says.
func TestRun_EndsBetweenSteps(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	undo := failures(r)[stepMount]()
	r.mustFail(stepMount)
	undo()
	ctx, cancel := context.WithCancel(t.Context())
	opts := r.opts
	opts.Confirm = func(*Plan, string) error { cancel(); return nil }
	_, err := Run(ctx, r.instance(), r.repo, r.info.SetName(), opts)
	failed, ok := errors.AsType[*StepError](err)
	if !ok || !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if s := r.state(); s.Step != stepMount || failed.Again != s.Next || failed.State != english("state."+s.Step) {
		t.Errorf("it says %+v, its state %s, %s", failed, s.Step, s.Next)
	}
}

// A work directory that cannot be removed does not make a failure of a restore that is
// done, nor of a drill; and nobody goes on with what is left.
func TestRun_WorkStays(t *testing.T) {
	for _, drill := range []bool{false, true} {
		r := newRestoring(t, Options{Databases: []string{"USER"}, To: filepath.Join(t.TempDir(), "to"), Drill: drill})
		r.onStep = func(step string) {
			if step == stepIntegrity {
				immutable(t, filepath.Join(r.plan.Work, "dirlist.kept.txt"))
			}
		}
		report, err := r.run()
		if err != nil || !report.Clean || len(report.Warnings) != 1 || !strings.HasPrefix(report.Warnings[0], r.plan.Work+", which is not needed any more, could not be removed: ") {
			t.Errorf("drill %v: %v, %+v", drill, err, report)
		}
		if exists(t, filepath.Join(r.plan.Work, session.StateName)) {
			t.Error("its state is left")
		}
	}
}
