package iris

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"datfs/dbback/iris/session"
)

func TestParseReturn(t *testing.T) {
	tests := []struct {
		value    string
		ok       bool
		warnings []string
	}{
		{"1", true, nil},
		{" 1 ", true, nil},
		{"1,", true, nil},
		{"1,a warning", true, []string{"a warning"}},
		{"1,one~two, with a comma~ ~", true, []string{"one", "two, with a comma"}},
		{"1,bell\a", true, []string{"bell"}},
		{"0", false, nil},
		{"0,1", false, nil},
		{"", false, nil},
		{"11", false, nil},
		{"-1", false, nil},
		{"true", false, nil},
	}
	for _, tt := range tests {
		ok, warnings := parseReturn(tt.value)
		if ok != tt.ok || !slices.Equal(warnings, tt.warnings) {
			t.Errorf("parseReturn(%q) = %v, %q; want %v, %q", tt.value, ok, warnings, tt.ok, tt.warnings)
		}
	}
}

func FuzzParseReturn(f *testing.F) {
	for _, s := range []string{"1", "0", "1,a~b", "", "1,~", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ok, warnings := parseReturn(s)
		if !ok && warnings != nil {
			t.Errorf("failure with warnings %q", warnings)
		}
		if ok && !strings.HasPrefix(strings.TrimSpace(s), "1") {
			t.Errorf("%q is success", s)
		}
		again, same := parseReturn(strings.Join(append([]string{"1"}, strings.Join(warnings, "~")), ","))
		if ok && (!again || !slices.Equal(same, warnings)) {
			t.Errorf("%q gives %q, and that %q", s, warnings, same)
		}
	})
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		value string
		bytes int64
		ok    bool
	}{
		{"18950^5^160952320^2710^160309248^313104^313104", 160309248, true}, // the manual's
		{" 0^1^0^0^0^0^0", 0, true},
		{"-1^0^0^0^0^0^0", -1, false},
		{"-1", -1, false},
		{"", -1, false},
		{"1^2^3^4", -1, false},
		{"1^2^3^4^x", -1, false},
		{"1^2^3^4^-5", -1, false},
		{"1^2^3^4^99999999999999999999", -1, false},
	}
	for _, tt := range tests {
		if n, ok := parseSize(tt.value); n != tt.bytes || ok != tt.ok {
			t.Errorf("parseSize(%q) = %d, %v; want %d, %v", tt.value, n, ok, tt.bytes, tt.ok)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("18950^5^160952320^2710^160309248^313104^313104")
	f.Add("-1^")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseSize(s); ok != (n >= 0) {
			t.Errorf("parseSize(%q) = %d, %v", s, n, ok)
		}
	})
}

func TestParseList(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"one a line", "/usr/irissys/mgr/\n/usr/irissys/mgr/user/\n", []string{"/usr/irissys/mgr/", "/usr/irissys/mgr/user/"}},
		{"no line end", "/a/", []string{"/a/"}},
		{"heading, blanks, CR LF, no slash", "List of directories to be backed up\r\n\r\n   /a\r\n\t/b c/ \r\n", []string{"/a/", "/b c/"}},
		{"twice", "/a\n/a/\n", []string{"/a/"}},
		{"nothing", "\n\n", nil},
	}
	for _, tt := range tests {
		got, err := parseList(strings.NewReader(tt.text))
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("/usr/irissys/mgr/\n/usr/irissys/mgr/user/\n")
	f.Add(" /a\r\n\nb\n//\n/../x")
	f.Fuzz(func(t *testing.T, s string) {
		dirs, err := parseList(strings.NewReader(s))
		if err != nil {
			t.Skip()
		}
		for _, dir := range dirs {
			if !strings.HasPrefix(dir, "/") || !strings.HasSuffix(dir, "/") || session.Slashed(dir) != dir {
				t.Errorf("%q is not a directory as the product writes it", dir)
			}
		}
		again, err := parseList(strings.NewReader(strings.Join(dirs, "\n")))
		if err == nil && !slices.ContainsFunc(dirs, endsInSpace) && !slices.Equal(again, dirs) {
			t.Errorf("%q becomes %q", dirs, again)
		}
	})
}

// endsInSpace tells of names that a line of a list cannot have.
func endsInSpace(dir string) bool { return strings.TrimSpace(dir) != dir }

