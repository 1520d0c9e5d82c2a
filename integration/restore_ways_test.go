package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// One database comes back into an instance that is hard at work: what it was at
// the end of the last journal file, with its owner and mode, beside a lock that
// was left over, from journals that the instance has purged since, while all
// others go on.
func TestRestore_Database(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	if os.Geteuid() == 0 {
		if err := os.Chown(s.dat("user"), 1234, 4321); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.dat("user"), 0o640); err != nil {
		t.Fatal(err)
	}
	was := ownerOf(t, s.dat("user"))
	s.backup(t, 0, slowly...)
	set := s.set(t)
	purged, err := s.inst.Storage().PurgeJournals(t.Context(), time.Now().Add(time.Hour))
	if err != nil || len(purged) == 0 {
		t.Fatalf("purged %v, %v", purged, err)
	}
	s.dismount(t, s.database("user"))
	if err := os.Remove(s.dat("user")); err != nil {
		t.Fatal(err)
	}
	if err := storage.LeaveLock(s.database("user")); err != nil {
		t.Fatal(err)
	}
	before := s.inst.Storage().Status().Cycles
	rep := s.restored(t, set, "--database", "USER", "--instance", "PRACTICE")
	if rep.WrittenBytes == 0 || rep.LastJournal == "" || rep.Reached.IsZero() || len(rep.Warnings) != 0 {
		t.Errorf("report %+v", rep)
	}
	if !slices.ContainsFunc(rep.Notes, func(n string) bool { return strings.Contains(n, "iris.lck, which was left over") }) {
		t.Errorf("notes %q", rep.Notes)
	}
	if now := ownerOf(t, s.dat("user")); now != was {
		t.Errorf("owner and mode are %v, were %v", now, was)
	}
	if s.inst.Storage().Status().Cycles == before {
		t.Error("nothing else was written meanwhile: this proves nothing of the others")
	}
	s.holds(t, "user", rep.LastJournal)
	// The other database was never touched.
	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	s.holds(t, "app", filepath.Base(s.switchJournal(t)))
	s.clean(t)
}

// Several at once, by name and by directory, into an instance that has only its
// current journal file left: what it wrote after the backup is in the archive.
func TestRestore_Several(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	s.backup(t, 0, slowly...)
	set := s.set(t)
	s.endJournal(t)
	s.archive(t, 0)
	if purged, err := s.inst.Storage().PurgeJournals(t.Context(), time.Now().Add(time.Hour)); err != nil || len(purged) < 2 {
		t.Fatalf("purged %v, %v", purged, err)
	}
	s.lose(t, "user", "app")
	r := s.restore(t, 0, set, "--database", "user", "--database", strings.TrimSuffix(s.database("app"), "/"), "--instance", "PRACTICE", "--yes")
	if !strings.Contains(r.stderr, s.dat("user")+", ") || !strings.Contains(r.stderr, " MiB, written to last at ") || !strings.Contains(r.stdout, "restored 2 databases") {
		t.Errorf("it said:\n%s%s", r.stdout, r.stderr)
	}
	all, err := s.inst.Storage().Journals()
	if err != nil {
		t.Fatal(err)
	}
	last := filepath.Base(all[len(all)-2]) // nobody works on anything since
	s.holds(t, "user", last)
	s.holds(t, "app", last)
	s.clean(t)
}

// Only blocks that differ are written.
func TestRestore_Differs(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadNone})
	s.backup(t, 0)
	s.write(t, "user", "a little")
	rep := s.restored(t, s.set(t), "--database", "USER", "--instance", "PRACTICE")
	if rep.WrittenBytes == 0 || rep.WrittenBytes > rep.Bytes/10 {
		t.Errorf("%d of %d bytes were written", rep.WrittenBytes, rep.Bytes)
	}
	s.holds(t, "user", rep.LastJournal)
	rep = s.restored(t, s.set(t), "--database", "USER", "--no-journals", "--instance", "PRACTICE")
	if rep.LastJournal != "" || !rep.Reached.IsZero() {
		t.Errorf("without journals: %+v", rep)
	}
	s.clean(t)
}

