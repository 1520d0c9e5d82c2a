package practice_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// guarded is a statement as programs send it.
func guarded(mark, statement string) string {
	return fmt.Sprintf(`try { %s } catch e { write !,"@@ERR|%s|",e.Name,"|",e.Location,"|",e.Data,! }`, statement, mark)
}

// restoreScript are the statements of the restore of one database into a running
// instance, with its state after each step.
type restoreScript struct {
	dir, list                                                 string
	dismount, mount, state, rest, journals, integrity, create string
}

func newRestoreScript(t *testing.T, b *taken, dir string) restoreScript {
	t.Helper()
	list := filepath.Join(t.TempDir(), "dirlist.txt")
	return restoreScript{
		dir: dir, list: list,
		dismount: guarded("DM", fmt.Sprintf(`write !,"@@DM|",##class(SYS.Database).%%OpenId("%s").Dismount(),!`, dir)),
		mount:    guarded("MT", fmt.Sprintf(`write !,"@@MT|",##class(SYS.Database).%%OpenId("%s").Mount(),!`, dir)),
		state:    guarded("ST", fmt.Sprintf(`set o=##class(SYS.Database).%%OpenId("%s") write !,"@@ST|",o.Mounted,"|",o.ReadOnlyMounted,!`, dir)),
		rest:     guarded("REST", fmt.Sprintf(`set x=$$EXTSELCT^DBREST(1,0,"%s","%s",4,"","") write !,"@@REST|",x,!`, b.cbk, list)),
		journals: guarded("RUN", fmt.Sprintf(`set j=##class(Journal.Restore).%%New(),j.FirstFile="%s/%s",j.LastFile="%s",j.JournalLog="%s/journal.log",j.RollBack=1 `+
			`do j.UseJournalLocation("%s/") set sc=j.CheckJournalIntegrity(1) write !,"@@CHK|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),! `+
			`set sc=j.SelectUpdates("%s"),sc=j.Run() write !,"@@RUN|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`,
			b.journals, b.required, b.marker, b.journals, b.journals, dir)),
		integrity: guarded("INT", fmt.Sprintf(`set sc=$$CheckList^Integrity(,$lb("%s")) write !,"@@INT|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),! do Display^Integrity(,2)`, dir)),
		create:    guarded("CR", fmt.Sprintf(`set p("Directory")="%s" set sc=##class(Config.Databases).Create("MORE",.p) write !,"@@CR|",$system.Status.IsOK(sc),!`, t.TempDir())),
	}
}

// reset makes the instance as it was: nothing armed, the database mounted
// read-write, the file of directories there.
func (x *restoreScript) reset(t *testing.T, inst *practice.Instance) {
	t.Helper()
	write(t, x.list, x.dir+",,N\n")
	err := inst.ClearFailures()
	if db := inst.Storage().Dismount(t.Context(), x.dir); !errors.Is(db, storage.ErrNotMounted) {
		err = errors.Join(err, db)
	}
	_, lock := storage.RemoveLeftLock(x.dir)
	if err := errors.Join(err, lock, inst.Storage().Mount(t.Context(), x.dir, false)); err != nil {
		t.Fatal(err)
	}
	if info, err := inst.Storage().Database(x.dir); err != nil || !info.Mounted || info.ReadOnly {
		t.Fatalf("%+v, %v", info, err)
	}
}

