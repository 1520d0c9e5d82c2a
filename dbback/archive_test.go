package dbback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// A fakeJournals is an instance with journal files in two directories. The newest
// by name is written to.
type fakeJournals struct {
	t   *testing.T
	dir string
	err error
}

func newFakeJournals(t *testing.T, names ...string) *fakeJournals {
	t.Helper()
	f := &fakeJournals{t: t, dir: t.TempDir()}
	f.write("journal.log", "")
	for _, name := range names {
		f.write(name, "content of "+name)
	}
	return f
}

// write makes a file below the instance's directory, journal files below j.
func (f *fakeJournals) write(name, content string) {
	f.t.Helper()
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		f.t.Fatal(err)
	}
	if filepath.Ext(name) == ".log" {
		return
	}
	// As if each had been written a minute after the one before.
	n, _ := ParseJournalName(filepath.Base(path))
	when := at(n.Count)
	if err := os.Chtimes(path, when, when); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeJournals) path(name string) string {
	if strings.Contains(name, "/") || filepath.Ext(name) == ".log" {
		return filepath.Join(f.dir, name)
	}
	return filepath.Join(f.dir, "j", name)
}

func (f *fakeJournals) compress(name string) {
	f.t.Helper()
	f.write(name+"z", "compressed "+name)
	f.remove(name)
}

