package restore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// answered makes an answer of a text.

// transcript returns a transcript with changes: old, new, old, new, …; each old
// must be there.
func transcript(t testing.TB, name string, changes ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("%s has no %q", name, changes[i])
		}
		text = strings.ReplaceAll(text, changes[i], changes[i+1])
	}
	return text
}

// restored makes databases for judges: "DIRECTORY", or "DIRECTORY>TARGET".
func restored(specs ...string) (out []Database) {
	for _, spec := range specs {
		from, to, redirected := strings.Cut(spec, ">")
		db := Database{Database: catalog.Database{Name: filepath.Base(from), Directory: from}, To: from, redirected: redirected}
		if redirected {
			db.To = to
		}
		out = append(out, db)
	}
	return out
}

// checkError compares an error with its text, "" for none; "…" at the end of it
// stands for more.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if begin, ok := strings.CutSuffix(want, "…"); ok && begin != "" && strings.HasPrefix(got, begin) {
		return
	}
	if got != want {
		t.Errorf("error\n%s\nwant\n%s", got, want)
	}
}

const (
	t1, user   = "/usr/irissys/mgr/t1/", "/usr/irissys/mgr/user/"
	t1rest     = "/usr/irissys/mgr/t1/>/usr/irissys/mgr/t1rest/"
	notApplied = "\n[Journal not applied to any directory]\n"
)