// Every failure of a step of a restore: what is answered, and how the database is
// afterwards.
func TestFail_Restore(t *testing.T) {
	s := newSite(t)
	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	app := dirOf(s.inst, "APP")
	x := newRestoreScript(t, s.b, app)
	lck := app + "iris.lck"
	tests := []struct {
		fail  string
		lines []string
		want  []string // patterns, in order
		lacks string
		lock  bool // iris.lck is there at the end
	}{
		{"", []string{x.dismount, x.state, x.mount, x.state}, []string{`@@DM\|1\n`, `@@ST\|0\|0\n`, `@@MT\|1\n`, `@@ST\|1\|0\n`}, "", true},
		{"dismount-fails", []string{x.dismount, x.state}, []string{`@@DM\|0 dismount `, `@@ST\|1\|0\n`}, "", true},
		{"dismount-fails APP", []string{x.dismount, x.state}, []string{`@@DM\|0 dismount `, `@@ST\|1\|0\n`}, "", true},
		{"dismount-fails USER", []string{x.dismount, x.state}, []string{`@@DM\|1\n`, `@@ST\|0\|0\n`}, "", false},
		{"trap SYS.Database.Dismount <PROTECT> Dismount+6^SYS.Database.1", []string{x.dismount, x.state}, []string{`@@ERR\|DM\|<PROTECT>\|Dismount\+6\^SYS\.Database\.1\|\n`, `@@ST\|1\|0\n`}, "", true},
		{"mirrored APP", []string{x.dismount, x.state}, []string{`@@ERR\|DM\|<PROTECT>`, `@@ST\|1\|0\n`}, "", true},
		{"dismount-does-nothing " + app, []string{x.dismount, x.state}, []string{`@@DM\|1\n`, `@@ST\|1\|0\n`}, "", true},
		{"dismount-leaves-lock", []string{x.dismount, x.state, x.mount, x.state}, []string{`@@DM\|1\n`, `@@ST\|0\|0\n`, `@@MT\|1\n`, `@@ST\|1\|1\n`}, "", true},
		{"mount-fails", []string{x.dismount, x.mount, x.state}, []string{`@@DM\|1\n`, `@@MT\|0 mount `, `@@ST\|0\|0\n`}, "", false},
		{"mount-does-nothing", []string{x.dismount, x.mount, x.state}, []string{`@@DM\|1\n`, `@@MT\|1\n`, `@@ST\|0\|0\n`}, "", false},
		{"mount-read-only", []string{x.dismount, x.mount, x.state}, []string{`@@DM\|1\n`, `@@MT\|1\n`, `@@ST\|1\|1\n`}, "", true},
		{"stale-lock APP", []string{x.dismount, x.mount, x.state, x.rest}, []string{`@@DM\|1\n`, `@@MT\|1\n`, `@@ST\|1\|1\n`, `read-only`, `@@REST\|-1\n`}, "***Restoring", true},

		{"restore-fails -2", []string{x.rest}, []string{`@@REST\|-2\n`}, "***Restoring", true},
		{"restore-omits APP", []string{x.rest}, []string{`Starting skip of ` + app, `@@REST\|1\n`}, "***Restoring", true},
		{"restore-not-mounted", []string{x.rest}, []string{`\*\*\*Restoring ` + app, `\(Not Mounted\)`, `@@REST\|1\n`}, "", true},
		{"variant-restore-0", []string{x.rest}, []string{`\*\*\*Restoring ` + app, `\(Mounted\)`, `@@REST\|0\n`}, "", true},
		{"mirrored APP primary", []string{x.rest}, []string{app + ` is an active mirrored database and is not restored`, `@@REST\|1\n`}, "***Restoring", true},
		{"mirrored APP async", []string{x.rest}, []string{`\*\*\*Restoring ` + app, `which is a mirrored DB`, `@@REST\|1\n`}, "", true},
		{"backup-running", []string{x.rest}, []string{`@@REST\|-3\n`}, "***Restoring", true},
		{"prompt EXTSELCT^DBREST", []string{x.rest, "N"}, []string{`\(Y/N\)\?`, `@@REST\|0\n`}, "***Restoring", true},

		{"journal-check-fails", []string{x.journals}, []string{`@@CHK\|0\|ERROR `, `@@RUN\|1\|\n`}, "", true},
		{"journal-restore-fails", []string{x.journals}, []string{`@@CHK\|1\|\n`, `@@RUN\|0\|ERROR `}, "completed", true},
		{"journal-restore-skips", []string{x.journals}, []string{`databases have been skipped:\n\n(\d\. .*\n)*\d\. ` + app, `@@RUN\|1\|\n`}, "updated", true},
		{"journal-restore-skips APP", []string{x.journals}, []string{`databases have been skipped:\n\n(\d\. .*\n)*\d\. ` + app, `@@RUN\|1\|\n`}, "updated", true},
		{"journal-restore-skips USER", []string{x.journals}, []string{`updated:\n\n1\. ` + app, `@@RUN\|1\|\n`}, "", true},
		{"trap Journal.Restore.Run <FILEFULL>", []string{x.journals}, []string{`@@CHK\|1\|\n`, `@@ERR\|RUN\|<FILEFULL>`}, "@@RUN", true},

		{"integrity-errors", []string{x.integrity}, []string{`@@INT\|0\|.*1 errors found`, `\*\*\*\* ERROR in block`}, "", true},
		{"integrity-incomplete", []string{x.integrity}, []string{`@@INT\|0\|.*did not complete`}, "ERROR in block", true},
		{"create-fails", []string{x.create}, []string{`@@CR\|0\n`}, "", true},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.fail, "/", "-"), func(t *testing.T) {
			x.reset(t, s.inst)
			if tt.fail != "" {
				words := strings.SplitN(tt.fail, " ", 2)
				armed(t, s.inst, words[0], args(t, tt.fail)...)
			}
			out := typed(t, s.inst, tt.lines...)
			matches(t, out, tt.want...)
			if tt.lacks != "" && strings.Contains(out, tt.lacks) {
				t.Errorf("%s is in\n%s", tt.lacks, out)
			}
			if _, err := os.Stat(lck); (err == nil) != tt.lock {
				t.Errorf("iris.lck: %v", err)
			}
		})
	}
}

