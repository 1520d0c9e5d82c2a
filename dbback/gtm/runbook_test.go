package gtm

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
)

// followed is a run-book that is followed: its blocks, by the title before them.
type followed struct {
	l      *live
	blocks map[string]string
	set    string // directory of the set
	dir    string // $NEW
}

// follow lays a set out and takes its run-book apart.
func follow(l *live, repo *catalog.Repository, info *catalog.SetInfo) *followed {
	l.t.Helper()
	b := &followed{l: l, blocks: make(map[string]string), set: layOut(l.t, repo, info)}
	title, in := "", false
	for line := range strings.Lines(Runbook(info)) {
		switch {
		case strings.HasPrefix(line, "## "):
			title = strings.TrimSpace(line[3:])
		case line == "```sh\n":
			in = true
		case strings.HasPrefix(line, "```"):
			in = false
		case in:
			b.blocks[title] += line
		}
	}
	for _, title := range []string{bookSetUp, bookShort, bookLong, bookLook, bookUse} {
		if b.blocks[title] == "" {
			l.t.Fatalf("no %q in\n%s", title, Runbook(info))
		}
	}
	return b
}

// Titles of blocks.
const (
	bookSetUp    = "By hand: set up"
	bookShort    = "By hand, the short way: the databases as they were after the incremental"
	bookLong     = "By hand, with GT.M's own restore"
	bookJournals = "By hand: the journals, after either way"
	bookLook     = "By hand: look into the result"
	bookUse      = "Into use"
)

// paste gives a shell blocks as a person pastes them, and returns what it said.
func (b *followed) paste(shell string, titles ...string) (string, error) {
	b.l.t.Helper()
	script := ""
	for _, title := range titles {
		script += b.blocks[title]
	}
	cmd := exec.CommandContext(b.l.t.Context(), shell)
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(b.l.tools.environment(), "SET="+b.set, "NEW="+b.dir, "ydb_gbldir="+b.l.tools.gbldir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// done pastes blocks that must come to their end.
func (b *followed) done(titles ...string) {
	b.l.t.Helper()
	if out, err := b.paste("sh", titles...); err != nil || strings.Contains(out, "STOP: ") || firstComplaint(out) != "" {
		b.l.t.Fatalf("%v: %v: %s", titles, err, out)
	}
}

// again leaves of the set-up what a shell needs that is new.
func (b *followed) again() {
	b.blocks[bookSetUp], _, _ = strings.Cut(b.blocks[bookSetUp], "( set -eu")
}

// sums returns a sum of every database of a live engine that nobody writes to.
func (l *live) sums() string {
	l.t.Helper()
	text := ""
	for _, name := range l.files("*.dat") {
		b, err := os.ReadFile(name)
		if err != nil {
			l.t.Fatal(err)
		}
		text += fmt.Sprintf("%s %x\n", name, sha256.Sum256(b))
	}
	return text
}

// TestRunbook follows the run-book of a set, with nothing but what it says. One of
// the regions has a name of which a shell, and GT.M in a path, would make another:
// $NEW is set.
func TestRunbook(t *testing.T) {
	l := newLive(t, shape{regions: 2, second: "ACC$NEW", allocation: 400})
	l.load(2)
	l.start("writer", 1, 1)
	l.start("across", 2, 1)
	l.moved("ACC$NEW", 50)
	repo := newRepo(t)
	info := l.backup(repo)
	l.stop()
	want := func(journals bool) string {
		report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir(), NoJournals: !journals})
		if err != nil {
			t.Fatal(err)
		}
		return l.extract(report.Gbldir)
	}
	atIncremental, atEnd := want(false), want(true)
	for name, way := range map[string]string{"short": bookShort, "long": bookLong} {
		t.Run(name, func(t *testing.T) {
			b := follow(l, repo, info)
			b.dir = t.TempDir()
			before := l.sums()
			b.done(bookSetUp, way, bookLook)
			gbldir := filepath.Join(b.dir, "new.gld")
			if got := l.extract(gbldir); got != atIncremental {
				t.Error("not what Restore makes")
			}
			b.again()
			b.done(bookSetUp, bookJournals)
			if got := l.extract(gbldir); got != atEnd {
				t.Error("after the journals: not what Restore makes")
			}
			if after := l.sums(); after != before {
				t.Errorf("the originals were %s, and are %s", before, after)
			}
			l.m("kill ^big") // a reason to restore
			b.done(bookSetUp, bookUse)
			if got := l.extract(l.tools.gbldir); got != atEnd {
				t.Error("in use: not what Restore makes")
			}
			for _, name := range l.files("*.dat") {
				if h, err := readHeaderFile(name); err != nil || h.Journal != JournalOn || !h.BeforeImage {
					t.Errorf("in use: %+v, %v", h, err)
				}
			}
		})
	}
}

