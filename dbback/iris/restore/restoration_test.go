package restore

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

// A restoring is a restore of a test: its options, and what it was told.
type restoring struct {
	t      *testing.T
	w      *played.Instance
	repo   *catalog.Repository
	info   *catalog.SetInfo
	opts   RunOptions
	login  func(*session.Options)
	onStep func(step string) // as it begins
	plan   *Plan
	next   string // of Confirm
	steps  []string
	logged []string

	does     []string // what giving up says
	disagree error
}

// run runs it, through an instance that knows of none before it.
func (r *restoring) run() (*Report, error) {
	r.t.Helper()
	r.next, r.steps, r.logged = "", nil, nil
	opts := r.opts
	opts.Planned = func(p *Plan) { r.plan = p }
	opts.Confirm = func(_ *Plan, next string) error { r.next = next; return nil }
	opts.Step = func(step, what string) {
		if what == "" || what == "step."+step {
			r.t.Errorf("the step %s is not explained", step)
		}
		r.steps = append(r.steps, step)
		if r.onStep != nil {
			r.onStep(step)
		}
	}
	opts.Log = func(format string, _ ...any) { r.logged = append(r.logged, format) }
	return Run(r.t.Context(), r.instance(), r.repo, r.info.SetName(), opts)
}

// instance returns the one with the sessions.
func (r *restoring) instance() *session.Instance {
	r.t.Helper()
	to := session.Options{Instance: "IRIS", Command: r.w.Tell()}
	if r.opts.Everything {
		to.Instance, to.Command = "SECOND", []string{os.Args[0], "session", "SECOND"}
	}
	if r.login != nil {
		r.login(&to)
	}
	return connect(r.t, to)
}

