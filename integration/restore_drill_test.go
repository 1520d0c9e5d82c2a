package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// drill drills a set, which must end with the exit code, and leave nothing.
func (s *irisSite) drill(t *testing.T, code int, args ...string) result {
	t.Helper()
	args = append([]string{"drill"}, args...)
	r := s.datfs(t, args...)
	if r.code != code {
		t.Fatalf("%s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	s.undrilled(t)
	return r
}

// undrilled checks that nothing is left of drills.
func (s *irisSite) undrilled(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(s.repo + ".drill"); err == nil {
		t.Errorf("%s.drill is left", s.repo)
	}
	for _, db := range s.inst.Storage().Databases() {
		if db.Mounted && !strings.HasPrefix(db.Directory, s.dir) {
			t.Errorf("%s is left mounted", db.Directory)
		}
	}
	if left := s.leftovers(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// validated returns what is known of the validation of the newest set, and the
// kinds of its notes.
func (s *irisSite) validated(t *testing.T) (v *catalog.Validation, notes []string) {
	t.Helper()
	info := s.newest(t)
	for _, n := range info.Notes {
		notes = append(notes, n.Kind+filepath.Ext(n.Name))
	}
	return info.Validated, notes
}

// A drill proves a set, beside an instance that is hard at work, and leaves a
// report in it and nothing else.
func TestRestore_Drill(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	s.backup(t, 0, slowly...)
	set := s.set(t)
	if v, notes := s.validated(t); v != nil || len(notes) != 0 {
		t.Fatalf("before: %+v, %v", v, notes)
	}

	// One that cannot be done proves nothing.
	arm(t, s.inst, "restore-fails -1")
	failed := s.drill(t, 1, set, "--instance", "PRACTICE")
	if strings.Contains(failed.stdout, "validated") || strings.Contains(failed.stderr, "transcript.txt") {
		t.Errorf("it said:\n%s%s", failed.stdout, failed.stderr)
	}
	for _, want := range []string{"step apply: ", "-drill.txt\n", "hint: The originals were not touched, and the drill's copies are removed\n", "it begins anew\n"} {
		if !strings.Contains(failed.stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, failed.stderr)
		}
	}
	if v, notes := s.validated(t); v != nil || !slices.Equal(notes, []string{"drill.txt"}) {
		t.Errorf("after a drill that failed: %+v, %v", v, notes)
	}

	// Of one database.
	s.drill(t, 0, set, "--instance", "PRACTICE", "--database", "USER")
	if v, _ := s.validated(t); v == nil || !v.Clean || v.Whole || !slices.Equal(v.Databases, []string{"USER"}) {
		t.Errorf("after a drill of one database: %+v", v)
	}

	// Killed, in the middle.
	cmd := s.command(t, "drill", set, "--instance", "PRACTICE")
	arm(t, s.inst, "hang CheckList^Integrity")
	killIn(t, cmd, "integrity", func() bool { st, err := s.inst.Status(); return err == nil && len(st.Failures) == 0 })
	s.endSessions(t)
	if v, _ := s.validated(t); v.Whole {
		t.Errorf("after a drill that was killed: %+v", v)
	}

	before := s.inst.Storage().Status()
	r := s.drill(t, 0, set, "--instance", "PRACTICE", "--json")
	rep := report(t, r)
	if after := s.inst.Storage().Status(); after.Journal == before.Journal && after.Offset == before.Offset {
		t.Error("nobody worked meanwhile")
	}
	v, notes := s.validated(t)
	if v == nil || !v.Clean || !v.Whole || v.Instance != "PRACTICE" || v.Check == "" || len(v.Databases) != len(rep.Databases) {
		t.Errorf("validation %+v", v)
	}
	for _, want := range []string{"drill.md", "drill.json", "drill.txt"} {
		if !slices.Contains(notes, want) {
			t.Errorf("notes %v: no %s", notes, want)
		}
	}
	kept := s.datfs(t, "show", set, "--note", strings.TrimSuffix(v.Report, "md")+"json")
	var again restore.Report
	if err := json.Unmarshal([]byte(kept.stdout), &again); err != nil || again.Bytes != rep.Bytes || again.Bytes == 0 || !again.Clean {
		t.Errorf("the report in the set: %v, %+v\n%s", err, again, kept.stderr)
	}
	if text := s.datfs(t, "show", set, "--note", v.Report).stdout; !strings.Contains(text, "The integrity check found nothing") || !strings.Contains(text, rep.LastJournal) {
		t.Errorf("the report in the set:\n%s", text)
	}
	if out := s.datfs(t, "sets").stdout; strings.Contains(out, "DAMAGED") || !strings.Contains(out, "CheckList^Integrity") {
		t.Errorf("sets:\n%s", out)
	}

	// On an instance that has none of it, and kept to be looked at.
	stage := s.another(t, "STAGE")
	to := filepath.Join(t.TempDir(), "kept")
	s.drill(t, 0, set, "--instance", "STAGE", "--database", "APP", "--to", to, "--keep")
	dir := filepath.Join(to, s.database("app")) + "/"
	stage.dismount(t, dir)
	s.fileHolds(t, "app", dir+"IRIS.DAT", rep.LastJournal)

	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	last := filepath.Base(s.switchJournal(t))
	s.holds(t, "user", last)
	s.holds(t, "app", last)
	mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
}

// A database whose file was damaged on the disk before it was backed up: no
// checksum of a backup sees that, and the backup does not either. The drill does.
func TestRestore_DrillDamage(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{})
	if err := s.inst.Stop(); err != nil {
		t.Fatal(err)
	}
	damage(t, s.dat("user"))
	s.start(t, practice.StartOptions{Oplog: s.oplog})
	s.backup(t, 0)
	set := s.set(t)
	mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
	if err := s.inst.Storage().Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	was := sum(t, s.dat("user"))
	r := s.drill(t, 1, set, "--instance", "PRACTICE")
	if !strings.Contains(r.stderr, "the integrity check does not find") || !strings.Contains(r.stderr, "mgr/user/") || strings.Contains(r.stderr, "mgr/app/") ||
		!strings.Contains(r.stderr, "hint: the set is not to be relied on: take a new backup, and check the integrity of 1 of the originals") {
		t.Errorf("it said:\n%s%s", r.stdout, r.stderr)
	}
	v, notes := s.validated(t)
	if v == nil || v.Clean || v.Findings != 1 {
		t.Errorf("validation %+v, notes %v", v, notes)
	}
	if out := s.datfs(t, "sets").stdout; !strings.Contains(out, "DAMAGED") {
		t.Errorf("sets:\n%s", out)
	}
	if text := s.datfs(t, "show", set, "--note", v.Report).stdout; !strings.Contains(text, "**THE INTEGRITY CHECK DOES NOT FIND IT SOUND.**") {
		t.Errorf("the report:\n%s", text)
	}
	if sum(t, s.dat("user")) != was {
		t.Error("the original was touched")
	}
	// The other database is sound, which does not hide it.
	wholeSecond()
	s.drill(t, 0, set, "--instance", "PRACTICE", "--database", "APP")
	if v, _ := s.validated(t); v == nil || v.Clean {
		t.Errorf("after a clean drill of another database: %+v", v)
	}
	if v.Damaged == nil || v.Damaged[0] != "USER" {
		t.Errorf("damaged is %q", v.Damaged)
	}
	// So does a restore, which nobody gets by mistake.
	args := []string{set, "--database", "USER", "--redirect", "USER=" + filepath.Join(t.TempDir(), "to"), "--instance", "PRACTICE", "--yes"}
	if r := s.restore(t, 4, args...); !strings.Contains(r.stderr, "DAMAGE IS KNOWN of this set: in USER, ") || !strings.Contains(r.stderr, "--damaged") {
		t.Errorf("it said:\n%s%s", r.stdout, r.stderr)
	}
	if r := s.restore(t, 1, append(args, "--damaged")...); !strings.Contains(r.stderr, "step integrity: ") || !strings.Contains(r.stderr, "no older one of PRACTICE was found sound") {
		t.Errorf("it said:\n%s%s", r.stdout, r.stderr)
	}
}

// damage flips bytes of a block of a database that nobody has mounted, so that its
// structure is broken.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const block = storage.BlockSize
	for n := len(b) / block / 2; n > 8; n-- {
		at := n * block
		if slices.Max(b[at:at+block]) == 0 {
			continue // it was never used
		}
		broken := slices.Clone(b)
		for i := range 64 {
			broken[at+i] ^= 0x55
		}
		if err := os.WriteFile(path, broken, 0o660); err != nil {
			t.Fatal(err)
		}
		if findings, err := storage.CheckFile(t.Context(), path); err == nil && len(findings) > 0 {
			return
		}
	}
	t.Fatal("no block of it matters")
}

// What must not be restored, or not to there, is refused before anything is done.
func TestRestore_Refused(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	set := s.set(t)
	other := s.another(t, "OTHER", "USER")
	taken := map[string][32]byte{}
	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	if err := s.inst.Storage().Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.dat("user"), s.dat(""), other.dat("user")} {
		taken[path] = sum(t, path)
	}
	to := filepath.Join(t.TempDir(), "to")
	yes := "--yes"
	for i, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{set, "--database", "USER", "--instance", "OTHER", yes}, 4, "with --to or --redirect"},
		{[]string{set, "--database", "IRISSYS", "--instance", "PRACTICE", yes}, 4, "cannot be put back into a running instance"},
		{[]string{set, "--redirect", "IRISSYS=" + other.database(""), "--instance", "OTHER", yes}, 4, "must never be put there"},
		{[]string{set, "--redirect", "USER=" + s.database("app"), "--instance", "PRACTICE", yes}, 4, "where APP belongs"},
		{[]string{set, "--redirect", "USER=" + to, "--redirect", "APP=" + to, "--instance", "OTHER", yes}, 1, "would both be restored"},
		{[]string{set, "--redirect", "USER=" + to + ",comma", "--instance", "OTHER", yes}, 4, "has a comma"},
		{[]string{set, "--database", "NONE", "--instance", "PRACTICE", yes}, 1, "not found; it has IRISSYS, USER, APP"},
		{[]string{set, "--all", "--instance", "PRACTICE", "--second-instance", "OTHER", yes}, 4, "must be down"},
		{[]string{set, "--all", "--instance", "PRACTICE", "--second-instance", "PRACTICE", yes}, 4, "cannot restore itself as a whole"},
		{[]string{set, "--all", "--instance", "PRACTICE", yes}, 2, "--second-instance NAME is missing"},
		{[]string{set, "--instance", "PRACTICE", yes}, 2, "say what to restore"},
		{[]string{set, "--all", "--database", "USER", "--instance", "PRACTICE", yes}, 2, "does not go with"},
		{[]string{set, "--database", "USER", "--define", "--instance", "PRACTICE", yes}, 2, "--define is for"},
		{[]string{set, "--database", "USER", yes}, 2, "--instance"},
		{[]string{set, "--database", "USER", "--instance", "NOWHERE", yes}, 1, "NOWHERE"},
		{[]string{set, "--database", "USER", "--instance", "PRACTICE"}, 1, "not confirmed: nothing was changed"},
		{[]string{set, "--database", "USER", "--instance", "PRACTICE", "--dry-run"}, 0, "EXTSELCT^DBREST"},
		{[]string{"PRACTICE/2001-01-01T00-00-00Z", "--database", "USER", "--instance", "PRACTICE", yes}, 1, "not found"},
	} {
		r := s.restore(t, tt.code, tt.args...)
		if !strings.Contains(r.stdout+r.stderr, tt.says) {
			t.Errorf("%d: nothing is said of %q:\n%s%s", i, tt.says, r.stdout, r.stderr)
		}
	}
	for path, was := range taken {
		if sum(t, path) != was {
			t.Errorf("%s was changed", path)
		}
	}
	// A set that lacks something, as its journal file was gone before it was copied.
	arm(t, s.inst, "journal-purged")
	wholeSecond()
	s.backup(t, 3)
	if r := s.restore(t, 4, s.set(t), "--database", "USER", "--instance", "PRACTICE", yes); !strings.Contains(r.stderr, "is incomplete") {
		t.Errorf("an incomplete set:\n%s", r.stderr)
	}
	if _, err := os.Stat(to); err == nil {
		t.Errorf("%s was made", to)
	}
	if left := append(s.leftovers(t), other.leftovers(t)...); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A disk without room for a restore is found before anything is changed: with more