func TestJudgeApply(t *testing.T) {
	all := func(changes ...string) string { return transcript(t, "dbrest-extall.txt", changes...) + notApplied }
	one := func(changes ...string) string { return transcript(t, "dbrest-extselct.txt", changes...) }
	// disagree is the error of a success that the output does not agree with.
	disagree := func(texts ...string) string {
		return (&session.DisagreeError{What: "EXTSELCT^DBREST", With: texts}).Error()
	}
	long := "/a to b/c at 10:00:00 d/"
	strange := strings.NewReplacer("/usr/irissys/mgr/t1/", "/s to r/ at 1/", "/usr/irissys/mgr/t1rest/", long)
	tests := []struct {
		name string
		text string
		dbs  []Database
		want string
	}{
		{"published, all", all(), restored(t1, user), ""},
		{"published, redirected", one(), restored(t1rest), ""},
		{"one of them", all(), restored(user), ""},
		{"success is 0", one("@@REST|1", "@@REST|0"), restored(t1rest), ""},
		{"blanks around the number", one("@@REST|1", "@@REST| 1 "), restored(t1rest), ""},
		{"CRLF", strings.ReplaceAll(one(), "\n", "\r\n"), restored(t1rest), ""},
		{"after a prompt", one("***Restoring", "%SYS>***Restoring"), restored(t1rest), ""},
		{"a mirrored one", one("Mounting /usr/irissys/mgr/t1rest/", "Mounting /usr/irissys/mgr/t1rest/ which is a mirrored DB"), restored(t1rest), ""},
		{"no slash at the mount", one("t1rest/  ...", "t1rest  ..."), restored(t1rest), ""},
		{"to where it is", all(), restored(t1 + ">" + t1), ""},
		{"names like words of the text", strange.Replace(one()), restored("/s to r/ at 1/>" + long), ""},
		{"blanks in a name", strings.ReplaceAll(all(), user, "/my data/user  x/"), restored(t1, "/my data/user  x/"), ""},
		{
			"the beginning of another's name", strings.ReplaceAll(all(), t1, user+" at 1/"), restored(user + " at 1/"), "",
		},

		{"-1", "@@REST|-1\n", restored(t1), `EXTSELCT^DBREST answered "-1", which is not success: it cannot open the incremental`},
		{"-2", "@@REST|-2\n", restored(t1), `EXTSELCT^DBREST answered "-2", which is not success: the label of the incremental does not fit the instance's backup history`},
		{"-3", "@@REST|-3\n", restored(t1), `EXTSELCT^DBREST answered "-3", which is not success: a backup or restore is in progress in the instance`},
		{"-4", "@@REST|-4\n", restored(t1), `EXTSELCT^DBREST answered "-4", which is not success: it cannot read the list of directories`},
		{"-5", "@@REST|-5\n", restored(t1), `EXTSELCT^DBREST answered "-5", which is not success: the journal option is invalid`},
		{"-6", "@@REST|-6\n", restored(t1), `EXTSELCT^DBREST answered "-6", which is not success: the journal file is invalid`},
		{"-7", "@@REST|-7\n", restored(t1), `EXTSELCT^DBREST answered "-7", which is not success`},
		{"negative after all was printed", one("@@REST|1", "@@REST|-1"), restored(t1rest), `EXTSELCT^DBREST answered "-1", which is not success: it cannot open the incremental`},
		{"empty", one("@@REST|1", "@@REST|"), restored(t1rest), `EXTSELCT^DBREST answered "", which is not success`},
		{"no number", one("@@REST|1", "@@REST|1,warning\a"), restored(t1rest), `EXTSELCT^DBREST answered "1,warning", which is not success`},
		{"a fraction", one("@@REST|1", "@@REST|.5"), restored(t1rest), `EXTSELCT^DBREST answered ".5", which is not success`},
		{"the last answer counts", one("@@REST|1", "@@REST|1\n@@REST|-2"), restored(t1rest), `EXTSELCT^DBREST answered "-2", which is not success: …`},
		{"trap", "@@ERR|REST|<PROTECT>|EXTSELCT+1^DBREST|x\n", restored(t1), "EXTSELCT^DBREST ended with the error <PROTECT> at EXTSELCT+1^DBREST (x): …"},
		{"trap beside an answer", one("@@REST|1", "@@REST|1\n@@ERR|REST|<UNDEFINED>||"), restored(t1rest), "EXTSELCT^DBREST ended with the error <UNDEFINED>"},
		{"no answer", "<DISCONNECT>\n", restored(t1), "EXTSELCT^DBREST: the session ended before it had answered; it said: <DISCONNECT>"},
		{"nothing", "", restored(t1), "EXTSELCT^DBREST: the session ended before it had answered"},

		{"only the answer", "@@REST|1\n", restored(t1), disagree("it says nothing of restoring "+t1, `it does not say "[Journal not applied to any directory]"`)},
		{"one is missing", one(), restored(t1rest, user), disagree("it says nothing of restoring " + user)},
		{"skipped", one("***Restoring /usr/irissys/mgr/t1/ to", "Starting skip of"), restored(t1rest), disagree("it says nothing of restoring " + t1)},
		{"in place instead of redirected", all(), restored(t1rest), disagree("it says nothing of restoring " + t1)},
		{"redirected instead of in place", one(), restored(t1), disagree("it says nothing of restoring " + t1)},
		{"to another place", one(), restored("/usr/irissys/mgr/t1/>/elsewhere/"), disagree("it says nothing of restoring " + t1)},
		{"another's name begins like it", strings.ReplaceAll(all(), user, t1+" at 1/"), restored(user), disagree("it says nothing of restoring " + user)},
		{
			"only the one whose name goes on", "***Restoring /a/ at 1/ at 10:00:00\n1 blocks restored in 0 seconds\n    /a/  ... (Mounted)\n    /a/ at 1/  ... (Mounted)\n" + notApplied + "@@REST|1\n",
			restored("/a/"), disagree("it says nothing of restoring /a/"),
		},
		{"no blocks", one("14085 blocks restored in", "I/O error after"), restored(t1rest), disagree("it says of no blocks that they were restored to /usr/irissys/mgr/t1rest/")},
		{
			"blocks of another one", "***Restoring /a/ at 10:00:00\n***Restoring /b/ at 10:00:00\n9 blocks restored in 1 seconds\n    /a/  ... (Mounted)\n    /b/  ... (Mounted)\n" + notApplied + "@@REST|1\n",
			restored("/a/", "/b/"), disagree("it says of no blocks that they were restored to /a/"),
		},
		{"not mounted", one("(Mounted)", "(Not Mounted)"), restored(t1rest), disagree("/usr/irissys/mgr/t1rest/ is Not Mounted")},
		{"not mounted in the end", one(notApplied, "\n    /usr/irissys/mgr/t1rest/  ... (Dismounted)\n"+notApplied), restored(t1rest), disagree("/usr/irissys/mgr/t1rest/ is Dismounted")},
		{"mounted is not said", one("    /usr/irissys/mgr/t1rest/  ... (Mounted)\n", ""), restored(t1rest), disagree("it does not say that it mounted /usr/irissys/mgr/t1rest/")},
		{"another one is mounted", one("t1rest/  ...", "t1/  ..."), restored(t1rest), disagree("it does not say that it mounted /usr/irissys/mgr/t1rest/")},
		{"journals were applied", one(notApplied, "\n"), restored(t1rest), disagree(`it does not say "[Journal not applied to any directory]"`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkError(t, judgeApply(session.ParseAnswer(tt.text), tt.dbs), tt.want) })
	}
}

