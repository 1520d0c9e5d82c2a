package restore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// What came to be in the places of a drill after it looked is somebody else's: it is
// neither overwritten nor removed.
func TestDrill_TakenMeanwhile(t *testing.T) {
	to := filepath.Join(t.TempDir(), "drill")
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: to, Drill: true})
	r.opts.Anew = true
	path := filepath.Join(to, r.w.At("mgr/user/IRIS.DAT"))
	put := func() {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("somebody's"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	still := func(what string) {
		t.Helper()
		if b, err := os.ReadFile(path); string(b) != "somebody's" {
			t.Errorf("%s: %q, %v", what, b, err)
		}
		if _, err := os.Stat(r.plan.Work); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s is left: %v", what, r.plan.Work, err)
		}
	}
	at := func(step string, do func()) func(string) {
		return func(s string) {
			if s == step {
				do()
			}
		}
	}

	r.onStep = at(stepDismount, put)
	if _, err := r.run(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), path+" exists") {
		t.Errorf("error %v", err)
	}
	still("a file that came to be there")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}

	// Another one is at work there, and has not written yet, or has.
	for _, before := range []string{stepDismount, stepCopy} {
		other := &restoration{plan: r.plan}
		r.onStep = at(before, func() {
			if err := other.hold(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			put()
		})
		_, err := r.run()
		if !errors.Is(err, catalog.ErrLocked) || !strings.Contains(err.Error(), "another restore or drill is at work in "+filepath.Dir(path)) {
			t.Errorf("error %v", err)
		}
		still("another drill")
		other.letGo()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}

	// One that fails before it writes removes nothing.
	r.onStep = at(stepDismount, func() { put(); r.w.Say["DM"] = "@@DM|0|0"; r.w.Tell() })
	if _, err := r.run(); err == nil || strings.Contains(err.Error(), "cleaning up") {
		t.Errorf("error %v", err)
	}
	still("a drill that did not write")
}

// The same for what is restored elsewhere to stay.
func TestRun_TakenMeanwhile(t *testing.T) {
	to := filepath.Join(t.TempDir(), "to")
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: to})
	path := filepath.Join(to, r.w.At("mgr/user/IRIS.DAT"))
	r.onStep = func(step string) {
		if step == stepDismount {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("somebody's"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := r.run(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), path+" has come to be there since this restore looked") {
		t.Errorf("error %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "somebody's" {
		t.Errorf("%q", b)
	}
	r.onStep = nil
	if _, err := r.run(); err != nil { // it is told now that the file is overwritten
		t.Error(err)
	}
	r.checkRestored(path)
}

// Several that make, lock and remove one directory: whoever has it locked has the one
// that is there.
func TestHold_Removed(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: t.TempDir()})
	r.opts.LookOnly = true
	if _, err := r.run(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a")
	var held atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				one := &restoration{plan: r.plan}
				if err := one.hold(dir); errors.Is(err, catalog.ErrLocked) {
					continue
				} else if err != nil {
					t.Error(err)
					return
				}
				if n := held.Add(1); n != 1 {
					t.Errorf("%d have it", n)
				}
				held.Add(-1) // with the directory the lock is gone
				if err := os.Remove(dir); err != nil {
					t.Errorf("what is locked is not there: %v", err)
				}
				one.letGo()
			}
		})
	}
	wg.Wait()
}

// One that goes on behind the copy has its places locked too.
func TestRun_HoldsBehindCopy(t *testing.T) {
	to := filepath.Join(t.TempDir(), "to")
	for _, step := range []string{stepJournals, stepIntegrity} {
		r := newRestoring(t, Options{Databases: []string{"USER"}, To: to})
		undo := failures(r)[step]()
		r.mustFail(step)
		undo()
		held := 0
		r.onStep = func(s string) {
			if s == stepLook {
				return
			}
			other := &restoration{plan: r.plan}
			if err := other.hold(filepath.Join(to, r.w.At("mgr/user"))); !errors.Is(err, catalog.ErrLocked) {
				t.Errorf("in the step %s another one takes it: %v", s, err)
			}
			other.letGo()
			held++
		}
		if _, err := r.run(); err != nil || held == 0 || r.next != step {
			t.Errorf("%s: %v, held %d times, next %s", step, err, held, r.next)
		}
	}
}

// Two instances can mean one work directory: while a restore is at work there, nobody
// goes on with it, gives it up, begins over it or removes it; and afterwards it is that
// restore's, not the other instance's.
func TestRun_OneWorkDir(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: filepath.Join(t.TempDir(), "to")})
	work := r.w.At("work")
	r.login = func(o *session.Options) { o.WorkDir = work }
	r.w.Write("second/mgr/.keep", "")
	first := r.w.Manager
	other := func() *restoring {
		r.w.Manager = r.w.At("second/mgr/")
		o := &restoring{t: t, w: r.w, repo: r.repo, info: r.info, opts: r.opts}
		o.login = func(o *session.Options) {
			o.Instance, o.WorkDir = "SECOND", work
			o.Command = []string{os.Args[0], "session", "SECOND"}
		}
		return o
	}
	back := func() { r.w.Manager = first; r.w.Tell() }
	r.onStep = func(step string) {
		if step != stepCopy && step != stepApply {
			return
		}
		o := other()
		defer back()
		for _, anew := range []bool{false, true} {
			o.opts.Anew = anew
			if _, err := o.run(); !errors.Is(err, catalog.ErrLocked) || !strings.Contains(err.Error(), r.plan.Work) {
				t.Errorf("in the step %s, anew %v: %v", step, anew, err)
			}
		}
		o.opts.NoJournals = true // another one, in the same directory
		if _, err := o.run(); !errors.Is(err, catalog.ErrLocked) {
			t.Errorf("in the step %s, another restore: %v", step, err)
		}
		o.opts.To, o.opts.Redirect = "", map[string]string{"USER": filepath.Join(r.opts.To, r.w.At("mgr/user"))}
		if _, err := o.run(); !errors.Is(err, catalog.ErrLocked) {
			t.Errorf("in the step %s, another directory: %v", step, err)
		}
		if _, err := other().giveUp(); !errors.Is(err, catalog.ErrLocked) {
			t.Errorf("in the step %s: given up: %v", step, err)
		}
	}
	undo := failures(r)[stepApply]()
	r.mustFail(stepApply)
	undo()
	r.onStep = nil
	if _, err := other().run(); !errors.Is(err, ErrRefused) {
		t.Errorf("the other instance goes on: %v", err)
	}
	back()
	if _, err := r.run(); err != nil || r.next != stepDismount {
		t.Errorf("%v, next %s", err, r.next)
	}
}