// A restore up to a time ends with the last journal file before it, and one to a
// time that the set cannot reach is refused.
func TestRestore_Until(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	set := s.set(t)
	var ends []string
	var between []time.Time
	for range 2 {
		ends = append(ends, s.endJournal(t))
		wholeSecond()
		between = append(between, time.Now())
		wholeSecond()
	}
	s.switchJournal(t)
	for _, n := range []int{1, 0} {
		rep := s.restored(t, set, "--database", "USER", "--instance", "PRACTICE", "--until", between[n].Format(time.DateTime))
		if rep.LastJournal != ends[n] || rep.Reached.After(between[n]) {
			t.Errorf("until %v it reached %v, the end of %s; want %s", between[n], rep.Reached, rep.LastJournal, ends[n])
		}
		s.holds(t, "user", ends[n])
	}
	r := s.restore(t, 4, set, "--database", "USER", "--instance", "PRACTICE", "--yes", "--until", "2001-01-01 00:00:00")
	if !strings.Contains(r.stderr, "take an older set") {
		t.Errorf("it said:\n%s", r.stderr)
	}
	s.holds(t, "user", ends[0])
	s.clean(t)
}

// endJournal makes the instance go on in another journal file, and waits until the
// one before is compressed, and so written to last.
func (s *irisSite) endJournal(t *testing.T) (name string) {
	t.Helper()
	ended := s.switchJournal(t)
	s.wait(t, "it is compressed", func(*practice.Status) bool {
		_, err := os.Stat(ended)
		return os.IsNotExist(err)
	})
	return filepath.Base(ended)
}

// wholeSecond waits for the next second to begin: --until knows no parts of one.
func wholeSecond() {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1010 * time.Millisecond)))
}

// crash ends the site's instance in the middle of a cycle of its write daemon, and
// returns the journal files as they are then, the newest last.
func (s *irisSite) crash(t *testing.T) (journals []string) {
	t.Helper()
	r, err := practice.At(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.inst.Fail("crash-writing"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.inst.Done():
	case <-time.After(patience):
		t.Fatal("no crash")
	}
	if err := r.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"journal", "journal2"} {
		entries, err := os.ReadDir(filepath.Join(s.dir, "mgr", dir))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			journals = append(journals, strings.TrimSuffix(e.Name(), "z"))
		}
	}
	slices.Sort(journals)
	return journals
}

// everything makes a site whose instance has crashed and lost all its databases
// after its backup, and a second one that can help.
func everything(t *testing.T) (s *irisSite, set, last string) {
	t.Helper()
	s = newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	arm(t, s.inst, "open-transaction") // to be rolled back
	s.backup(t, 0, slowly...)
	set = s.set(t)
	s.switchJournal(t)
	s.wait(t, "more is done", func(st *practice.Status) bool { return st.Journal.Offset > 100<<10 })
	journals := s.crash(t)
	for _, db := range []string{"", "user", "app"} {
		garble(t, s.dat(db))
	}
	s.another(t, "HELPER")
	s.ends(t)
	return s, set, journals[len(journals)-1]
}

// Everything: the instance crashed in the middle of a write daemon's cycle, and all
// its databases are lost. It comes back to what its last journal file has.
func TestRestore_Everything(t *testing.T) {
	t.Parallel()
	s, set, last := everything(t)
	rep := s.restored(t, set, "--all", "--instance", "PRACTICE", "--second-instance", "HELPER")
	if rep.LastJournal != last || rep.Way != "everything" || rep.Target != "PRACTICE" {
		t.Errorf("report %+v, the last journal file is %s", rep, last)
	}
	s.isUp(t, last)
}

