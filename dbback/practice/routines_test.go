package practice_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"datfs/dbback/practice"
)

// What the routines print when they are not told to be quiet.
func TestRoutines_Noisy(t *testing.T) {
	inst := newInstance(t)
	run := t.TempDir()
	out := typed(t, inst, `do LISTDIRS^DBACK("`+run+`/list","")`)
	matches(t, out, `List of directories to be backed up\n`+inst.Dir()+`/mgr/\n`+dirOf(inst, "USER")+`\n`+dirOf(inst, "APP")+`\n`)
	out = typed(t, inst, `do CLRINC^DBACK("")`)
	matches(t, out, `(?m)^     Cleared incremental backup bitmap in `+dirOf(inst, "USER")+`$`)
	out = typed(t, inst, `write $$BACKUP^DBACK("","F","all of it","`+run+`/f.cbk","Y","`+run+`/f.log","NOISY")`)
	matches(t, out, `\*\*\* The time is: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \*\*\*`, `Performing a Full backup\.`, `Description\nall of it\n`, `\*\*\*FINISHED BACKUP\*\*\*`, `Backup complete\.\n1`)
	matches(t, read(t, run+"/f.log"), `^\*\*\* The time is`, `Backup complete\.\n$`)
	out = typed(t, inst, `write "[",$$BACKUP^DBACK("","F","","`+run+`/q.cbk","Y","","QUIET"),"]"`)
	matches(t, out, `%SYS>\[1\]`)
	out = typed(t, inst, `set x=$$BACKUP^DBACK("","F","","","Y","","QUIET") write "=",x`)
	matches(t, out, `No backup volume specified`, `=0`)
}

