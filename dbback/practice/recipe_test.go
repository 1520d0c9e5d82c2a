package practice_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// A taken is a concurrent external backup that was taken by statements.
type taken struct {
	dirs     []string // that LISTDIRS gave
	copies   string   // directory below which the dirty copies are, by their paths
	cbk, log string
	required string // base name of the journal file
	marker   string
	journals string // directory with copies
	zversion string
}

// takeBackup is the recipe of a concurrent external backup, statement by
// statement: each block in a session of its own.
func takeBackup(t *testing.T, inst *practice.Instance, rest time.Duration) *taken {
	t.Helper()
	run := t.TempDir()
	b := &taken{copies: filepath.Join(run, "copies"), cbk: filepath.Join(run, "id.cbk"), log: filepath.Join(run, "id.log"), journals: filepath.Join(run, "journals")}
	out := typed(t, inst,
		`write !,"@@READY|",$zversion,!`,
		`set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) write !,"@@DB|",n,"|",d if $isobject(o) { write "|",o.BlockSize,"|",o.Size,"|",o.Mounted,"|",o.ReadOnlyMounted,"|",o.Mirrored,"|",o.EncryptedDB,"|",o.GlobalJournalState }}`,
		fmt.Sprintf(`try { set x=$$LISTDIRS^DBACK("%s/list0.txt","QUIET") write !,"@@LIST0|",x,! } catch e { write !,"@@ERR|LISTDIRS|",e.Name,"|",e.Location,"|",e.Data,! }`, run),
		`try { write !,"@@JRN|",##class(%SYS.Journal.System).GetCurrentFileName(),"|",##class(%SYS.Journal.System).GetPrimaryDirectory(),"|",##class(%SYS.Journal.System).GetAlternateDirectory(),! } catch e { write !,"@@ERR|JRN|",e.Name,! }`,
		`try { write !,"@@MIR|",$SYSTEM.Mirror.IsMember(),"|",$SYSTEM.Mirror.IsPrimary(),! } catch e { write !,"@@ERR|MIR|",e.Name,! }`,
	)
	b.zversion = find(t, out, `(?m)^@@READY\|(.*)$`)
	matches(t, out, `(?m)^@@DB\|IRISSYS\|`+inst.Dir()+`/mgr/\|8192\|2\|1\|0\|0\|0\|3`, `(?m)^@@DB\|USER\|.*/mgr/user/\|8192\|\d+\|1\|0\|0\|0\|3`,
		`(?m)^@@LIST0\|1$`, `(?m)^@@JRN\|`+inst.Dir()+`/mgr/journal/\d{8}\.\d{3}\|.*/journal/\|.*/journal2/$`, `(?m)^@@MIR\|0\|0$`)
	b.dirs = strings.Fields(read(t, run+"/list0.txt"))
	matches(t, typed(t, inst,
		`try { set x=$$CLRINC^DBACK("QUIET") write !,"@@CLRINC|",x,! } catch e { write !,"@@ERR|CLRINC|",e.Name,"|",e.Location,"|",e.Data,! }`),
		`(?m)^@@CLRINC\|1$`)
	for _, dir := range b.dirs {
		copyFile(t, dir+"IRIS.DAT", b.copies+dir+"IRIS.DAT", rest)
	}
	matches(t, typed(t, inst,
		fmt.Sprintf(`try { set x=$$LISTDIRS^DBACK("%s/list1.txt","QUIET") write !,"@@LIST1|",x,! } catch e { write !,"@@ERR|LISTDIRS|",e.Name,! }`, run),
		`try { write !,"@@SIZE|",$$INT^DBSIZE(1),! } catch e { write !,"@@ERR|DBSIZE|",e.Name,! }`),
		`(?m)^@@LIST1\|1$`, `(?m)^@@SIZE\|\d+\^3\^\d+\^\d+\^\d+\^\d+\^\d+$`)
	if got := read(t, run+"/list1.txt"); got != read(t, run+"/list0.txt") {
		t.Errorf("the list has changed: %s", got)
	}
	matches(t, typed(t, inst,
		`try { set x=$$BACKUP^DBACK("","E","external copy 1","","","") write !,"@@E|",x,! } catch e { write !,"@@ERR|E|",e.Name,"|",e.Location,"|",e.Data,! }`),
		`(?m)^@@E\|1$`)
	matches(t, typed(t, inst,
		fmt.Sprintf(`try { set x=$$BACKUP^DBACK("","I","incremental 1","%s","N","%s","NOINPUT","N","Y","",300) write !,"@@I|",x,! } catch e { write !,"@@ERR|I|",e.Name,"|",e.Location,"|",e.Data,! }`, b.cbk, b.log),
		`try { write !,"@@LF|",$listtostring(##class(Backup.General).GetLastFullBackupInfo()),! } catch e { write !,"@@ERR|LF|",e.Name,! }`),
		`(?m)^@@I\|1$`, `(?m)^@@LF\|1,.*external copy 1`)
	b.readLog(t)
	matches(t, typed(t, inst, `do ^JRNSWTCH`, `write !,"@@CUR|",##class(%SYS.Journal.System).GetCurrentFileName(),!`),
		`Switching from: .*`+b.marker, `To: `, `(?m)^@@CUR\|`)
	b.captureJournals(t, inst)
	return b
}

