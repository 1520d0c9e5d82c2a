package cos

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// A scripted host answers every call: what is in results, and 1 for all else. Its
// objects have all properties and methods.
type scripted struct {
	*fakeHost
	results map[string]Value
	rows    int // that are left of a result set
}

func newScripted() *scripted {
	return &scripted{fakeHost: newFakeHost(), rows: 2, results: map[string]Value{
		"BACKUP^DBACK":                         String("1,a warning~another"),
		"EXTSELCT^DBREST":                      Int(-2),
		"INT^DBSIZE":                           String("18950^5^160952320^2710^160309248^313104^313104"),
		"Backup.General.GetLastFullBackupInfo": List(Int(0), String("No information recorded about a full backup")),
	}}
}

func (h *scripted) note(key string, c *Call) (Value, error) {
	h.calls = append(h.calls, key+spellArgs(c.Args))
	if v, ok := h.results[key]; ok {
		return v, nil
	}
	return Int(1), nil
}

func (h *scripted) Routine(_ context.Context, c *Call) (Value, error) {
	return h.note(c.Name+"^"+c.Of, c)
}

func (h *scripted) ClassMethod(_ context.Context, c *Call) (Value, error) {
	v, err := h.note(c.Of+"."+c.Name, c)
	if strings.HasPrefix(c.Name, "%") || c.Name == "GetCurrentFile" {
		return Ref(&scriptedObject{host: h, class: c.Of}), nil
	}
	return v, err
}

type scriptedObject struct {
	host  *scripted
	class string
}

func (o *scriptedObject) Class() string { return o.class }

func (o *scriptedObject) Get(_ context.Context, name string) (Value, error) {
	return String("<" + name + ">"), nil
}

func (o *scriptedObject) Set(_ context.Context, name string, v Value) error {
	o.host.calls = append(o.host.calls, o.class+"."+name+"="+quoted(v.String()))
	return nil
}

func (o *scriptedObject) Array(string) *Array {
	a := &Array{}
	a.Set(String("/src/"), Int(1))
	return a
}

func (o *scriptedObject) Method(_ context.Context, c *Call) (Value, error) {
	switch c.Name {
	case "Next":
		o.host.rows--
		return Bool(o.host.rows >= 0), nil
	case "Get":
		return String("[" + c.Arg(0).String() + "]"), nil
	}
	return o.host.note(o.class+"->"+c.Name, c)
}