// the same command succeeds.
func TestRestore_DiskFull(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	disk := tmpfs(t, "700k")
	to := filepath.Join(disk, "to") + "/"
	args := []string{s.set(t), "--redirect", "USER=" + to, "--instance", "PRACTICE"}
	r := s.restore(t, 4, append(slices.Clone(args), "--yes")...)
	for _, want := range []string{"step look: ", "not enough space in ", "Nothing was changed"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("nothing is said of %q:\n%s", want, r.stderr)
		}
	}
	if left := s.leftovers(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	remount(t, disk, "30m")
	rep := s.restored(t, args...)
	s.dismount(t, to)
	s.fileHolds(t, "user", to+"IRIS.DAT", rep.LastJournal)
	s.clean(t)
}

// A repository that cannot be written to can be restored from; that the report
// cannot be kept in it is said.
func TestRestore_ReadOnlyRepository(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	set := s.set(t)
	s.lose(t, "user")
	readOnly(t, s.repo)
	r := s.restore(t, 3, set, "--database", "USER", "--instance", "PRACTICE", "--yes")
	if !strings.Contains(r.stdout, "restored 1 database") || !strings.Contains(r.stdout, "warning: keep the report in the set: ") {
		t.Errorf("it said:\n%s%s", r.stdout, r.stderr)
	}
	s.holds(t, "user", "")
	if left := s.leftovers(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A drill that is kept stays as it is: the next one overwrites nothing.
func TestRestore_DrillKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	to := t.TempDir()
	args := []string{"drill", s.set(t), "--instance", "PRACTICE", "--database", "USER", "--keep", "--to", to}
	if r := s.datfs(t, args...); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	kept := filepath.Join(to, s.database("user"), "IRIS.DAT")
	s.dismount(t, filepath.Dir(kept)+"/")
	was := sum(t, kept)
	if r := s.datfs(t, args...); r.code != 4 || !strings.Contains(r.stderr, kept+" exists: a drill asks nobody, and overwrites nothing\n") {
		t.Errorf("exit code %d, it said:\n%s", r.code, r.stderr)
	}
	if sum(t, kept) != was {
		t.Errorf("%s was changed", kept)
	}
}
