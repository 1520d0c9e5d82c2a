package integration

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"datfs/dbback/iris/restore"
	"datfs/dbback/practice"
)

// A restoreFailure is a row of the table of failures of restores.
type restoreFailure struct {
	fail  string // of the practice instance; "" arms nothing
	code  int    // exit code
	step  string // in which the restore ends; "" before any of its steps, or not at all
	again string // with which the same command goes on; "": it begins again
	says  string // in what is printed
	up    bool   // the database is left mounted, and is not lost
}

// limited returns the time limits of a row: none of its own if it has no session
// that hangs, however busy the machine is.
func (f *restoreFailure) limited() []string {
	limit := "3s"
	if strings.Contains(os.Getenv("DATFS_BUILD_FLAGS"), "-race") {
		limit = "30s" // sessions take many times what they do else
	}
	if !strings.HasPrefix(f.fail, "hang ") && !strings.HasPrefix(f.fail, "login-prompt") && !strings.HasPrefix(f.fail, "prompt ") {
		return nil
	}
	return []string{"--step-timeout", limit, "--backup-timeout", limit}
}

// The failures of the restore of a database into a running instance, step by step.
var restoreFailures = map[string][]restoreFailure{
	"sign-on": {
		{fail: "login-prompt", code: 1, says: "denies access"},
		{fail: "access-denied", code: 1, says: "denies access"},
		{fail: "license-limit", code: 1, says: "icence"},
		{fail: "signon-inhibited", code: 1, says: "nhibited"},
		{fail: "wrong-namespace USER", code: 1, says: "%SYS"},
		{fail: "end session", code: 1, says: "ended before it had answered"},
		{fail: "hang session", code: 1, says: "no answer within"},
		{fail: "trap %File.ManagerDirectory <PROTECT>", code: 1, says: "PROTECT"},
		{fail: "answer %File.ManagerDirectory elsewhere", code: 1, says: "not the path"},
		{fail: "answer %File.ManagerDirectory /elsewhere/", code: 1, says: "is not here"},
		{fail: "welcome", code: 0, says: ""},
		{fail: "health hung", code: 0, says: ""},
		{fail: "slow EXTSELCT^DBREST 50ms", code: 0},
		{fail: "variant-old-qlist", code: 0},
		{fail: "variant-crlf", code: 0},
		{fail: "encrypted USER", code: 0, up: true},
	},
	"dismount": {
		{fail: "trap SYS.Database.%OpenId <PROTECT>", code: 0, says: "PROTECT"}, // what is said of a lost one is not documented
		{fail: "trap SYS.Database.%OpenId <PROTECT> after=1", code: 1, step: "dismount", again: "dismount", says: "PROTECT"},
		{fail: "crash before SYS.Database.%OpenId", code: 1, step: "look", says: "ended before it had answered"},
		{fail: "mirrored USER primary", code: 4, step: "look", says: "this is the primary", up: true},
		{fail: "mirrored USER backup", code: 1, step: "dismount", again: "dismount", says: "PROTECT", up: true},
		{fail: "mirrored USER async", code: 1, step: "dismount", again: "dismount", says: "PROTECT", up: true},
		{fail: "dismount-fails", code: 1, step: "dismount", again: "dismount", says: "Dismount of", up: true},
		{fail: "dismount-does-nothing", code: 1, step: "dismount", again: "dismount", says: "is mounted: somebody may have used it", up: true},
		{fail: "dismount-leaves-lock", code: 0, says: "iris.lck, which was left over", up: true},
		{fail: "trap SYS.Database.Dismount <PROTECT>", code: 1, step: "dismount", again: "dismount", says: "PROTECT", up: true},
		{fail: "answer SYS.Database.Dismount 0", code: 1, step: "dismount", again: "dismount", says: "it may be in use", up: true},
		{fail: "end SYS.Database.Dismount", code: 1, step: "dismount", again: "dismount", says: "ended before it had answered", up: true},
		{fail: "hang SYS.Database.Dismount", code: 1, step: "dismount", again: "dismount", says: "no answer within", up: true},
		{fail: "crash before SYS.Database.Dismount", code: 1, step: "dismount", again: "dismount", says: "ended before it had answered", up: true},
		{fail: "crash after SYS.Database.Dismount", code: 1, step: "dismount", again: "dismount", says: "ended before it had answered", up: true},
	},
	"mount": {
		{fail: "stale-lock USER", code: 0, says: "iris.lck, which was left over"},
		{fail: "mount-fails", code: 1, step: "mount", again: "dismount", says: "Mount of"},
		{fail: "mount-does-nothing", code: 1, step: "mount", again: "dismount", says: "is not mounted"},
		{fail: "mount-read-only", code: 1, step: "mount", again: "dismount", says: "is mounted read-only"},
		{fail: "trap SYS.Database.Mount <PROTECT>", code: 1, step: "mount", again: "dismount", says: "PROTECT"},
		{fail: "answer SYS.Database.Mount 0", code: 1, step: "mount", again: "dismount", says: "messages.log"},
		{fail: "end SYS.Database.Mount", code: 1, step: "mount", again: "dismount", says: "ended before it had answered"},
		{fail: "hang SYS.Database.Mount", code: 1, step: "mount", again: "dismount", says: "no answer within"},
		{fail: "crash before SYS.Database.Mount", code: 1, step: "mount", again: "dismount", says: "ended before it had answered"},
		{fail: "crash after SYS.Database.Mount", code: 1, step: "mount", again: "dismount", says: "ended before it had answered"},
	},
	"apply": {
		{fail: "restore-fails -1", code: 1, step: "apply", again: "dismount", says: "cannot open the incremental"},
		{fail: "restore-fails -2", code: 1, step: "apply", again: "dismount", says: "does not fit the instance's backup history"},
		{fail: "restore-fails -3", code: 1, step: "apply", again: "dismount", says: "a backup or restore is in progress"},
		{fail: "restore-fails -4", code: 1, step: "apply", again: "dismount", says: "list of directories"},
		{fail: "restore-fails -5", code: 1, step: "apply", again: "dismount", says: "journal option"},
		{fail: "restore-fails -6", code: 1, step: "apply", again: "dismount", says: "journal file is invalid"},
		{fail: "backup-running", code: 1, step: "apply", again: "dismount", says: "a backup or restore is in progress"},
		{fail: "restore-omits", code: 1, step: "apply", again: "dismount", says: "says nothing of restoring"},
		{fail: "restore-not-mounted", code: 1, step: "apply", again: "dismount", says: "is Not Mounted"},
		{fail: "variant-restore-0", code: 0},
		{fail: "trap EXTSELCT^DBREST <PROTECT>", code: 1, step: "apply", again: "dismount", says: "PROTECT"},
		{fail: "answer EXTSELCT^DBREST 1", code: 1, step: "apply", again: "dismount", says: "says nothing of restoring"},
		{fail: "answer EXTSELCT^DBREST what", code: 1, step: "apply", again: "dismount", says: `"what"`},
		{fail: "prompt EXTSELCT^DBREST", code: 1, step: "apply", again: "dismount", says: "EXTSELCT^DBREST"},
		{fail: "end EXTSELCT^DBREST", code: 1, step: "apply", again: "dismount", says: "ended before it had answered"},
		{fail: "hang EXTSELCT^DBREST", code: 1, step: "apply", again: "dismount", says: "no answer within"},
		{fail: "crash before EXTSELCT^DBREST", code: 1, step: "apply", again: "dismount", says: "ended before it had answered"},
		{fail: "crash after EXTSELCT^DBREST", code: 1, step: "apply", again: "dismount", says: "ended before it had answered"},
	},
	"journals": {
		{fail: "journal-check-fails", code: 1, step: "journals", again: "journals", says: "nothing was applied"},
		{fail: "journal-restore-fails", code: 1, step: "journals", again: "journals", says: "Journal.Restore answered"},
		{fail: "journal-restore-skips", code: 1, step: "journals", again: "journals", says: "skipped"},
		{fail: "journal-restore-skips APP", code: 0},
		{fail: "switch-refused", code: 1, step: "journals", again: "journals", says: "PROTECT"},
		{fail: "trap Journal.Restore.%New <PROTECT>", code: 1, step: "journals", again: "journals", says: "PROTECT"},
		{fail: "trap Journal.Restore.UseJournalLocation <PROTECT>", code: 1, step: "journals", again: "journals", says: "PROTECT"},
		{fail: "trap Journal.Restore.SelectUpdates <PROTECT>", code: 1, step: "journals", again: "journals", says: "PROTECT"},
		{fail: "answer Journal.Restore.SelectUpdates 0", code: 1, step: "journals", again: "journals", says: "SelectUpdates"},
		{fail: "trap Journal.Restore.CheckJournalIntegrity <PROTECT>", code: 1, step: "journals", again: "journals", says: "PROTECT"},
		{fail: "trap Journal.Restore.Run <FILEFULL>", code: 1, step: "journals", again: "journals", says: "FILEFULL"},
		{fail: "answer Journal.Restore.Run 0", code: 1, step: "journals", again: "journals", says: "Journal.Restore answered"},
		{fail: "end Journal.Restore.SelectUpdates", code: 1, step: "journals", again: "journals", says: "ended before it had answered"},
		{fail: "end Journal.Restore.Run", code: 1, step: "journals", again: "journals", says: "ended before it had answered"},
		{fail: "hang Journal.Restore.Run", code: 1, step: "journals", again: "journals", says: "no answer within"},
		{fail: "crash before ^JRNSWTCH", code: 1, step: "journals", again: "journals", says: "ended before it had answered"},
		{fail: "crash before Journal.Restore.Run", code: 1, step: "journals", again: "journals", says: "ended before it had answered"},
		{fail: "crash after Journal.Restore.Run", code: 1, step: "journals", again: "journals", says: "ended before it had answered"},
	},
	"integrity": {
		{fail: "integrity-errors", code: 1, step: "integrity", again: "integrity", says: "the integrity check does not find"},
		{fail: "integrity-incomplete", code: 1, step: "integrity", again: "integrity", says: "did not complete"},
		{fail: "trap CheckList^Integrity <PROTECT>", code: 1, step: "integrity", again: "integrity", says: "PROTECT"},
		{fail: "answer CheckList^Integrity 0", code: 1, step: "integrity", again: "integrity", says: "the integrity check does not find"},
		{fail: "trap Display^Integrity <PROTECT>", code: 0},
		{fail: "end CheckList^Integrity", code: 1, step: "integrity", again: "integrity", says: "ended before it had answered"},
		{fail: "hang CheckList^Integrity", code: 1, step: "integrity", again: "integrity", says: "no answer within"},
		{fail: "crash before CheckList^Integrity", code: 1, step: "integrity", again: "integrity", says: "ended before it had answered"},
		{fail: "crash after CheckList^Integrity", code: 1, step: "integrity", again: "integrity", says: "ended before it had answered"},
	},
}