// The size is that of the file that is written then.
func TestDBSize(t *testing.T) {
	inst := newInstance(t)
	fields := strings.Split(evaluate(t, inst, `$$INT^DBSIZE(2)`), "^")
	if len(fields) != 7 || fields[1] != "3" || fields[5] != fields[6] {
		t.Fatalf("DBSIZE: %q", fields)
	}
	file := filepath.Join(t.TempDir(), "f.cbk")
	if got := evaluate(t, inst, `$$BACKUP^DBACK("","F","","`+file+`","N","","NOINPUT")`); got != "1" {
		t.Fatal(got)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	var bytes int64
	if _, err := fmt.Sscan(fields[4], &bytes); err != nil || info.Size() > bytes || info.Size() < bytes/2 {
		t.Errorf("estimated %s bytes, %d were written", fields[4], info.Size())
	}
}

// History and list, as scripts look at them.
func TestHistory(t *testing.T) {
	inst := newInstance(t)
	lines := []string{
		`write !,"@@LF|",$listtostring(##class(Backup.General).GetLastFullBackupInfo()),!`,
		`set i="" for  set i=$order(^SYS("BUHISTORY",i)) quit:i=""  write !,"@@H|",i,"|",^SYS("BUHISTORY",i,"TYPE"),"|",^SYS("BUHISTORY",i,"STATUS"),"|",^SYS("BUHISTORY",i,"DESC")`,
	}
	matches(t, typed(t, inst, lines...), `@@LF\|0,No information recorded about a full backup`)
	if got := evaluate(t, inst, `$$BACKUP^DBACK("","I","","/nosuch/x","N","","NOINPUT")`); got != "0" {
		t.Errorf("an incremental without a full one: %s", got)
	}
	if got := evaluate(t, inst, `$$BACKUP^DBACK("","E","the copy")`); got != "1" {
		t.Fatal(got)
	}
	day := int(time.Since(time.Date(1840, 12, 31, 0, 0, 0, 0, time.Local)).Hours()) / 24
	matches(t, typed(t, inst, lines...), `@@LF\|1,.*the copy`, fmt.Sprintf(`@@H\|%d\d{6}\|E\|Completed\|the copy`, day))
	evaluate(t, inst, `$$CLRINC^DBACK("QUIET")`)
	out := typed(t, inst, lines...)
	matches(t, out, `@@LF\|0,`)
	if strings.Contains(out, "\n@@H|") {
		t.Errorf("there is a history after CLRINC:\n%s", out)
	}
}

// Type E takes these away, as documented.
func TestExternalFull_Removes(t *testing.T) {
	inst := newInstance(t)
	for _, name := range []string{"a.IND", "a.INE", "a.INF", "a.KEEP"} {
		write(t, dirOf(inst, "USER")+name, "")
	}
	evaluate(t, inst, `$$BACKUP^DBACK("","E","")`)
	if names, _ := filepath.Glob(dirOf(inst, "USER") + "a.*"); len(names) != 1 || !strings.HasSuffix(names[0], "KEEP") {
		t.Errorf("left: %v", names)
	}
}

func TestBackupList(t *testing.T) {
	inst := newInstance(t)
	file := filepath.Join(t.TempDir(), "list")
	listed := func() string {
		evaluate(t, inst, `$$LISTDIRS^DBACK("`+file+`","QUIET")`)
		var names []string
		for dir := range strings.FieldsSeq(read(t, file)) {
			names = append(names, filepath.Base(dir))
		}
		return strings.Join(names, " ")
	}
	tests := []struct{ expression, status, want string }{
		{`##class(Backup.General).RemoveDatabaseFromList("USER")`, "1", "mgr app"},
		{`##class(Backup.General).RemoveDatabaseFromList("USER")`, "0 USER is not part of the current backup list", "mgr app"},
		{`##class(Backup.General).AddDatabaseToList("user")`, "1", "mgr user app"},
		{`##class(Backup.General).AddDatabaseToList("NOSUCH")`, "0 Database NOSUCH does not exist", "mgr user app"},
		{`##class(Backup.General).AddDatabaseToList("IRISTEMP")`, "0 IRISTEMP cannot be included in a backup", "mgr user app"},
		{`##class(Backup.General).ClearDatabaseList()`, "1", "mgr user app"},
	}
	for _, tt := range tests {
		if got := evaluate(t, inst, tt.expression); got != tt.status {
			t.Errorf("%s: %s, want %s", tt.expression, got, tt.status)
		}
		if got := listed(); got != tt.want {
			t.Errorf("after %s: %s, want %s", tt.expression, got, tt.want)
		}
	}
	armed(t, inst, "unlisted", "APP")
	if got := listed(); got != "mgr user" {
		t.Errorf("APP unlisted: %s", got)
	}
	armed(t, inst, "variant-listdirs")
	evaluate(t, inst, `$$LISTDIRS^DBACK("`+file+`","QUIET")`)
	if want := "\n  " + inst.Dir() + "/mgr  \n  " + inst.Dir() + "/mgr/user  \n"; read(t, file) != want {
		t.Errorf("the other form: %q, want %q", read(t, file), want)
	}
}

func TestQueries(t *testing.T) {
	inst := newInstance(t)
	row := func(query, columns string) string {
		return typed(t, inst, `set rs=##class(%ResultSet).%New("`+query+`") do rs.Execute("*") while rs.Next() { write !`+columns+` }`)
	}
	matches(t, row("SYS.Database:List", `,rs.Get("Directory"),"|",rs.Get("Status"),"|",rs.Get("Size")`), dirOf(inst, "USER")+`\|Mounted/RW\|2`)
	matches(t, row("SYS.Database:FreeSpace", `,rs.Get("DatabaseName"),"|",rs.Get("SizeInt"),"|",rs.Get("ReadOnly")`), `\nUSER\|2\|0`)
	matches(t, row("Backup.General:DatabaseList", `,rs.Get("Directory")`), inst.Dir()+`/mgr/\n`+dirOf(inst, "USER"))
	matches(t, typed(t, inst, `set sc=##class(Config.Databases).Get("USER",.p) write sc,"|",p("Directory"),"|",p("Server"),"|"`), `1\|`+dirOf(inst, "USER")+`\|\|`)
}

// EXTALL, and a selection of a full backup, print what the documents have.
func TestRestore_Full(t *testing.T) {
	inst := newInstance(t)
	file := filepath.Join(t.TempDir(), "f.cbk")
	evaluate(t, inst, `$$BACKUP^DBACK("","F","","`+file+`","Y","","NOINPUT")`)
	app := dirOf(inst, "APP")
	list := dirList(t, app+","+filepath.Join(t.TempDir(), "new")+"/,Y")
	out := typed(t, inst, `set x=$$EXTSELCT^DBREST(1,0,"`+file+`","`+list+`",4,"","") write "=",x`)
	matches(t, out, `\*\*\*Restoring `+app+` to .*/new/ at \d\d:\d\d:\d\d\n\d+ blocks restored`, `    /.*/new/  \.\.\. \(Mounted\)`, `\[Journal not applied to any directory\]\n=1`)
	matches(t, out, `Starting skip of `+dirOf(inst, "USER")+`\.\n\n    skipped \d+ blocks in \.?\d+ seconds\.`)

	out = typed(t, inst, `set x=$$EXTALL^DBREST(1,0,"`+file+`","",1,"","") write "=",x`)
	matches(t, out, `The following directories will be restored:\n`, app+` =>\n`, `\*\*\*Restoring `+app+` at `,
		`We know something about where journaling was at the time of the backup:\n0: offset \d+ in `, `Journal reads completed\. Applying changes to databases\.\.\.`, `\*\*\*Journal file finished at \d\d:\d\d:\d\d\n=1`)
	sound(t, inst, "APP")

	armed(t, inst, "restore-not-mounted")
	armed(t, inst, "variant-restore-0")
	out = typed(t, inst, `set x=$$EXTSELCT^DBREST(1,0,"`+file+`","`+dirList(t, app+",,N")+`",4,"","") write "=",x`)
	matches(t, out, `    `+app+`  \.\.\. \(Not Mounted\)`, `=0`)

	armed(t, inst, "mirrored", "APP")
	out = typed(t, inst, `set x=$$EXTSELCT^DBREST(1,0,"`+file+`","`+dirList(t, app+",,N", dirOf(inst, "USER"))+`",4,"","") write "=",x`)
	if strings.Contains(out, "***Restoring "+app) || !strings.Contains(out, "***Restoring "+dirOf(inst, "USER")) {
		t.Errorf("an active mirrored database on the primary:\n%s", out)
	}
}

func TestIntegrity(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "integrity-errors")
	check := `set sc=$$CheckList^Integrity(,$lb("` + dirOf(inst, "APP") + `")) write !,$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc) do Display^Integrity(,2)`
	matches(t, typed(t, inst, check), `\n0\|ERROR #5001: 1 errors`, `Directory: `+dirOf(inst, "APP"), `ERROR`)
	matches(t, typed(t, inst, check), `\n1\|`, `No Errors were found in this directory\.`, `No Errors were found\.`)
	log := filepath.Join(t.TempDir(), "log")
	typed(t, inst, `do Silent^Integrity("`+log+`",$lb("`+dirOf(inst, "APP")+`"))`)
	matches(t, read(t, log), `No Errors were found\.`)
}