// The names of the statements of a restore, as failures take them.
func TestFail_RestoreMoments(t *testing.T) {
	s := newSite(t)
	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	x := newRestoreScript(t, s.b, dirOf(s.inst, "APP"))
	outside := dirOf(s.inst, "APP")
	for _, tt := range []struct{ what, line string }{
		{"SYS.Database.%OpenId", x.dismount},
		{"SYS.Database.Dismount", x.dismount},
		{"SYS.Database.DismountDatabase", fmt.Sprintf(`write ##class(SYS.Database).DismountDatabase("%s")`, outside)},
		{"SYS.Database.Mount", x.mount},
		{"SYS.Database.MountDatabase", fmt.Sprintf(`write ##class(SYS.Database).MountDatabase("%s")`, outside)},
		{"EXTSELCT^DBREST", x.rest},
		{"Journal.Restore.%New", x.journals},
		{"Journal.Restore.UseJournalLocation", x.journals},
		{"Journal.Restore.CheckJournalIntegrity", x.journals},
		{"Journal.Restore.SelectUpdates", x.journals},
		{"Journal.Restore.RedirectDatabase", `do ##class(Journal.Restore).%New().RedirectDatabase("/a/","/b/")`},
		{"Journal.Restore.Run", x.journals},
		{"CheckList^Integrity", x.integrity},
		{"Display^Integrity", x.integrity},
		{"Config.Databases.Exists", `write ##class(Config.Databases).Exists("APP")`},
		{"Config.Databases.Create", x.create},
		{"%File.ManagerDirectory", `write ##class(%File).ManagerDirectory()`},
		{"session", ``},
	} {
		t.Run(tt.what, func(t *testing.T) {
			x.reset(t, s.inst)
			armed(t, s.inst, "end", tt.what, "9")
			out, code := terminal(t, s.dir, tt.line, `write "survived"`, "halt")
			if code != 9 || strings.Contains(out, "survived") {
				t.Errorf("exit code %d\n%s", code, out)
			}
			for _, name := range []string{"hang", "prompt"} {
				armed(t, s.inst, name, tt.what)
			}
			for _, when := range []string{"before", "after"} {
				armed(t, s.inst, "crash", when, tt.what)
			}
			armed(t, s.inst, "trap", tt.what, "<PROTECT>")
			armed(t, s.inst, "answer", tt.what, "0")
		})
	}
	for _, what := range []string{"EXTSELECT^DBREST", "Journal.Restore.Rum", "SYS.Database.Unmount", "sessions"} {
		var usage *practice.UsageError
		if err := s.inst.Fail("hang", what); !errors.As(err, &usage) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A crash in a step of a restore leaves an instance that starts and a database that
// can be restored again, to the moment.
func TestFail_RestoreCrash(t *testing.T) {
	for _, tt := range []struct{ when, what string }{
		{"after", "SYS.Database.Dismount"}, {"before", "EXTSELCT^DBREST"}, {"after", "EXTSELCT^DBREST"}, {"before", "Journal.Restore.Run"}, {"after", "Journal.Restore.Run"},
	} {
		t.Run(tt.when+" "+strings.ReplaceAll(tt.what, "^", "-"), func(t *testing.T) {
			s := newSite(t)
			x := newRestoreScript(t, s.b, dirOf(s.inst, "APP"))
			write(t, x.list, x.dir+",,N\n")
			armed(t, s.inst, "crash", tt.when, tt.what)
			restore := func(inst *practice.Instance) (ended bool) {
				for _, lines := range [][]string{{x.dismount}, nil, {x.mount}, {x.rest}, {x.journals}} {
					if lines == nil {
						copyFile(t, s.b.copies+x.dir+"IRIS.DAT", x.dir+"IRIS.DAT", 0)
						continue
					}
					if _, code := terminal(t, inst.Dir(), append(lines, "halt")...); code != 0 {
						return true
					}
				}
				return false
			}
			if !restore(s.inst) {
				t.Fatal("there was no crash")
			}
			<-s.inst.Done()
			again := start(t, s.dir)
			sound(t, again, "USER")
			write(t, x.list, x.dir+",,N\n")
			if restore(again) {
				t.Fatal("the second time it ended early")
			}
			holds(t, again, x.dir, s.want[x.dir])
			sound(t, again, "APP")
		})
	}
}

// Failures of a start.
func TestFail_Start(t *testing.T) {
	dir := create(t)
	r, err := practice.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Fail(t.Context(), "start-refused"); err != nil {
		t.Fatal(err)
	}
	ends(t, dir)
	if out, code := iris(t, dir, "", "start", "PRACTICE"); code != 1 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	matches(t, read(t, r.LogFile()), `refused`)
	for _, id := range []string{"", "helper", "helper,", ",s3cret", "irisowner,s3cret"} {
		if out, code := iris(t, dir, "", "start", "PRACTICE", "EmergencyId="+id); code != 1 {
			t.Errorf("EmergencyId=%s: exit code %d\n%s", id, code, out)
		}
		if st, err := r.Status(t.Context()); err != nil || st.State != practice.StateDown {
			t.Fatalf("EmergencyId=%s: %+v, %v", id, st, err)
		}
	}
	needIris(t, dir, "", "start", "PRACTICE", "emergencyid=helper,a,b")
	st, err := r.Status(t.Context())
	if err != nil || st.Mode != practice.ModeEmergency || st.Load != practice.LoadNone {
		t.Errorf("%+v, %v", st, err)
	}
	var usage *practice.UsageError
	if err := r.SetLoad(t.Context(), practice.LoadHeavy); !errors.As(err, &usage) {
		t.Errorf("load: %v", err)
	}
	if out, code := terminal(t, dir, "helper", "a,b", "halt"); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	matches(t, needIris(t, dir, "helper\na,b\nhalt\n", "session", "PRACTICE", "-U", "%SYS", "-B"), `Username:`) // it is fully up
}

// The iris command knows those on the PATH, and of two with one name the first.
func TestNeighbours(t *testing.T) {
	one := newInstance(t)
	two := create(t, func(o *practice.CreateOptions) { o.Name = "TWO" })
	three := create(t)
	t.Setenv("PATH", strings.Join([]string{one.Dir() + "/bin", "/usr/bin", two + "/bin", three + "/bin"}, ":"))
	out := needIris(t, one.Dir(), "", "qlist")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[0], "PRACTICE^"+one.Dir()) || !strings.HasPrefix(lines[1], "TWO^"+two+"/^") {
		t.Errorf("qlist:\n%s", out)
	}
	matches(t, needIris(t, one.Dir(), "", "qlist", "two"), `^TWO\^`)
	matches(t, needIris(t, one.Dir(), "", "all"), `(?m)^up >PRACTICE`, `(?m)^dn >TWO`)
	if out, code := iris(t, one.Dir(), "halt\n", "session", "TWO"); code != 1 || !strings.Contains(out, "Instance 'TWO' is not running") {
		t.Errorf("a session of one that is down: %d\n%s", code, out)
	}
	if out, code := iris(t, one.Dir(), "halt\n", "session", "THREE"); code != 1 || !strings.Contains(out, "not the name of an instance") {
		t.Errorf("a session of one that is not there: %d\n%s", code, out)
	}
}