// The failures of restores to other directories, and of everything through a second
// instance, that are none of the above.
var (
	elsewhereFailures = []restoreFailure{
		{fail: "create-fails", code: 1, step: "define", again: "dismount", says: "Config.Databases.Create of USER"},
		{fail: "trap Config.Databases.Create <PROTECT>", code: 1, step: "define", again: "dismount", says: "PROTECT"},
		{fail: "end Config.Databases.Create", code: 1, step: "define", again: "dismount", says: "ended before it had answered"},
		{fail: "mount-fails", code: 1, step: "mount", again: "dismount", says: "Mount of"},
		{fail: "mount-read-only", code: 1, step: "mount", again: "dismount", says: "is mounted read-only"},
		{fail: "crash after SYS.Database.Mount", code: 1, step: "mount", again: "dismount", says: "ended before it had answered"},
		{fail: "crash after EXTSELCT^DBREST", code: 1, step: "apply", again: "dismount", says: "ended before it had answered"},
		{fail: "trap Journal.Restore.RedirectDatabase <PROTECT>", code: 1, step: "journals", again: "journals", says: "PROTECT"},
		{fail: "journal-restore-skips", code: 1, step: "journals", again: "journals", says: "skipped"},
		{fail: "crash before Journal.Restore.Run", code: 1, step: "journals", again: "journals", says: "ended before it had answered"},
		{fail: "crash after CheckList^Integrity", code: 1, step: "integrity", again: "integrity", says: "ended before it had answered"},
	}
	everythingFailures = []struct {
		restoreFailure
		target bool // it befalls the instance that gets its databases back
	}{
		{restoreFailure{fail: "restore-fails -1", code: 1, step: "apply", again: "copy", says: "cannot open the incremental"}, false},
		{restoreFailure{fail: "restore-omits", code: 1, step: "apply", again: "copy", says: "says nothing of restoring"}, false},
		{restoreFailure{fail: "crash after EXTSELCT^DBREST", code: 1, step: "apply", again: "copy", says: "ended before it had answered"}, false},
		{restoreFailure{fail: "crash before Journal.Restore.Run", code: 1, step: "journals", again: "journals", says: "ended before it had answered"}, false},
		{restoreFailure{fail: "integrity-errors", code: 1, step: "integrity", again: "integrity", says: "the integrity check does not find"}, false},
		{restoreFailure{fail: "dismount-fails", code: 1, step: "release", again: "release", says: "Dismount of"}, false},
		{restoreFailure{fail: "dismount-leaves-lock", code: 1, step: "release", again: "release", says: "is mounted somewhere"}, false},
		{restoreFailure{fail: "start-refused", code: 1, step: "start", again: "start", says: "is refused"}, true},
		{restoreFailure{fail: "start-refused after=1", code: 1, step: "normal", again: "normal", says: "is refused"}, true},
		{restoreFailure{fail: "sturecov", code: 1, step: "start", again: "start", says: "^STURECOV"}, true},
		{restoreFailure{fail: "end session after=1", code: 1, step: "normal", again: "normal", says: "ended before it had answered"}, true},
		{restoreFailure{fail: "end session", code: 1, step: "validate", again: "start", says: "ended before it had answered"}, true},
	}
)