func FuzzJudgeApply(f *testing.F) {
	for _, name := range []string{"dbrest-extall.txt", "dbrest-extselct.txt"} {
		f.Add(transcript(f, name)+notApplied, t1, "")
		f.Add(transcript(f, name)+notApplied, t1, "/usr/irissys/mgr/t1rest/")
	}
	f.Add("@@REST|1", "(", "[")
	f.Fuzz(func(t *testing.T, text, dir, to string) {
		dbs := restored(dir)
		if to != "" {
			dbs = restored(strings.ReplaceAll(dir, ">", "") + ">" + to)
		}
		a := session.ParseAnswer(text)
		if judgeApply(a, dbs) != nil {
			return
		}
		if m, ok := a.Find("REST"); !ok || strings.HasPrefix(strings.TrimSpace(m.Value), "-") {
			t.Errorf("success without a number that says so: %q", m.Value)
		}
		for _, part := range []string{"***Restoring ", "blocks restored in", "... (Mounted)", strings.TrimSpace(notApplied)} {
			if !strings.Contains(text, part) {
				t.Errorf("success without %q", part)
			}
		}
	})
}

func TestJudgeJournals(t *testing.T) {
	text := func(changes ...string) string { return transcript(t, "journal-restore.txt", changes...) }
	const updated = "The following databases have been updated:\n\n1. /usr/irissys/mgr/t1rest/\n"
	skipped := func(dir string) string { return "The following databases have been skipped:\n\n1. " + dir + "\n" }
	noRollBack := "this version could not be told to roll back open transactions (the property RollBack)"
	tests := []struct {
		name            string
		text            string
		dbs             []Database
		notes, warnings []string
		want            string
	}{
		{"published", text(), restored(t1rest), nil, nil, ""},
		{"CRLF", strings.ReplaceAll(text(), "\n", "\r\n"), restored(t1rest), nil, nil, ""},
		{"without a slash", text("t1rest/\n", "t1rest\n"), restored(t1rest), nil, nil, ""},
		{"no updates of one", text(), restored(t1rest, user), []string{"the journals had no updates of user"}, nil, ""},
		{"no updates at all", text(updated, ""), restored(t1rest), []string{"the journals had no updates of t1"}, nil, ""},
		{"updated and another skipped", text(updated, updated+"\n"+skipped("/x/")), restored(t1rest), nil, nil, ""},
		{"updated and itself in the other list", text(updated, updated+"\n"+skipped("/usr/irissys/mgr/t1rest/")), restored(t1rest), nil, nil, ""},
		{"skipped", text(updated, skipped("/usr/irissys/mgr/t1rest/")), restored(t1rest), nil, nil, "Journal.Restore answered success, but skipped /usr/irissys/mgr/t1rest/"},
		{"skipped, by its name in the journals", text(updated, skipped(t1)), restored(t1rest), nil, nil, "Journal.Restore answered success, but skipped /usr/irissys/mgr/t1rest/"},
		{"skipped where it was", text(updated, skipped(t1)), restored(t1), nil, nil, "Journal.Restore answered success, but skipped " + t1},
		{"names with blanks", strings.ReplaceAll(text(), "/usr/irissys/mgr/t1rest/", "/my data/t 1/"), restored("/a b/>/my data/t 1/"), nil, nil, ""},
		{"the second of the list", text("1. /usr/irissys/mgr/t1rest/", "1. /x/\n2. /usr/irissys/mgr/t1rest/"), restored(t1rest), nil, nil, ""},
		{"no RollBack", text("@@JROLL|1", "@@ERR|JROLL|<PROPERTY DOES NOT EXIST>|zJ^|RollBack,Journal.Restore"), restored(t1rest), nil, []string{noRollBack}, ""},
		{"RollBack says nothing", text("@@JROLL|1\n", ""), restored(t1rest), nil, []string{noRollBack}, ""},

		{"the check fails", text("@@JCHK|1|", "@@JCHK|0|ERROR #1151: journal file is missing"), restored(t1rest), nil, nil, `CheckJournalIntegrity answered "0|ERROR #1151: journal file is missing", which is not success: nothing was applied`},
		{"the run fails", text("@@JRUN|1|", "@@JRUN|0|ERROR #5001: I/O error"), restored(t1rest), nil, nil, `Journal.Restore answered "0|ERROR #5001: I/O error", which is not success`},
		{"a selection fails", text("@@JSEL|0|1|", "@@JSEL|0|0|ERROR #1"), restored(t1rest), nil, nil, `SelectUpdates answered "0|0|ERROR #1", which is not success`},
		{"no check", text("@@JCHK|1|\n", ""), restored(t1rest), nil, nil, "Journal.Restore: the session ended before it had answered; it said: …"},
		{"no run", text("@@JRUN|1|\n", ""), restored(t1rest), nil, nil, "Journal.Restore: the session ended before it had answered; it said: …"},
		{"empty answer", text("@@JRUN|1|", "@@JRUN|"), restored(t1rest), nil, nil, `Journal.Restore answered "", which is not success`},
		{"class missing", "@@ERR|JNEW|<CLASS DOES NOT EXIST>|z^|Journal.Restore\n", restored(t1rest), nil, nil, "Journal.Restore ended with the error <CLASS DOES NOT EXIST> at z^ (Journal.Restore): …"},
		{"trap of the last file", "@@JNEW|1\n@@ERR|JLAST|<PROTECT>||\n", restored(t1rest), nil, nil, "Journal.Restore ended with the error <PROTECT>: …"},
		{"trap of the run", text("@@JRUN|1|", "@@ERR|JRUN|<FILEFULL>|Run+1^Journal.Restore|"), restored(t1rest), nil, nil, "Journal.Restore ended with the error <FILEFULL> at Run+1^Journal.Restore"},
	}
	for _, name := range []string{"JNEW", "JSET", "JLAST", "JLOC", "JSEL", "JRED", "JCHK", "JRUN"} {
		text := text() + "@@ERR|" + name + "|<X>||\n"
		tests = append(tests, struct {
			name            string
			text            string
			dbs             []Database
			notes, warnings []string
			want            string
		}{"trap " + name, text, restored(t1rest), nil, nil, "Journal.Restore ended with the error <X>"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			notes, warnings, err := judgeJournals(session.ParseAnswer(tt.text), &Plan{Databases: tt.dbs})
			checkError(t, err, tt.want)
			if !slices.Equal(notes, tt.notes) || !slices.Equal(warnings, tt.warnings) {
				t.Errorf("notes %q, warnings %q, want %q, %q", notes, warnings, tt.notes, tt.warnings)
			}
		})
	}
}

