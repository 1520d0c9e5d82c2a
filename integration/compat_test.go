package integration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"datfs/catalog"
)

// The repositories in testdata were each written by the first datfs of a format.
// Every later one must read them, add to them and rebuild their catalog. They
// are never made anew: for a new format, one is made beside them with
//
//	go test ./integration -run Compat -make-repository testdata/v2
var makeRepository = flag.String("make-repository", "", "make a repository like those in testdata, in `DIR`")

// A compatFile is a file in the repositories, made of nothing but its recipe.
type compatFile struct {
	path      string
	section   catalog.Section
	blockSize int32
	recipe    []compatRun
}

// A compatRun is a stretch of bytes: lines of text, bytes that do not compress,
// or zeros.
type compatRun struct {
	kind string
	n    int
	seed uint32
}

// bytes makes the file. It uses no library, whose output another release might
// change.
func (f compatFile) bytes() []byte {
	var b []byte
	for _, r := range f.recipe {
		x := r.seed
		for range r.n {
			x = x*1664525 + 1013904223
			switch r.kind {
			case "text":
				b = append(b, "0123456789 the same again\n"[(len(b)+int(r.seed)+len(b)/1000)%26])
			case "noise":
				b = append(b, byte(x>>24))
			default:
				b = append(b, 0)
			}
		}
	}
	return b
}

// The files of the sets of each repository.
var (
	compatFirst = []compatFile{
		{"/data/user/IRIS.DAT", catalog.SectionDatabases, 8192, []compatRun{
			{"text", 5 * 8192, 1}, {"zeros", 20 * 8192, 0}, {"noise", 2 * 8192, 2}, {"text", 3 * 8192, 3},
		}},
		{"/data/odd/short.dat", catalog.SectionDatabases, 2048, []compatRun{{"noise", 3000, 4}, {"zeros", 70_000, 0}, {"text", 99, 5}}},
		{"/data/odd/gone\xff", catalog.SectionDatabases, 65536, []compatRun{{"text", 100_000, 6}}}, // not UTF-8
		{"/data/odd/empty", catalog.SectionDatabases, 65536, nil},
		{"journal.log", catalog.SectionJournals, 65536, []compatRun{{"text", 500, 7}}},
	}
	compatSecond = []compatFile{
		{"/data/user/IRIS.DAT", catalog.SectionDatabases, 8192, []compatRun{
			{"text", 2 * 8192, 1}, {"noise", 8192, 8}, {"zeros", 22 * 8192, 0}, {"noise", 2 * 8192, 2}, {"text", 3 * 8192, 3}, {"noise", 1, 9},
		}},
	}
	compatThird = []compatFile{
		{"/gtm/acct.dat", catalog.SectionDatabases, 512, []compatRun{{"noise", 9 * 512, 10}, {"text", 5000 * 512, 11}}},
	}
)

// compatSets are the sets of each repository.
var compatSets = []struct {
	name     catalog.SetName
	state    catalog.State
	problems []catalog.Problem
	files    []compatFile
}{
	{
		catalog.SetName{Instance: "PROD", Name: "2026-11-22T03-00-00Z"},
		catalog.StateComplete,
		[]catalog.Problem{{Path: "/data/odd/short.dat", Error: "grew while it was read"}},
		compatFirst,
	},
	{
		catalog.SetName{Instance: "PROD", Name: "2026-11-23T03-00-00Z"},
		catalog.StateIncomplete,
		[]catalog.Problem{{Path: "/data/lost/IRIS.DAT", Error: "permission denied", Fatal: true}},
		compatSecond,
	},
	{
		catalog.SetName{Instance: "TEST", Name: "2026-11-22T03-00-00Z"},
		catalog.StateInterrupted,
		[]catalog.Problem{{Error: "interrupted", Fatal: true}},
		compatThird,
	},
}

