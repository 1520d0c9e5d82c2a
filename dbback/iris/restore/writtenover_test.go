package restore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"datfs/dbback/iris/session"
)

// A restore of everything that has come past its last write, and is begun anew, still
// has written the databases: given up then, it does not put the WIJ of before back.
func TestGiveUp_AnewAfterRelease(t *testing.T) {
	r := newRestoring(t, Options{Everything: true})
	r.w.Write("mgr/IRIS.WIJ", "old blocks")
	undo := failures(r)[stepStart]()
	r.mustFail(stepStart)
	undo()
	r.w.Write("status", "down, again")
	for _, lock := range []string{"mgr/iris.lck", "mgr/user/iris.lck"} {
		_ = os.Remove(r.w.At(lock)) // the instance is down
	}
	if err := os.RemoveAll(filepath.Join(r.plan.Work, "journals")); err != nil {
		t.Fatal(err)
	}
	r.opts.Anew = true
	undo = failures(r)[stepPrepare]()
	r.mustFail(stepPrepare)
	undo()
	given, err := r.giveUp()
	if err != nil {
		t.Fatal(err)
	}
	if exists(t, r.w.At("mgr/IRIS.WIJ")) {
		t.Errorf("the WIJ of before is back beside restored databases: %+v", given)
	}
}

// A drill that was killed before its copy does not remove what a restore has brought to
// its places since.
func TestDrill_WrittenOver(t *testing.T) {
	r := newRestoring(t, Options{To: filepath.Join(t.TempDir(), "to"), Drill: true})
	var kept []byte
	r.onStep = func(step string) {
		if step != stepDismount {
			return
		}
		var err error
		if kept, err = os.ReadFile(filepath.Join(r.plan.Work, session.StateName)); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.run(); err != nil {
		t.Fatal(err)
	}
	r.onStep = nil
	work := r.plan.Work // as if it had been killed there
	if err := errors.Join(os.MkdirAll(work, 0o770), os.WriteFile(filepath.Join(work, session.StateName), kept, 0o600)); err != nil {
		t.Fatal(err)
	}
	r.opts.Drill, r.opts.Databases, r.opts.Anew = false, []string{"USER"}, true
	if _, err := r.run(); err != nil {
		t.Fatal(err)
	}
	restored := r.plan.paths()[0]
	if !exists(t, restored) || !exists(t, work) {
		t.Fatalf("%s is not restored, or the state of the drill is gone", restored)
	}
	r.opts.Drill, r.opts.Databases = true, nil
	if _, err := r.run(); !errors.Is(err, ErrRefused) || !exists(t, restored) {
		t.Errorf("the drill: %v; %s is there: %v", err, restored, exists(t, restored))
	}
}