func TestUpdatedList(t *testing.T) {
	const head = "The following databases have been updated:"
	tests := []struct{ text, want string }{
		{"", ""},
		{head, ""},
		{head + "\n\n1. /a/\n2. /b\n", "/a/ /b/"},
		{head + "\n1. /a/\n\n2. /b/\nother 3. /c/\n4. /d/", "/a/ /b/"},
		{head + "\r\n\r\n  1. /a b/ \r\n", "/a b/"},
		{head + "\n10. /a/x. 2. /y/\n", "/a/x. 2. /y/"},
		{"The following databases have been skipped:\n\n1. /a/\n", ""},
		{head + "\n1. relative/\n2. /b/\n", ""},
	}
	for _, tt := range tests {
		got := updatedList(tt.text, "updated")
		var dirs []string
		for dir := range got {
			dirs = append(dirs, dir)
		}
		slices.Sort(dirs)
		if strings.Join(dirs, " ") != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, dirs, tt.want)
		}
	}
}

func FuzzUpdatedList(f *testing.F) {
	f.Add(transcript(f, "journal-restore.txt"), "updated")
	f.Add("The following databases have been skipped:\n\n1. /x/\r\n", "skipped")
	f.Fuzz(func(t *testing.T, text, kind string) {
		for dir := range updatedList(text, kind) {
			if !filepath.IsAbs(dir) || session.Slashed(dir) != dir || strings.ContainsAny(dir, "\r\n") {
				t.Errorf("%q is no directory", dir)
			}
		}
	})
}