// readLog reads what the log of the incremental says.
func (b *taken) readLog(t *testing.T) {
	t.Helper()
	log := read(t, b.log)
	matches(t, log, `Performing an? Incremental backup\.`, `Backing up to device: `+b.cbk, `Backing up the following directories:\n`,
		`Journal file switched to:\n\S+`, `Starting backup pass 1\n`, `Copied \d+ blocks in \d+\.\d{3} seconds`, `Finished this pass of copying `,
		`Backup pass 1 complete at \d\d/\d\d/\d{4} \d\d:\d\d:\d\d`, `recovery purposes? if`, `Journal marker set at\noffset \d+ of `,
		` - This is the last pass - Suspending write daemon`, `\*\*\*FINISHED BACKUP\*\*\*`, `Global references are enabled\.`, `Backup complete\.`)
	for _, dir := range b.dirs {
		matches(t, log, `(?m)^ `+dir+`$`)
	}
	b.required = filepath.Base(find(t, log, `Journal file '(.+)' and the subsequent ones are required for recovery purposes?`))
	b.marker = filepath.Base(find(t, log, `Journal marker set at\noffset \d+ of (.+)`))
}

// captureJournals copies the journal files from REQUIRED to MARKER.
func (b *taken) captureJournals(t *testing.T, inst *practice.Instance) {
	t.Helper()
	names, err := inst.Storage().Journals()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if base := filepath.Base(name); base >= b.required && base <= b.marker {
			path, err := storage.FindJournal(name)
			if err != nil {
				t.Fatal(err)
			}
			copyFile(t, path, filepath.Join(b.journals, filepath.Base(path)), 0)
		}
	}
	copyFile(t, filepath.Join(inst.Dir(), "mgr/journal.log"), b.journals+"/journal.log", 0)
}

// dirList writes a directory-selection file.
func dirList(t *testing.T, lines ...string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "dirlist.txt"), strings.Join(lines, "\n")+"\n")
}

// A move is a database of the backup, and where it is restored to.
type move struct{ source, target string }

// inPlace restores databases to where they were.
func inPlace(dirs ...string) (moves []move) {
	for _, dir := range dirs {
		moves = append(moves, move{dir, dir})
	}
	return moves
}

// restore is the recipe behind the copies: the incremental, the journals, and the
// integrity check.
func (b *taken) restore(t *testing.T, inst *practice.Instance, moves ...move) {
	t.Helper()
	b.applyIncremental(t, inst, moves)
	b.applyJournals(t, inst, moves)
	var dirs []string
	for _, m := range moves {
		dirs = append(dirs, `"`+m.target+`"`)
	}
	out := typed(t, inst,
		fmt.Sprintf(`set sc=$$CheckList^Integrity(,$lb(%s)) write !,"@@INT|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),! do Display^Integrity(,2)`, strings.Join(dirs, ",")),
		`kill ^IRIS.TempIntegrityOutput(+$job)`)
	matches(t, out, `(?m)^@@INT\|1\|$`, `No Errors were found\.`)
	if n := strings.Count(out, "No Errors were found in this directory."); n != len(moves) {
		t.Errorf("%d of %d directories were found sound:\n%s", n, len(moves), out)
	}
}

func (b *taken) applyIncremental(t *testing.T, inst *practice.Instance, moves []move) {
	t.Helper()
	var entries []string
	for _, m := range moves {
		if m.target == m.source {
			entries = append(entries, m.source+",,N")
		} else {
			entries = append(entries, m.source+","+m.target+",N")
		}
	}
	list := dirList(t, entries...)
	out := typed(t, inst,
		fmt.Sprintf(`try { set x=$$EXTSELCT^DBREST(1,0,"%s","%s",4,"","") write !,"@@REST|",x,! } catch e { write !,"@@ERR|REST|",e.Name,"|",e.Location,"|",e.Data,! }`, b.cbk, list))
	for _, m := range moves {
		matches(t, out, `\*\*\*Restoring `+m.source, `\d+ blocks restored in \d+\.\d seconds for this pass, \d+ total restored\.`,
			`\n    `+m.target+`  \.\.\. \(Mounted\)`, `\[Journal not applied to any directory\]`, `(?m)^@@REST\|1$`)
	}
	if _, err := os.Stat(list); err == nil {
		t.Error("the directory-selection file is still there")
	}
}