// recipes are the statements of a concurrent external backup and of its restores,
// as they are typed or piped: each with what the host is asked, in that order, and
// what is written.
var recipes = []struct {
	name  string
	lines []string
	calls string // with a space between them
	want  string
}{
	{"ready", []string{`write !,"@@READY|",$zversion,!`}, "", "\n@@READY|IRIS for UNIX (practice) 2024.1\n"},
	{
		"databases",
		[]string{`set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) write !,"@@DB|",n,"|",d if $isobject(o) { write "|",o.BlockSize,"|",o.Size,"|",o.Mounted,"|",o.ReadOnlyMounted,"|",o.Mirrored,"|",o.EncryptedDB,"|",o.GlobalJournalState }}`},
		`%ResultSet.%New("Config.Databases:List") %ResultSet->Execute("*") SYS.Database.%OpenId("[Directory]") SYS.Database.%OpenId("[Directory]")`,
		strings.Repeat("\n@@DB|[Name]|[Directory]|<BlockSize>|<Size>|<Mounted>|<ReadOnlyMounted>|<Mirrored>|<EncryptedDB>|<GlobalJournalState>", 2),
	},
	{
		"list",
		[]string{`try { set x=$$LISTDIRS^DBACK("/run/list0.txt","QUIET") write !,"@@LIST0|",x,! } catch e { write !,"@@ERR|LISTDIRS|",e.Name,"|",e.Location,"|",e.Data,! }`},
		`LISTDIRS^DBACK("/run/list0.txt","QUIET")`, "\n@@LIST0|1\n",
	},
	{
		"journal",
		[]string{
			`try { write !,"@@JRN|",##class(%SYS.Journal.System).GetCurrentFileName(),"|",##class(%SYS.Journal.System).GetPrimaryDirectory(),"|",##class(%SYS.Journal.System).GetAlternateDirectory(),! } catch e { write !,"@@ERR|JRN|",e.Name,! }`,
			`w ##class(%SYS.Journal.System).GetCurrentFile().Name`,
		},
		`%SYS.Journal.System.GetCurrentFileName() %SYS.Journal.System.GetPrimaryDirectory() %SYS.Journal.System.GetAlternateDirectory() %SYS.Journal.System.GetCurrentFile()`,
		"\n@@JRN|1|1|1\n<Name>",
	},
	{
		"mirror",
		[]string{`try { write !,"@@MIR|",$SYSTEM.Mirror.IsMember(),"|",$SYSTEM.Mirror.IsPrimary(),! } catch e { write !,"@@ERR|MIR|",e.Name,! }`},
		`%SYSTEM.Mirror.IsMember() %SYSTEM.Mirror.IsPrimary()`, "\n@@MIR|1|1\n",
	},
	{
		"clear",
		[]string{`try { set x=$$CLRINC^DBACK("QUIET") write !,"@@CLRINC|",x,! } catch e { write !,"@@ERR|CLRINC|",e.Name,"|",e.Location,"|",e.Data,! }`, `do CLRINC^DBACK("QUIET")`},
		`CLRINC^DBACK("QUIET") CLRINC^DBACK("QUIET")`, "\n@@CLRINC|1\n",
	},
	{
		"size",
		[]string{`try { write !,"@@SIZE|",$$INT^DBSIZE(1),! } catch e { write !,"@@ERR|DBSIZE|",e.Name,! }`, `w $piece($$INT^DBSIZE(1),"^",5)*1.1`},
		`INT^DBSIZE(1) INT^DBSIZE(1)`, "\n@@SIZE|18950^5^160952320^2710^160309248^313104^313104\n176340172.8",
	},
	{
		"external full",
		[]string{`try { set x=$$BACKUP^DBACK("","E","external copy 1","","","") write !,"@@E|",x,! } catch e { write !,"@@ERR|E|",e.Name,"|",e.Location,"|",e.Data,! }`},
		`BACKUP^DBACK("","E","external copy 1","","","")`, "\n@@E|1,a warning~another\n",
	},
	{
		"incremental",
		[]string{`try { set x=$$BACKUP^DBACK("","I","incremental ""1""","/run/1.cbk","N","/run/1.log","NOINPUT","N","Y","",300) write !,"@@I|",x,! } catch e { write !,"@@ERR|I|",e.Name,"|",e.Location,"|",e.Data,! }`},
		`BACKUP^DBACK("","I","incremental ""1""","/run/1.cbk","N","/run/1.log","NOINPUT","N","Y","",300)`, "\n@@I|1,a warning~another\n",
	},
	{
		"last full",
		[]string{`try { write !,"@@LF|",$listtostring(##class(Backup.General).GetLastFullBackupInfo()),! } catch e { write !,"@@ERR|LF|",e.Name,! }`},
		`Backup.General.GetLastFullBackupInfo()`, "\n@@LF|0,No information recorded about a full backup\n",
	},
	{
		"switch",
		[]string{`do ^JRNSWTCH`, `write !,"@@CUR|",##class(%SYS.Journal.System).GetCurrentFileName(),!`},
		`^JRNSWTCH() %SYS.Journal.System.GetCurrentFileName()`, "\n@@CUR|1\n",
	},
	{
		"restore",
		[]string{`try { set x=$$EXTSELCT^DBREST(1,0,"/run/1.cbk","/run/dirlist.txt",4,"","") write !,"@@REST|",x,! } catch e { write !,"@@ERR|REST|",e.Name,"|",e.Location,"|",e.Data,! }`},
		`EXTSELCT^DBREST(1,0,"/run/1.cbk","/run/dirlist.txt",4,"","")`, "\n@@REST|-2\n",
	},
	{
		"journals",
		[]string{
			`set j=##class(Journal.Restore).%New(),j.FirstFile="/j/20240426.002",j.JournalLog="/j/journal.log"`,
			`try { set j.RollBack=1 } catch e { write !,"@@ERR|RollBack|",e.Name,! }`,
			`do j.UseJournalLocation("/j/")`,
			`set sc=j.CheckJournalIntegrity(1) write !,"@@CHK|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`,
			`set d="" for { set d=$order(j.SourceDatabases(d)) quit:d=""  write d,j.SourceDatabases }`,
			`set sc=j.SelectUpdates("/dir1/") write !,"@@SEL|",$system.Status.IsOK(sc),!`,
			`do j.RedirectDatabase("/dir1/","/dir2/")`,
			`set sc=j.Run() write !,"@@RUN|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`,
		},
		`Journal.Restore.%New() Journal.Restore.FirstFile="/j/20240426.002" Journal.Restore.JournalLog="/j/journal.log" Journal.Restore.RollBack=1 Journal.Restore->UseJournalLocation("/j/") ` +
			`Journal.Restore->CheckJournalIntegrity(1) %SYSTEM.Status.IsOK(1) %SYSTEM.Status.GetErrorText(1) Journal.Restore->SelectUpdates("/dir1/") %SYSTEM.Status.IsOK(1) ` +
			`Journal.Restore->RedirectDatabase("/dir1/","/dir2/") Journal.Restore->Run() %SYSTEM.Status.IsOK(1) %SYSTEM.Status.GetErrorText(1)`,
		"\n@@CHK|1|1\n1<SourceDatabases>\n@@SEL|1\n\n@@RUN|1|1\n",
	},
	{
		"dismount and mount",
		[]string{
			`try { write !,"@@DM|",##class(SYS.Database).%OpenId("/dir/").Dismount(),! } catch e { write !,"@@ERR|DM|",e.Name,! }`,
			`set db=##class(SYS.Database).%OpenId("/dir/") write db.Mount(),db.Mounted do ##class(SYS.Database).MountDatabase("/dir/")`,
		},
		`SYS.Database.%OpenId("/dir/") SYS.Database->Dismount() SYS.Database.%OpenId("/dir/") SYS.Database->Mount() SYS.Database.MountDatabase("/dir/")`, "\n@@DM|1\n1<Mounted>",
	},
	{
		"another place",
		[]string{`set props("Directory")="/new/" set sc=##class(Config.Databases).Create("NEW",.props) zn "%SYS" set sc=##class(Config.Databases).Get("NEW",.p)`},
		`Config.Databases.Create("NEW",.) Config.Databases.Get("NEW",.)`, "",
	},
	{
		"integrity",
		[]string{
			`set sc=$$CheckList^Integrity(,$lb("/dir1/","/dir2/")) write $system.Status.IsOK(sc)`, `do Display^Integrity(,2)`,
			`do Silent^Integrity("/run/i.log",$lb("/dir/"))`, `kill ^T.Out(+$job)`,
		},
		`CheckList^Integrity(,"` + List(String("/dir1/"), String("/dir2/")).String() + `") %SYSTEM.Status.IsOK(1) Display^Integrity(,2) Silent^Integrity("/run/i.log","` + List(String("/dir/")).String() + `")`, "1",
	},
	{
		"query in the older style",
		[]string{`s rs=##class(%ResultSet).%New("SYS.Database:FreeSpace") d rs.Execute("*") f  q:'rs.Next()  w !,rs.Get("DatabaseName"),?20,rs.Get("Status")`},
		`%ResultSet.%New("SYS.Database:FreeSpace") %ResultSet->Execute("*")`, strings.Repeat("\n[DatabaseName]      [Status]", 2),
	},
	{"end", []string{`halt`}, "", ""},
}