// TestRunbook_Subset follows the run-book of a set of one region of two: the
// global directory that it makes must not lead to the other's original.
func TestRunbook_Subset(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 100})
	l.m("set ^A=1,^b=1")
	repo := newRepo(t)
	b := follow(l, repo, l.backup(repo, "AREG"))
	b.dir = t.TempDir()
	b.done(bookSetUp, bookLong, bookLook)
	restored := tools{dist: l.tools.dist, gbldir: filepath.Join(b.dir, "new.gld")}
	if out, err := restored.m(t.Context(), "write ^A"); err != nil || strings.TrimSpace(out) != "1" {
		t.Errorf("^A is %q, %v", out, err)
	}
	if out, err := restored.m(t.Context(), "set ^b=2"); err == nil || !strings.Contains(out, "not-restored/DEFAULT.dat") {
		t.Errorf("a write to a region that is not in the set: %s, %v", out, err)
	}
	if got := l.m("write ^b"); got != "1" {
		t.Errorf("^b of the original is %s", got)
	}
}

// TestRunbook_Stops pastes all of a run-book into a shell that goes on whatever
// fails. After the block that failed nothing may happen.
func TestRunbook_Stops(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 100})
	l.m("set ^A=1,^b=1")
	repo := newRepo(t)
	info := l.backup(repo)
	l.m("set ^A=2,^b=2")
	all := []string{bookSetUp, bookLong, bookJournals, bookLook, bookUse}
	tests := map[string]struct {
		wreck func(b *followed)
		want  string
	}{
		"an incremental is missing": {func(b *followed) {
			b.blocks[bookSetUp] += `rm "$SET"/incremental/DEFAULT.bck` + "\n"
		}, "/databases.done\n"},
		"GDE fails and DSE has the wrong global directory": {func(b *followed) {
			b.blocks[bookSetUp] = strings.ReplaceAll(b.blocks[bookSetUp], `rm -f "$gtmgbldir"`, `cp "$SET"/configuration/*.gld "$gtmgbldir"`)
			b.blocks[bookLong] = strings.ReplaceAll(b.blocks[bookLong], "lead ", `lead '"'`)
		}, "%GDE-E-"},
		"GDE is left out and DSE has the wrong global directory": {func(b *followed) {
			b.blocks[bookSetUp] = strings.NewReplacer(`rm -f "$gtmgbldir"`, `cp "$SET"/configuration/*.gld "$gtmgbldir"`,
				"| try mumps -run ^GDE", "| cat >/dev/null").Replace(b.blocks[bookSetUp])
		}, "a global directory leads to these files"},
		"a directory that is not empty": {func(b *followed) { b.dir = l.dir }, "not empty"},
		"a directory with a blank":      {func(b *followed) { b.dir += "/a b" }, "letters, digits"},
		"no set-up":                     {func(b *followed) { b.again() }, "/set-up.done\n"},
		"nothing of the set-up": {func(b *followed) {
			b.blocks[bookSetUp] = ""
		}, "begin"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := follow(l, repo, info)
			b.dir = filepath.Join(t.TempDir(), "new")
			tt.wreck(b)
			before := l.sums()
			for _, shell := range []string{"sh", "bash"} {
				out, err := b.paste(shell, all...)
				if err == nil || !strings.Contains(out, tt.want) || b.blocks[bookSetUp] != "" && !strings.Contains(out, "STOP: ") {
					t.Errorf("%s: no %q in what was said: %s", shell, tt.want, out)
				}
				if after := l.sums(); after != before {
					t.Fatalf("the originals were %s, and are %s", before, after)
				}
			}
		})
	}
	if got := l.m("write ^A,^b"); got != "22" {
		t.Errorf("^A and ^b are %s", got)
	}
}