// isUp checks the site's instance after a restore of everything: it is up as
// always, with all that it held at the end of a journal file.
func (s *irisSite) isUp(t *testing.T, last string) {
	t.Helper()
	r, err := practice.At(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	st, err := r.Status(t.Context())
	if err != nil || st.State != practice.StateRunning || st.Mode != "" {
		t.Fatalf("status %+v, %v", st, err)
	}
	for _, db := range st.Databases {
		if !db.Mounted || db.ReadOnly {
			t.Errorf("%s: %+v", db.Name, db)
		}
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	aside, err := filepath.Glob(filepath.Join(s.dir, "mgr", "IRIS.WIJ.datfs-*"))
	if err != nil || len(aside) != 1 {
		t.Errorf("the WIJ: %v, %v", aside, err)
	}
	for _, name := range []string{"user", "app"} {
		if _, err := os.Stat(s.database(name) + "iris.lck"); err == nil {
			t.Errorf("%s has a lock", name)
		}
		s.fileHolds(t, name, s.dat(name), last)
	}
	for _, dir := range append([]string{s.dir}, s.beside...) {
		entries, err := os.ReadDir(filepath.Join(dir, "mgr/Backup/datfs"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() {
				t.Errorf("left behind: %s/%s", dir, e.Name())
			}
		}
	}
	mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
}

// A start that does not come fully up is an operator's to finish; then the same
// command goes on, whatever of it was done by hand.
func TestRestore_Sturecov(t *testing.T) {
	long(t)
	t.Parallel()
	s, set, last := everything(t)
	r, err := practice.At(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{set, "--all", "--instance", "PRACTICE", "--second-instance", "HELPER", "--yes"}

	if err := r.Fail(t.Context(), "sturecov"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is still inhibited
		got := s.restore(t, 1, args...)
		for _, want := range []string{"^STURECOV", "sign-on inhibited", "the instance is not started, or not fully", "it goes on with the step start"} {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("nothing is said of %q:\n%s", want, got.stderr)
			}
		}
	}
	out := s.iris(t, "do ^STURECOV\n8\n9\n\nhalt\n", "terminal", "PRACTICE", "-U", "%SYS", "-B")
	if !strings.Contains(out, "The journal is not restored at the next startup") {
		t.Fatalf("^STURECOV:\n%s", out)
	}
	s.iris(t, "", "stop", "PRACTICE", "quietly")

	// Started by hand, but with a user of one's own, whom the command does not know.
	s.iris(t, "", "start", "PRACTICE", "EmergencyId=me,s3cret")
	got := s.restore(t, 1, args...)
	if !strings.Contains(got.stderr, "step validate") || !strings.Contains(got.stderr, "denies access") {
		t.Errorf("it said:\n%s", got.stderr)
	}
	s.iris(t, "", "stop", "PRACTICE", "quietly")
	s.restore(t, 0, args...)
	s.isUp(t, last)
}

// iris runs the instance's iris command, which must succeed.
func (s *irisSite) iris(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := s.command(t)
	cmd.Path, cmd.Args = filepath.Join(s.dir, "bin/iris"), append([]string{"iris"}, args...)
	cmd.Stdin = strings.NewReader(stdin)
	r := finish(t, cmd)
	if r.code != 0 {
		t.Fatalf("iris %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// Elsewhere in the same instance: beside the original, which goes on, below a
// directory and by redirection, with a place in the configuration.
func TestRestore_Beside(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	arm(t, s.inst, "open-transaction") // to be rolled back
	s.backup(t, 0, slowly...)
	set := s.set(t)
	info := s.newest(t)
	if err := s.inst.ClearFailures(); err != nil {
		t.Fatal(err)
	}
	marker := filepath.Base(info.Method.Journal.Marker)

	to := filepath.Join(t.TempDir(), "to")
	rep := s.restored(t, set, "--to", to, "--database", "USER", "--database", "APP", "--instance", "PRACTICE")
	if rep.LastJournal != marker || rep.Way != "elsewhere" {
		t.Errorf("report %+v, want %s", rep, marker)
	}
	for _, name := range []string{"user", "app"} {
		dir := filepath.Join(to, s.database(name)) + "/"
		if a, b := ownerOf(t, dir+"IRIS.DAT"), ownerOf(t, s.dat(name)); a != b {
			t.Errorf("%s: owner and mode %v, of the original %v", name, a, b)
		}
		s.dismount(t, dir)
		s.fileHolds(t, name, dir+"IRIS.DAT", marker)
	}
	s.dismount(t, filepath.Join(t.TempDir(), "nowhere")+"/") // nothing happens

	other := filepath.Join(t.TempDir(), "other") + "/"
	for range 2 { // again, over what is there and mounted
		rep = s.restored(t, set, "--redirect", "USER="+other, "--instance", "PRACTICE")
		if len(rep.Databases) != 1 || rep.Databases[0].To != other {
			t.Errorf("report %+v", rep)
		}
	}
	s.dismount(t, other)
	s.fileHolds(t, "user", other+"IRIS.DAT", marker)
	// The name is taken, which is found out before anything else is done with it.
	if r := s.restore(t, 4, set, "--redirect", "USER="+other, "--define", "--instance", "PRACTICE", "--yes"); !strings.Contains(r.stderr, "has a database USER in "+s.database("user")+" already") {
		t.Errorf("it said:\n%s", r.stderr)
	}
	s.restored(t, set, "--redirect", "USER="+other, "--instance", "PRACTICE", "--anew")

	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	last := filepath.Base(s.switchJournal(t))
	s.holds(t, "user", last)
	s.holds(t, "app", last)
	s.clean(t)
}

// On another instance, whose journals have names and content of their own: only
// the set's are applied, or the archive's, as far as they go without a gap.
func TestRestore_Elsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	stage := s.another(t, "STAGE", "OTHER", "MORE")
	s.backup(t, 0, slowly...)
	set := s.set(t)
	var last string
	for range 2 {
		s.wait(t, "more is done", func(st *practice.Status) bool { return st.Journal.Offset > 20<<10 })
		last = filepath.Base(s.switchJournal(t))
		s.archive(t, 0)
	}
	to := filepath.Join(t.TempDir(), "to") + "/"
	args := []string{set, "--redirect", "USER=" + to, "--instance", "STAGE", "--define"}
	rep := s.restored(t, args...)
	if rep.LastJournal != last || rep.Instance != "STAGE" {
		t.Errorf("report %+v, want %s", rep, last)
	}
	if out := stage.session(t, `write !,"@@EX|",##class(Config.Databases).Exists("USER"),!`); !strings.Contains(out, "@@EX|1") {
		t.Errorf("it is not in the configuration:\n%s", out)
	}
	stage.dismount(t, to)
	s.fileHolds(t, "user", to+"IRIS.DAT", last)

	// A file that is in no archive: the restore ends before it, and says so.
	gap := s.endJournal(t)
	purged, err := s.inst.Storage().PurgeJournals(t.Context(), time.Now().Add(time.Hour))
	if err != nil || !slices.Contains(purged, s.journal(gap)) {
		t.Fatalf("purged %v, %v, not %s", purged, err, gap)
	}
	after := s.endJournal(t)
	s.archive(t, 0)
	r := s.restore(t, 3, append(slices.Clone(args), "--yes")...)
	if !strings.Contains(r.stdout, "the end of the journal file "+last) {
		t.Errorf("it said:\n%s%s", r.stdout, r.stderr)
	}
	if said := r.stdout + r.stderr; !strings.Contains(said, "files between "+last+" and "+after+" are missing") {
		t.Errorf("nothing is said of the gap at %s, before %s:\n%s", gap, after, said)
	}
	stage.dismount(t, to)
	s.fileHolds(t, "user", to+"IRIS.DAT", last)

	// The other instance's own databases are as they were.
	for _, name := range []string{"other", "more"} {
		stage.holds(t, name, "")
	}
	s.clean(t)
	stage.clean(t)
}