func TestRecipes(t *testing.T) {
	for _, c := range recipes {
		h := newScripted()
		out := &strings.Builder{}
		s := NewSession(Options{Host: h, Out: out})
		for _, line := range c.lines {
			if err := s.Execute(t.Context(), line); err != nil && line != "halt" {
				t.Errorf("%s: %s: %v", c.name, line, err)
			}
		}
		if got := strings.Join(h.calls, " "); got != c.calls {
			t.Errorf("%s: calls\n%s\nwant\n%s", c.name, got, c.calls)
		}
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, out.String(), c.want)
		}
	}
}

// TestRecipesOnError runs such statements against a host that refuses: each has its
// marker and the session goes on.
func TestRecipesOnError(t *testing.T) {
	tt := newTerminal(t)
	for _, key := range []string{"CLRINC^DBACK", "BACKUP^DBACK"} {
		tt.host.answers[key] = func(c *Call) (Value, error) { return Value{}, Protect("z"+c.Name+"+5^DBACK", "^SYS") }
	}
	out, err := tt.run(t, `try { set x=$$CLRINC^DBACK("QUIET") write !,"@@CLRINC|",x,! } catch e { write !,"@@ERR|CLRINC|",e.Name,"|",e.Location,"|",e.Data,! }`,
		`write "@@NEXT",!`)
	if want := "\n@@ERR|CLRINC|<PROTECT>|zCLRINC+5^DBACK|^SYS\n@@NEXT\n"; err != nil || out != want || tt.Prompt() != "%SYS>" {
		t.Errorf("%q, error %v, prompt %s, want %q", out, err, tt.Prompt(), want)
	}
	out, _ = tt.run(t, `set x=$$BACKUP^DBACK("","E") write !,"@@E|",x,!`, `write "@@NEXT",!`)
	if want := "\n<PROTECT>zBACKUP+5^DBACK ^SYS@@NEXT\n"; out != want || tt.Prompt() != "%SYS 2e1>" {
		t.Errorf("%q, prompt %s, want %q", out, tt.Prompt(), want)
	}
	if !slices.Contains(tt.host.calls, `BACKUP^DBACK("","E")`) {
		t.Errorf("calls %v", tt.host.calls)
	}
}