func (b *taken) applyJournals(t *testing.T, inst *practice.Instance, moves []move) {
	t.Helper()
	lines := []string{
		fmt.Sprintf(`set j=##class(Journal.Restore).%%New(),j.FirstFile="%s/%s",j.JournalLog="%s/journal.log",j.LastFile="%s/%s"`, b.journals, b.required, b.journals, b.journals, b.marker),
		`try { set j.RollBack=1 } catch e { write !,"@@ERR|RollBack|",e.Name,! }`,
		fmt.Sprintf(`do j.UseJournalLocation("%s/")`, b.journals),
		`set sc=j.CheckJournalIntegrity(1) write !,"@@CHK|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`,
	}
	for _, m := range moves {
		lines = append(lines, fmt.Sprintf(`set sc=j.SelectUpdates("%s") write !,"@@SEL|",$system.Status.IsOK(sc),!`, m.source))
		if m.target != m.source {
			lines = append(lines, fmt.Sprintf(`do j.RedirectDatabase("%s","%s")`, m.source, m.target))
		}
	}
	lines = append(lines, `set sc=j.Run() write !,"@@RUN|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`)
	out := typed(t, inst, lines...)
	matches(t, out, `(?m)^@@CHK\|1\|$`, `(?m)^@@SEL\|1$`, `Journal file being applied: `, `\[Journal restore completed at `, `(?m)^@@RUN\|1\|$`)
	if strings.Contains(out, "have been updated:") && len(moves) == 1 { // there may be no records of it in the files
		matches(t, out, `The following databases have been updated:\n\n1\. `+moves[0].target)
	}
}

// content is what a database must hold at the end of a journal file, by the record
// that does not depend on journals.
func content(t *testing.T, oplog, journal, dir string) storage.Digest {
	t.Helper()
	all, err := storage.ReplayOplog(oplog, journal)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := all[dir]
	if !ok {
		t.Fatalf("%s is not among %v", dir, slices.Collect(maps.Keys(all)))
	}
	return c.Digest()
}

// TestRecipe takes the backup of an instance under load and restores one database
// of it: in place, and to another directory. Each result is sound and has just the
// content of the moment; the dirty copy alone is damaged.
func TestRecipe(t *testing.T) {
	oplog := filepath.Join(t.TempDir(), "oplog")
	dir := create(t, func(o *practice.CreateOptions) { o.Oplog = oplog })
	inst := start(t, dir, heavy, func(o *practice.StartOptions) { o.Oplog = oplog })
	warm(t, inst)
	armed(t, inst, "open-transaction") // is in the copy or the incremental, and must be rolled back
	var b *taken
	dirty := false
	for range 5 { // that a copy happens to be whole is not likely, but possible
		b = takeBackup(t, inst, 5*time.Millisecond)
		for _, dir := range b.dirs {
			dirty = dirty || damaged(t, b.copies+dir+"IRIS.DAT")
		}
		if dirty {
			break
		}
	}
	if !dirty {
		t.Error("no dirty copy is damaged: the load does nothing")
	}
	app := dirOf(inst, "APP")
	want := content(t, oplog, filepath.Join(dir, "mgr/journal", b.marker), app)

	t.Run("in place", func(t *testing.T) {
		matches(t, typed(t, inst, fmt.Sprintf(`try { write !,"@@DM|",##class(SYS.Database).%%OpenId("%s").Dismount(),! } catch e { write e.Name }`, app)), `(?m)^@@DM\|1$`)
		copyFile(t, b.copies+app+"IRIS.DAT", app+"IRIS.DAT", 0)
		matches(t, typed(t, inst,
			fmt.Sprintf(`try { write !,"@@MT|",##class(SYS.Database).%%OpenId("%s").Mount(),! } catch e { write e.Name }`, app),
			fmt.Sprintf(`set o=##class(SYS.Database).%%OpenId("%s") write !,"@@ST|",o.Mounted,"|",o.ReadOnlyMounted,!`, app)), `(?m)^@@MT\|1$`, `(?m)^@@ST\|1\|0$`)
		b.restore(t, inst, inPlace(app)...)
		holds(t, inst, app, want)
	})
	t.Run("to another directory", func(t *testing.T) {
		target := slashedTemp(t)
		copyFile(t, b.copies+app+"IRIS.DAT", target+"IRIS.DAT", 0)
		matches(t, typed(t, inst,
			fmt.Sprintf(`set props("Directory")="%s",sc=##class(Config.Databases).Create("APPR",.props) write !,"@@CR|",$system.Status.IsOK(sc),!`, target),
			fmt.Sprintf(`write !,"@@MT|",##class(SYS.Database).MountDatabase("%s"),!`, target)), `(?m)^@@CR\|1$`, `(?m)^@@MT\|1$`)
		b.restore(t, inst, move{app, target})
		holds(t, inst, target, want)
	})
}

func slashedTemp(t *testing.T) string {
	t.Helper()
	return t.TempDir() + "/"
}

// warm lets the load write something.
func warm(t *testing.T, inst *practice.Instance) {
	t.Helper()
	for deadline := time.Now().Add(patience); inst.Storage().Status().Cycles < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the write daemon does nothing")
		}
	}
}

// holds holds a mounted database to a content.
func holds(t *testing.T, inst *practice.Instance, dir string, want storage.Digest) {
	t.Helper()
	m, err := inst.Storage().Moment(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := m.Digests[dir]; !ok || got != want {
		t.Errorf("%s: its content is not that of the moment (mounted: %v)", dir, ok)
	}
}