func TestStates(t *testing.T) {
	dirs := []string{"/a/", "/b/"}
	st, err := states(session.ParseAnswer(transcript(t, "states.txt", "@@ST|1|none", "@@ST|1|1|1|1|1|16384")), dirs)
	want := []dbState{{known: true, blockSize: 8192}, {known: true, mounted: true, readOnly: true, mirrored: true, encrypted: true, blockSize: 16384}}
	if err != nil || !slices.Equal(st, want) {
		t.Errorf("%+v, %v", st, err)
	}
	const no = `SYS.Database of /a/ answered %s, which is not success`
	for text, want := range map[string]string{
		"@@ST|0|none\n@@ST|1|none":                     "",
		"@@ST|0|1|0|0|0|\n@@ST|1|none":                 "",
		"@@ST|0|none":                                  "asking for the state of the databases: the session ended before it had answered; it said: @@ST|0|none",
		"@@ST|0|\n@@ST|1|none":                         strings.ReplaceAll(no, "%s", `""`),
		"@@ST|0|1|0\n@@ST|1|none":                      strings.ReplaceAll(no, "%s", `"1|0"`),
		"@@ST|0|yes|0|0|0|8192\n@@ST|1|none":           strings.ReplaceAll(no, "%s", `"yes|0|0|0|8192"`),
		"@@ST|0||0|0|0|8192\n@@ST|1|none":              strings.ReplaceAll(no, "%s", `"|0|0|0|8192"`),
		"@@ST|0|none|1\n@@ST|1|none":                   strings.ReplaceAll(no, "%s", `"none|1"`),
		"@@ST\n@@ST|x|none\n@@ST|2|none\n@@ST|-1|none": "asking for the state of the databases: the session ended before it had answered; it said: @@ST / …",
		"@@ST|0|none\n@@ERR|ST|<PROTECT>||":            "asking for the state of the databases ended with the error <PROTECT>: …",
	} {
		_, err := states(session.ParseAnswer(text), dirs)
		if want != "" || err != nil {
			t.Run("", func(t *testing.T) { checkError(t, err, want) })
		}
	}
}

