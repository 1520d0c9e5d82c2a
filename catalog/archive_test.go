package catalog

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestArchiveNames(t *testing.T) {
	if got := ArchiveOf("PROD"); got != "PROD.journals" {
		t.Errorf("ArchiveOf: %s", got)
	}
	for name, want := range map[string]string{"PROD.journals": "PROD", "PROD": "", "journals": "", "a.b.journals": "a.b", "PROD.journals2": ""} {
		if got, ok := ArchivedInstance(name); ok != (want != "") || ok && got != want {
			t.Errorf("ArchivedInstance(%s) = %s, %v", name, got, ok)
		}
	}
	long := strings.Repeat("a", 54)
	tests := []struct {
		name             string
		backup, archived bool
	}{
		{"PROD", true, true},
		{"PROD.journals", false, false},
		{long, true, true},
		{long + "a", true, false},
		{strings.Repeat("a", 63), true, false},
		{strings.Repeat("a", 64), false, false},
		{"-x", false, false},
	}
	for _, tt := range tests {
		if err := ValidBackup(tt.name); (err == nil) != tt.backup {
			t.Errorf("ValidBackup(%s): %v", tt.name, err)
		}
		if err := ValidArchived(tt.name); (err == nil) != tt.archived {
			t.Errorf("ValidArchived(%s): %v", tt.name, err)
		}
	}
	if err := ValidInstance(ArchiveOf(long)); err != nil {
		t.Error(err)
	}
}

// No backup writes to an archive, and an archive is no backup.
func TestBegin_Archive(t *testing.T) {
	r := newRepo(t)
	for _, opts := range []BeginOptions{
		{Instance: "PROD.journals", Engine: "files"}, {Instance: "PROD.journals", Engine: "iris"}, {Instance: "PROD", Engine: EngineJournal},
	} {
		if w, err := r.Begin(opts); err == nil {
			t.Errorf("%+v is begun", opts)
			_ = w.Abort(errors.New("it should not be"))
		}
	}
}

// storeJournal stores content as a journal file in a set of the instance.
func storeJournal(t *testing.T, r *Repository, instance, engine, name string, at time.Time, content []byte) *SetInfo {
	t.Helper()
	w, err := r.Begin(BeginOptions{Instance: instance, Engine: engine, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	info := FileInfo{Path: name, Section: SectionJournals, SizeAtOpen: int64(len(content))}
	if _, err := w.Store(t.Context(), info, FromReader(bytes.NewReader(content)), nil); err != nil {
		t.Fatal(err)
	}
	set, err := w.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// A journal file that a backup has costs nothing in the archive, and the other way
// round, though it has no hook.
func TestArchive_Dedup(t *testing.T) {
	day := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for _, first := range []string{"PROD", "PROD.journals"} {
		r := newRepo(t)
		rnd := rand.New(rand.NewPCG(1, 2))
		content := make([]byte, 3*DefaultBlockSize+100)
		for i := range content {
			content[i] = byte(rnd.Uint32())
		}
		engine := map[string]string{"PROD": "iris", "PROD.journals": EngineJournal}
		second := ArchiveOf("PROD")
		if first == second {
			second = "PROD"
		}
		a := storeJournal(t, r, first, engine[first], "20261122.001", day, content)
		b := storeJournal(t, r, second, engine[second], "20261122.001", day, content)
		if a.NewBytes != int64(len(content)) || b.NewBytes != 0 {
			t.Errorf("first %s: %d new bytes, then %s: %d", first, a.NewBytes, second, b.NewBytes)
		}
	}
}

// Two sets of one moment are written beside each other.
func TestArchive_OwnLock(t *testing.T) {
	r := newRepo(t)
	w, err := r.Begin(BeginOptions{Instance: "PROD", Engine: "iris"})
	if err != nil {
		t.Fatal(err)
	}
	storeJournal(t, r, "PROD.journals", EngineJournal, "20261122.001", time.Now(), []byte("one"))
	if err := w.Abort(errors.New("done")); err != nil {
		t.Fatal(err)
	}
}

// The sets of an archive are found by its whole name only, and confuse nobody who
// knows of none.
func TestArchive_Resolve(t *testing.T) {
	r := newRepo(t)
	day := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	a := sealAt(t, r, "PROD", day, false)
	j1 := storeJournal(t, r, "PROD.journals", EngineJournal, "20261122.001", day.AddDate(0, 0, 1), []byte("one")).SetName()
	j2 := storeJournal(t, r, "PROD.journals", EngineJournal, "20261122.002", day.AddDate(0, 0, 2), []byte("two")).SetName()
	none := SetName{}
	checkResolve(t, r, []resolveTest{
		{"latest", a, nil},
		{"PROD/latest", a, nil},
		{"PROD", a, nil},
		{"PRO", a, nil},
		{"P", a, nil},
		{"PROD/2026", a, nil},
		{"PROD.journals/latest", j2, nil},
		{"PROD.journals/2026-11-23", j1, nil},
		{"PROD.journals", none, ErrAmbiguous},
		{"PROD.j", none, ErrNotFound},
	})
	stats, err := r.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if len(stats.PerSet) != 1 || stats.PerSet[0].Instance != "PROD" {
		t.Errorf("per set: %+v", stats.PerSet)
	}
	if len(stats.PerDatabase) != 1 || stats.PerDatabase[0].Instance != "PROD.journals" || stats.PerDatabase[0].Sets != 2 {
		t.Errorf("per database: %+v", stats.PerDatabase)
	}
	if stats.Sets != 3 || stats.LogicalBytes != 6 {
		t.Errorf("stats: %+v", stats)
	}
	if !j1.IsArchive() || a.IsArchive() {
		t.Error("IsArchive")
	}
}
