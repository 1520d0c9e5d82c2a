package iris

import (
	"fmt"
	"strconv"
	"time"

	"datfs/dbback/iris/session"
)

// lookScript asks what the preflight needs of the instance as a whole.
func lookScript() session.Script {
	return session.NewScript(
		session.ManagerStatement(),
		session.JournalStatement(),
		session.MirrorStatement(),
		session.Trapped("MIRX", `write !,"@@MIRX|",$SYSTEM.Mirror.IsBackup(),"|",$SYSTEM.Mirror.IsAsyncMember(),"|",$SYSTEM.Mirror.MirrorName(),!`),
		lastFullStatement(),
		session.Trapped("WDS", `write !,"@@WDS|",##class(Backup.General).IsWDSuspended(),!`),
		session.Trapped("BL", `set rs=##class(%ResultSet).%New("Backup.General:DatabaseList") do rs.Execute() while rs.Next() { write !,"@@BL|",rs.Get("Directory") } write !,"@@BLEND|1",!`),
	)
}

// placesScript asks where the journal files are.
func placesScript() session.Script {
	return session.NewScript(session.ManagerStatement(), session.JournalStatement())
}

func lastFullStatement() string {
	return session.Trapped("LF", `write !,"@@LF|",$listtostring(##class(Backup.General).GetLastFullBackupInfo()),!`)
}

// eachDatabase begins a loop over the databases of the configuration: n is the
// name, d the directory, o the SYS.Database, "" if there is none.
const eachDatabase = `set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) `

// listScript asks for the databases: which there are, and which of them the
// product's own backup would include (in the file). The properties that all
// versions have come first; that others lack the rest does no harm. The form of
// VolumeDirectoryList is not documented: what is no $LIST comes as it is.
func listScript(file string) session.Script {
	return session.NewScript(
		session.Trapped("DB", eachDatabase+`write !,"@@DB|",n,"|",d if $isobject(o) { write "|",o.BlockSize,"|",o.Size,"|",o.Mounted,"|",o.ReadOnlyMounted,"|",o.Mirrored,"|",o.EncryptedDB,"|",o.GlobalJournalState }} write !,"@@DBEND|1",!`),
		session.Trapped("DBX", eachDatabase+`if $isobject(o) { write !,"@@DBX|",o.Blocks,"|",o.MirrorDBName,"|",d }} write !`),
		session.Trapped("DBD", eachDatabase+`if $isobject(o) { write !,"@@DBD|",n,"|",o.Directory }} write !`),
		session.Trapped("VOL", eachDatabase+`if $isobject(o) { set v=o.VolumeDirectoryList if $listvalid(v) { set v=$listtostring(v,"|") } if v'="" { write !,"@@VOL|",n,"|",v }}} write !,"@@VOLEND|1",!`),
		session.Trapped("LIST", fmt.Sprintf(`set x=$$LISTDIRS^DBACK(%s,"QUIET") write !,"@@LIST|",x,!`, session.Quote(file))),
	)
}

// historyStatement asks for the newest entries of the backup history. Its
// subscripts are what public readers of the product's source name: so the answer
// is looked at where there is one, and nothing depends on it that there is.
func historyStatement() string {
	const entry = `^SYS("BUHISTORY",h,`
	return session.Trapped("BH", `set n=0,h=$order(^SYS("BUHISTORY",""),-1) while (h'="")&&(n<20) { set n=n+1 write !,"@@BH|",h,"|",$get(`+
		entry+`"TYPE")),"|",$get(`+entry+`"STATUS")),"|",$get(`+entry+`"DESC")) set h=$order(^SYS("BUHISTORY",h),-1) } write !,"@@BHEND|1",!`)
}

// markScript clears the record of changed blocks. The history is asked for before,
// so that whatever comes after is seen.
func markScript() session.Script {
	return session.NewScript(historyStatement(), session.Trapped("CLRINC", `set x=$$CLRINC^DBACK("QUIET") write !,"@@CLRINC|",x,!`))
}

// recordScript tells of the external full backup, type E.
func recordScript(description string) session.Script {
	call := fmt.Sprintf(`$$BACKUP^DBACK("","E",%s,"","","")`, session.Quote(description))
	return session.NewScript(session.Trapped("E", `set x=`+call+` write !,"@@E|",x,!`), lastFullStatement())
}

// sizeScript asks how large an incremental would be now.
func sizeScript() session.Script {
	return session.NewScript(session.Trapped("SIZE", `set x=$$INT^DBSIZE(1) write !,"@@SIZE|",x,!`))
}

// incrementalScript takes the incremental, type I. The arguments that switch the
// journal are those of the manual's example; NOINPUT, unlike the example's QUIET,
// makes a question abort the backup instead of waiting for an answer for ever.
func incrementalScript(description, file, log string, quiesce time.Duration) session.Script {
	wait := "0" // for ever
	if quiesce > 0 {
		wait = strconv.FormatInt(int64((quiesce+time.Second-1)/time.Second), 10)
	}
	call := fmt.Sprintf(`$$BACKUP^DBACK("","I",%s,%s,"N",%s,"NOINPUT","N","Y","",%s)`,
		session.Quote(description), session.Quote(file), session.Quote(log), wait)
	return session.NewScript(session.Trapped("I", `set x=`+call+` write !,"@@I|",x,!`), historyStatement())
}

// abortScript ends a backup that is running. The answer is 0 if it was told to
// end, 1 if none is running, 2 if it was told already (InterSystems class
// reference, Backup.General).
func abortScript() session.Script {
	return session.NewScript(session.Trapped("ABORT", `set x=##class(Backup.General).AbortBackup() write !,"@@ABORT|",x,!`))
}

// closeJournalScript makes the instance go on in a new journal file, so that the
// one with the marker can be copied whole.
func closeJournalScript() session.Script {
	return session.NewScript(session.Trapped("JRNSWTCH", `do ^JRNSWTCH write !,"@@JRNSWTCH|1",!`), session.JournalStatement())
}
