package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A step is on disk when Step returns: a kill right after it leaves a set that
// tells of it.
func TestStep_Durable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir, Shared)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := r.Begin(BeginOptions{Instance: "PROD", Engine: "test"})
	if err != nil {
		t.Fatal(err)
	}
	want := Step{
		Name: "mark", Time: time.Date(2026, 11, 22, 3, 0, 1, 0, time.UTC),
		Means: "History is gone.", Next: "Run it again.", Leaves: []string{"/scratch/x"},
	}
	synced := false
	r.disk.trace = func(step, name string) { synced = step == "sync" && strings.HasSuffix(name, partialSuffix) }
	if err := w.Step(want); err != nil {
		t.Fatal(err)
	}
	r.disk.trace = nil
	if !synced {
		t.Error("the step was not synced")
	}

	killed := filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	k, err := Open(killed, Shared)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	sets, err := k.Sets()
	if err != nil || len(sets) != 1 {
		t.Fatalf("sets = %v, %v", sets, err)
	}
	if last := sets[0].LastStep(); sets[0].State != StateInterrupted || last == nil || !reflect.DeepEqual(*last, want) {
		t.Errorf("state %s, last step %+v, want %+v", sets[0].State, last, want)
	}

	m := &Method{
		Databases:    []Database{{Name: "USER", Directory: "/mgr/user/", Paths: []string{"/mgr/user/IRIS.DAT"}}},
		Incrementals: []string{"i.cbk"}, Journal: &JournalRange{Required: "/j/1", Files: []string{"1"}},
	}
	w.SetMethod(m)
	w.SetFindings([]Finding{{Level: LevelWarn, Check: "space", Text: "little"}})
	if _, err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Step(want); !errors.Is(err, ErrSealed) {
		t.Errorf("a step after the seal: %v", err)
	}
	set, err := r.OpenSet(w.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	info := set.Info()
	if !reflect.DeepEqual(info.Method, m) || len(info.Steps) != 1 || len(info.Findings) != 1 {
		t.Errorf("sealed: method %+v, steps %+v, findings %+v", info.Method, info.Steps, info.Findings)
	}
}

// A set that stored nothing is only worth keeping if a step of it means
// something for the database.
func TestAbort_KeepsStepsThatMatter(t *testing.T) {
	for _, means := range []string{"", "History is gone."} {
		dir := filepath.Join(t.TempDir(), "repo")
		if err := Init(dir); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir, Shared)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w, err := r.Begin(BeginOptions{Instance: "PROD", Engine: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Step(Step{Name: "x", Means: means}), w.Abort(errors.New("no"))); err != nil {
			t.Fatal(err)
		}
		if sets, err := r.Sets(); err != nil || len(sets) == 1 != (means != "") {
			t.Errorf("means %q: sets = %v, %v", means, sets, err)
		}
	}
}