// layOut puts a set's files where a mount shows them.
func layOut(t testing.TB, repo *catalog.Repository, info *catalog.SetInfo) string {
	t.Helper()
	set := t.TempDir()
	for _, section := range []catalog.Section{catalog.SectionDatabases, catalog.SectionConsistent} {
		for _, db := range info.Method.Databases {
			if _, err := dbback.Restore(t.Context(), repo, dbback.RestoreOptions{
				Set: info.SetName(), To: filepath.Join(set, string(section)), Section: section, Only: db.Paths,
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var rest []string
	for _, f := range info.Files {
		if f.Section != catalog.SectionDatabases && f.Section != catalog.SectionConsistent {
			rest = append(rest, f.Path)
		}
	}
	if _, err := dbback.Restore(t.Context(), repo, dbback.RestoreOptions{Set: info.SetName(), To: set, Only: rest}); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestRunbook_Other holds that there is none of a set that cannot be restored so.
func TestRunbook_Other(t *testing.T) {
	for _, info := range []*catalog.SetInfo{
		{Engine: "files", State: catalog.StateComplete},
		{Engine: "gtm", State: catalog.StateInterrupted, Method: &catalog.Method{}},
	} {
		if text := Runbook(info); text != "" {
			t.Errorf("%s", text)
		}
	}
	info := &catalog.SetInfo{Engine: "gtm", State: catalog.StateIncomplete, Method: &catalog.Method{
		Databases: []catalog.Database{
			{Name: "DEFAULT", Paths: []string{"/data/a b.dat"}},
			{Name: "OLD$", Paths: []string{"/data/old.dat"}},
		},
		Incrementals: []string{"OLD$.bck"}, // as older sets name it
		Facts:        map[string]string{factName("DEFAULT", factJournal): "DEFAULT.j@0x5"},
	}, Files: []catalog.FileInfo{{
		Section: catalog.SectionDatabases, Path: "/data/a b.dat", Format: FormatV7, Size: 4 << 20, Label: &catalog.Label{Blocks: 9, BlockSize: 512},
	}}, Problems: []catalog.Problem{{Path: "/data/a b.dat", Error: "is gone", Fatal: true}}}
	text := Runbook(info)
	for _, want := range []string{
		"**This set is incomplete.**", "is gone", `"$SET"/databases'/data/a b.dat'`,
		`-redirect='"/data/a b.dat"'="$NEW"/DEFAULT.dat,/data/old.dat="$NEW"/OLD-.dat `,
		`try mupip restore "$NEW"/OLD-.dat "$SET"/incremental/'OLD$.bck'`, "truncate -s 4199424 \"$NEW\"/DEFAULT.dat",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	info.Method.Facts = nil
	if text := Runbook(info); !strings.Contains(text, "The set has no journals.") {
		t.Errorf("%s", text)
	}
}

// TestRunbookAt holds that the set's directory is named so that a shell reads it.
func TestRunbookAt(t *testing.T) {
	info := &catalog.SetInfo{Engine: "gtm", State: catalog.StateComplete, Instance: "shop", Name: "2026-11-22T03-00-00Z", Method: &catalog.Method{}}
	for _, dir := range []string{"/mnt/b/sets/shop/1", "/mnt/it's a b/sets/shop/1"} {
		text := RunbookAt(info, dir)
		line := regexp.MustCompile(`(?m)^SET=.*$`).FindString(text)
		out, err := exec.Command("sh", "-c", "unset SET\n"+line+"\nprintf %s \"$SET\"").Output()
		if err != nil || string(out) != dir {
			t.Errorf("%s: the shell makes %q of it, %v", line, out, err)
		}
	}
	if want := "SET=${SET:-/mnt/datfs/sets/shop/2026-11-22T03-00-00Z} "; !strings.Contains(Runbook(info), want) {
		t.Errorf("no %q in\n%s", want, Runbook(info))
	}
}