// state reads what it keeps in its work directory.
func (r *restoring) state() (s state) {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.plan.Work, "state.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// checkRestored checks that the database is what the set has, and that nothing is
// left of the restore.
func (r *restoring) checkRestored(path string) {
	r.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != r.w.Database("mgr/user") {
		r.t.Errorf("%s is not restored: %.30q, %v", path, b, err)
	}
	if _, err := os.Stat(r.plan.Work); !errors.Is(err, fs.ErrNotExist) {
		r.t.Errorf("%s is left: %v", r.plan.Work, err)
	}
}

func newRestoring(t *testing.T, opts Options) *restoring {
	t.Helper()
	w, repo, info := backedUp(t)
	w.OnPath()
	r := &restoring{t: t, w: w, repo: repo, info: info, opts: RunOptions{Options: opts}}
	if opts.Everything {
		r.opts.Target = "IRIS"
		w.Write("status", "down, last used Sun Nov 22 03:00:00 2026")
		w.Write("second/mgr/.keep", "")
		w.Manager = w.At("second/mgr/")
		os.Remove(w.At("mgr/user/iris.lck"))
	}
	return r
}

// failures make a step of a restore fail. The undoing comes back from it.
func failures(r *restoring) map[string]func() func() {
	say := func(marker, text string) func() func() {
		return func() func() {
			r.w.Say[marker] = text
			return func() { delete(r.w.Say, marker) }
		}
	}
	bad := func(start int) func() func() {
		return func() func() {
			r.w.BadStart = start
			return func() { r.w.BadStart = 0 }
		}
	}
	inUse := func() func() {
		_, end := opener(r.t, r.w.At("mgr/user/IRIS.DAT"))
		return end
	}
	return map[string]func() func(){
		stepPrepare: func() func() { // a file is where a directory must be
			path := filepath.Join(r.plan.Work, "journals")
			if err := errors.Join(os.MkdirAll(r.plan.Work, 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
				r.t.Fatal(err)
			}
			return func() { os.Remove(path) }
		},
		stepDismount:  say("DM", "@@DM|0|0"),
		stepCopy:      inUse,
		stepMount:     say("MT", "@@MT|0|0"),
		stepApply:     say("REST", "half of it\n@@REST|-3"),
		stepJournals:  say("JRUN", "@@JRUN|0|ERROR: a journal file"),
		stepIntegrity: say("INT", "@@INT|0|0|ERROR: a block\n@@INT|1|0|ERROR: a block"),
		stepRelease:   say("DM", "@@DM|0|0\n@@DM|1|0"),
		stepStart: func() func() {
			r.w.Write("status", "down, by hand")
			return func() { // an operator did it
				r.w.Write("status", "running, since then")
				r.w.Write("mgr/iris.lck", "lock")
				r.w.Write("mgr/user/iris.lck", "lock")
			}
		},
		stepValidate: bad(1),
		stepNormal:   bad(2),
		stepWIJ: func() func() {
			r.w.Write("mgr/startup.last", "wijlast="+r.w.At("iris.cpf")+"/\n")
			return func() { r.w.Write("mgr/startup.last", "wijlast=\n") }
		},
	}
}

// A restore that failed in a step goes on, repeated, with the step that the plan
// says, and with no other; and says in which state the databases are.
func TestRun_GoesOn(t *testing.T) {
	databases := Options{Databases: []string{"USER"}}
	everything := Options{Everything: true}
	const journals = "JNEW JSET JLAST JROLL JLOC JSEL JCHK JRUN"
	const elsewhere = "JNEW JSET JROLL JLOC JSEL JCHK JRUN" // with a last file
	const checks = "INT DISP"
	const checks2 = "INT DISP INT DISP"
	tests := []struct {
		step   string
		opts   Options
		first  string // what the first run tells before it fails
		second string // and the second one
	}{
		{stepPrepare, databases, "", "DM MT REST " + journals + " " + checks},
		{stepDismount, databases, "DM", "DM MT REST " + journals + " " + checks},
		{stepCopy, databases, "DM", "DM MT REST " + journals + " " + checks},
		{stepMount, databases, "DM MT", "DM MT REST " + journals + " " + checks},
		{stepApply, databases, "DM MT REST", "DM MT REST " + journals + " " + checks},
		{stepJournals, databases, "DM MT REST " + journals, "MT " + journals + " " + checks},
		{stepIntegrity, databases, "DM MT REST " + journals + " " + checks, "MT " + checks},

		{stepWIJ, everything, "", "REST " + elsewhere + " " + checks2 + " DM start stop start"},
		{stepPrepare, everything, "", "REST " + elsewhere + " " + checks2 + " DM start stop start"},
		{stepCopy, everything, "", "REST " + elsewhere + " " + checks2 + " DM start stop start"},
		{stepApply, everything, "REST", "DM REST " + elsewhere + " " + checks2 + " DM start stop start"},
		{stepJournals, everything, "REST " + elsewhere, "MT " + elsewhere + " " + checks2 + " DM start stop start"},
		{stepIntegrity, everything, "REST " + elsewhere + " " + checks2, "MT " + checks2 + " DM start stop start"},
		{stepRelease, everything, "REST " + elsewhere + " " + checks2 + " DM", "DM start stop start"},
		{stepStart, everything, "REST " + elsewhere + " " + checks2 + " DM start", "stop start"},
		{stepValidate, everything, "REST " + elsewhere + " " + checks2 + " DM start", "stop start"},
		{stepNormal, everything, "REST " + elsewhere + " " + checks2 + " DM start stop start", "stop start"},
	}
	for _, tt := range tests {
		name := tt.step
		if tt.opts.Everything {
			name += " of everything"
		}
		t.Run(name, func(t *testing.T) {
			r := newRestoring(t, tt.opts)
			opts := r.opts
			r.opts.LookOnly = true
			if _, err := r.run(); err != nil {
				t.Fatal(err)
			}
			r.opts = opts
			if told := r.w.Told(); told != "" {
				t.Errorf("a look tells %q", told)
			}
			if _, err := os.Stat(r.plan.Work); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a look leaves %s", r.plan.Work)
			}
			undo := failures(r)[tt.step]()
			began := time.Now()
			report, err := r.run()
			failed, ok := errors.AsType[*StepError](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			at := slices.IndexFunc(r.plan.steps, func(s planStep) bool { return s.name == tt.step })
			step := r.plan.steps[at]
			if failed.Step != tt.step || failed.Again != step.again || failed.State != english("state."+tt.step) || failed.Work != r.plan.Work || failed.Set != r.info.SetName().String() {
				t.Errorf("error %+v", failed)
			}
			if told := r.w.Told(); told != tt.first {
				t.Errorf("the first run tells\n%s\nwant\n%s", told, tt.first)
			}
			if len(report.Steps) != at || report.Clean || report.Ended.Before(began) {
				t.Errorf("report of the first run: %+v", report)
			}
			s := r.state()
			if s.Step != tt.step || s.Next != step.again || s.Applied != (tt.step == stepApply || at > slices.IndexFunc(r.plan.steps, func(s planStep) bool { return s.name == stepApply })) || s.Time.Before(began.Add(-time.Second)) {
				t.Errorf("state %+v", s)
			}
			if got := strings.Join(s.Done, " "); got != strings.Join(r.steps[:at], " ") {
				t.Errorf("done: %s", got)
			}
			said, err := os.ReadFile(filepath.Join(r.plan.Work, "transcript.txt"))
			if err != nil || string(said) != report.Transcript || !strings.Contains(report.Transcript, "@@READY|IRIS") {
				t.Errorf("transcript.txt is not what was said: %d bytes, %v", len(said), err)
			}
			if info, err := os.Stat(filepath.Join(r.plan.Work, "state.json")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("state.json: %v, %v", info, err)
			}

			undo()
			report, err = r.run()
			if err != nil {
				t.Fatal(err)
			}
			if told := r.w.Told(); told != tt.second {
				t.Errorf("the second run tells\n%s\nwant\n%s", told, tt.second)
			}
			if r.next != step.again || r.steps[0] != stepLook || r.steps[1] != step.again {
				t.Errorf("it asks to go on with %s, and takes %q", r.next, r.steps)
			}
			if !slices.ContainsFunc(r.logged, func(s string) bool { return strings.HasPrefix(s, "a run before this one ended") }) {
				t.Errorf("it does not say that it goes on: %q", r.logged)
			}
			if !report.Clean || report.LastJournal == "" || report.Reached.IsZero() || report.Bytes == 0 {
				t.Errorf("report of the second run: %+v", report)
			}
			r.checkRestored(r.w.At("mgr/user/IRIS.DAT"))
		})
	}
}

// A journal file that is missing between the set and the current one is found before
// the database is overwritten; that of the instance is not the set's if its content
// is another one.
func TestRun_MissingJournals(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	refused := func(says string) {
		t.Helper()
		report, err := r.run()
		failed, ok := errors.AsType[*StepError](err)
		if !ok || failed.Step != stepLook || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want %s", err, says)
		}
		if told := r.w.Told(); told != "" || r.next != "" || len(report.Warnings) > 0 {
			t.Errorf("it tells %q, asks to go on with %q, warns %q", told, r.next, report.Warnings)
		}
	}
	r.w.Journal = r.w.At("mgr/journal/20261122.005")
	refused("use --until '")
	later := time.Now().Add(time.Hour)
	write := func(name, content string, at time.Time) {
		t.Helper()
		r.w.Write(name, content)
		if err := os.Chtimes(r.w.At(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("mgr/journal/20261122.003", "the third", later)
	refused("between 20261122.003 and the current one, 20261122.005")
	write("elsewhere/20261122.004", "the fourth", later) // where its list says
	r.w.Write("mgr/journal.log", r.w.At("mgr/journal/20261122.003")+"\n"+r.w.At("elsewhere/20261122.004")+"\n")
	write("mgr/journal/20261122.002", "another 20261122.002", later)
	refused("20261122.002, written to last at ")
	write("mgr/journal/20261122.002", "journal 20261122.002", later) // a copy of a later date
	report, err := r.run()
	if err != nil || len(report.Warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, report.Warnings)
	}
	r.checkRestored(r.w.At("mgr/user/IRIS.DAT"))
}

// A restore of everything finds the files that survived where the instance has gone
// on with its journals, and says so if its list names more.
func TestRun_SurvivedJournals(t *testing.T) {
	r := newRestoring(t, Options{Everything: true})
	later := time.Now().Add(time.Hour)
	write := func(name string) {
		r.w.Write(name, name)
		if err := os.Chtimes(r.w.At(name), later, later); err != nil {
			t.Fatal(err)
		}
	}
	write("mgr/journal/20261122.003")
	write("alternate/20261122.004z")
	write("elsewhere/20261122.005")
	r.w.Write("iris.cpf", "[Journal]\nAlternateDirectory="+r.w.At("alternate")+"/\nCurrentDirectory="+r.w.At("current")+"/\n")
	r.w.Write("mgr/journal.log", r.w.At("elsewhere/20261122.005")+"\n"+r.w.At("elsewhere/20261122.006")+"\n")
	report, err := r.run()
	if err != nil || report.LastJournal != "20261122.005" {
		t.Fatalf("%v, the last one is %s", err, report.LastJournal)
	}
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "20261122.006, which is not there") {
		t.Errorf("warnings %q", report.Warnings)
	}
}

// A restore that is gone on with has the journal files of its plan, which may be more
// than those of the run before, and none of those that were purged meanwhile.
func TestRun_FetchesJournalsAgain(t *testing.T) {
	for _, everything := range []bool{true, false} {
		opts := Options{Databases: []string{"USER"}}
		if everything {
			opts = Options{Everything: true}
		}
		r := newRestoring(t, opts)
		r.w.Say["JRUN"] = "@@JRUN|0|ERROR: a journal file"
		if _, err := r.run(); err == nil {
			t.Fatal("no error")
		}
		path := filepath.Join(r.plan.journalDir(), "20261122.002")
		if everything {
			os.Remove(path)
		} else if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s, which the instance has, was copied", path)
		}
		os.Remove(r.w.At("mgr/journal/20261122.002"))
		if _, err := r.run(); err == nil || slices.Contains(r.steps, stepPrepare) {
			t.Fatalf("%v, steps %q", err, r.steps)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "journal 20261122.002" {
			t.Errorf("everything %v: it is not there: %q, %v", everything, b, err)
		}
	}
}

// A failed look says in which state the run before left the databases.
func TestRun_LookFails(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	r.w.Say["ST"], r.w.Say["MIR"] = "@@ST|0|1|0|1|0|8192", "@@MIR|1|1"
	_, err := r.run()
	failed, ok := errors.AsType[*StepError](err)
	if !ok || failed.Step != stepLook || failed.State != english("state.look") || failed.Work != "" || !errors.Is(err, ErrRefused) || r.next != "" {
		t.Errorf("a look that fails: %+v, asked for %q", failed, r.next)
	}
	delete(r.w.Say, "ST")
	r.w.Say["REST"] = "@@REST|-1"
	if _, err = r.run(); err == nil {
		t.Fatal("no error")
	}
	r.w.Say["ST"] = "@@ST|0|1|0|1|0|8192"
	_, err = r.run()
	failed, ok = errors.AsType[*StepError](err)
	if !ok || failed.Step != stepLook || failed.State != english("state.apply") {
		t.Errorf("a look that fails after a run: %+v", failed)
	}
	if s := r.state(); s.Step != stepApply || s.Next != stepDismount {
		t.Errorf("it changed the state: %+v", s)
	}
}

// What begins again from the start: another restore in the same work directory, one
// with Anew, and one whose state cannot be read.
func TestRun_BeginsAgain(t *testing.T) {
	all := "DM MT REST JNEW JSET JLAST JROLL JLOC JSEL JCHK JRUN INT DISP"
	noJournals := "DM MT REST INT DISP"
	for _, tt := range []struct {
		name   string
		change func(r *restoring)
		told   string
	}{
		{"anew", func(r *restoring) { r.opts.Anew = true }, all},
		{"without journals", func(r *restoring) { r.opts.NoJournals, r.opts.Anew = true, true }, noJournals},
		{"until another time", func(r *restoring) { r.opts.Until, r.opts.Anew = time.Now().Add(time.Hour), true }, strings.Replace(all, " JLAST", "", 1)},
		{"a torn state", func(r *restoring) { r.spoil(func(b []byte) []byte { return b[:len(b)/2] }) }, all},
		{"an empty state", func(r *restoring) { r.spoil(func([]byte) []byte { return nil }) }, all},
		{"a state of another form", func(r *restoring) { r.spoil(func([]byte) []byte { return []byte(`[1]`) }) }, all},
		{"an unknown step", func(r *restoring) {
			r.spoil(func(b []byte) []byte {
				return []byte(strings.ReplaceAll(string(b), `"`+stepIntegrity+`"`, `"other"`))
			})
		}, all},
		{"no state", func(r *restoring) { os.Remove(filepath.Join(r.plan.Work, "state.json")) }, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRestoring(t, Options{Databases: []string{"USER"}})
			r.w.Say["INT"] = "@@INT|0|0|ERROR"
			if report, err := r.run(); err == nil || len(report.Damage) != 1 || report.Damage[0].Status != "ERROR" {
				t.Fatalf("%v, %+v", err, report)
			}
			delete(r.w.Say, "INT")
			r.w.Told()
			tt.change(r)
			report, err := r.run()
			if err != nil {
				t.Fatal(err)
			}
			if told := r.w.Told(); told != tt.told {
				t.Errorf("it tells\n%s\nwant\n%s", told, tt.told)
			}
			if report.Damage != nil || !report.Clean {
				t.Errorf("report %+v", report)
			}
			r.checkRestored(r.w.At("mgr/user/IRIS.DAT"))
		})
	}
}

// One of everything that begins anew has the second instance let go of what a run
// before it had it mount.
func TestRun_AnewDismounts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *restoring)
	}{
		{"anew", func(r *restoring) { r.opts.Anew = true }},
		{"without journals", func(r *restoring) { r.opts.NoJournals, r.opts.Anew = true, true }},
		{"a torn state", func(r *restoring) { r.spoil(func(b []byte) []byte { return b[:len(b)/2] }) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRestoring(t, Options{Everything: true})
			undo := failures(r)[stepApply]()
			if _, err := r.run(); err == nil {
				t.Fatal("it does not fail")
			}
			undo()
			r.w.Told()
			tt.change(r)
			if _, err := r.run(); err != nil {
				t.Fatal(err)
			}
			if told := r.w.Told(); !strings.HasPrefix(told, "DM REST ") {
				t.Errorf("it tells %s", told)
			}
		})
	}
}

