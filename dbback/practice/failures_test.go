package practice_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/dbback/practice"
)

// backup prepares an instance for an incremental and returns the statement that
// takes it, with its file and log.
func incremental(t *testing.T, inst *practice.Instance) (statement, cbk, log string) {
	t.Helper()
	run := t.TempDir()
	matches(t, typed(t, inst, `write !,$$CLRINC^DBACK("QUIET"),"|",$$BACKUP^DBACK("","E","copy","","",""),!`), `\n1\|1\n`)
	cbk, log = filepath.Join(run, "i.cbk"), filepath.Join(run, "i.log")
	return `try { set x=$$BACKUP^DBACK("","I","incremental","` + cbk + `","N","` + log + `","NOINPUT","N","Y","",1) write !,"@@I|",x,! } catch e { write !,"@@ERR|",e.Name,"|",e.Location,! }`, cbk, log
}

// armed fails the test if the failure cannot be armed.
func armed(t *testing.T, inst *practice.Instance, name string, args ...string) {
	t.Helper()
	if err := inst.Fail(name, args...); err != nil {
		t.Fatal(err)
	}
}

// Every failure of the incremental: what it answers, what its log says, what is
// left of its file.
func TestFail_Incremental(t *testing.T) {
	const finished = `\*\*\*FINISHED BACKUP\*\*\*`
	tests := []struct {
		fail     string
		answer   string
		log      []string // patterns, in order
		logLacks string
		file     int64 // -1 missing, 0 empty, 1 there, 2 anything
	}{
		{fail: "", answer: "@@I|1\n", log: []string{`Performing a Incremental`, `recovery purpose if`, finished, `Backup complete\.\n`}, file: 1},
		{fail: "backup-fails", answer: "@@I|0\n", log: []string{`BACKUP\^DBACK returned failure`}, logLacks: "FINISHED", file: -1},
		{fail: `backup-fails I "I/O error"`, answer: "@@I|0\n", log: []string{`I/O error`}, logLacks: "FINISHED", file: -1},
		{fail: "backup-warns", answer: "@@I|1,Database cache is small~Journal directory is nearly full\n", log: []string{finished}, file: 1},
		{fail: `backup-warns one~two`, answer: "@@I|1,one~two\n", log: []string{finished}, file: 1},
		{fail: "backup-running", answer: "@@I|0\n", log: []string{`Backup is currently running`}, logLacks: "FINISHED", file: -1},
		{fail: "no-quiesce", answer: "@@I|0\n", log: []string{`System failed to quiesce`}, logLacks: "FINISHED", file: -1},
		{fail: "no-marker", answer: "@@I|0\n", log: []string{`Starting backup pass 1`, `Failed to place journal marker`}, logLacks: "FINISHED", file: 2},
		{fail: "no-switch", answer: "@@I|0\n", log: []string{`Failed to switch journal file`}, logLacks: "FINISHED", file: -1},
		{fail: "disk-full 1000", answer: "@@I|0\n", log: []string{`no space left on device`}, logLacks: "FINISHED", file: 2},
		{fail: "output-empty", answer: "@@I|1\n", log: []string{finished}, file: 0},
		{fail: "output-missing", answer: "@@I|1\n", log: []string{finished}, file: -1},
		{fail: "log-missing", answer: "@@I|1\n", file: 1},
		{fail: "log-cut", answer: "@@I|1\n", log: []string{`Journal marker set at`, `Backup pass \d complete at .*\n\n?$`}, logLacks: "FINISHED", file: 1},
		{fail: "log-other-directories", answer: "@@I|1\n", log: []string{`(?m)^ .*/mgr/other/$`, finished}, file: 1},
		{fail: "slow-backup 1ms", answer: "@@I|1\n", log: []string{finished}, file: 1},
		{fail: "dismounted APP", answer: "@@I|0\n", log: []string{`Database .*/app/ is not mounted`}, logLacks: "FINISHED", file: -1},
		{fail: "variant-purposes", answer: "@@I|1\n", log: []string{`recovery purposes if`}, file: 1},
		{fail: "variant-an", answer: "@@I|1\n", log: []string{`Performing an Incremental backup\.`}, file: 1},
		{fail: "variant-no-header", answer: "@@I|1\n", log: []string{`Backing up to device`}, logLacks: "Performing", file: 1},
		{fail: "variant-crlf", answer: "@@I|1\n", log: []string{`Backup complete\.\r\n`}, file: 1},
		{fail: "prompt BACKUP^DBACK", answer: "@@I|0\n", log: []string{`Input is needed`}, logLacks: "FINISHED", file: -1},
		{fail: "answer BACKUP^DBACK:I \"\"", answer: "@@I|\n", file: -1},
		{fail: "trap BACKUP^DBACK:I <PROTECT> BACKUP+3^DBACK", answer: "@@ERR|<PROTECT>|BACKUP+3^DBACK\n", file: -1},
		{fail: "trap BACKUP^DBACK:E <PROTECT>", answer: "@@I|1\n", log: []string{finished}, file: 1}, // another call
	}
	inst := newInstance(t)
	for _, tt := range tests {
		t.Run(tt.fail, func(t *testing.T) {
			statement, cbk, log := incremental(t, inst)
			if tt.fail != "" {
				words := strings.SplitN(tt.fail, " ", 2)
				armed(t, inst, words[0], args(t, tt.fail)...)
			}
			out := typed(t, inst, statement)
			if err := inst.ClearFailures(); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out, tt.answer) {
				t.Errorf("no %q in\n%s", tt.answer, out)
			}
			text, err := os.ReadFile(log)
			if (err == nil) != (tt.log != nil) {
				t.Fatalf("log: %v\n%s", err, text)
			}
			matches(t, string(text), tt.log...)
			if tt.logLacks != "" && strings.Contains(string(text), tt.logLacks) {
				t.Errorf("%s is in\n%s", tt.logLacks, text)
			}
			got := int64(-1)
			if info, err := os.Stat(cbk); err == nil {
				got = min(info.Size(), 1)
			}
			if tt.file != 2 && got != tt.file {
				t.Errorf("backup file: %d, want %d", got, tt.file)
			}
		})
	}
}

