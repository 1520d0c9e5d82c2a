package restore

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// update writes golden files anew instead of comparing with them. What they hold
// is what operators read and what the instance is told: look at each change.
var update = flag.Bool("update", false, "write golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(b) {
		return
	}
	have, want := strings.Split(got, "\n"), strings.Split(string(b), "\n")
	for i := 0; i < len(have) || i < len(want); i++ {
		if line := func(s []string) string {
			if i < len(s) {
				return s[i]
			}
			return "(no line)"
		}; line(have) != line(want) {
			t.Fatalf("%s, line %d:\n%s\nwant (-update writes it anew):\n%s", path, i+1, line(have), line(want))
		}
	}
}

// strange moves the databases into directories with characters that shells and
// ObjectScript treat in their own ways. Commas and double quotes are refused.
func strange(info *catalog.SetInfo) {
	moveDatabase("USER", `/data/it's $HOME/b\c/`)(info)
	moveDatabase("APP", "/データ/顧客 1/")(info)
}

// goldens are the plans that have golden scripts and run-books.
var goldens = []struct {
	name   string
	change func(*catalog.SetInfo)
	opts   Options
}{
	{"databases", nil, Options{Databases: []string{"USER", "APP"}, Instance: "IRIS"}},
	{"databases-until", nil, Options{
		Databases: []string{"USER"}, Instance: "IRIS", Until: at("10:00:00"), Later: later("20261122.003z 09:00:00", "20261122.004@ 09:30:00", "20261122.005@ 11:00:00"),
	}},
	{"everything", nil, Options{Everything: true, Target: "IRIS", Instance: "IRISREST"}},
	{"everything-later", nil, Options{Everything: true, Later: later("20261122.003z 09:00:00", "20261122.004@ 09:30:00", "journal.log 09:30:00")}},
	{"elsewhere", nil, Options{To: "/restore", Databases: []string{"USER", "APP"}, Instance: "STAGE"}},
	{"elsewhere-define", nil, Options{
		To: "/restore", Databases: []string{"USER", "APP"}, Redirect: map[string]string{"APP": "/data/app2"}, Define: true, NoJournals: true,
	}},
	{"drill", nil, Options{To: "/repo.drill", Databases: []string{"USER"}, Drill: true, Instance: "STAGE"}},
	{"strange", strange, Options{Databases: []string{"USER", "APP"}, Redirect: map[string]string{"USER": "/x y/it's", "APP": "/データ/顧客 2"}, Instance: "IRIS"}},
}

func TestStatements_Golden(t *testing.T) {
	for _, tt := range goldens {
		t.Run(tt.name, func(t *testing.T) {
			info := madeSet()
			if tt.change != nil {
				tt.change(info)
			}
			p := mustPlan(t, info, tt.opts)
			var b strings.Builder
			for _, s := range p.steps {
				for _, a := range s.acts {
					told, ok := a.(telling)
					if !ok {
						continue
					}
					b.WriteString("step " + s.name + "\n" + strings.Join(told.tells(), "\n") + "\n\n")
				}
			}
			b.WriteString("file dirlist.txt\n" + dirList(p.Databases))
			golden(t, "plan/"+tt.name+".txt", b.String())
		})
	}
}

// Every statement is one line that a terminal takes: of which the longest is not
// documented, and below 4 KB should do.
func TestStatements_Lines(t *testing.T) {
	long := "/" + strings.Repeat("a directory with a long name/", 32) // 930 bytes: longer than any that is used
	info := madeSet(moveDatabase("USER", long+"user/"), moveDatabase("APP", "/ü"+long+"app/"), func(i *catalog.SetInfo) {
		i.Method.Facts["manager directory"] = long
	})
	for _, opts := range []Options{
		{Databases: []string{"USER", "APP"}},
		{Everything: true, WorkDir: long},
		{To: "/restore", Define: true, Drill: true},
		{Databases: []string{"USER"}, Until: at("04:00:00")},
	} {
		p := mustPlan(t, info, opts)
		if len(p.Statements()) < 10 {
			t.Fatalf("%s: only %d statements", p.Way, len(p.Statements()))
		}
		for _, s := range p.Statements() {
			if len(s) >= 4096 || session.HasControl(s) || strings.Count(s, "{") != strings.Count(s, "}") || strings.Count(s, `"`)%2 != 0 {
				t.Errorf("%s: statement of %d bytes: %s", p.Way, len(s), s)
			}
			if !strings.HasPrefix(s, "try { ") || !strings.HasSuffix(s, " }") || !regexp.MustCompile(`@@ERR\|[A-Z]+\|`).MatchString(s) {
				t.Errorf("%s: errors of this are not caught: %s", p.Way, s)
			}
		}
	}
}

// A line of the sequence that applies journals does nothing if one before it
// failed: at a terminal it would be carried out all the same.
func TestStatements_Only(t *testing.T) {
	p := mustPlan(t, madeSet(), Options{To: "/restore", Databases: []string{"USER", "APP"}})
	statements := p.journalStatements()
	if !strings.HasPrefix(statements[0], `try { set ok=0,j=##class(Journal.Restore).%New()`) {
		t.Errorf("it begins with %s", statements[0])
	}
	var order []string
	reSucceeds := regexp.MustCompile(`[ ,]ok=(1|\$system\.Status\.IsOK\(sc\)) write`)
	reName := regexp.MustCompile(`@@ERR\|([A-Z]+)\|`)
	for _, s := range statements[1:] {
		name := reName.FindStringSubmatch(s)[1]
		order = append(order, name)
		guard := `try { if $get(ok) { set ok=0 `
		if name == "JROLL" { // the one that may fail
			guard = `try { if $get(ok) { set j.RollBack=1 `
		}
		if !strings.HasPrefix(s, guard) {
			t.Errorf("not only after success: %s", s)
		}
		if name != "JROLL" && !reSucceeds.MatchString(s) {
			t.Errorf("does not say that it succeeded: %s", s)
		}
	}
	want := []string{"JSET", "JSET", "JSET", "JROLL", "JLOC", "JSEL", "JRED", "JSEL", "JRED", "JCHK", "JRUN"}
	if !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
}

func TestDirList(t *testing.T) {
	p := mustPlan(t, madeSet(strange), Options{Databases: []string{"USER", "APP"}})
	if got, want := dirList(p.Databases), "/data/it's $HOME/b\\c/,,N\n/データ/顧客 1/,,N\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p = mustPlan(t, madeSet(strange), Options{To: "/r", Databases: []string{"APP"}})
	if got, want := dirList(p.Databases), "/データ/顧客 1/,/r/データ/顧客 1/,N\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
