package restore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris"
	"datfs/dbback/iris/session"
)

// An instance that was started between two runs has a WIJ again: the restore begins
// again where it is moved aside, and puts the copies back.
func TestRun_StartedMeanwhile(t *testing.T) {
	for _, step := range []string{stepPrepare, stepCopy, stepApply, stepJournals, stepIntegrity, stepRelease} {
		t.Run(step, func(t *testing.T) {
			r := newRestoring(t, Options{Everything: true})
			r.opts.LookOnly = true
			if _, err := r.run(); err != nil {
				t.Fatal(err)
			}
			r.opts.LookOnly = false
			undo := failures(r)[step]()
			if _, err := r.run(); err == nil {
				t.Fatal("it does not fail")
			}
			undo()
			r.w.Write("mgr/IRIS.WIJ", "blocks of a crash")
			r.w.Write("mgr/user/IRIS.DAT", strings.Repeat("changed ", 4096))
			report, err := r.run()
			if err != nil {
				t.Fatal(err)
			}
			if r.next != stepWIJ || !slices.Contains(r.steps, stepCopy) {
				t.Errorf("it goes on with %s, and takes %q", r.next, r.steps)
			}
			if _, err := os.Stat(r.w.At("mgr/IRIS.WIJ")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the WIJ is still there: %v", err)
			}
			if !slices.ContainsFunc(report.Notes, func(s string) bool { return strings.Contains(s, "was started since the step wij") }) {
				t.Errorf("notes %q", report.Notes)
			}
			r.checkRestored(r.w.At("mgr/user/IRIS.DAT"))
		})
	}
}

// One that was started while the restore was at work is not started on top of its
// WIJ, nor taken for started by this restore.
func TestRun_StartedWithin(t *testing.T) {
	for _, running := range []bool{false, true} {
		r := newRestoring(t, Options{Everything: true})
		r.onStep = func(step string) {
			if step == stepJournals {
				r.w.Write("mgr/IRIS.WIJ", "blocks of a crash")
				r.w.Write("mgr/user/IRIS.DAT", strings.Repeat("changed ", 4096))
			}
			if step == stepStart && running {
				r.w.Write("status", "running, since now")
			}
		}
		_, err := r.run()
		failed, ok := errors.AsType[*StepError](err)
		if !ok || failed.Step != stepStart || failed.Again != stepWIJ || failed.State != english("started") {
			t.Fatalf("running %v: %+v", running, err)
		}
		if told := r.w.Told(); strings.Contains(told, "start") {
			t.Errorf("running %v: it tells %s", running, told)
		}
		r.onStep = nil
		r.w.Write("status", "down, last used now")
		if _, err := r.run(); err != nil || r.next != stepWIJ {
			t.Errorf("running %v: %v, next %s", running, err, r.next)
		}
		r.checkRestored(r.w.At("mgr/user/IRIS.DAT"))
	}
}

// nextSet takes one more set of the instance, and returns its name.
func (r *restoring) nextSet() *catalog.SetInfo {
	r.t.Helper()
	e, err := iris.New(connect(r.t, session.Options{Instance: "IRIS", Command: r.w.Tell()}), iris.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	info, err := dbback.Backup(r.t.Context(), r.repo, e, dbback.BackupOptions{Instance: "IRIS"})
	if err != nil || info.State != catalog.StateComplete {
		r.t.Fatalf("%v, %v", info, err)
	}
	r.w.Told()
	return info
}

// A restore of another set, or in another way, does not begin over one that has not
// ended, unless that is asked for; and removes then what that one has left.
func TestRun_Unfinished(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	first := r.info
	r.w.Write("mgr/user/IRIS.DAT", r.w.Database("mgr/user"))
	newer := r.nextSet()
	r.w.Write("mgr/user/IRIS.DAT", strings.Repeat("broken  ", 4096))
	r.opts.Command = "datfs --repo R restore iris IRIS/first"
	r.w.Say["JRUN"] = "@@JRUN|0|ERROR: a journal file"
	_, err := r.run()
	if failed, ok := errors.AsType[*StepError](err); !ok || failed.Command != r.opts.Command {
		t.Fatalf("error %+v", err)
	}
	left := r.plan.Work
	delete(r.w.Say, "JRUN")
	r.w.Told()

	r.opts.Command = ""
	for what, change := range map[string]func(){
		"another set":   func() { r.info = newer },
		"other options": func() { r.opts.NoJournals = true },
		"all databases": func() {
			r.opts.Databases = []string{"IRISSYS", "USER"}
			r.opts.Redirect = map[string]string{"IRISSYS": r.w.At("sys"), "USER": r.w.At("mgr/user")}
		},
		"another work dir":  func() { r.login = func(o *session.Options) { o.WorkDir = r.w.At("work") } },
		"a look, of course": func() { r.info, r.opts.LookOnly = newer, true },
	} {
		was := *r
		change()
		_, err := r.run()
		refused, ok := errors.AsType[*UnfinishedError](err)
		if !ok || !errors.Is(err, ErrRefused) || refused.Other.Command != "datfs --repo R restore iris IRIS/first" || !strings.Contains(err.Error(), "came to the step journals") || !strings.Contains(err.Error(), first.SetName().String()) {
			t.Errorf("%s: %v", what, err)
		}
		if told := r.w.Told(); told != "" {
			t.Errorf("%s: it tells %s", what, told)
		}
		*r = was
	}

	r.info, r.opts.Anew = newer, true
	report, err := r.run()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) || !slices.ContainsFunc(report.Notes, func(s string) bool {
		return strings.HasPrefix(s, "removed "+left+", of a restore of "+first.SetName().String())
	}) {
		t.Errorf("%s is left: %v, notes %q", left, err, report.Notes)
	}
	r.checkRestored(r.w.At("mgr/user/IRIS.DAT"))
}