// Backups count for the purge of journals, by default two.
func TestPurge(t *testing.T) {
	inst := newInstance(t)
	typed(t, inst, "do ^JRNSWTCH", "do ^JRNSWTCH")
	matches(t, typed(t, inst, "do PURGE^JOURNAL", "2"), `2\) Purge journals based on existing criteria`, `\n0 journal files purged`)
	evaluate(t, inst, `$$BACKUP^DBACK("","E","")`)
	evaluate(t, inst, `$$BACKUP^DBACK("","I","","`+filepath.Join(t.TempDir(), "i.cbk")+`","N","","NOINPUT","N","Y")`)
	matches(t, typed(t, inst, "do PURGE^JOURNAL", "2"), `[1-9]\d* journal files purged`)
	matches(t, typed(t, inst, "do PURGE^JOURNAL", "1"), `\d+ journal files purged`)
}

// An existing backup file is asked about, which NOINPUT cannot answer; how the
// product does it is unknown, so both ways are there.
func TestBackup_Exists(t *testing.T) {
	inst := newInstance(t)
	file := write(t, filepath.Join(t.TempDir(), "f.cbk"), "old")
	statement := func(mode string) string {
		return `set x=$$BACKUP^DBACK("","F","","` + file + `","N","","` + mode + `") write "=",x`
	}
	matches(t, typed(t, inst, statement("NOINPUT")), `=0`)
	matches(t, typed(t, inst, statement("QUIET"), "no"), `Overwrite it\?`, `=0`)
	if read(t, file) != "old" {
		t.Error("the file was overwritten")
	}
	matches(t, typed(t, inst, statement("QUIET"), "yes"), `Overwrite it\?`, `=1`)
	armed(t, inst, "variant-overwrite")
	matches(t, typed(t, inst, statement("NOINPUT")), `=1`)
}

