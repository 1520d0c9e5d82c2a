package iris

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A script is what a session is told, line by line: the terminal takes commands
// of one line only (InterSystems manual, Using the ObjectScript Shell). The same
// functions make what is run and what a dry run shows.
//
// A statement answers with markers: lines that begin with @@NAME| and are all
// that is looked at in a session's output. One that fails answers with
// @@ERR|NAME|error|location|data, since after an error the terminal goes on with
// the next line. What takes its time is called before its marker is written: else a
// session that ends meanwhile leaves a marker with whatever is said of that.
type script []string

// newScript puts the statements between what all sessions begin and end with.
func newScript(statements ...string) script {
	s := script{`write !,"@@READY|",$zversion,!`, `write !,"@@NS|",$namespace,!`}
	return append(append(s, statements...), "halt")
}

// String returns the lines as they are sent.
func (s script) String() string { return strings.Join(s, "\n") + "\n" }

// trapped makes a statement that answers under the marker's name even if it
// fails.
func trapped(marker, statement string) string {
	return fmt.Sprintf(`try { %s } catch e { write !,"@@ERR|%s|",e.Name,"|",e.Location,"|",e.Data,! }`, statement, marker)
}

// quote returns s as a string literal of ObjectScript. Control characters, which
// no literal can have, are checked for where paths and texts come in.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// lookScript asks what the preflight needs of the instance as a whole.
func lookScript() script {
	return newScript(
		managerStatement(),
		journalStatement(),
		trapped("MIR", `write !,"@@MIR|",$SYSTEM.Mirror.IsMember(),"|",$SYSTEM.Mirror.IsPrimary(),!`),
		trapped("MIRX", `write !,"@@MIRX|",$SYSTEM.Mirror.IsBackup(),"|",$SYSTEM.Mirror.IsAsyncMember(),"|",$SYSTEM.Mirror.MirrorName(),!`),
		lastFullStatement(),
		trapped("WDS", `write !,"@@WDS|",##class(Backup.General).IsWDSuspended(),!`),
		trapped("BL", `set rs=##class(%ResultSet).%New("Backup.General:DatabaseList") do rs.Execute() while rs.Next() { write !,"@@BL|",rs.Get("Directory") } write !,"@@BLEND|1",!`),
	)
}

// placesScript asks where the journal files are.
func placesScript() script {
	return newScript(managerStatement(), journalStatement())
}

func journalStatement() string {
	return trapped("JRN", `write !,"@@JRN|",##class(%SYS.Journal.System).GetCurrentFileName(),"|",##class(%SYS.Journal.System).GetPrimaryDirectory(),"|",##class(%SYS.Journal.System).GetAlternateDirectory(),!`)
}

func lastFullStatement() string {
	return trapped("LF", `write !,"@@LF|",$listtostring(##class(Backup.General).GetLastFullBackupInfo()),!`)
}

// eachDatabase begins a loop over the databases of the configuration: n is the
// name, d the directory, o the SYS.Database, "" if there is none.
const eachDatabase = `set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) `

// listScript asks for the databases: which there are, and which of them the
// product's own backup would include (in the file). The properties that all
// versions have come first; that others lack the rest does no harm.
func listScript(file string) script {
	return newScript(
		trapped("DB", eachDatabase+`write !,"@@DB|",n,"|",d if $isobject(o) { write "|",o.BlockSize,"|",o.Size,"|",o.Mounted,"|",o.ReadOnlyMounted,"|",o.Mirrored,"|",o.EncryptedDB,"|",o.GlobalJournalState }} write !,"@@DBEND|1",!`),
		trapped("DBX", eachDatabase+`if $isobject(o) { write !,"@@DBX|",o.Blocks,"|",o.MirrorDBName,"|",d }} write !`),
		trapped("DBD", eachDatabase+`if $isobject(o) { write !,"@@DBD|",n,"|",o.Directory }} write !`),
		trapped("VOL", eachDatabase+`if $isobject(o) { set v=$listtostring(o.VolumeDirectoryList,"|") if v'="" { write !,"@@VOL|",n,"|",v }}} write !`),
		trapped("LIST", fmt.Sprintf(`set x=$$LISTDIRS^DBACK(%s,"QUIET") write !,"@@LIST|",x,!`, quote(file))),
	)
}

// historyStatement asks for the newest entries of the backup history. Its
// subscripts are what public readers of the product's source name: so the answer
// is looked at where there is one, and nothing depends on it that there is.
func historyStatement() string {
	const entry = `^SYS("BUHISTORY",h,`
	return trapped("BH", `set n=0,h=$order(^SYS("BUHISTORY",""),-1) while (h'="")&&(n<20) { set n=n+1 write !,"@@BH|",h,"|",$get(`+
		entry+`"TYPE")),"|",$get(`+entry+`"STATUS")),"|",$get(`+entry+`"DESC")) set h=$order(^SYS("BUHISTORY",h),-1) } write !,"@@BHEND|1",!`)
}

// markScript clears the record of changed blocks. The history is asked for before,
// so that whatever comes after is seen.
func markScript() script {
	return newScript(historyStatement(), trapped("CLRINC", `set x=$$CLRINC^DBACK("QUIET") write !,"@@CLRINC|",x,!`))
}

// recordScript tells of the external full backup, type E.
func recordScript(description string) script {
	call := fmt.Sprintf(`$$BACKUP^DBACK("","E",%s,"","","")`, quote(description))
	return newScript(trapped("E", `set x=`+call+` write !,"@@E|",x,!`), lastFullStatement())
}

// sizeScript asks how large an incremental would be now.
func sizeScript() script {
	return newScript(trapped("SIZE", `set x=$$INT^DBSIZE(1) write !,"@@SIZE|",x,!`))
}

// incrementalScript takes the incremental, type I. The arguments that switch the
// journal are those of the manual's example; NOINPUT, unlike the example's QUIET,
// makes a question abort the backup instead of waiting for an answer for ever.
func incrementalScript(description, file, log string, quiesce time.Duration) script {
	wait := "0" // for ever
	if quiesce > 0 {
		wait = strconv.FormatInt(int64((quiesce+time.Second-1)/time.Second), 10)
	}
	call := fmt.Sprintf(`$$BACKUP^DBACK("","I",%s,%s,"N",%s,"NOINPUT","N","Y","",%s)`,
		quote(description), quote(file), quote(log), wait)
	return newScript(trapped("I", `set x=`+call+` write !,"@@I|",x,!`), historyStatement())
}

// abortScript ends a backup that is running. The answer is 0 if it was told to
// end, 1 if none is running, 2 if it was told already (InterSystems class
// reference, Backup.General).
func abortScript() script {
	return newScript(trapped("ABORT", `set x=##class(Backup.General).AbortBackup() write !,"@@ABORT|",x,!`))
}

// closeJournalScript makes the instance go on in a new journal file, so that the
// one with the marker can be copied whole.
func closeJournalScript() script {
	return newScript(trapped("JRNSWTCH", `do ^JRNSWTCH write !,"@@JRNSWTCH|1",!`), journalStatement())
}