func openLog(t *testing.T, name string) *backupLog {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := parseLog(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestParseLog(t *testing.T) {
	tests := []struct {
		file string
		want backupLog
	}{
		{"full-2024.1.log", backupLog{
			kind: "Full", device: "/usr/irissys/mgr/backup/FullDBList_20240425_001.cbk",
			directories: []string{"/usr/irissys/mgr/t1/", "/usr/irissys/mgr/user/"},
			switched:    "/usr/irissys/mgr/journal/20240425.002", required: "/usr/irissys/mgr/journal/20240425.002",
			marker: "/usr/irissys/mgr/journal/20240425.002", offset: 198264, blocks: 14278, finished: true, complete: true,
		}},
		{"mirror-2022.1.log", backupLog{
			directories: []string{"/isc/data/demo/", "/isc/iris/mgr/user/"},
			switched:    "/isc/jrnpri/MIRROR-AUGEST-20220917.011", required: "/isc/jrnpri/MIRROR-AUGEST-20220917.010",
			marker: "/isc/jrnpri/MIRROR-AUGEST-20220917.011", offset: 197572, finished: true, complete: true,
		}},
		{"incremental-expected.log", backupLog{
			kind: "Incremental", device: "/usr/irissys/mgr/Backup/datfs/x.cbk",
			directories: []string{"/usr/irissys/mgr/", "/usr/irissys/mgr/user/"},
			switched:    "/usr/irissys/mgr/journal/20261122.003", required: "/usr/irissys/mgr/journal/20261121.014",
			marker: "/usr/irissys/mgr/journal/20261122.003", offset: 131404, blocks: 12, finished: true, complete: true,
		}},
	}
	for _, tt := range tests {
		if got := openLog(t, tt.file); !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s:\n%+v, want\n%+v", tt.file, *got, tt.want)
		}
	}
}

func TestLogDisagreements(t *testing.T) {
	dirs := []string{"/usr/irissys/mgr/user/", "/usr/irissys/mgr/"}
	good := func() *backupLog { return openLog(t, "incremental-expected.log") }
	tests := []struct {
		name   string
		change func(l *backupLog)
		want   string
	}{
		{"all well", func(*backupLog) {}, ""},
		{"no kind", func(l *backupLog) { l.kind = "" }, ""},
		{"other kind", func(l *backupLog) { l.kind = "Full" }, `kind "Full"`},
		{"cut off", func(l *backupLog) { l.finished, l.complete = false, false }, "***FINISHED BACKUP***"},
		{"not complete", func(l *backupLog) { l.complete = false }, "Backup complete."},
		{"one less", func(l *backupLog) { l.directories = l.directories[:1] }, "does not name /usr/irissys/mgr/user/"},
		{"one more", func(l *backupLog) { l.directories = append(l.directories, "/x/") }, "names /x/, which was not copied"},
		{"none", func(l *backupLog) { l.directories = nil }, "does not name /usr/irissys/mgr/,"},
	}
	for _, tt := range tests {
		l := good()
		tt.change(l)
		got := strings.Join(l.disagreements(dirs), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzParseLog(f *testing.F) {
	names, err := filepath.Glob("testdata/*.log")
	if err != nil || len(names) == 0 {
		f.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("Journal marker set at\noffset 99999999999999999999 of /x\nCopied 9223372036854775807 blocks in 1\nCopied 9223372036854775807 blocks in 1")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseLog(strings.NewReader(s))
		if err != nil {
			t.Fatal(err) // a reader of memory does not fail
		}
		if l.offset < 0 || l.blocks < 0 {
			t.Errorf("offset %d, %d blocks", l.offset, l.blocks)
		}
		for _, dir := range l.directories {
			if session.Slashed(dir) != dir {
				t.Errorf("directory %q", dir)
			}
		}
		if l.finished && !strings.Contains(s, "***FINISHED BACKUP***") || l.complete && !strings.Contains(s, "Backup complete.") {
			t.Error("success out of nothing")
		}
		// Line ends and blanks around lines mean nothing.
		again, err := parseLog(strings.NewReader(strings.ReplaceAll(s, "\n", " \r\n ")))
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Errorf("%+v becomes %+v, %v", l, again, err)
		}
	})
}

func TestParseCPF(t *testing.T) {
	text := "[ConfigFile]\r\nProduct=IRIS\r\n[Databases]\r\nIRISSYS=/usr/irissys/mgr/\r\nUSER=/db/user/,,1,,,/streams/user/\r\nFAR=/far/,OTHER\r\nMIR=:mirror:M:X\r\n" +
		"[Journal]\r\nBackupsBeforePurge=3\r\nDaysBeforePurge=x\r\n[config]\r\nwijdir=/wij/\r\nnonsense\r\n"
	c, err := parseCPF(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []cpfDatabase{
		{name: "IRISSYS", directory: "/usr/irissys/mgr/"},
		{name: "USER", directory: "/db/user/", stream: "/streams/user/"},
		{name: "FAR", directory: "/far/", server: "OTHER"},
		{name: "MIR", directory: ":mirror:M:X"},
	}
	if !slices.Equal(c.databases, want) {
		t.Errorf("databases %+v", c.databases)
	}
	if n := c.number("Journal/BackupsBeforePurge", 2); n != 3 {
		t.Errorf("BackupsBeforePurge is %d", n)
	}
	if n := c.number("Journal/DaysBeforePurge", 2); n != 2 {
		t.Errorf("DaysBeforePurge, which is no number, is %d", n)
	}
	if c.values["config/wijdir"] != "/wij/" || c.find("user").stream != "/streams/user/" || c.find("none").name != "" {
		t.Errorf("%+v", c)
	}
}

func FuzzParseCPF(f *testing.F) {
	f.Add("[Databases]\nUSER=/db/user/,,1,,,/s/\n[Journal]\nBackupsBeforePurge=3\n")
	f.Add("=\n[]\n=x\n[Databases]\n=")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCPF(strings.NewReader(s))
		if err != nil {
			t.Skip()
		}
		for key := range c.values {
			if n := c.number(key, 7); n < 0 {
				t.Errorf("%s is %d", key, n)
			}
		}
		var b strings.Builder
		b.WriteString("[Databases]\n")
		for _, db := range c.databases {
			b.WriteString(strings.Join([]string{db.name + "=" + db.directory, db.server, "", "", "", db.stream}, ",") + "\n")
		}
		again, err := parseCPF(strings.NewReader(b.String()))
		if err != nil || len(again.databases) != len(c.databases) {
			t.Errorf("%d databases become %d, %v", len(c.databases), len(again.databases), err)
		}
	})
}

func TestParseInventory(t *testing.T) {
	text := "Node: h, Instance: IRIS\n\n%SYS>\n@@DB|IRISSYS|/mgr/|8192|100|1|0|0|0|3\r\n@@DB|USER|/db/us|er/|8192|64|1|1|1|1|2\n@@DB|FAR|:ds:OTHER:X\n@@DB|LOST|/lost\n%SYS>\n@@DBEND|1\n" +
		"@@DBX|8193||/db/us|er/\n@@DBX|x|M:USER|/mgr\n@@DBX|1\n@@DBD|USER|/db/us|er\n@@DBD|FAR|/x/\n@@VOL|USER|/db/us/|/vol1|/vol1/|/v|2/| \n@@VOLEND|1\n%SYS>"
	got, err := parseInventory(session.ParseAnswer(text))
	want := []configured{
		{name: "IRISSYS", directory: "/mgr/", local: true, blockSize: 8192, bytes: 100 << 20, mounted: true, mirror: "M:USER", journal: "3"},
		{
			name: "USER", directory: "/db/us|er/", own: "/db/us|er/", local: true, blockSize: 8192, bytes: 8193 * 8192, mounted: true, readOnly: true, mirrored: true,
			encrypted: true, journal: "2", volumes: []string{"/db/us/", "/vol1/", "/v|2/"},
		},
		{name: "FAR", directory: ":ds:OTHER:X"},
		{name: "LOST", directory: "/lost/"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got[1].journaled() || !got[0].journaled() || !got[2].remote() || got[3].remote() || got[0].remote() {
		t.Error("journaled or remote is wrong")
	}
	if _, err := parseInventory(session.ParseAnswer("@@DB|A|/a/\n")); err == nil {
		t.Error("a list without its end is taken")
	}
	_, err = parseInventory(session.ParseAnswer("@@ERR|DB|<PROTECT>|x|\n@@DBEND|1\n"))
	if err == nil || !strings.Contains(err.Error(), "<PROTECT>") {
		t.Errorf("a trap gives %v", err)
	}
}

// Of a volume that is not known of, nothing else says that it is missing in the set.
func TestParseInventory_Volumes(t *testing.T) {
	const dbs = "@@DB|USER|/db/user/|8192|64|1|0|0|0|3\n@@DBEND|1\n"
	for _, tt := range []struct{ answer, err string }{
		{"@@VOLEND|1", ""},
		{"@@VOL|USER|/a/\n@@VOLEND|1", ""},
		{"@@ERR|VOL|<PROPERTY DOES NOT EXIST>|x|VolumeDirectoryList,SYS.Database", ""}, // an older version
		{"@@ERR|VOL|<PROTECT>|x|", "<PROTECT>"},
		{"@@VOL|USER|/a/\n@@ERR|VOL|<LIST>|x|", "<LIST>"},
		{"@@VOL|USER|/a/", "ends in the middle"},
		{"", "ends in the middle"},
		{"@@VOL|USER|7@%Collection.ListOfDT\n@@VOLEND|1", "how to read that is not known"},
	} {
		_, err := parseInventory(session.ParseAnswer(dbs + tt.answer + "\n"))
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: %v, want %q", tt.answer, err, tt.err)
		}
	}
}

func FuzzParseInventory(f *testing.F) {
	f.Add("@@DB|USER|/db/user/|8192|64|1|1|1|1|2\n@@DBEND|1\n@@DBX|8193||/db/user/\n@@DBD|USER|/db/user/\n@@VOL|USER|/a/|/b\n@@VOLEND|1\n")
	f.Add("@@DB|\n@@DB||\n@@VOL|\n@@DBX|||\n@@DBEND|\n@@VOLEND|")
	f.Fuzz(func(t *testing.T, s string) {
		dbs, err := parseInventory(session.ParseAnswer(s))
		if err != nil {
			return
		}
		for _, db := range dbs {
			if db.bytes < 0 || db.blockSize < 0 || !db.local && (db.mounted || db.volumes != nil) {
				t.Errorf("%+v", db)
			}
			if slices.Contains(db.volumes, db.directory) {
				t.Errorf("%s is a volume of itself", db.directory)
			}
		}
	})
}
