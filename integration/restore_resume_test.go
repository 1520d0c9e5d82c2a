package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"datfs/dbback/iris/restore"
	"datfs/dbback/practice"
)

// A restore that failed is not lost sight of: its databases are not backed up half
// restored, and "latest" does not come to mean another set; it is gone on with by the
// command that it prints, or given up.
func TestRestore_Unfinished(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	older := s.set(t)
	s.backup(t, 0)
	set := s.set(t)
	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	s.lose(t, "user")
	arm(t, s.inst, "journal-restore-fails")
	failed := s.restore(t, 1, "PRACTICE/latest", "--database", "USER", "--instance", "PRACTICE", "--yes")
	again := " restore iris " + set + " --database USER --instance PRACTICE\n"
	if !strings.Contains(failed.stderr, again) {
		t.Fatalf("it does not print the command%s%s", again, failed.stderr)
	}
	r := s.backup(t, 4)
	if said := r.stdout + r.stderr; !strings.Contains(said, "FAIL  restores: the restore of "+set+", begun at ") || !strings.Contains(said, "and these are half restored: "+s.database("user")) || !strings.Contains(said, "--give-up") {
		t.Errorf("the backup said:\n%s", said)
	}
	if got := s.set(t); got != set {
		t.Fatalf("%s was stored", got)
	}
	r = s.restore(t, 4, older, "--database", "USER", "--instance", "PRACTICE", "--yes")
	if !strings.Contains(r.stderr, "a restore of "+set+", begun at ") || !strings.Contains(r.stderr, "this goes on with it: ") || !strings.Contains(r.stderr, strings.TrimSuffix(again, "\n")+" --give-up\n") {
		t.Errorf("a restore of another set said:\n%s", r.stderr)
	}

	// It asks, too.
	s.restore(t, 2, set, "--database", "USER", "--instance", "PRACTICE", "--give-up", "--dry-run")
	if r = s.restore(t, 1, set, "--database", "USER", "--instance", "PRACTICE", "--give-up"); !strings.Contains(r.stderr, " is removed: it cannot be gone on with then") || !strings.Contains(r.stderr, "not confirmed: nothing was changed") {
		t.Errorf("without --yes it said:\n%s", r.stderr)
	}
	var given restore.GivenUp
	out := s.restore(t, 0, set, "--database", "USER", "--instance", "PRACTICE", "--give-up", "--yes", "--json")
	if err := json.Unmarshal([]byte(out.stdout), &given); err != nil || given.Step != "journals" || given.State == "" {
		t.Errorf("given up: %+v, %v", given, err)
	}
	if left := s.leftovers(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	s.restore(t, 1, set, "--database", "USER", "--instance", "PRACTICE", "--give-up", "--yes")
	rep := s.restored(t, set, "--database", "USER", "--instance", "PRACTICE")
	s.holds(t, "user", rep.LastJournal)
	s.backup(t, 0)

	var plan restore.Summary
	out = s.restore(t, 0, set, "--database", "USER", "--instance", "PRACTICE", "--dry-run", "--json")
	if err := json.Unmarshal([]byte(out.stdout), &plan); err != nil || plan.Set != set || len(plan.Steps) == 0 || len(plan.Overwrite) != 1 || !strings.Contains(plan.Validated, "only USER was restored and found sound") {
		t.Errorf("plan %+v, %v", plan, err)
	}
}

// Blocks of a set that cannot be read mark it, whoever finds them.
func TestRestore_Unreadable(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{})
	s.backup(t, 0)
	set := s.set(t)
	packs, err := filepath.Glob(filepath.Join(s.repo, "packs/*/*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatalf("%q, %v", packs, err)
	}
	for _, path := range packs {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := len(b) / 4; i < len(b)/2; i += 512 {
			b[i] ^= 0xff
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := s.drill(t, 1, set, "--instance", "PRACTICE")
	if !strings.Contains(r.stderr, "datfs verify lists everything that is damaged") {
		t.Errorf("it said:\n%s", r.stderr)
	}
	v, notes := s.validated(t)
	if v == nil || v.Clean || v.Check != "reading the set" || len(v.Databases) != 3 {
		t.Fatalf("validation %+v, notes %v", v, notes)
	}
	if out := s.datfs(t, "sets").stdout; !strings.Contains(out, "DAMAGED") || !strings.Contains(out, "reading the set") {
		t.Errorf("sets:\n%s", out)
	}
	if text := s.datfs(t, "show", set, "--note", v.Report).stdout; !strings.Contains(text, "**It did not come to its end:** ") {
		t.Errorf("the report:\n%s", text)
	}
	if r := s.restore(t, 4, set, "--database", "USER", "--instance", "PRACTICE", "--yes"); !strings.Contains(r.stderr, "DAMAGE IS KNOWN") {
		t.Errorf("it said:\n%s", r.stderr)
	}
}