func (r *restoring) spoil(change func([]byte) []byte) {
	r.t.Helper()
	path := filepath.Join(r.plan.Work, "state.json")
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// Whatever is in state.json: a restore begins with a step that there is, or from
// the start.
func FuzzLoadState(f *testing.F) {
	f.Add([]byte(`{"key":"KEY","step":"apply","next":"dismount","done":["look"],"so_far":{"bytes":-1}}`))
	f.Add([]byte(`{"key":"KEY","next":"integrity","emergency":["a","b","c"]}`))
	f.Add([]byte(`{"key":"other"}`))
	f.Add([]byte(`null`))
	dir := f.TempDir()
	p, err := NewPlan(madeSet(), Options{Databases: []string{"USER"}, WorkDir: dir, owner: ownerOf(dir)})
	if err != nil {
		f.Fatal(err)
	}
	if err := os.MkdirAll(p.Work, 0o700); err != nil {
		f.Fatal(err)
	}
	key := (&restoration{plan: p, opts: RunOptions{Options: p.opts}}).key()
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &restoration{plan: p, opts: RunOptions{Options: p.opts, Log: func(string, ...any) {}}, report: &Report{}}
		b = []byte(strings.ReplaceAll(string(b), "KEY", key))
		if err := os.WriteFile(r.stateFile(), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.load(); err != nil {
			t.Fatal(err)
		}
		if r.state.Key != key {
			t.Errorf("state of another restore: %+v", r.state)
		}
		if !json.Valid(b) && (r.state.Step != "" || r.state.Next != "" || r.state.Copied) {
			t.Errorf("a torn state is used: %+v", r.state)
		}
		before := r.state
		if err := r.save(); err != nil {
			t.Fatal(err)
		}
		if err := r.load(); err != nil || r.state.Next != before.Next || !slices.Equal(r.state.Done, before.Done) || r.state.Applied != before.Applied {
			t.Errorf("%+v became %+v, %v", before, r.state, err)
		}
	})
}

