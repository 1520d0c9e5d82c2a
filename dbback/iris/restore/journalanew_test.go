package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// loseJournals removes the journal files of the instance.
func (r *restoring) loseJournals() {
	r.t.Helper()
	if err := os.RemoveAll(r.w.At("mgr/journal")); err != nil {
		r.t.Fatal(err)
	}
}

// An instance that has lost its journals and counts them anew may be at the name of the
// set's last file.
func TestRun_CurrentOfSetsName(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	r.loseJournals()
	r.w.Write("mgr/journal/20261122.002", "of a new row")
	r.w.Journal = r.w.At("mgr/journal/20261122.002")
	_, err := r.run()
	failed, ok := errors.AsType[*StepError](err)
	if !ok || failed.Step != stepLook || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "20261122.002, has the name of one that was closed") {
		t.Errorf("error %v", err)
	}
	if told := r.w.Told(); told != "" || r.next != "" {
		t.Errorf("it tells %q, asks to go on with %q", told, r.next)
	}
}

// The journals of a machine that has taken the place of the set's do not belong to the
// set, whatever their names: those of the repository are applied, from there.
func TestRun_OtherHostJournals(t *testing.T) {
	for _, opts := range []Options{{Everything: true}, {Databases: []string{"USER"}, Until: time.Now().Add(time.Hour)}} {
		r := newRestoring(t, opts)
		r.opts.OtherHost = true
		r.loseJournals()
		for _, name := range []string{"mgr/journal/20261122.002", "mgr/journal/20261122.003", "mgr/journal/20261125.001"} {
			r.w.Write(name, "of the new installation")
		}
		r.w.Write("mgr/journal.log", r.w.At("mgr/journal/20261122.002")+"\n"+r.w.At("mgr/journal/20261125.001")+"\n")
		r.w.Journal = r.w.At("mgr/journal/20261125.002")
		r.onStep = func(step string) {
			if step != stepIntegrity {
				return
			}
			for _, f := range r.info.Files {
				if f.Section != catalog.SectionJournals || strings.HasPrefix(f.Path, "mirrorjrn") {
					continue
				}
				b, err := os.ReadFile(filepath.Join(r.plan.journalDir(), f.Path))
				if err != nil || strings.Contains(string(b), "new installation") || int64(len(b)) != f.Size {
					t.Errorf("everything %v: %s is not the set's: %q, %v", opts.Everything, f.Path, b, err)
				}
			}
		}
		report, err := r.run()
		if err != nil || report.LastJournal != "20261122.002" || len(report.Warnings) > 0 {
			t.Fatalf("everything %v: %v, the last one is %s, warnings %q", opts.Everything, err, report.LastJournal, report.Warnings)
		}
		told := strings.Join(r.plan.journalStatements(), "\n")
		for _, want := range []string{`FirstFile="` + r.plan.journalDir(), `JournalLog="` + r.plan.journalDir() + `journal.log"`, `LastFile="` + r.plan.journalDir() + `20261122.002"`} {
			if !strings.Contains(told, want) {
				t.Errorf("everything %v: it does not tell %s", opts.Everything, want)
			}
		}
		if strings.Contains(told, "mgr/journal/") || strings.Contains(r.plan.RunBook(English), "are still there, copy them") {
			t.Errorf("everything %v: it looks where this machine has its journals:\n%s", opts.Everything, told)
		}
	}
}

// What the running instance of such a machine has since cannot be applied.
func TestRun_OtherHostToNow(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}, OtherHost: true})
	_, err := r.run()
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "to end at 20261122.002") || !strings.Contains(err.Error(), "or --no-journals") {
		t.Errorf("error %v", err)
	}
	if told := r.w.Told(); told != "" || r.next != "" {
		t.Errorf("it tells %q, asks to go on with %q", told, r.next)
	}
	r.opts.NoJournals = true
	if _, err := r.run(); err != nil {
		t.Error(err)
	}
}

// The comparing of whole files ends when somebody ends the command.
func TestFindJournals_Cancelled(t *testing.T) {
	r := newRestoring(t, Options{Everything: true})
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(r.w.At("mgr/journal/20261122.002"), later, later); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := r.repo.OpenSet(r.info.SetName())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rr := &restoration{repo: r.repo, instance: r.instance(), opts: r.opts}
	if err := rr.findJournals(ctx, s.Info()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; found %v", err, rr.opts.Later)
	}
}

// What an earlier plan brought, and that of now does not, is not found by the instance:
// other files, and the other form of a file.
func TestRun_RemovesOtherJournals(t *testing.T) {
	r := newRestoring(t, Options{Databases: []string{"USER"}, To: filepath.Join(t.TempDir(), "to")})
	r.w.Say["JRUN"] = "@@JRUN|0|ERROR: a journal file"
	if _, err := r.run(); err == nil {
		t.Fatal("no error")
	}
	delete(r.w.Say, "JRUN")
	dir := r.plan.journalDir()
	files := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	brought := strings.Join(files(), " ")
	for _, name := range []string{"20261122.002z", "20261122.003"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("of another plan"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	looked := false
	r.onStep = func(step string) {
		if looked = looked || step == stepIntegrity; step == stepIntegrity {
			if got := strings.Join(files(), " "); got != brought {
				t.Errorf("%s, want %s", got, brought)
			}
		}
	}
	if _, err := r.run(); err != nil || !looked {
		t.Errorf("%v; looked %v", err, looked)
	}
}