// A backup is told to end by another session.
func TestAbort(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "slow-backup", "1h")
	dir := t.TempDir()
	ended := make(chan string)
	go func() {
		out, _ := terminal(t, inst.Dir(), `write "=",$$BACKUP^DBACK("","F","","`+dir+`/f.cbk","N","`+dir+`/f.log","NOINPUT")`, "halt")
		ended <- out
	}()
	await(t, func() bool {
		st, err := inst.Status()
		return err == nil && st.Backup == "Full backup"
	})
	matches(t, typed(t, inst, `write "=",$$BACKUP^DBACK("","F","","`+dir+`/g.cbk","N","","NOINPUT")`), `=0`)
	for _, want := range []string{"0", "2"} {
		if got := evaluate(t, inst, `##class(Backup.General).AbortBackup()`); got != want && got != "1" || want == "0" && got != want {
			t.Errorf("AbortBackup: %s, want %s", got, want)
		}
	}
	matches(t, <-ended, `=0`)
	matches(t, read(t, dir+"/f.log"), `Backup was aborted`)
	if got := evaluate(t, inst, `##class(Backup.General).AbortBackup()`); got != "1" {
		t.Errorf("AbortBackup when none runs: %s", got)
	}
}

// await waits for what happens soon.
func await(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happened")
		}
	}
}

func TestManySessions(t *testing.T) {
	inst := newInstance(t)
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			out, code := terminal(t, inst.Dir(), fmt.Sprintf("set x=%d for i=1:1:1000 set x=x+1", n), `write "=",x`, "halt")
			if want := fmt.Sprintf("=%d\n", n+1000); code != 0 || !strings.Contains(out, want) {
				t.Errorf("session %d: exit code %d, no %q in\n%s", n, code, want, out)
			}
		})
	}
	wg.Wait()
}

// After an error the prompt changes and the following lines run.
func TestSession_Error(t *testing.T) {
	inst := newInstance(t)
	out := typed(t, inst, "write nosuch", `write "on"`, "do NOSUCH^DBACK", "do ^NOSUCH", `do ##class(No.Such).X()`, `write ##class(SYS.Database).X()`)
	matches(t, out, `<UNDEFINED> ?\*nosuch`, `%SYS>on`, `<NOLINE>`, `<NOROUTINE>`, `<CLASS DOES NOT EXIST>`, `<METHOD DOES NOT EXIST>`)
	out, code := iris(t, inst.Dir(), `write "no end"`, "session", "practice")
	if code != 0 || !strings.Contains(out, "USER>no end") {
		t.Errorf("input that ends without halt: exit code %d\n%s", code, out)
	}
	matches(t, typed(t, inst, "zn \"USER\"", `write $$CLRINC^DBACK("QUIET")`), `USER>`, `<NOROUTINE>`)
	if out, code := iris(t, inst.Dir(), "", "session", "practice", "-U", "NOSUCH"); code == 0 {
		t.Errorf("a namespace that is not there:\n%s", out)
	}
}