// notOfRestores are failures that no restore meets in a step of its own: of
// backups, and the crash that comes before one.
var notOfRestores = []string{
	"listdirs-fails", "clrinc-fails", "clear-without-flush", "dbsize-fails", "backup-fails", "backup-warns", "daemon-suspended",
	"other-backup", "no-quiesce", "no-marker", "no-switch", "disk-full", "output-empty", "output-missing", "log-missing", "log-cut",
	"log-other-directories", "slow-backup", "database-added", "dismounted", "read-only", "not-journaled", "extension-volume", "unlisted",
	"wrong-blocks", "wrong-directory", "open-transaction", "journal-purged", "journal-alternate", "crash-writing",
	"variant-purposes", "variant-an", "variant-listdirs", "variant-no-header", "variant-overwrite",
}

// ofRestores returns the names of the failures in the tables above.
func ofRestores() map[string]bool {
	names := make(map[string]bool)
	note := func(f restoreFailure) { names[strings.Fields(f.fail)[0]] = true }
	for _, group := range restoreFailures {
		for _, f := range group {
			note(f)
		}
	}
	for _, f := range elsewhereFailures {
		note(f)
	}
	for _, f := range everythingFailures {
		note(f.restoreFailure)
	}
	return names
}

func TestRestore_AllFailures(t *testing.T) {
	names := ofRestores()
	for _, f := range practice.Failures() {
		if names[f.Name] == slices.Contains(notOfRestores, f.Name) {
			t.Errorf("failure %s is in none of the tables, or in one and in notOfRestores", f.Name)
		}
	}
}