func FuzzStates(f *testing.F) {
	f.Add(transcript(f, "states.txt"))
	f.Add("@@ST|0|1|0|0|0|9999999999999999999999\n@@ST|1|")
	f.Fuzz(func(t *testing.T, text string) {
		st, err := states(session.ParseAnswer(text), []string{"/a/", "/b/"})
		if (err == nil) != (len(st) == 2) {
			t.Errorf("%+v, %v", st, err)
		}
		for _, s := range st {
			if !s.known && s != (dbState{}) {
				t.Errorf("not known, but %+v", s)
			}
		}
		_ = judgeDismount(session.ParseAnswer(text), []string{"/a/"})
		_ = judgeMount(session.ParseAnswer(text), []string{"/a/"})
		_ = judgeCheck(session.ParseAnswer(text), []string{"/a/"})
		_ = judgeDefine(session.ParseAnswer(text), restored("/a/"))
	})
}

func TestJudgeDismount(t *testing.T) {
	text := func(changes ...string) string { return transcript(t, "states.txt", changes...) }
	for _, tt := range []struct{ name, text, want string }{
		{"well", text(), ""},
		{"both", text("|none", "|1", "@@ST|1|1", "@@ST|1|0|0|0|0|8192"), ""},
		{"refused", text("@@DM|0|1", "@@DM|0|0"), `Dismount of /a/ answered "0", which is not success: it may be in use`},
		{"a status", text("@@DM|0|1", "@@DM|0|0 #5001: in use|x"), `Dismount of /a/ answered "0 #5001: in use|x", which is not success: it may be in use`},
		{"answered 1, but mounted", text("@@ST|0|0", "@@ST|0|1"), "/a/ was dismounted, but the instance says that it is mounted: somebody may have used it; keep everybody out"},
		{"no state", text("@@ST|0|0|0|0|0|8192\n", ""), "asking for the state of the databases: the session ended before it had answered; it said: …"},
		{"a state that says nothing", text("@@ST|0|0|0|0|0|8192", "@@ST|0|"), `SYS.Database of /a/ answered "", which is not success`},
		{"no answer", text("@@DM|1|none\n", ""), "dismounting: the session ended before it had answered; it said: …"},
		{"trap", text("@@DM|0|1", "@@ERR|DM|<PROTECT>|Dismount+6^SYS.Database.1|"), "dismounting ended with the error <PROTECT> at Dismount+6^SYS.Database.1: …"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkError(t, judgeDismount(session.ParseAnswer(tt.text), []string{"/a/", "/b/"}), tt.want)
		})
	}
}

func TestJudgeMount(t *testing.T) {
	text := func(changes ...string) string {
		return transcript(t, "states.txt", append([]string{"@@DM|0|1", "@@MT|0|1", "@@DM|1|none", "@@MT|1|1", "@@ST|0|0", "@@ST|0|1", "@@ST|1|none", "@@ST|1|1|0|0|0|8192"}, changes...)...)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"well", text(), ""},
		{"encrypted and mirrored", text("@@ST|0|1|0|0|0", "@@ST|0|1|0|1|1"), ""},
		{"refused", text("@@MT|1|1", "@@MT|1|0 #1"), `Mount of /b/ answered "0 #1", which is not success: look in messages.log; owner and mode of the directory and the file must be the instance's`},
		{"read-only", text("@@ST|1|1|0", "@@ST|1|1|1"), "/b/ is mounted read-only: dismount it, and see that no iris.lck is left in its directory and that the file can be written to"},
		{"answered 1, but not mounted", text("@@ST|0|1", "@@ST|0|0"), "/a/ is not mounted"},
		{"answered 1, but not known", text("@@ST|0|1|0|0|0|8192", "@@ST|0|none"), "the instance does not know a database in /a/: whether it is mounted cannot be told"},
		{"no answer", text("@@MT|0|1\n", ""), "mounting: the session ended before it had answered; it said: …"},
		{"trap", text("@@MT|0|1", "@@ERR|MT|<DATABASE>||"), "mounting ended with the error <DATABASE>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkError(t, judgeMount(session.ParseAnswer(tt.text), []string{"/a/", "/b/"}), tt.want)
		})
	}
}