// One with another work directory leaves a link where backups of the instance look,
// until it has ended.
func TestRun_Link(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	r.login = func(o *session.Options) { o.WorkDir = r.w.At("work") }
	r.w.Say["REST"] = "@@REST|-1"
	if _, err := r.run(); err == nil {
		t.Fatal("it does not fail")
	}
	usual := session.UsualWorkDir(r.w.At("mgr"))
	got := session.UnfinishedRestores(usual)
	if len(got) != 1 || got[0].Set != r.info.SetName().String() || !got[0].Half || got[0].Step != stepApply {
		t.Fatalf("%+v", got)
	}
	delete(r.w.Say, "REST")
	if _, err := r.run(); err != nil {
		t.Fatal(err)
	}
	if links, _ := filepath.Glob(filepath.Join(usual, "restore-*")); links != nil {
		t.Errorf("left are %q", links)
	}
}

// giveUp gives the restore up.
func (r *restoring) giveUp() (*GivenUp, error) {
	return GiveUp(r.t.Context(), r.instance(), r.repo, r.info.SetName(), r.opts, func(does []string) error { r.does = does; return r.disagree })
}

func TestGiveUp(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	if _, err := r.giveUp(); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("there is nothing to give up: %v", err)
	}
	r.w.Say["REST"] = "@@REST|-1"
	if _, err := r.run(); err == nil {
		t.Fatal("it does not fail")
	}
	r.w.Told()
	r.disagree = errors.New("no")
	if _, err := r.giveUp(); !errors.Is(err, r.disagree) || r.w.Told() != "" {
		t.Errorf("somebody does not agree: %v", err)
	}
	if s := r.state(); s.Step != stepApply || !slices.Contains(r.does, r.plan.Work+" is removed: it cannot be gone on with then") {
		t.Errorf("state %+v; it says that it does %q", s, r.does)
	}
	r.disagree = nil
	given, err := r.giveUp()
	if err != nil || given.Step != stepApply || given.State != english("state.apply") || given.Removed != r.plan.Work || given.Begun.IsZero() || r.w.Told() != "" {
		t.Fatalf("%+v, %v", given, err)
	}
	if _, err := os.Stat(r.plan.Work); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", r.plan.Work, err)
	}
	if b, _ := os.ReadFile(r.w.At("mgr/user/IRIS.DAT")); string(b) != r.w.Database("mgr/user") {
		t.Error("the database was changed")
	}
}

