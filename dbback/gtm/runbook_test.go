package gtm

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
)

// TestRunbook follows the run-book of a set, with nothing but what it says.
func TestRunbook(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 400})
	l.load(2)
	l.start("writer", 1, 1)
	l.start("across", 2, 1)
	l.moved("AREG", 50)
	repo := newRepo(t)
	info := l.backup(repo)
	l.stop()
	set := layOut(t, repo, info)
	want := func(journals bool) string {
		report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir(), NoJournals: !journals})
		if err != nil {
			t.Fatal(err)
		}
		return l.extract(report.Gbldir)
	}
	atIncremental, atEnd := want(false), want(true)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(Runbook(info), -1)
	if len(blocks) != 5 {
		t.Fatalf("%d blocks in\n%s", len(blocks), Runbook(info))
	}
	setUp, short, long, journals, use := blocks[0][1], blocks[1][1], blocks[2][1], blocks[3][1], blocks[4][1]
	for name, way := range map[string]string{"short": short, "long": long} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(script string) {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
				cmd.Env = append(l.tools.environment(), "SET="+set, "NEW="+dir)
				if out, err := cmd.CombinedOutput(); err != nil || firstComplaint(string(out)) != "" {
					t.Fatalf("%v\n%s\n%s", err, script, out)
				}
			}
			run(setUp + way)
			gbldir := filepath.Join(dir, "new.gld")
			if got := l.extract(gbldir); got != atIncremental {
				t.Error("not what Restore makes")
			}
			env := setUp[:strings.Index(setUp, "# a global directory")] // once is enough
			run(env + `export gtmgbldir="$NEW"/new.gld` + "\n" + journals)
			if got := l.extract(gbldir); got != atEnd {
				t.Error("after the journals: not what Restore makes")
			}
			l.m("kill ^big") // a reason to restore
			run(env + use)
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
		Databases: []catalog.Database{{Name: "DEFAULT", Paths: []string{"/data/a b.dat"}}},
		Facts:     map[string]string{factName("DEFAULT", factJournal): "DEFAULT.j@0x5"},
	}, Files: []catalog.FileInfo{{
		Section: catalog.SectionDatabases, Path: "/data/a b.dat", Format: FormatV7, Size: 4 << 20, Label: &catalog.Label{Blocks: 9, BlockSize: 512},
	}}, Problems: []catalog.Problem{{Path: "/data/a b.dat", Error: "is gone", Fatal: true}}}
	text := Runbook(info)
	for _, want := range []string{
		"**This set is incomplete.**", "is gone", `"$SET"/databases'/data/a b.dat'`,
		`-redirect='"/data/a b.dat"'="$NEW"/DEFAULT.dat `, "truncate -s 4199424 \"$NEW\"/DEFAULT.dat",
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