// Somebody who does not agree ends it before anything is changed.
func TestRun_NotConfirmed(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	no := errors.New("no")
	_, err := Run(t.Context(), r.instance(), r.repo, r.info.SetName(), RunOptions{
		Options: r.opts.Options, Confirm: func(*Plan, string) error { return no },
	})
	if !errors.Is(err, no) || r.w.Told() != "" {
		t.Errorf("error %v", err)
	}
	if b, _ := os.ReadFile(r.w.At("mgr/user/IRIS.DAT")); !strings.HasPrefix(string(b), "broken") {
		t.Error("the database was written to")
	}
}

// The state that was left by a set of another instance, or another host, is refused
// before anything is told.
func TestRun_Refused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   Options
		change func(w *played.Instance)
		want   string
	}{
		{"another instance", Options{Databases: []string{"USER"}}, func(w *played.Instance) { w.Write("other/x", ""); w.Manager = w.At("other/") }, "to restore it here say where its databases go, with --to or --redirect"},
		{"an instance that is up", Options{Everything: true}, func(w *played.Instance) { w.Write("status", "running, since now") }, "IRIS is running, since now: it must be down, and must not be started before its databases are restored"},
		{"an instance that is starting", Options{Everything: true}, func(w *played.Instance) { w.Write("status", "sign-on inhibited: starting") }, "IRIS is sign-on inhibited: starting: it must be down"},
		{"an instance that is not known", Options{Everything: true}, func(w *played.Instance) { w.Qlist = "" }, "qlist does not know an instance IRIS"},
		{"another instance than the set's", Options{Everything: true}, func(w *played.Instance) { w.Qlist = "IRIS^/other/^2022.1^down, last used now^iris.cpf\n" }, "IRIS is in /other/, and the set "},
		{"the instance itself as the second one", Options{Everything: true}, func(w *played.Instance) { w.Manager = w.At("mgr/") }, "it is no second instance"},
		{"its own manager directory", Options{Redirect: map[string]string{"IRISSYS": "OTHER"}}, func(w *played.Instance) { w.Write("other/x", ""); w.Manager = w.At("other/") }, "another system's IRISSYS must never be put there"},
		{"mirrored on the primary", Options{Databases: []string{"USER"}}, func(w *played.Instance) { w.Say["ST"], w.Say["MIR"] = "@@ST|0|1|0|1|0|8192", "@@MIR|1|1" }, "is an active mirrored database and this is the primary"},
		{"not in %SYS", Options{Databases: []string{"USER"}}, func(w *played.Instance) { w.Namespace = "USER" }, `the session is in the namespace "USER"`},
		{"no manager directory", Options{Databases: []string{"USER"}}, func(w *played.Instance) { w.Say["MGR"] = "@@MGR|relative" }, `the manager directory "relative" is not the path of a directory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRestoring(t, tt.opts)
			if to := r.opts.Redirect["IRISSYS"]; to != "" {
				r.opts.Redirect = map[string]string{"IRISSYS": r.w.At("other")}
			}
			tt.change(r.w)
			_, err := r.run()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
			if told := r.w.Told(); told != "" || r.next != "" {
				t.Errorf("it tells %s, and asks to begin with %q", told, r.next)
			}
		})
	}
}

// A WIJ is moved aside, to where startup.last says that it was; one that was moved
// before stays.
func TestRun_WIJ(t *testing.T) {
	for _, tt := range []struct{ name, last, at string }{
		{"by default", "wijlast=\n", "mgr"},
		{"elsewhere", "wijlast=DIR/wij/\n", "wij"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRestoring(t, Options{Everything: true})
			os.Remove(r.w.At("mgr/IRIS.WIJ"))
			r.w.Write("mgr/startup.last", strings.ReplaceAll(tt.last, "DIR", r.w.Dir))
			r.w.Write(tt.at+"/IRIS.WIJ", "new")
			aside := tt.at + "/IRIS.WIJ.datfs-" + r.info.Name
			r.w.Write(aside, "old")
			report, err := r.run()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(r.w.At(tt.at + "/IRIS.WIJ")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the WIJ is still there: %v", err)
			}
			if b, err := os.ReadFile(r.w.At(aside)); string(b) != "old" {
				t.Errorf("the one that was moved before: %q, %v", b, err)
			}
			if moved, err := filepath.Glob(r.w.At(aside + "-*")); len(moved) != 1 || !slices.ContainsFunc(report.Notes, func(s string) bool { return strings.Contains(s, " was moved to "+moved[0]) }) {
				t.Errorf("moved to %q, %v; notes %q", moved, err, report.Notes)
			}
		})
	}
	r := newRestoring(t, Options{Everything: true})
	os.Remove(r.w.At("mgr/IRIS.WIJ"))
	report, err := r.run()
	if err != nil || !slices.Contains(report.Notes, "there is no write image journal in "+r.w.At("mgr")+"/") {
		t.Errorf("%v, notes %q", err, report.Notes)
	}
}

// A start that needs an operator says so, and how it goes on.
func TestRun_ByHand(t *testing.T) {
	r := newRestoring(t, Options{Everything: true})
	r.w.Login = "operator secret"
	r.login = func(o *session.Options) { o.User, o.Password = "operator", []byte("secret") }
	r.w.Write("status", "down, by hand")
	_, err := r.run()
	byHand, ok := errors.AsType[*ByHandError](err)
	if !ok || byHand.Target != "IRIS" || byHand.Status != "down, by hand" {
		t.Fatalf("error %v", err)
	}
	if s := r.state(); s.Emergency != [2]string{} {
		t.Errorf("the user of a start that came to nothing is kept: %q", s.Emergency)
	}
	text, err := os.ReadFile(filepath.Join(r.plan.Work, "transcript.txt"))
	if err != nil || !strings.Contains(string(text), "start IRIS EmergencyId=********\ndid not come up") || strings.Contains(string(text), "secret") {
		t.Errorf("transcript, %v:\n%s", err, text)
	}
	// Who finished it is not known: the sessions are those of the user that was given.
	failures(r)[stepStart]()()
	if report, err := r.run(); err != nil || !report.Clean {
		t.Errorf("after it was started by hand: %v", err)
	}
}

// One that is up half knows the user of its start only: who finishes it is told
// where that is, and it is in nothing that is kept.
func TestRun_HalfUp(t *testing.T) {
	r := newRestoring(t, Options{Everything: true})
	r.w.Write("status", "down, half")
	for range 2 { // again, before it was finished
		_, err := r.run()
		byHand, ok := errors.AsType[*ByHandError](err)
		s := r.state()
		if !ok || byHand.Status != "sign-on inhibited" || byHand.File != filepath.Join(r.plan.Work, "state.json") || !strings.Contains(err.Error(), byHand.File) {
			t.Fatalf("error %v", err)
		}
		if s.Emergency != [2]string{} || s.ByHand[0] == "" || s.ByHand[1] == "" {
			t.Errorf("user and password %q, by hand %q", s.Emergency, s.ByHand)
		}
		if text, _ := os.ReadFile(filepath.Join(r.plan.Work, "transcript.txt")); strings.Contains(string(text)+err.Error(), s.ByHand[1]) {
			t.Error("the password is in the transcript or in the error")
		}
	}
	r.w.Write("status", "down, last used now")
	if report, err := r.run(); err != nil || !report.Clean {
		t.Errorf("after it was shut down: %v", err)
	}
}

func TestDrill(t *testing.T) {
	to := filepath.Join(t.TempDir(), "drill")
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: to, Drill: true})
	r.opts.Anew = true
	path := filepath.Join(to, r.w.At("mgr/user/IRIS.DAT"))
	left := func() (out []string) {
		filepath.WalkDir(to, func(p string, _ fs.DirEntry, err error) error {
			if err == nil && p != to {
				out = append(out, p)
			}
			return nil
		})
		return out
	}
	const drill = "DM MT REST JNEW JSET JROLL JLOC JSEL JRED JCHK JRUN INT DISP DM"
	report, err := r.run()
	if told := r.w.Told(); err != nil || told != drill || !report.Clean || report.Bytes != 8*4096 {
		t.Errorf("it tells\n%s\nwant\n%s\nreport %+v, %v", told, drill, report, err)
	}
	if got := left(); got != nil {
		t.Errorf("left are %q", got)
	}
	if b, _ := os.ReadFile(r.w.At("mgr/user/IRIS.DAT")); !strings.HasPrefix(string(b), "broken") {
		t.Error("the original was written to")
	}

	// Damage is found: it cleans up all the same.
	r.w.Say["INT"] = "@@INT|0|0|ERROR: block 17"
	report, err = r.run()
	if damage, ok := errors.AsType[*DamageError](err); !ok || len(damage.Findings) != 1 || len(report.Damage) != 1 || report.Clean {
		t.Errorf("damage: %v, %+v", err, report)
	}
	if told := r.w.Told(); told != drill {
		t.Errorf("it tells\n%s\nwant\n%s", told, drill)
	}
	if _, err := os.Stat(r.plan.Work); left() != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left are %q, and %s: %v", left(), r.plan.Work, err)
	}

	// A step fails: it cleans up too.
	undo := failures(r)[stepApply]()
	_, err = r.run()
	failed, ok := errors.AsType[*StepError](err)
	if !ok || failed.Step != stepApply || failed.State != english("drilled") || failed.Again != "" || failed.Work != "" {
		t.Errorf("a step that fails: %+v", err)
	}
	if _, err := os.Stat(r.plan.Work); left() != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left are %q, and %s: %v", left(), r.plan.Work, err)
	}
	undo()
	r.w.Told()

	// A copy that was cut off leaves a marker beside its target.
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".datfs-partial", []byte(path+" is being restored from "), 0o600); err != nil {
		t.Fatal(err)
	}
	killed := &restoration{plan: r.plan, report: &Report{}}
	if err := killed.hold(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	killed.state.Copied = true
	err = (&dropAct{r.plan}).run(t.Context(), killed)
	killed.letGo()
	if err != nil || left() != nil {
		t.Errorf("after a copy that was cut off: %v, left are %q", err, left())
	}

	// What cannot be cleaned up is overwritten by the next one.
	r.onStep = func(step string) {
		if step == stepApply {
			r.w.Say["DM"], r.w.Say["REST"] = "@@DM|0|0", "@@REST|-1"
			r.w.Tell()
		}
	}
	if _, err = r.run(); err == nil || !strings.Contains(err.Error(), "cleaning up after the drill: Dismount of ") {
		t.Errorf("error %v", err)
	}
	failed, ok = errors.AsType[*StepError](err)
	again := " drill " + r.info.SetName().String() + " --database USER --to " + to + " --instance IRIS"
	if !ok || failed.Again != "" || failed.Work != r.plan.Work || !strings.HasSuffix(failed.Command, again) {
		t.Errorf("one that could not clean up says %+v", failed)
	}
	if u := session.UnfinishedRestores(filepath.Dir(r.plan.Work)); len(u) != 1 || !u[0].Drill || u[0].EndCommand() != failed.Command {
		t.Errorf("it has left %+v", u)
	}
	r.onStep, r.w.Say = nil, map[string]string{}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = r.run(); err != nil || left() != nil {
		t.Errorf("after one that was cut off: %v, left are %q", err, left())
	}

	// What is somebody else's is not.
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.w.Told()
	if _, err = r.run(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), path+" exists, and a drill would overwrite and remove it") || r.w.Told() != "" {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "somebody's" {
		t.Errorf("%q, %v", b, err)
	}
}

// What the look refuses of several databases, although one of them cannot be
// looked at, and of names that the configuration has already.
func TestRun_LookRefuses(t *testing.T) {
	a := answering("@@MIR|1|1", "@@ERR|ST|<DISKHARD>|x|", "@@ST|1|1|0|1|0|8192")
	dirs := []string{"/a/", "/b/"}
	st := knownStates(a, dirs)
	if st[0].known || !st[1].known || !st[1].mirrored {
		t.Errorf("states %+v", st)
	}
	dbs := []Database{{Database: catalog.Database{Name: "A"}, To: "/a/"}, {Database: catalog.Database{Name: "B"}, To: "/b/"}}
	for text, want := range map[string]bool{"@@CFG|0|\n@@CFG|1|/b": true, "@@CFG|0|\n@@CFG|1|/elsewhere/": false} {
		if err := judgeUndefined(answering(text), dbs); (err == nil) != want || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func answering(lines ...string) *session.Answer {
	return session.ParseAnswer(strings.Join(lines, "\n") + "\n")
}