func TestLogin(t *testing.T) {
	dir := create(t, func(o *practice.CreateOptions) { o.User, o.Password = "backup", "secret" })
	start(t, dir)
	out, code := terminal(t, dir, "Backup", "secret", `write $username`, "halt")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	matches(t, out, `^\nUsername: Password: \nNode: .*\n\n%SYS>backup`)
	out, code = terminal(t, dir, "backup", "wrong", "x", "x", "x", "x", "write 1", "halt")
	if code == 0 || strings.Contains(out, "%SYS>") {
		t.Errorf("a wrong password: %d\n%s", code, out)
	}
	if strings.Contains(out, "secret") {
		t.Error("the password is in the output")
	}
}

// A hanging session ends with its client.
func TestFail_Hang(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "hang", "CLRINC^DBACK")
	armed(t, inst, "slow", "INT^DBSIZE", "1ms")
	evaluate(t, inst, `$$INT^DBSIZE(1)`)
	cmd := program(t, inst, "session", "PRACTICE", "-U", "%SYS")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(stdin, `write $$CLRINC^DBACK("QUIET")`)
	await(t, func() bool { st, err := inst.Status(); return err == nil && len(st.Failures) == 0 && st.Sessions == 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, func() bool { st, err := inst.Status(); return err == nil && st.Sessions == 0 })
}

// Fields of iris qlist that failures change.
func TestFail_Qlist(t *testing.T) {
	inst := newInstance(t)
	for _, tt := range []struct{ fail, want string }{
		{"health warn", `\^warn\^IRIS`},
		{"signon-inhibited", `\^sign-on inhibited\^`},
		{"mirrored APP async", `\^Async\^Connected\^`},
		{"mirrored APP backup", `\^Failover\^Backup\^`},
		{"variant-old-qlist", `^[^^]+(\^[^^]*){8}\n$`},
	} {
		armed(t, inst, strings.Fields(tt.fail)[0], args(t, tt.fail)...)
		out, _ := iris(t, inst.Dir(), "", "qlist")
		matches(t, out, tt.want)
		if err := inst.ClearFailures(); err != nil {
			t.Fatal(err)
		}
	}
}

// A prompt waits for its answer.
func TestFail_Prompt(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "prompt", "CLRINC^DBACK")
	matches(t, typed(t, inst, `set x=$$CLRINC^DBACK("QUIET") write "=",x`, "yes"), `continue \(Y/N\)\?`, `=1`)
	armed(t, inst, "prompt", "CLRINC^DBACK")
	matches(t, typed(t, inst, `set x=$$CLRINC^DBACK("QUIET") write "=",x`, "no"), `continue \(Y/N\)\?`, `=0`)
}

// With the bitmap cleared too early, a backup that says it succeeded restores to
// something else: in one of a few rounds.
func TestFail_ClearWithoutFlush(t *testing.T) {
	oplog := filepath.Join(t.TempDir(), "oplog")
	inst := start(t, create(t), heavy, func(o *practice.StartOptions) { o.Oplog, o.FlushEvery = oplog, 300*time.Millisecond })
	warm(t, inst)
	user := dirOf(inst, "USER")
	for range 8 {
		armed(t, inst, "clear-without-flush")
		run := t.TempDir()
		evaluate(t, inst, `$$CLRINC^DBACK("QUIET")`)
		copyFile(t, user+"IRIS.DAT", run+"/IRIS.DAT", 0)
		evaluate(t, inst, `$$BACKUP^DBACK("","E","")`)
		evaluate(t, inst, `$$BACKUP^DBACK("","I","","`+run+`/i.cbk","N","","NOINPUT","N","Y")`)
		second := start(t, create(t))
		target := t.TempDir() + "/"
		copyFile(t, run+"/IRIS.DAT", target+"IRIS.DAT", 0)
		typed(t, second, `write ##class(SYS.Database).MountDatabase("`+target+`")`)
		evaluate(t, second, `$$EXTSELCT^DBREST(1,0,"`+run+`/i.cbk","`+dirList(t, user+","+target+",N")+`",4,"","")`)
		findings, err := second.Storage().Check(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) > 0 {
			return
		}
	}
	t.Error("in no round was the restored database damaged")
}