// storeCompat stores the files of a set.
func storeCompat(t *testing.T, w *catalog.SetWriter, files []compatFile) {
	t.Helper()
	at := time.Date(2026, 11, 22, 2, 59, 59, 123456789, time.UTC)
	w.AddDir(catalog.DirInfo{Path: "/data", Mode: 0o2750, UID: 51773, GID: 51774, ModTime: at})
	for _, f := range files {
		data := f.bytes()
		info := catalog.FileInfo{
			Path: f.path, Section: f.section, BlockSize: f.blockSize, Database: "DB", Mode: 0o640, UID: 51773, GID: 51774, ModTime: at,
			Format: "iris", SizeAtOpen: int64(len(data)), SizeAtEnd: int64(len(data)),
			Label: &catalog.Label{Directory: "/data/user/", Resource: "%DB_USER", Blocks: 30, BlockSize: f.blockSize},
		}
		if _, err := w.Store(t.Context(), info, catalog.FromReader(bytes.NewReader(data)), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func makeCompat(t *testing.T, dir string) {
	t.Helper()
	if err := catalog.Init(dir); err != nil {
		t.Fatal(err)
	}
	r := openCompat(t, dir, catalog.Shared)
	for _, set := range compatSets {
		start, err := time.Parse("2006-01-02T15-04-05Z", set.name.Name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.Begin(catalog.BeginOptions{Instance: set.name.Instance, Engine: "files", Program: "first of its format", Args: []string{"/data"}, Time: start})
		if err != nil {
			t.Fatal(err)
		}
		storeCompat(t, w, set.files)
		if set.state == catalog.StateInterrupted {
			err = w.Abort(errors.New(set.problems[0].Error))
		} else {
			for _, p := range set.problems {
				w.Fail(p)
			}
			_, err = w.Seal(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func openCompat(t *testing.T, dir string, mode catalog.LockMode) *catalog.Repository {
	t.Helper()
	r, err := catalog.Open(dir, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// TestCompat opens the repositories of all formats so far.
func TestCompat(t *testing.T) {
	if *makeRepository != "" {
		makeCompat(t, *makeRepository)
	}
	dirs, err := filepath.Glob("testdata/v*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no repositories: %v", err)
	}
	for _, from := range dirs {
		t.Run(filepath.Base(from), func(t *testing.T) {
			t.Run("Read", func(t *testing.T) {
				r := openCompat(t, copyCompat(t, from), catalog.Exclusive)
				checkCompatSets(t, r)
				before := verifyCompat(t, r)
				if err := r.Rebuild(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				checkCompatSets(t, r)
				if after := verifyCompat(t, r); after.Packs != before.Packs || after.UniqueBytes != before.UniqueBytes || after.StoredBytes != before.StoredBytes {
					t.Errorf("the rebuilt catalog has %+v, the old one %+v", after, before)
				}
			})
			t.Run("Add", func(t *testing.T) {
				r := openCompat(t, copyCompat(t, from), catalog.Shared)
				addToCompat(t, r)
				verifyCompat(t, r)
			})
		})
	}
}

func copyCompat(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkCompatSets checks what is listed, and every byte of every file.
func checkCompatSets(t *testing.T, r *catalog.Repository) {
	t.Helper()
	sets, err := r.Sets()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range compatSets {
		i := slices.IndexFunc(sets, func(s *catalog.SetInfo) bool { return s.SetName() == want.name })
		if i < 0 {
			t.Errorf("set %v is missing", want.name)
			continue
		}
		s := sets[i]
		if s.State != want.state || !slices.Equal(s.Problems, want.problems) || s.Engine != "files" || len(s.Args) != 1 {
			t.Errorf("set %v is %+v", want.name, s)
		}
		checkCompatFiles(t, r, want.name, want.files)
	}
	if name, err := r.Resolve("PROD/latest"); err != nil || name != compatSets[0].name {
		t.Errorf("latest is %v, %v", name, err)
	}
}

func checkCompatFiles(t *testing.T, r *catalog.Repository, name catalog.SetName, want []compatFile) {
	t.Helper()
	s, err := r.OpenSet(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = s.Close() }()
	if len(s.Info().Files) != len(want) {
		t.Errorf("%v has %d files, want %d", name, len(s.Info().Files), len(want))
		return
	}
	for i, f := range want {
		info := s.Info().Files[i]
		got, err := io.ReadAll(io.NewSectionReader(s.File(i), 0, info.Size+1))
		if err != nil || !bytes.Equal(got, f.bytes()) {
			t.Errorf("%v: %q has %d bytes that differ from the %d stored, %v", name, info.Path, len(got), len(f.bytes()), err)
		}
		if info.Path != f.path || info.Section != f.section || info.BlockSize != f.blockSize || info.Mode != 0o640 || info.UID != 51773 ||
			info.ModTime.Nanosecond() != 123456789 || info.Label == nil || info.Label.Resource != "%DB_USER" || len(info.XXH64) != 16 {
			t.Errorf("%v: file %d is %+v", name, i, info)
		}
	}
}

// verifyCompat checks that nothing is damaged, and returns the savings report.
func verifyCompat(t *testing.T, r *catalog.Repository) *catalog.Stats {
	t.Helper()
	err := r.Verify(context.Background(), catalog.VerifyOptions{}, func(d catalog.Damage) {
		t.Errorf("damage: %v %q: %v", d.Set, d.Path, d.Err)
	})
	if err != nil {
		t.Error(err)
	}
	stats, err := r.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// addToCompat stores the files of all sets once more. Where an instance's last
// set has the same file nothing of it is new, and a new instance can be stored
// beside the old ones.
func addToCompat(t *testing.T, r *catalog.Repository) {
	t.Helper()
	later := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(instance string, files []compatFile) *catalog.SetInfo {
		t.Helper()
		w, err := r.Begin(catalog.BeginOptions{Instance: instance, Engine: "files", Time: later})
		if err != nil {
			t.Fatal(err)
		}
		storeCompat(t, w, files)
		info, err := w.Seal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkCompatFiles(t, r, info.SetName(), files)
		return info
	}
	for _, set := range compatSets[1:] {
		if info := add(set.name.Instance, set.files); info.NewBytes != 0 {
			t.Errorf("%v: %d bytes of the same files are new", set.name, info.NewBytes)
		}
	}
	for _, set := range compatSets {
		add("NEW", set.files)
	}
}
