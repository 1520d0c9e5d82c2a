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

// dirtySet stores what a backup of a database in use leaves.
func dirtySet(t *testing.T, repo *catalog.Repository) []stored {
	t.Helper()
	in := func(section catalog.Section, name string, data []byte) stored {
		s := newStored(name, "", 0o600, data)
		s.Section, s.Origin, s.BlockSize = section, "/irissys/"+name, 65536
		return s
	}
	files := []stored{
		newStored("/data/user/IRIS.DAT", "USER", 0o660, blocks(1, 20, nil)),
		in(catalog.SectionIncremental, "20261122.cbk", blocks(2, 3, nil)),
		in(catalog.SectionIncremental, "20261122.log", []byte("Backup complete.\n")),
		in(catalog.SectionJournals, "20261122.001", blocks(3, 2, nil)),
		in(catalog.SectionConfiguration, "iris.cpf", []byte("[Databases]\n")),
		in(catalog.SectionTranscripts, "01-mark.txt", []byte("> CLRINC\n")),
	}
	w := begin(t, repo, "IRIS", 0)
	if err := w.Step(catalog.Step{Name: "seal"}); err != nil {
		t.Fatal(err)
	}
	store(t, w, files...)
	w.SetMethod(dirtyMethod())
	if got := seal(t, w); got.State != catalog.StateComplete {
		t.Fatalf("the set is %s", got.State)
	}
	return files
}

func dirtyMethod() *catalog.Method {
	return &catalog.Method{
		Databases:    []catalog.Database{{Name: "USER", Directory: "/data/user/", Paths: []string{"/data/user/IRIS.DAT"}}},
		Incrementals: []string{"20261122.cbk"},
		Journal:      &catalog.JournalRange{Required: "/irissys/20261122.001", Files: []string{"20261122.001"}},
	}
}

// TestDirty_Tools does what README.txt says about a set of databases in use, and
// finds every section mounted, copied and summed.
func TestDirty_Tools(t *testing.T) {
	needTool(t, "rsync", "xxhsum")
	repo := newRepo(t)
	files := dirtySet(t, repo)
	dir, _ := mounted(t, repo, Options{})
	const set = "sets/IRIS/2026-11-22T03-00-00Z"
	for _, f := range files {
		sameFile(t, inSet(dir, set, f), f.data)
	}
	b, err := os.ReadFile(filepath.Join(dir, "README.txt"))
	if err != nil {
		t.Fatal(err)
	}
	readme, to := string(b), t.TempDir()
	var commands []string
	for line := range strings.Lines(readme) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "  ") && (word == "rsync" || word == "cd") {
			commands = append(commands, strings.ReplaceAll(strings.TrimSpace(line), "/restore", quote(to)))
		}
	}
	if len(commands) != 5 {
		t.Fatalf("commands %q in\n%s", commands, readme)
	}
	for _, c := range commands {
		out := run(t, "sh", "-c", c)
		if strings.HasPrefix(c, "cd ") && strings.Count(out, ": OK\n") != len(files) {
			t.Errorf("%s:\n%s", c, out)
		}
	}
	for _, f := range files {
		below := string(f.Section)
		if f.Section == catalog.SectionDatabases {
			below = ""
		}
		sameFile(t, filepath.Join(to, below, f.Path), f.data)
	}
}

func TestReadmeText_Dirty(t *testing.T) {
	dirty := info("IRIS", "2", catalog.StateComplete, dbFile("/data/user/IRIS.DAT", "USER"),
		catalog.FileInfo{Path: "20261122.cbk", Section: catalog.SectionIncremental})
	clean := *dirty
	dirty.Method = dirtyMethod()
	dirty.Files = append(dirty.Files, catalog.FileInfo{Path: "/data/user/IRIS.DAT", Section: catalog.SectionConsistent}) // not copied twice
	got := string(treeOf(dirty).child("README.txt").text())
	for _, want := range []string{
		"THE DATABASES ARE NOT USABLE YET",
		"\n  apply    incremental/20261122.cbk\n  restore  journals/20261122.001 ",
		"\n  rsync -aHAX /mnt/b/latest/IRIS/incremental /restore/\n",
		"To copy a single file, which needs the incremental",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("README.txt does not say %q:\n%s", want, got)
		}
	}
	for _, not := range []string{"To put everything back", "To restore a single file", ".DAT /data"} {
		if strings.Contains(got, not) {
			t.Errorf("README.txt of a dirty copy says %q", not)
		}
	}
	if got := string(treeOf(&clean).child("README.txt").text()); strings.Contains(got, "NOT USABLE") {
		t.Errorf("README.txt of files at rest warns:\n%s", got)
	}
	// Without a section beside the databases there is nothing more to copy.
	dirty.Files = dirty.Files[:1]
	if got := string(treeOf(dirty).child("README.txt").text()); strings.Contains(got, "rsync -aHAX /restore") {
		t.Errorf("README.txt copies nothing:\n%s", got)
	}
}

func TestProblemsText_Steps(t *testing.T) {
	steps := []catalog.Step{
		{Name: "mark", Time: firstSet, Means: "not yet", Next: "nothing"},
		{Name: "record", Time: firstSet.Add(time.Minute), Means: "The history is gone.", Next: "Run it again."},
	}
	tests := []struct {
		state catalog.State
		want  bool // that it says what it means
	}{
		{catalog.StateInterrupted, true},
		{catalog.StateRunning, false},
		{catalog.StateIncomplete, false},
	}
	for _, tt := range tests {
		s := info("A", "1", tt.state, dbFile("/d/a", "D"))
		s.Steps = steps
		lines := strings.Split(string(treeOf(s).find("incomplete/A/1/PROBLEMS.txt").text()), "\n")
		if !slices.Contains(lines, "  2026-11-22T03:01:00Z  record") {
			t.Errorf("%s: no steps in %q", tt.state, lines)
		}
		for _, want := range []string{"It ended within the step record.", "It means:   The history is gone.", "What to do: Run it again."} {
			if slices.Contains(lines, want) != tt.want {
				t.Errorf("%s: it says %q: %v, want %v; all of it: %q", tt.state, want, !tt.want, tt.want, lines)
			}
		}
	}
}