func TestJudgeCheck(t *testing.T) {
	text := func(changes ...string) string { return transcript(t, "integrity.txt", changes...) }
	const begin = "the integrity check does not find "
	long := "**** ERROR in block 17: " + strings.Repeat("é", maxFinding)
	for _, tt := range []struct {
		name, text, want string
		found            []IntegrityFinding
	}{
		{"well", text(), "", nil},
		{
			"errors", text("@@INT|0|1|\nNo Errors were found in this directory.", "@@INT|0|0|ERROR #5001: Errors were found\r\nDirectory: /a/\n**** ERROR in block 17\x1b[1m: x|y"),
			begin + "/a/ sound: ERROR #5001: Errors were found",
			[]IntegrityFinding{{"/a/", "ERROR #5001: Errors were found", "Directory: /a/\n**** ERROR in block 17[1m: x|y"}},
		},
		{
			"did not come to its end", text("@@INT|0|1|", "@@INT|0|0|ERROR #1: database | is not mounted", "@@INT|1|1|", "@@INT|1|0|\x1b[1mERROR #2"),
			begin + "/a/, /b/ sound: ERROR #1: database | is not mounted",
			[]IntegrityFinding{{"/a/", "ERROR #1: database | is not mounted", "No Errors were found in this directory."}, {"/b/", "[1mERROR #2", "No Errors were found in this directory."}},
		},
		{"an empty status", text("@@INT|1|1|", "@@INT|1||"), begin + "/b/ sound: ", []IntegrityFinding{{"/b/", "", "No Errors were found in this directory."}}},
		{
			"very many errors", "@@INT|0|1|\n@@INT|1|0|ERROR\n" + long + "\n", begin + "/b/ sound: ERROR",
			[]IntegrityFinding{{"/b/", "ERROR", strings.ToValidUTF8(long[:maxFinding], "?")}},
		},
		{"no answer of one", text("@@INT|1|1|\n", ""), "CheckList^Integrity: the session ended before it had answered; it said: …", nil},
		{"trap", text("@@INT|1|1|", "@@ERR|INT|<NOROUTINE>||"), "CheckList^Integrity ended with the error <NOROUTINE>: …", nil},
		{"the display fails", text() + "@@ERR|DISP|<UNDEFINED>||\n", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := judgeCheck(session.ParseAnswer(tt.text), []string{"/a/", "/b/"})
			checkError(t, err, tt.want)
			damage, ok := errors.AsType[*DamageError](err)
			if ok != (tt.found != nil) || ok && !slices.Equal(damage.Findings, tt.found) {
				t.Errorf("%#v, want %#v", err, tt.found)
			}
		})
	}
}

func TestJudgeDefine(t *testing.T) {
	dbs := restored("/a/>/new/", "/b/>/b 2/")
	for _, tt := range []struct{ name, text, want string }{
		{"well", "@@DEF|0|1|/new/\n@@DEF|1|1|/b 2\n", ""},
		{"a bar in the directory", "@@DEF|0|1|/new/\n@@DEF|1|1|/b 2|/\n", "the configuration has a database b in /b 2|/ already: restore without --define, and add it under another name"},
		{"somewhere else", "@@DEF|0|1|/a/\n@@DEF|1|1|/b 2/\n", "the configuration has a database a in /a/ already: restore without --define, and add it under another name"},
		{"refused", "@@DEF|0|0|\n@@DEF|1|1|/b 2/\n", `Config.Databases.Create of a answered "0|", which is not success`},
		{"cut off", "@@DEF|0|1\n@@DEF|1|1|/b 2/\n", `Config.Databases.Create of a answered "1", which is not success`},
		{"not there after all", "@@DEF|0|1|\n@@DEF|1|1|/b 2/\n", `Config.Databases.Create of a answered "1|", which is not success`},
		{"trap", "@@ERR|DEF|<PROTECT>||\n", "Config.Databases ended with the error <PROTECT>: …"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkError(t, judgeDefine(session.ParseAnswer(tt.text), dbs), tt.want) })
	}
}
