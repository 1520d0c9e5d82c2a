package fs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

func journalFile(name string) catalog.FileInfo {
	return catalog.FileInfo{Path: name, Section: catalog.SectionJournals, Size: 100, Mode: 0o660, ModTime: firstSet, XXH64: "0123456789abcdef"}
}

// The sets of an archive are shown as one, and nowhere where backups are looked for.
func TestNewTree_Journals(t *testing.T) {
	root := treeOf(
		info("A", "1", catalog.StateComplete, dbFile("/data/IRIS.DAT", "USER"), journalFile("20261122.001")),
		info("A.journals", "1", catalog.StateComplete, journalFile("20261122.002z"), journalFile("journal.log"), journalFile("../x")),
		info("A.journals", "2", catalog.StateIncomplete, journalFile("20261122.001"), journalFile("journal.log")),
		info("A.journals", "3", catalog.StateInterrupted, journalFile("20261122.009")),
		info("B.journals", "1", catalog.StateComplete, journalFile("20261122.001"), dbFile("/data/IRIS.DAT", "USER")),
	)
	got := pathsOf(root)
	for _, dir := range []string{"latest/", "databases/", "journals/"} {
		var below []string
		for _, p := range got {
			if rest, ok := strings.CutPrefix(p, dir); ok && rest != "" {
				below = append(below, rest)
			}
		}
		want := map[string]string{
			"latest/":    "A -> ../sets/A/1",
			"databases/": "A/ A/USER/ A/USER/1/ A/USER/1/IRIS.DAT",
			"journals/":  "A/ A/20261122.001 A/20261122.002z A/journal.log A/x B/ B/20261122.001",
		}[dir]
		if s := strings.Join(below, " "); s != want {
			t.Errorf("%s has %s, want %s", dir, s, want)
		}
	}
	for _, p := range []string{"sets/A.journals/1/journals/20261122.002z", "incomplete/A.journals/3/journals/20261122.009"} {
		if !slices.Contains(got, p) {
			t.Errorf("there is no %s", p)
		}
	}
	e := root.find("journals/A/journal.log")
	if e.fixed || e.set.info.Name != "2" {
		t.Errorf("journal.log is fixed: %t, of the set %s", e.fixed, e.set.info.Name)
	}
	if e := root.find("journals/A/20261122.002z"); !e.fixed || e.attr.mode&0o777 != 0o660 || root.find("journals/A").fixed {
		t.Errorf("a journal file: %+v", e)
	}
	if text := string(root.child("README.txt").text()); strings.Contains(text, ".journals") || !strings.Contains(text, "latest/A") {
		t.Errorf("README.txt:\n%s", text)
	}
}

// The list that was written to last is shown, whichever set it is of.
func TestNewTree_JournalLog(t *testing.T) {
	list := func(hours int) catalog.FileInfo {
		f := journalFile("journal.log")
		f.ModTime = firstSet.Add(time.Duration(hours) * time.Hour)
		return f
	}
	for _, tt := range []struct {
		name                  string
		backup, first, second int // when the list was written to
		set                   string
	}{
		{"of the archive", 1, 2, 3, "A.journals/2"},
		{"an older one that was archived later", 1, 3, 2, "A.journals/1"},
		{"of a backup since", 4, 2, 3, "A/9"},
	} {
		root := treeOf(
			info("A", "9", catalog.StateComplete, journalFile("20261122.003"), list(tt.backup)),
			info("A.journals", "1", catalog.StateComplete, journalFile("20261122.001"), list(tt.first)),
			info("A.journals", "2", catalog.StateComplete, journalFile("20261122.002"), list(tt.second)),
			info("B", "1", catalog.StateComplete, list(9)),
		)
		e := root.find("journals/A/journal.log")
		if got := e.set.info.SetName().String(); got != tt.set || e.fixed {
			t.Errorf("%s: it is of %s, want %s", tt.name, got, tt.set)
		}
		if root.find("journals/A/20261122.003") != nil {
			t.Errorf("%s: a journal file of a backup is shown", tt.name)
		}
	}
}

// A tree without archives has no journals.
func TestNewTree_NoJournals(t *testing.T) {
	if treeOf(info("A", "1", catalog.StateComplete, journalFile("20261122.001"))).child("journals") != nil {
		t.Error("journals/ without an archive")
	}
}

// archive stores files as a set of the archive of PROD, n hours after the first.
func archive(t *testing.T, repo *catalog.Repository, n int, files map[string]string) {
	t.Helper()
	w, err := repo.Begin(catalog.BeginOptions{
		Instance: "PROD.journals", Engine: catalog.EngineJournal, Time: firstSet.Add(time.Duration(n) * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		store(t, w, stored{data: []byte(text), FileInfo: catalog.FileInfo{
			Path: name, Section: catalog.SectionJournals, Mode: 0o640, ModTime: firstSet, SizeAtOpen: int64(len(text)),
		}})
	}
	seal(t, w)
}

// New files appear in a running mount, and the list of them is the new one.
func TestMount_Journals(t *testing.T) {
	repo := newRepo(t)
	archive(t, repo, 0, map[string]string{"20261122.001": "the first", "journal.log": "list of 1"})
	dir, _ := mounted(t, repo, Options{})
	journals := filepath.Join(dir, "journals/PROD")
	sameFile(t, journals+"/20261122.001", []byte("the first"))
	sameFile(t, journals+"/journal.log", []byte("list of 1"))
	held, err := os.Open(journals + "/20261122.001")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	archive(t, repo, 1, map[string]string{"20261122.002z": "the second", "journal.log": "list of 1 and 2"})
	eventually(t, "the second journal file", func() bool { return exists(journals + "/20261122.002z") })
	wantLines(t, tree(t, journals), "20261122.001 20261122.002z journal.log")
	sameFile(t, journals+"/20261122.002z", []byte("the second"))
	sameFile(t, journals+"/20261122.001", []byte("the first"))
	eventually(t, "the new list", func() bool {
		b, err := os.ReadFile(journals + "/journal.log")
		return err == nil && string(b) == "list of 1 and 2"
	})
	b := make([]byte, 9)
	if _, err := held.ReadAt(b, 0); err != nil || string(b) != "the first" {
		t.Errorf("the file that was open: %q, %v", b, err)
	}
	if exists(filepath.Join(dir, "latest/PROD.journals")) || !exists(filepath.Join(dir, "sets/PROD.journals")) {
		t.Error("the sets of the archive are not where they belong")
	}
}
