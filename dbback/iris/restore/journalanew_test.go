package restore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