// testName makes a name for t.Run.
func testName(fail string) string {
	return strings.NewReplacer("^", "-", "<", "", ">", "", "/", "-").Replace(fail)
}

// arm arms a failure of the instance.
func arm(t *testing.T, inst *practice.Instance, fail string) {
	t.Helper()
	if words := strings.Fields(fail); len(words) > 0 {
		if err := inst.Fail(words[0], words[1:]...); err != nil {
			t.Fatal(err)
		}
	}
}

// disarm clears all failures, and starts the instance anew if it has crashed.
func (s *irisSite) disarm(t *testing.T, fail string) {
	t.Helper()
	if strings.HasPrefix(fail, "crash ") { // it crashes beside the session that meets it
		select {
		case <-s.inst.Done():
		case <-time.After(patience):
			t.Fatal("no crash")
		}
		s.start(t, practice.StartOptions{Oplog: s.oplog})
	}
	if err := s.inst.ClearFailures(); err != nil {
		t.Fatal(err)
	}
}

// check compares what a restore said with the row.
func (f *restoreFailure) check(t *testing.T, r result) {
	t.Helper()
	said := r.stdout + r.stderr
	if r.code != f.code || !strings.Contains(said, f.says) {
		t.Errorf("exit code %d, want %d, and %q\n%s", r.code, f.code, f.says, said)
	}
	if f.code == 0 {
		return
	}
	if strings.Contains(r.stdout, "restored ") {
		t.Errorf("it says that it succeeded:\n%s", said)
	}
	if f.step != "" && !strings.Contains(r.stderr, "step "+f.step+": ") {
		t.Errorf("it did not end in the step %s:\n%s", f.step, r.stderr)
	}
	if f.again != "" && (!strings.Contains(r.stderr, "it goes on with the step "+f.again+" ") || strings.Count(r.stderr, "hint: ") < 3) {
		t.Errorf("it does not say how to go on with %s:\n%s", f.again, r.stderr)
	}
}