// args splits what stands behind a failure's name.
func args(t *testing.T, line string) []string {
	t.Helper()
	_, rest, _ := strings.Cut(line, " ")
	var out []string
	for rest != "" {
		if strings.HasPrefix(rest, `"`) {
			end := strings.Index(rest[1:], `"`) + 1
			out, rest = append(out, rest[1:end]), strings.TrimSpace(rest[end+1:])
			continue
		}
		word, more, _ := strings.Cut(rest, " ")
		out, rest = append(out, word), more
	}
	return out
}

// Failures of single statements.
func TestFail_Statements(t *testing.T) {
	inst := newInstance(t)
	list := filepath.Join(t.TempDir(), "list")
	tests := []struct{ fail, expression, want string }{
		{"clrinc-fails", `$$CLRINC^DBACK("QUIET")`, "0"},
		{"backup-running", `$$CLRINC^DBACK("QUIET")`, "0"},
		{"backup-running", `##class(Backup.General).AbortBackup()`, "0"},
		{"", `##class(Backup.General).AbortBackup()`, "1"},
		{"listdirs-fails", `$$LISTDIRS^DBACK("` + list + `","QUIET")`, "0"},
		{"", `$$LISTDIRS^DBACK("/nosuch/list","QUIET")`, "0"},
		{"dbsize-fails", `$$INT^DBSIZE(1)`, "-1"},
		{"", `$$INT^DBSIZE(9)`, "-1"},
		{"trap LISTDIRS^DBACK <PROTECT>", `$$LISTDIRS^DBACK("` + list + `","QUIET")`, "<PROTECT>LISTDIRS+1^DBACK"},
		{"trap CLRINC^DBACK <LICENSE LIMIT EXCEEDED>", `$$CLRINC^DBACK("QUIET")`, ""},
		{"answer CLRINC^DBACK 7", `$$CLRINC^DBACK("QUIET")`, "7"},
		{"restore-fails -1", `$$EXTSELCT^DBREST(1,0,"x","y",4,"","")`, "-1"},
		{"restore-fails 2", `$$EXTALL^DBREST(1,0,"x","",4,"","")`, "-2"},
		{"", `$$EXTSELCT^DBREST(1,0,"x","/nosuch/list",4,"","")`, "-4"},
		{"", `$$EXTSELCT^DBREST(1,0,"x","/nosuch/list",5,"","")`, "-5"},
		{"", `$$EXTALL^DBREST(1,0,"/nosuch/x","",4,"","")`, "-1"},
		{"backup-running", `$$EXTALL^DBREST(1,0,"/nosuch/x","",4,"","")`, "-3"},
		{"mirrored APP", `$SYSTEM.Mirror.IsMember()_$SYSTEM.Mirror.IsPrimary()_$SYSTEM.Mirror.IsAsyncMember()`, "110"},
		{"mirrored APP async", `$SYSTEM.Mirror.IsMember()_$SYSTEM.Mirror.IsPrimary()_$SYSTEM.Mirror.IsAsyncMember()`, "201"},
		{"mirrored APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").Mirrored`, "1"},
		{"mirrored APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").Dismount()`, "<PROTECT>Dismount+6^SYS.Database.1"},
		{"encrypted APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").EncryptedDB`, "1"},
		{"not-journaled APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").GlobalJournalState`, "2"},
		{"read-only APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").ReadOnlyMounted`, "1"},
		{"dismounted APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").Mounted`, "0"},
		{"", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").Mounted`, "1"},
		{"wrong-blocks APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").Blocks`, "513"},
		{"wrong-directory APP", `##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").Directory`, strings.TrimSuffix(dirOf(inst, "APP"), "/") + "-elsewhere/"},
		{"extension-volume APP", `$listtostring(##class(SYS.Database).%OpenId("` + dirOf(inst, "APP") + `").VolumeDirectoryList)`, dirOf(inst, "APP")},
		{"switch-refused", `$$x^JRNSWTCH`, "<NOLINE>x^JRNSWTCH"},
		{"journal-restore-fails", `##class(Journal.Restore).%New().Run()`, "0 journal file  cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.fail+" "+tt.expression, func(t *testing.T) {
			if tt.fail != "" {
				name, _, _ := strings.Cut(tt.fail, " ")
				if name == "trap" {
					words := strings.SplitN(tt.fail, " ", 3)
					armed(t, inst, "trap", words[1], words[2])
				} else {
					armed(t, inst, name, args(t, tt.fail)...)
				}
			}
			got := evaluate(t, inst, tt.expression)
			if tt.want == "" {
				matches(t, got, `^<LICENSE LIMIT EXCEEDED>CLRINC`)
			} else if got != tt.want && !strings.HasPrefix(tt.want, "<NOLINE>") {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if err := inst.ClearFailures(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Failures that keep a session from beginning.
func TestFail_SignOn(t *testing.T) {
	inst := newInstance(t)
	for _, tt := range []struct {
		fail, want string
		code       int
	}{
		{"login-prompt", `^\nUsername: Password: \nAccess Denied`, 1},
		{"access-denied", `Access Denied`, 1},
		{"license-limit", `^<LICENSE LIMIT EXCEEDED>`, 1},
		{"signon-inhibited", `^<InterSystems IRIS Startup Error: Sign-on and JOB inhibited: Switch 12 is set \(0\)>`, 1},
		{"wrong-namespace", `USER>`, 0},
		{"wrong-namespace APP", `APP>`, 0},
		{"welcome", `@@@ Welcome.*\n\n%SYS>`, 0},
		{"end session 7", `^$`, 7},
		{"trap session <PROTECT>", `^<PROTECT>`, 1},
	} {
		t.Run(tt.fail, func(t *testing.T) {
			name, _, _ := strings.Cut(tt.fail, " ")
			armed(t, inst, name, args(t, tt.fail)...)
			out, code := terminal(t, inst.Dir(), "halt", "x", "halt", "x", "halt", "x")
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			matches(t, out, tt.want)
			if err := inst.ClearFailures(); err != nil {
				t.Fatal(err)
			}
		})
	}
	if out, code := terminal(t, inst.Dir(), "halt"); code != 0 {
		t.Errorf("after all were cleared: %d, %s", code, out)
	}
}

// A crash at named points leaves an instance that recovers.
func TestFail_Crash(t *testing.T) {
	dir := create(t)
	for _, point := range [][]string{
		{"before", "CLRINC^DBACK"}, {"after", "CLRINC^DBACK"}, {"before", "BACKUP^DBACK:E"}, {"after", "BACKUP^DBACK:I"}, {"before", "session"},
	} {
		inst := start(t, dir, heavy)
		armed(t, inst, "crash", point...)
		out, code := terminal(t, dir, `write $$CLRINC^DBACK("QUIET")`, `write $$BACKUP^DBACK("","E","","","","")`,
			`write $$BACKUP^DBACK("","I","","`+filepath.Join(t.TempDir(), "x.cbk")+`","N","","NOINPUT","N","Y")`, `write "survived"`, "halt")
		if code != 1 || strings.Contains(out, "survived") {
			t.Errorf("crash %v: exit code %d\n%s", point, code, out)
		}
		<-inst.Done()
		again := start(t, dir)
		sound(t, again, "USER")
		if err := again.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// The list of directories changes between two looks.
func TestFail_DatabaseAdded(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "database-added", "NEW")
	run := t.TempDir()
	typed(t, inst, `write $$LISTDIRS^DBACK("`+run+`/0","QUIET")`, `write $$CLRINC^DBACK("QUIET")`, `write $$LISTDIRS^DBACK("`+run+`/1","QUIET")`)
	if got := strings.TrimPrefix(read(t, run+"/1"), read(t, run+"/0")); got != dirOf(inst, "NEW")+"\n" {
		t.Errorf("added: %q", got)
	}
}

// The write daemon is said to be suspended.
func TestFail_Daemon(t *testing.T) {
	inst := newInstance(t)
	const ask = `write "@@",##class(Backup.General).IsWDSuspended()`
	before := typed(t, inst, ask)
	armed(t, inst, "daemon-suspended")
	if after := typed(t, inst, ask); !strings.Contains(before, "@@0") || !strings.Contains(after, "@@1") {
		t.Errorf("it said:\n%s\nand:\n%s", before, after)
	}
}

// Somebody else's full backup after CLRINC is in the history, and takes what the
// incremental would have had.
func TestFail_OtherBackup(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "other-backup")
	out := typed(t, inst, `write "@@",$$CLRINC^DBACK("QUIET")`,
		`set h=$order(^SYS("BUHISTORY",""),-1) write "@@",^SYS("BUHISTORY",h,"TYPE"),"@@",^SYS("BUHISTORY",h,"DESC")`)
	if !strings.Contains(out, "@@1") || !strings.Contains(out, "@@F@@somebody else's") {
		t.Errorf("it said:\n%s", out)
	}
}

// An open transaction makes the required file older than the one switched to; a
// purge takes it away.
func TestFail_Journals(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "open-transaction")
	statement, _, log := incremental(t, inst)
	typed(t, inst, statement)
	text := read(t, log)
	required := find(t, text, `Journal file '(.+)' and`)
	if switched := find(t, text, `Journal file switched to:\n(.+)\n`); required >= switched {
		t.Errorf("required %s, switched to %s", required, switched)
	}
	armed(t, inst, "journal-purged")
	typed(t, inst, "do ^JRNSWTCH")
	if names, _ := filepath.Glob(required + "*"); len(names) > 0 {
		t.Errorf("still there: %v", names)
	}
	armed(t, inst, "switch-refused")
	matches(t, typed(t, inst, "do ^JRNSWTCH"), `<PROTECT>JRNSWTCH\+1\^JRNSWTCH`, `%SYS 2d0>`)
	armed(t, inst, "journal-alternate")
	if err := inst.Stop(); err != nil {
		t.Fatal(err)
	}
	inst = start(t, inst.Dir())
	matches(t, typed(t, inst, "do ^JRNSWTCH"), `To: +`+inst.Dir()+`/mgr/journal2/`)
	if got, want := evaluate(t, inst, `##class(%SYS.Journal.System).GetPrimaryDirectory()`), inst.Dir()+"/mgr/journal/"; got != want {
		t.Errorf("primary: %s, want %s", got, want)
	}
}

// Failures armed before the start, in the file and in the environment.
func TestFail_BeforeStart(t *testing.T) {
	dir := create(t)
	r, err := practice.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Fail(t.Context(), "dismounted", "APP"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DATFS_PRACTICE_FAIL", `clrinc-fails keep; trap INT^DBSIZE "<PROTECT>"`)
	inst := start(t, dir)
	st, err := inst.Status()
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Failures) != 3 {
		t.Errorf("armed: %v", st.Failures)
	}
	if i := slices.IndexFunc(st.Databases, func(db practice.Database) bool { return db.Name == "APP" }); st.Databases[i].Mounted {
		t.Error("APP is mounted")
	}
	for range 2 {
		if got := evaluate(t, inst, `$$CLRINC^DBACK("QUIET")`); got != "0" {
			t.Errorf("CLRINC: %s", got)
		}
	}
	if got := evaluate(t, inst, `$$INT^DBSIZE(1)`); !strings.HasPrefix(got, "<PROTECT>") {
		t.Errorf("DBSIZE: %s", got)
	}
	if got := evaluate(t, inst, `$$INT^DBSIZE(1)`); strings.HasPrefix(got, "<PROTECT>") {
		t.Error("the failure of DBSIZE happened twice")
	}
	if err := r.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := inst.Status(); err != nil || len(st.Failures) != 0 || !st.Databases[4].Mounted || !st.Databases[5].Mounted {
		t.Errorf("after they were cleared: %+v, %v", st, err)
	}
}

func TestFail_Usage(t *testing.T) {
	inst := newInstance(t)
	for _, words := range [][]string{
		{"nosuch"},
		{"dismounted"},
		{"dismounted", "NOSUCH"},
		{"crash", "during", "x"},
		{"slow", "x", "y"},
		{"clrinc-fails", "x"},
		{"restore-fails", "-7"},
		{"mirrored", "APP", "boss"},
		{"clrinc-fails", "after=x"},
	} {
		var usage *practice.UsageError
		if err := inst.Fail(words[0], words[1:]...); !errors.As(err, &usage) {
			t.Errorf("%v: %v", words, err)
		}
	}
}

// Every failure of the table has a test: by its name in one of the files here.
func TestFailures_Tested(t *testing.T) {
	var text strings.Builder
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text.WriteString(read(t, name))
	}
	seen := make(map[string]bool)
	for _, f := range practice.Failures() {
		if seen[f.Name] || f.Does == "" || f.Source == "" {
			t.Errorf("%s: twice, or without a sentence or source", f.Name)
		}
		seen[f.Name] = true
		if s := text.String(); !strings.Contains(s, `"`+f.Name) && !strings.Contains(s, "`"+f.Name) {
			t.Errorf("no test arms %s", f.Name)
		}
	}
}