func (f *fakeJournals) remove(name string) {
	f.t.Helper()
	if err := os.Remove(f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

// ClosedJournals implements JournalSource.
func (f *fakeJournals) ClosedJournals(context.Context) (*ClosedJournals, error) {
	if f.err != nil {
		return nil, f.err
	}
	var paths []string
	for _, dir := range []string{"j", "alt"} {
		list, _ := filepath.Glob(filepath.Join(f.dir, dir, "*"))
		paths = append(paths, list...)
	}
	slices.SortStableFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	out := &ClosedJournals{Current: paths[len(paths)-1]}
	for _, p := range paths[:len(paths)-1] {
		s := StoredFile{Path: p, Name: filepath.Base(p), Section: catalog.SectionJournals}
		if PlainJournal(p) == p {
			s.Suffix = "z"
		}
		out.Files = append(out.Files, s)
	}
	out.Logs = []StoredFile{{Path: f.path("journal.log"), Name: "journal.log", Section: catalog.SectionJournals}}
	return out, nil
}

// archive runs ArchiveJournals, which must succeed, and returns what it stored and
// said.
func (f *fakeJournals) archive(repo *testRepo, opening func(string)) (stored, warnings string) {
	f.t.Helper()
	r, err := ArchiveJournals(f.t.Context(), repo.Repository, f, ArchiveOptions{Instance: "PROD", Log: f.t.Logf, opening: opening})
	if err != nil {
		f.t.Fatal(err)
	}
	if (r.Set == nil) != (len(r.Stored) == 0) {
		f.t.Errorf("stored %v in the set %v", r.Stored, r.Set)
	}
	if r.Set != nil && (r.Set.State != catalog.StateComplete || r.Set.Engine != "journal" || r.Set.Instance != "PROD.journals") {
		f.t.Errorf("set %v, %s, of engine %s", r.Set.SetName(), r.Set.State, r.Set.Engine)
	}
	if r.Set != nil && len(r.Set.Problems) != len(r.Warnings) {
		f.t.Errorf("problems %v, warnings %v", r.Set.Problems, r.Warnings)
	}
	return strings.Join(r.Stored, " "), strings.ReplaceAll(strings.Join(r.Warnings, "\n"), f.dir, "")
}

// archived returns the names in the archive.
func archived(t *testing.T, repo *testRepo) string {
	t.Helper()
	list, err := ArchivedJournals(repo.Repository, "PROD")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(list); n > 0 {
		if log := list[n-1]; log.Name != "journal.log" || log.Stored != log.Name {
			t.Errorf("the last is %+v", log)
		}
		list = slices.DeleteFunc(list, func(j ArchivedJournal) bool { return j.Name == "journal.log" })
	}
	var names []string
	for _, j := range list {
		names = append(names, j.Stored)
		set, err := repo.OpenSet(j.Set)
		if err != nil {
			t.Fatal(err)
		}
		if info := set.File(j.File).Info(); info.Path != j.Stored || info.Size != j.Size || j.Name != PlainJournal(filepath.Base(j.Origin)) || !filepath.IsAbs(j.Origin) {
			t.Errorf("%+v is %+v", j, info)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
	return strings.Join(names, " ")
}

func TestArchiveJournals(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.001", "20261122.002", "20261122.003")
	run := func(want string, says ...string) {
		t.Helper()
		stored, warnings := f.archive(repo, nil)
		if stored != want {
			t.Errorf("stored %q, want %q", stored, want)
		}
		if (warnings != "") != (len(says) > 0) {
			t.Errorf("warnings %q", warnings)
		}
		for _, s := range says {
			if !strings.Contains(warnings, s) {
				t.Errorf("%q is not said in %q", s, warnings)
			}
		}
	}
	run("20261122.001 20261122.002")
	run("") // and no set
	f.write("20261122.004", "four")
	run("20261122.003") // the new ones only
	f.compress("20261122.002")
	f.write("20261122.001z", "half of it") // being compressed: both are there
	run("")
	f.remove("20261122.001z")
	f.write("20261122.005", "five")
	f.compress("20261122.004")
	run("20261122.004z")

	// The same name in another directory, and another content under the old one.
	f.write("alt/20261122.002", "of another directory")
	f.write("20261122.003", "of another content")
	f.write("20261122.006", "six")
	run("20261122.002.other-1 20261122.003.other-1 20261122.005",
		"/alt/20261122.002: the archive has another file of that name, of ", "this one is stored as 20261122.003.other-1")
	run("") // it has these now
	touched := at(3).Add(time.Second)
	if err := os.Chtimes(f.path("20261122.003"), touched, touched); err != nil {
		t.Fatal(err)
	}
	run("") // the content is the same
	f.write("alt/20261122.003", "of a third content, longer")
	run("20261122.003.other-2", "other-2")

	// A journal file that was moved is the same.
	if err := os.Rename(f.path("20261122.005"), filepath.Join(f.dir, "alt", "20261122.005")); err != nil {
		t.Fatal(err)
	}
	run("")
	if got, want := archived(t, repo), "20261122.001 20261122.002 20261122.002.other-1 20261122.003 20261122.003.other-1 20261122.003.other-2 20261122.004z 20261122.005"; got != want {
		t.Errorf("archive: %s, want %s", got, want)
	}
	sets, err := repo.Sets()
	if err != nil || len(sets) != 5 {
		t.Errorf("%d sets, %v", len(sets), err)
	}
}

// An instance that counts its journal files anew writes other files of the same
// names into the same directory.
func TestArchiveJournals_Anew(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.001z", "20261122.002", "20261122.003")
	f.archive(repo, nil)
	f.remove("20261122.001z")
	f.remove("20261122.002")
	later := func(name, content string, minute int) {
		f.write(name, content)
		if err := os.Chtimes(f.path(name), at(minute), at(minute)); err != nil {
			t.Fatal(err)
		}
	}
	later("20261122.001", "not compressed yet", 65)
	later("20261122.002z", "content of another", 70)
	if stored, warnings := f.archive(repo, nil); stored != "20261122.001.other-1 20261122.002z.other-1" || !strings.Contains(warnings, "has another file of that name") {
		t.Errorf("stored %q: %s", stored, warnings)
	}
	if stored, _ := f.archive(repo, nil); stored != "" {
		t.Errorf("stored again: %q", stored)
	}
	f.remove("20261122.001")
	later("20261122.001z", "content of 20261122.00xz", 135) // of the length of the first one
	if stored, _ := f.archive(repo, nil); stored != "20261122.001z.other-1" {
		t.Errorf("stored %q", stored)
	}
	h, err := ReadJournalHistory(repo.Repository, "PROD")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range h.Entries {
		got = append(got, fmt.Sprintf("%s %d %t", e.Name, len(e.Copies), e.Anew))
	}
	if s, want := strings.Join(got, ", "), "20261122.001 1 false, 20261122.002 1 false, 20261122.001 2 true, 20261122.002 1 false"; s != want {
		t.Errorf("entries %s, want %s", s, want)
	}
}

// The order of the newest journal.log counts.
// Whole files are only compared as long as somebody waits for it.
func TestSameContent(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.001", "20261122.002")
	f.archive(repo, nil)
	stored, err := ArchivedJournals(repo.Repository, "PROD")
	if err != nil || len(stored) == 0 {
		t.Fatal(stored, err)
	}
	j, path := stored[0], f.path("20261122.001")
	if !SameContent(t.Context(), repo.Repository, j, path) {
		t.Errorf("%s is not %s", path, j.Stored)
	}
	if SameContent(t.Context(), repo.Repository, j, f.path("20261122.002")) {
		t.Errorf("another file is %s", j.Stored)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if SameContent(ctx, repo.Repository, j, path) {
		t.Error("it is compared though nobody waits")
	}
	when := time.Now().Add(2 * time.Hour)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
	if _, err := ArchiveJournals(ctx, repo.Repository, f, ArchiveOptions{Instance: "PROD"}); !errors.Is(err, context.Canceled) {
		t.Errorf("archived: %v", err)
	}
}

func TestArchivedJournals_Order(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.001", "20261122.002", "20261122.003")
	f.archive(repo, nil)
	f.write("journal.log", "20261122.002\n20261122.001\n20261122.003\n20261122.004\n")
	f.write("20261122.004", "four")
	f.archive(repo, nil)
	if got, want := archived(t, repo), "20261122.002 20261122.001 20261122.003"; got != want {
		t.Errorf("archive: %s, want %s", got, want)
	}
}

// What happens to a file between the list and the copy.
func TestArchiveJournals_Races(t *testing.T) {
	tests := []struct {
		name    string
		what    func(f *fakeJournals, path string) // before 002 is opened
		stored  string
		says    string
		nextRun string
	}{
		{"compressed", func(f *fakeJournals, _ string) { f.compress("20261122.002") }, "20261122.001 20261122.002z", "", ""},
		{"purged", func(f *fakeJournals, _ string) { f.remove("20261122.002") }, "20261122.001", "20261122.002: it was purged before", ""},
		{
			"replaced by something else", func(f *fakeJournals, path string) {
				f.remove("20261122.002")
				if err := os.Mkdir(path, 0o755); err != nil {
					f.t.Fatal(err)
				}
			}, "20261122.001", "20261122.002: is a directory", "",
		},
		{"the list is gone", func(f *fakeJournals, _ string) { os.Remove(f.path("journal.log")) }, "20261122.001 20261122.002", "journal.log: ", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo := newRepo(t)
			f := newFakeJournals(t, "20261122.001", "20261122.002", "20261122.003")
			done := false
			stored, warnings := f.archive(repo, func(path string) {
				if filepath.Base(path) == "20261122.002" && !done {
					done = true
					tt.what(f, path)
				}
			})
			if stored != tt.stored || (warnings == "") != (tt.says == "") || !strings.Contains(warnings, tt.says) {
				t.Errorf("stored %q, warnings %q", stored, warnings)
			}
		})
	}
}

// A file that was not closed after all is not taken for one, and is tried again;
// that it loses its name to a compressed one is no matter.
func TestArchiveJournals_Written(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.001", "20261122.002", "20261122.003")
	run := func(read func(path string)) *ArchiveReport {
		t.Helper()
		r, err := ArchiveJournals(t.Context(), repo.Repository, f, ArchiveOptions{Instance: "PROD", read: read})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := run(func(path string) {
		switch filepath.Base(path) {
		case "20261122.001":
			f.compress("20261122.001")
		case "20261122.002":
			f.write("20261122.002", "written to meanwhile, and longer")
		}
	})
	if !slices.Equal(r.Stored, []string{"20261122.001"}) || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "002: read: it was written to") {
		t.Errorf("stored %v, warnings %q", r.Stored, r.Warnings)
	}
	if r = run(nil); !slices.Equal(r.Stored, []string{"20261122.002"}) || len(r.Warnings) != 0 {
		t.Errorf("then stored %v, warnings %q", r.Stored, r.Warnings)
	}
}

// What another run has stored since the look is not stored again.
func TestArchiveJournals_Late(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.001", "20261122.002")
	closed, err := f.ClosedJournals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	late := &archiver{repo: repo.Repository, opts: ArchiveOptions{Instance: "PROD", Log: t.Logf}, report: &ArchiveReport{}}
	if err := late.readArchive(); err != nil || !late.anyNew(t.Context(), closed.Files) {
		t.Fatal("nothing is new", err)
	}
	f.archive(repo, nil)
	if late.w, err = repo.Begin(catalog.BeginOptions{Instance: "PROD.journals", Engine: catalog.EngineJournal}); err != nil {
		t.Fatal(err)
	}
	if err := late.archive(t.Context(), closed); err != nil || late.report.Set != nil || late.report.Known != 1 {
		t.Errorf("%+v, %v", late.report, err)
	}
	if sets, err := repo.Sets(); len(sets) != 1 || err != nil {
		t.Errorf("%d sets, %v", len(sets), err)
	}
}

func TestArchiveJournals_Errors(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.002")
	run := func(opts ArchiveOptions) error {
		_, err := ArchiveJournals(t.Context(), repo.Repository, f, opts)
		return err
	}
	prod := ArchiveOptions{Instance: "PROD"}
	if err := run(ArchiveOptions{Instance: "PROD.journals"}); err == nil {
		t.Error("an archive of an archive")
	}
	if err := run(ArchiveOptions{Instance: strings.Repeat("a", 55)}); err == nil {
		t.Error("a name that is too long")
	}
	f.err = errors.New("the instance is down")
	if err := run(prod); !errors.Is(err, f.err) || !strings.HasPrefix(err.Error(), "archive journals of PROD: ") {
		t.Errorf("an instance that is down: %v", err)
	}
	f.err = nil
	if err := os.Mkdir(f.path("20261122.001"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := run(prod); err == nil || !strings.Contains(err.Error(), "none of the new files can be stored") {
		t.Errorf("nothing that can be stored: %v", err)
	}
	if sets, err := repo.Sets(); len(sets) != 0 || err != nil {
		t.Errorf("sets %v, %v", sets, err)
	}
	w, err := repo.Begin(catalog.BeginOptions{Instance: "PROD.journals", Engine: catalog.EngineJournal})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(prod); !errors.Is(err, catalog.ErrLocked) {
		t.Errorf("beside another run: %v", err)
	}
	if err := w.Abort(errors.New("test")); err != nil {
		t.Error(err)
	}
}

// A run that is cut off leaves what the next one need not store again, and counts
// as nothing.
func TestArchiveJournals_CutOff(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t)
	for i := 1; i <= 4; i++ {
		f.write(fmt.Sprintf("20261122.%03d", i), strings.Repeat(fmt.Sprint("journal ", i), 30_000))
	}
	ctx, cancel := context.WithCancel(t.Context())
	opts := ArchiveOptions{Instance: "PROD", opening: func(path string) {
		if filepath.Base(path) == "20261122.003" {
			cancel()
		}
	}}
	if _, err := ArchiveJournals(ctx, repo.Repository, f, opts); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := archived(t, repo); got != "" {
		t.Errorf("archive: %s", got)
	}
	opts.opening = nil
	r, err := ArchiveJournals(t.Context(), repo.Repository, f, opts)
	if err != nil {
		t.Fatal(err)
	}
	if got := archived(t, repo); got != "20261122.001 20261122.002 20261122.003" || r.Set.NewBytes > r.Set.Bytes/2 {
		t.Errorf("archive: %s, %d of %d bytes new", got, r.Set.NewBytes, r.Set.Bytes)
	}
	if sets, err := repo.Sets(); len(sets) != 1 || err != nil {
		t.Errorf("%d sets, %v", len(sets), err)
	}
}

// Files of a set that is damaged are copied again, as long as they are there.
func TestArchiveJournals_Damaged(t *testing.T) {
	repo := newRepo(t)
	repo.damaged = true
	f := newFakeJournals(t, "20261122.001", "20261122.002")
	f.archive(repo, nil)
	files, err := filepath.Glob(filepath.Join(repo.Dir(), "sets/PROD.journals/*.set"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Chmod(files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[0], 100); err != nil {
		t.Fatal(err)
	}
	if _, err := ArchivedJournals(repo.Repository, "PROD"); !errors.Is(err, catalog.ErrCorrupt) {
		t.Errorf("the damage is not told of: %v", err)
	}
	if _, err := ArchivedJournals(repo.Repository, "OTHER"); err != nil {
		t.Errorf("of another instance: %v", err)
	}
	if _, err := ReadJournalHistory(repo.Repository, "PROD"); !errors.Is(err, catalog.ErrCorrupt) {
		t.Errorf("the damage is not told of: %v", err)
	}
	if stored, _ := f.archive(repo, nil); stored != "20261122.001" {
		t.Errorf("stored %q", stored)
	}
	list, err := ArchivedJournals(repo.Repository, "PROD")
	if len(list) != 2 || !list[0].ModTime.Equal(at(1)) || !errors.Is(err, catalog.ErrCorrupt) {
		t.Errorf("%+v, %v", list, err)
	}
}

// A copy in the archive is told from one in a backup.
func TestReadJournalHistory(t *testing.T) {
	repo := newRepo(t)
	f := newFakeJournals(t, "20261122.001", "20261122.003", "20261122.004")
	f.archive(repo, nil)
	h, err := ReadJournalHistory(repo.Repository, "PROD")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range h.Entries {
		got = append(got, fmt.Sprintf("%s %d", e.Name, len(e.Copies)))
	}
	if s := strings.Join(got, ", "); s != "20261122.001 1, 20261122.002 0, 20261122.003 1" {
		t.Errorf("entries %s", s)
	}
	if c := h.Entries[0].Copies[0]; !c.Set.IsArchive() || c.Open || !c.ModTime.Equal(at(1)) || time.Since(c.ModTime) < 0 {
		t.Errorf("%+v", c)
	}
}