// goesOn runs the command of the row once more, which must go on where it says, end
// well, and report of the whole.
func (s *irisSite) goesOn(t *testing.T, f restoreFailure, args ...string) *restore.Report {
	t.Helper()
	r := s.restore(t, 0, append(slices.Clone(args), "--yes", "--json")...)
	if f.again != "" && !strings.Contains(r.stderr, "ended in the step "+f.step+" ") || f.again != "" && !strings.Contains(r.stderr, "going on with the step "+f.again+"\n") {
		t.Errorf("it did not go on with %s:\n%s", f.again, r.stderr)
	}
	rep := report(t, r)
	for _, step := range []string{"look", "prepare", "copy", "apply", "journals", "integrity"} {
		if !slices.ContainsFunc(rep.Steps, func(s restore.DoneStep) bool { return s.Step == step }) {
			t.Errorf("the report has no step %s: %+v", step, rep.Steps)
		}
	}
	if rep.Bytes == 0 || rep.LastJournal == "" {
		t.Errorf("report %+v", rep)
	}
	return rep
}

// Every failure of the restore of a database into a running instance: it does not
// pass for success, it is said in which state the database is, and the same command
// goes on and ends well.
func TestRestore_Failures(t *testing.T) {
	n := 0
	for _, group := range slices.Sorted(maps.Keys(restoreFailures)) {
		rows, first := restoreFailures[group], n
		n += len(rows)
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
			s.backup(t, 0, slowly...)
			set := s.set(t)
			if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
				t.Fatal(err)
			}
			for i, f := range rows {
				t.Run(testName(f.fail), func(t *testing.T) {
					sample(t, first+i)
					s.write(t, "user", f.fail)
					if !f.up {
						s.lose(t, "user")
					}
					arm(t, s.inst, f.fail)
					args := append([]string{"restore", "iris", set, "--database", "USER", "--instance", "PRACTICE", "--yes"}, f.limited()...)
					f.check(t, s.datfs(t, args...))
					s.disarm(t, f.fail)
					rep := s.goesOn(t, f, set, "--database", "USER", "--instance", "PRACTICE")
					s.holds(t, "user", rep.LastJournal)
					if left := s.leftovers(t); len(left) != 0 {
						t.Errorf("left behind: %v", left)
					}
				})
			}
			s.holds(t, "app", "")
			s.clean(t)
		})
	}
}

