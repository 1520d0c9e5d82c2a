package fs

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
)

var noteTime = time.Date(2026, 11, 23, 10, 4, 0, 0, time.UTC)

func addNote(tb testing.TB, repo *catalog.Repository, set catalog.SetName, body string) catalog.Note {
	tb.Helper()
	n, err := repo.AddNote(set, "drill", "md", noteTime, []byte(body))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestMount_Notes adds notes to sealed sets while they are mounted, after their
// directories were looked at, so that the kernel has them.
func TestMount_Notes(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/IRIS.DAT", "USER", 0o600, blocks(1, 20, nil))
	complete := backup(t, repo, "PROD", 0, f).SetName()
	w := begin(t, repo, "PROD", 1)
	store(t, w, f)
	w.Fail(catalog.Problem{Error: "something is missing", Fatal: true})
	incomplete := seal(t, w).SetName()
	dir, _ := mounted(t, repo, Options{})

	for _, s := range []struct {
		name catalog.SetName
		at   string
	}{{complete, "sets"}, {incomplete, "incomplete"}} {
		at := filepath.Join(dir, s.at, s.name.String())
		if got := names(t, filepath.Join(at, "notes")); len(got) != 0 {
			t.Errorf("notes of a new set: %v", got)
		}
		held, err := os.Open(filepath.Join(at, "notes")) // the kernel knows it for as long as this is open
		if err != nil {
			t.Fatal(err)
		}
		var notes []string
		for _, body := range []string{"# Report\n", "", strings.Repeat("long ", 50_000)} {
			n := addNote(t, repo, s.name, body)
			notes = append(notes, n.Name)
			path := filepath.Join(at, "notes", n.Name)
			eventually(t, "the note "+n.Name, func() bool { return exists(path) })
			sameFile(t, path, []byte(body))
			st, err := os.Stat(path)
			if err != nil || st.Size() != int64(len(body)) || !st.ModTime().Equal(noteTime) || st.Mode() != 0o444 {
				t.Errorf("stat: %v, %v", st, err)
			}
		}
		slices.Sort(notes)
		if got := names(t, filepath.Join(at, "notes")); !slices.Equal(got, notes) {
			t.Errorf("notes = %v, want %v", got, notes)
		}
		eventually(t, "the notes in set.json", func() bool {
			var info catalog.SetInfo
			b, err := os.ReadFile(filepath.Join(at, "set.json"))
			return err == nil && json.Unmarshal(b, &info) == nil && len(info.Notes) == 3
		})
		if st, err := os.Stat(filepath.Join(at, "set.json")); err != nil || !st.ModTime().Equal(noteTime) {
			t.Errorf("set.json: %v, %v", st, err)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, "notes", "x"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
			t.Errorf("write: %v, want EROFS", err)
		}
	}
	sameFile(t, inSet(dir, set1, f), f.data)
}

// TestMount_DamagedNote flips a bit in a note: it gives EIO, all else is as it was.
func TestMount_DamagedNote(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/IRIS.DAT", "USER", 0o600, blocks(1, 20, nil))
	set := backup(t, repo, "PROD", 0, f).SetName()
	bad, good := addNote(t, repo, set, "bad"), addNote(t, repo, set, "good")
	flip(t, filepath.Join(repo.Dir(), "sets/PROD", set.Name+".notes", bad.Name), -1)

	var logs logBuffer
	dir, _ := mounted(t, repo, Options{Logger: logs.logger()})
	if _, err := os.ReadFile(filepath.Join(dir, set1, "notes", bad.Name)); !errors.Is(err, syscall.EIO) {
		t.Errorf("read of a damaged note: %v, want EIO", err)
	}
	sameFile(t, filepath.Join(dir, set1, "notes", good.Name), []byte("good"))
	sameFile(t, inSet(dir, set1, f), f.data)
	if got := logs.lines(bad.Name); len(got) != 1 || !strings.Contains(got[0], "sum mismatch") {
		t.Errorf("log = %v", got)
	}
}

// TestMount_Documents has a hook make documents for sealed sets.
func TestMount_Documents(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/IRIS.DAT", "USER", 0o600, blocks(1, 20, nil))
	complete := backup(t, repo, "PROD", 0, f).SetName()
	w := begin(t, repo, "PROD", 1)
	store(t, w, f)
	w.Fail(catalog.Problem{Error: "something is missing", Fatal: true})
	incomplete := seal(t, w).SetName()
	w = begin(t, repo, "PROD", 2)
	store(t, w, f)
	if err := w.Abort(errors.New("cut off")); err != nil {
		t.Fatal(err)
	}

	asked := make(chan string, 100)
	documents := func(set *catalog.SetInfo, dir string) []Document {
		asked <- set.SetName().String()
		return []Document{
			{"RESTORE.md", []byte("# " + set.Name + " in " + dir + "\n")},
			{"empty", nil},
			{"set.json", []byte("taken")},
			{"../x", []byte("hostile")},
			{"databases", []byte("taken")},
		}
	}
	dir, _ := mounted(t, repo, Options{Documents: documents})
	names(t, filepath.Join(dir, "sets/PROD"))
	names(t, filepath.Join(dir, "incomplete/PROD"))
	if len(asked) != 0 {
		t.Errorf("made for %s before anybody looked", <-asked)
	}
	for at, set := range map[string]catalog.SetName{"sets": complete, "incomplete": incomplete} {
		at := filepath.Join(dir, at, set.String())
		sameFile(t, filepath.Join(at, "RESTORE.md"), []byte("# "+set.Name+" in "+at+"\n"))
		sameFile(t, filepath.Join(at, "empty"), nil)
		sameFile(t, filepath.Join(at, "set.json-2"), []byte("taken"))
		sameFile(t, filepath.Join(at, ".._x"), []byte("hostile"))
		sameFile(t, filepath.Join(at, "databases/data/IRIS.DAT"), f.data)
		if got := <-asked; got != set.String() {
			t.Errorf("made for %s, want %s", got, set)
		}
	}
	if got := names(t, filepath.Join(dir, "incomplete/PROD/2026-11-22T05-00-00Z")); slices.Contains(got, "RESTORE.md") {
		t.Errorf("a set that was cut off has %v", got)
	}
	if len(asked) != 0 {
		t.Errorf("made again for %s", <-asked)
	}
}

// TestReadmeText_Runbook names the run-book where there is one, and does not
// take notes for a part of the restore.
func TestReadmeText_Runbook(t *testing.T) {
	s := info("A", "1", catalog.StateComplete, dbFile("/d/f", "D"), catalog.FileInfo{Path: "x.cbk", Section: catalog.SectionIncremental})
	s.Method = &catalog.Method{Incrementals: []string{"x.cbk"}}
	readme := func(with extras) string { return string(readmeText("/repo", "/mnt/b", newSet(s, with))) }
	got := readme(extras{documents: func(*catalog.SetInfo, string) []Document { return []Document{{Name: "RESTORE.md"}} }})
	for _, want := range []string{"  rsync -aHAX /mnt/b/latest/A/incremental /restore/\n", "\n  /mnt/b/latest/A/RESTORE.md\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("README.txt does not say %q:\n%s", want, got)
		}
	}
	if got := readme(extras{}); strings.Contains(got, "latest/A/RESTORE.md") {
		t.Errorf("README.txt names a run-book that is not there:\n%s", got)
	}
}
