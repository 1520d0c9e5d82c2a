package restore

import (
	"fmt"
	"strings"

	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// The statements of a restore. A number after the name of a marker says which of
// the directories is meant, counted from 0.

// openDB opens a database by its directory: o is "" if the instance does not know it.
func openDB(dir string) string {
	return `set o=##class(SYS.Database).%OpenId(` + session.Quote(dir) + `) `
}

// stateStatements ask for the state of databases. The properties are those that
// the class reference of SYS.Database has.
func stateStatements(dirs []string) (out []string) {
	for i, dir := range dirs {
		out = append(out, session.Trapped("ST", openDB(dir)+fmt.Sprintf(
			`write !,"@@ST|%d|",$select($isobject(o):o.Mounted_"|"_o.ReadOnlyMounted_"|"_o.Mirrored_"|"_o.EncryptedDB_"|"_o.BlockSize,1:"none"),!`, i)))
	}
	return out
}

// dismountStatements dismount databases; one that is not mounted, or not known,
// is left as it is. Dismount and Mount return 1 (seen by InterSystems staff).
func dismountStatements(dirs []string) (out []string) {
	for i, dir := range dirs {
		out = append(out, session.Trapped("DM", openDB(dir)+fmt.Sprintf(
			`set x=$select('$isobject(o):"none",'o.Mounted:1,1:o.Dismount()) write !,"@@DM|%d|",x,!`, i)))
	}
	return append(out, stateStatements(dirs)...)
}

// mountStatements mount databases, those too that are not in the configuration:
// MountDatabase is used so in public scripts.
func mountStatements(dirs []string) (out []string) {
	for i, dir := range dirs {
		out = append(out, session.Trapped("MT", openDB(dir)+fmt.Sprintf(
			`set x=$select('$isobject(o):##class(SYS.Database).MountDatabase(%s),o.Mounted:1,1:o.Mount()) write !,"@@MT|%d|",x,!`, session.Quote(dir), i)))
	}
	return append(out, stateStatements(dirs)...)
}

// defineStatements add databases to the configuration (Config.Databases.Create,
// as public scripts call it); one that is there already is left as it is: Get then
// gives its directory (InterSystems class reference).
func defineStatements(dbs []Database) (out []string) {
	for i, db := range dbs {
		out = append(out, session.Trapped("DEF", fmt.Sprintf(`kill p,q set p("Directory")=%s,sc=1 do ##class(Config.Databases).Get(%s,.q) `, session.Quote(db.To), session.Quote(db.Name))+
			fmt.Sprintf(`if $get(q("Directory"))="" { set sc=##class(Config.Databases).Create(%[1]s,.p) kill q do ##class(Config.Databases).Get(%[1]s,.q) } `, session.Quote(db.Name))+
			fmt.Sprintf(`write !,"@@DEF|%d|",$system.Status.IsOK(sc),"|",$get(q("Directory")),!`, i)))
	}
	return out
}

// configStatements ask which directories the configuration has for the names of
// databases, "" for none.
func configStatements(dbs []Database) (out []string) {
	for i, db := range dbs {
		out = append(out, session.Trapped("CFG", fmt.Sprintf(`kill q do ##class(Config.Databases).Get(%s,.q) write !,"@@CFG|%d|",$get(q("Directory")),!`, session.Quote(db.Name), i)))
	}
	return out
}

// applyStatement applies an incremental to the directories in the list. 1: say
// little; 0: nobody else may change anything meanwhile; 4: no journals (InterSystems
// manual, Unattended Restore Using ^DBREST).
func applyStatement(file, list string) string {
	return session.Trapped("REST", fmt.Sprintf(`set x=$$EXTSELCT^DBREST(1,0,%s,%s,4,"","") write !,"@@REST|",x,!`, session.Quote(file), session.Quote(list)))
}

// dirList is the list of directories for EXTSELCT^DBREST: a line each, source,
// target, and whether to make the target. ^DBREST deletes the file.
func dirList(dbs []Database) string {
	var b strings.Builder
	for _, db := range dbs {
		to := ""
		if db.moved() {
			to = db.To
		}
		fmt.Fprintf(&b, "%s,%s,N\n", db.Directory, to)
	}
	return b.String()
}

// only makes a statement of a sequence do nothing if one before it failed: at a
// terminal the lines after an error are still carried out.
func only(marker, statement string) string {
	return session.Trapped(marker, `if $get(ok) { set ok=0 `+statement+` }`)
}

// journalStatements apply journal files with the class Journal.Restore
// (InterSystems class reference, and working code of InterSystems staff). RollBack
// is set on its own because its default is not documented, nor whether old
// versions have it: without it open transactions stay, which is then said.
func (p *Plan) journalStatements() []string {
	j := &p.journals
	dir := p.journalDir()
	out := []string{session.Trapped("JNEW", `set ok=0,j=##class(Journal.Restore).%New(),ok=$isobject(j) write !,"@@JNEW|",ok,!`)}
	set := func(property, value string) {
		out = append(out, only("JSET", fmt.Sprintf(`set j.%s=%s,ok=1 write !,"@@JSET|%s",!`, property, session.Quote(value), property)))
	}
	if p.intoOwn() { // by bare name
		set("FirstFile", j.first)
	} else {
		set("FirstFile", dir+j.first)
		if j.log != nil {
			set("JournalLog", dir+dbback.JournalLog)
		}
	}
	switch {
	case j.last == "":
		out = append(out, only("JLAST", `set last=##class(%SYS.Journal.System).GetCurrentFileName() do ^JRNSWTCH set j.LastFile=last,ok=1 write !,"@@JLAST|",last,!`))
	case p.intoOwn():
		set("LastFile", j.last)
	default:
		set("LastFile", p.lastPath())
	}
	out = append(out, session.Trapped("JROLL", `if $get(ok) { set j.RollBack=1 write !,"@@JROLL|1",! }`))
	for _, dir := range append([]string{dir}, j.locations()...) {
		out = append(out, only("JLOC", fmt.Sprintf(`do j.UseJournalLocation(%s) set ok=1 write !,"@@JLOC|1",!`, session.Quote(dir))))
	}
	for i, db := range p.Databases {
		out = append(out, only("JSEL", fmt.Sprintf(`set sc=j.SelectUpdates(%s),ok=$system.Status.IsOK(sc) write !,"@@JSEL|%d|",ok,"|",$system.Status.GetErrorText(sc),!`, session.Quote(db.Directory), i)))
		if db.moved() {
			out = append(out, only("JRED", fmt.Sprintf(`do j.RedirectDatabase(%s,%s) set ok=1 write !,"@@JRED|%d",!`, session.Quote(db.Directory), session.Quote(db.To), i)))
		}
	}
	return append(out,
		only("JCHK", `set sc=j.CheckJournalIntegrity(1),ok=$system.Status.IsOK(sc) write !,"@@JCHK|",ok,"|",$system.Status.GetErrorText(sc),!`),
		only("JRUN", `set sc=j.Run(),ok=$system.Status.IsOK(sc) write !,"@@JRUN|",ok,"|",$system.Status.GetErrorText(sc),!`))
}

// checkStatements check the integrity of databases, each by itself, and print
// what is wrong (InterSystems manual, Data Integrity Guide): flag 2 shows errors
// only.
func checkStatements(dirs []string) (out []string) {
	for i, dir := range dirs {
		out = append(out,
			session.Trapped("INT", fmt.Sprintf(`set sc=$$CheckList^Integrity(,$listbuild(%s)) write !,"@@INT|%d|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`, session.Quote(dir), i)),
			session.Trapped("DISP", `do Display^Integrity(,2) kill ^IRIS.TempIntegrityOutput(+$job)`))
	}
	return out
}