// The failures of a restore to another directory of another instance.
func TestRestore_FailuresElsewhere(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0, slowly...)
	set := s.set(t)
	stage := s.another(t, "STAGE")
	marker := filepath.Base(s.newest(t).Method.Journal.Marker)
	for i, f := range elsewhereFailures {
		t.Run(testName(f.fail), func(t *testing.T) {
			sample(t, i)
			to := filepath.Join(t.TempDir(), "to") + "/"
			args := []string{set, "--redirect", "USER=" + to, "--instance", "STAGE"}
			stage := stage
			if f.step == "define" { // which is for good, there
				stage = s.another(t, "STAGE"+strconv.Itoa(i))
				args = []string{set, "--redirect", "USER=" + to, "--instance", stage.inst.Name(), "--define"}
			}
			arm(t, stage.inst, f.fail)
			f.check(t, s.datfs(t, append([]string{"restore", "iris", "--yes"}, args...)...))
			stage.disarm(t, f.fail)
			if rep := s.goesOn(t, f, args...); rep.LastJournal != marker {
				t.Errorf("report %+v", rep)
			}
			stage.dismount(t, to)
			s.fileHolds(t, "user", to+"IRIS.DAT", marker)
			if left := stage.leftovers(t); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	s.clean(t)
}

// The failures of a restore of everything.
func TestRestore_FailuresEverything(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0, slowly...)
	set := s.set(t)
	if err := s.inst.Stop(); err != nil {
		t.Fatal(err)
	}
	helper := s.another(t, "HELPER")
	s.ends(t)
	target, err := practice.At(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{set, "--all", "--instance", "PRACTICE", "--second-instance", "HELPER"}
	for i, f := range everythingFailures {
		t.Run(testName(f.fail), func(t *testing.T) {
			sample(t, i)
			if err := target.Stop(t.Context()); err != nil && !errors.Is(err, practice.ErrDown) { // if the row before has failed
				t.Fatal(err)
			}
			for _, name := range []string{"", "user", "app"} {
				garble(t, s.dat(name))
			}
			if words := strings.Fields(f.fail); f.target {
				if err := target.Fail(t.Context(), words[0], words[1:]...); err != nil {
					t.Fatal(err)
				}
			} else {
				arm(t, helper.inst, f.fail)
			}
			f.check(t, s.datfs(t, append([]string{"restore", "iris", "--yes"}, args...)...))
			helper.disarm(t, f.fail)
			if err := target.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
			if f.says == "^STURECOV" {
				s.iris(t, "do ^STURECOV\n8\n9\n\nhalt\n", "terminal", "PRACTICE", "-U", "%SYS", "-B")
				s.iris(t, "", "stop", "PRACTICE", "quietly")
			}
			if f.fail == "dismount-leaves-lock" { // by whom, a person has to know
				for _, name := range []string{"", "user", "app"} {
					if err := os.Remove(s.database(name) + "iris.lck"); err != nil && !errors.Is(err, os.ErrNotExist) {
						t.Fatal(err)
					}
				}
			}
			s.goesOn(t, f.restoreFailure, args...)
			if st, err := target.Status(t.Context()); err != nil || st.State != practice.StateRunning || st.Mode != "" {
				t.Errorf("status %+v, %v", st, err)
			}
			if err := target.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"user", "app"} {
				s.fileHolds(t, name, s.dat(name), "")
			}
			if left := append(s.leftovers(t), helper.leftovers(t)...); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
}