// Of one of everything the WIJ goes back to databases that are as they were, and to
// no others; and the second instance lets go of them.
func TestGiveUp_Everything(t *testing.T) {
	for _, tt := range []struct {
		step, wij, told string
	}{
		{stepPrepare, "write image journal", ""},
		{stepCopy, "", ""},
		{stepApply, "", "DM"},
	} {
		t.Run(tt.step, func(t *testing.T) {
			r := newRestoring(t, Options{Everything: true})
			r.opts.LookOnly = true
			if _, err := r.run(); err != nil {
				t.Fatal(err)
			}
			r.opts.LookOnly = false
			undo := failures(r)[tt.step]()
			if _, err := r.run(); err == nil {
				t.Fatal("it does not fail")
			}
			undo()
			r.w.Told()
			r.disagree = errors.New("no")
			if _, err := r.giveUp(); !errors.Is(err, r.disagree) || exists(t, r.w.At("mgr/IRIS.WIJ")) || r.w.Told() != "" {
				t.Errorf("somebody does not agree: %v", err)
			}
			r.disagree = nil
			given, err := r.giveUp()
			if err != nil || given.Step != tt.step || len(given.Notes) == 0 {
				t.Fatalf("%+v, %v", given, err)
			}
			does := strings.Join(r.does, "\n")
			if strings.Contains(does, "is moved back to "+r.w.At("mgr/IRIS.WIJ")) != (tt.wij != "") || strings.Contains(does, "are dismounted in SECOND") != (tt.told != "") {
				t.Errorf("it says that it does %q", does)
			}
			if b, _ := os.ReadFile(r.w.At("mgr/IRIS.WIJ")); string(b) != tt.wij {
				t.Errorf("WIJ %q, notes %q", b, given.Notes)
			}
			if told := r.w.Told(); told != tt.told {
				t.Errorf("it tells %q", told)
			}
		})
	}
}

// A set that is known to have a database damaged is not restored unless that is said.
func TestRun_Damaged(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	mark := func(v catalog.Validation) {
		t.Helper()
		v.Time = r.info.Time.Add(1e9)
		v.Check = "CheckList^Integrity"
		if _, err := r.repo.AddValidation(r.info.SetName(), v); err != nil {
			t.Fatal(err)
		}
	}
	mark(catalog.Validation{Databases: []string{"USER", "IRISSYS"}, Whole: true, Damaged: []string{"IRISSYS"}})
	if _, err := r.run(); err != nil {
		t.Errorf("a database that is sound: %v", err)
	}
	mark(catalog.Validation{Databases: []string{"USER"}, Damaged: []string{"USER"}})
	r.w.Told()
	if _, err := r.run(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "DAMAGE IS KNOWN of this set: in IRISSYS, USER, found at ") || !strings.Contains(err.Error(), "--damaged") || r.w.Told() != "" {
		t.Errorf("error %v", err)
	}

	// One that has overwritten them goes on without being told again, and no other.
	for _, step := range []string{stepPrepare, stepDismount, stepCopy, stepMount, stepApply, stepJournals, stepIntegrity} {
		r.opts.Damaged = true
		undo := failures(r)[step]()
		r.mustFail(step)
		undo()
		r.opts.Damaged = false
		if step == stepPrepare || step == stepDismount {
			if _, err := r.run(); !errors.Is(err, ErrRefused) {
				t.Errorf("the step %s was before the copy: %v", step, err)
			}
			continue
		}
		if _, err := r.run(); err != nil {
			t.Errorf("going on after the step %s: %v", step, err)
		}
		r.opts.Anew = true
		if _, err := r.run(); !errors.Is(err, ErrRefused) {
			t.Errorf("one that begins anew: %v", err)
		}
		r.opts.Anew = false
	}
}

// The name of the state is durable before the step is taken, and the names of the
// directories that it is in.
func TestRun_Durable(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	r.w.Say["REST"] = "@@REST|-1"
	var synced []string
	was := syncDir
	t.Cleanup(func() { syncDir = was })
	syncDir = func(dir string) error {
		s := ""
		if b, err := os.ReadFile(filepath.Join(dir, session.StateName)); err == nil {
			_, s, _ = strings.Cut(string(b), `"step": "`)
			s, _, _ = strings.Cut(s, `"`)
		}
		synced = append(synced, strings.TrimPrefix(filepath.Base(dir), "restore-")+" "+s)
		return was(dir)
	}
	if _, err := r.run(); err == nil {
		t.Fatal("it does not fail")
	}
	work := strings.TrimPrefix(filepath.Base(r.plan.Work), "restore-")
	want := []string{work + " prepare", "datfs ", "Backup ", "mgr ", work + " dismount", work + " copy", work + " mount", work + " apply"}
	if !slices.Equal(slices.Compact(synced), want) {
		t.Errorf("synced\n%q\nwant\n%q", synced, want)
	}
}
