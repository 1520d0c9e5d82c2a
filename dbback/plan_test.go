package dbback

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"

	"datfs/catalog"
)

func TestChoose(t *testing.T) {
	files := []catalog.FileInfo{
		{Path: "/mgr/user/IRIS.DAT", Database: "user"},
		{Path: "/mgr/user/IRIS-0001.VOL", Database: "user"},
		{Path: "/mgr/app/IRIS.DAT", Database: "app"},
		{Path: "/mgr/app/old/IRIS.DAT", Database: "old"},
		{Path: "/data/[x]/t.dat", Database: "t"},
		{Path: "20261122.002", Section: catalog.SectionJournals},
	}
	tests := []struct {
		patterns []string
		want     []int // nil: no match
	}{
		{nil, []int{0, 1, 2, 3, 4, 5}},
		{[]string{"/mgr/user/IRIS.DAT"}, []int{0}},
		{[]string{"IRIS.DAT"}, []int{0, 2, 3}},
		{[]string{"user"}, []int{0, 1}},
		{[]string{"*.VOL"}, []int{1}},
		{[]string{"a*"}, []int{2}},
		{[]string{"{app,old}"}, []int{2, 3}},
		{[]string{"/mgr/app"}, []int{2, 3}},
		{[]string{"/mgr/app/"}, []int{2, 3}},
		{[]string{"/mgr/ap"}, nil},
		{[]string{"/mgr/*/IRIS.DAT"}, []int{0, 2}},
		{[]string{"/mgr/**/IRIS.DAT"}, []int{0, 2, 3}},
		{[]string{"/**/*.dat"}, []int{4}},
		{[]string{"/mgr/*"}, []int{0, 1, 2, 3}},
		{[]string{"/mgr/u*"}, []int{0, 1}},
		{[]string{"/data/[x]"}, []int{4}},
		{[]string{"/data/[x]/t.dat"}, []int{4}},
		{[]string{"/"}, []int{0, 1, 2, 3, 4}},
		{[]string{"*"}, []int{0, 1, 2, 3, 4, 5}},
		{[]string{"20261122.*"}, []int{5}},
		{[]string{"old", "user", "IRIS.DAT"}, []int{0, 1, 2, 3}},
		{[]string{"user", "nothing"}, nil},
		{[]string{"mgr/user/IRIS.DAT"}, nil},
		{[]string{"USER"}, nil},
		{[]string{""}, nil},
	}
	var all []int
	for i := range files {
		all = append(all, i)
	}
	for _, tt := range tests {
		got, err := choose(files, all, tt.patterns)
		if tt.want == nil {
			if !errors.Is(err, catalog.ErrNotFound) || !strings.Contains(err.Error(), "/mgr/app/old/IRIS.DAT (database old)") {
				t.Errorf("choose(%q) = %v, %v; want ErrNotFound that lists the files", tt.patterns, got, err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("choose(%q) = %v, %v; want %v", tt.patterns, got, err, tt.want)
		}
	}
	if _, err := choose(files, all, []string{"[a"}); !errors.Is(err, doublestar.ErrBadPattern) {
		t.Errorf("err = %v, want ErrBadPattern", err)
	}
}

func TestRestore_Only(t *testing.T) {
	dir := t.TempDir()
	a := put(t, filepath.Join(mkdir(t, dir, "a"), "IRIS.DAT"), irisFile(10))
	b := put(t, filepath.Join(mkdir(t, dir, "b"), "IRIS.DAT"), irisFile(11))
	repo := newRepo(t)
	info := repo.backup(t, a, b)
	to := t.TempDir()
	report := repo.restore(t, info, to, "b")
	if got := names(t, to); !slices.Equal(got, []string{b[1:]}) || len(report.Files) != 1 || report.Files[0].Path != b {
		t.Errorf("restored %v, report = %+v", got, report)
	}
	if _, err := os.Stat(filepath.Join(to, dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of a file that was not asked for is there: %v", err)
	}
}

func TestRestore_Refuses(t *testing.T) {
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), []byte("content"))
	repo := newRepo(t)
	info := repo.backup(t, path)
	outside := put(t, filepath.Join(t.TempDir(), "outside"), []byte("precious"))

	at := func(create func(target string) error) string {
		to := t.TempDir()
		mkdir(t, to, dir)
		if err := create(to + path); err != nil {
			t.Fatal(err)
		}
		return to
	}
	tests := []struct {
		name string
		to   func() string
		want string
	}{
		{"Nowhere", func() string { return "" }, "no directory"},
		{"Repository", func() string { return repo.Dir() }, "inside the repository"},
		{"BelowRepository", func() string { return repo.Dir() + "/x/y" }, "inside the repository"},
		{"LinkToRepository", func() string {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(repo.Dir(), link); err != nil {
				t.Fatal(err)
			}
			return link
		}, "inside the repository"},
		{"Link", func() string {
			return at(func(target string) error { return os.Symlink(outside, target) })
		}, "is a symbolic link, not a regular file; put the file itself in its place, or make its directory the link, and run the restore again"},
		{"Directory", func() string { return at(func(target string) error { return os.Mkdir(target, 0o700) }) }, "is a directory"},
		{"Pipe", func() string {
			return at(func(target string) error { return unix.Mkfifo(target, 0o600) })
		}, "named pipe"},
		{"BelowFile", func() string { return outside }, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: tt.to()})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "precious" {
		t.Errorf("the file outside is %q, %v", got, err)
	}
	_, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: catalog.SetName{Instance: "PROD", Name: "x"}, To: dir})
	if !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
}

// TestRestorer_Below keeps a forged path below the directory restored to.
func TestRestorer_Below(t *testing.T) {
	to := t.TempDir()
	tests := []struct {
		section    catalog.Section
		path, want string
	}{
		{catalog.SectionDatabases, "/a/b", "/a/b"},
		{catalog.SectionDatabases, "/../../etc/passwd", "/etc/passwd"},
		{catalog.SectionDatabases, "../x", "/x"},
		{catalog.SectionJournals, "20261122.002", "/journals/20261122.002"},
		{catalog.SectionIncremental, "../../x.cbk", "/incremental/x.cbk"},
	}
	for _, tt := range tests {
		r := &restorer{opts: RestoreOptions{To: to}}
		if got := r.below(&catalog.FileInfo{Path: tt.path, Section: tt.section}); got != to+tt.want {
			t.Errorf("%s %q goes to %s, want %s", tt.section, tt.path, got, tt.want)
		}
	}
}

func TestRestorer_CheckSpace(t *testing.T) {
	const huge = 1 << 60
	dir := t.TempDir()
	tests := []struct {
		name   string
		target int64 // size, -1 for none
		info   catalog.FileInfo
		fits   bool
	}{
		{"New", -1, catalog.FileInfo{Size: huge}, false},
		{"NewHole", -1, catalog.FileInfo{Size: huge, ZeroBytes: huge}, true},
		{"Existing", huge, catalog.FileInfo{Size: huge}, true},
		{"Longer", 2 * huge, catalog.FileInfo{Size: huge}, true},
		{"Growing", 100, catalog.FileInfo{Size: huge}, false},
		{"GrowingByHole", 100, catalog.FileInfo{Size: huge, ZeroBytes: huge - 100}, true},
	}
	for _, tt := range tests {
		for _, dry := range []bool{true, false} {
			r := &restorer{
				opts:   RestoreOptions{DryRun: dry},
				report: &RestoreReport{},
				jobs:   []*job{{info: &tt.info, size: tt.target, target: filepath.Join(dir, "x", "y")}},
			}
			err := r.checkSpace()
			said := err != nil || len(r.report.Warnings) > 0
			if said == tt.fits || (err != nil && dry) {
				t.Errorf("%s, dry run %v: err = %v, warnings = %v", tt.name, dry, err, r.report.Warnings)
			}
			if err != nil && (!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "bytes are needed")) {
				t.Errorf("%s: err = %v", tt.name, err)
			}
		}
	}
}

// Which sections a restore is about depends on where it goes and on the form of
// the databases that is asked for.
func TestOffered(t *testing.T) {
	files := []catalog.FileInfo{
		{Path: "/db", Section: catalog.SectionDatabases},
		{Path: "i.cbk", Section: catalog.SectionIncremental},
		{Path: "/db", Section: catalog.SectionConsistent},
	}
	tests := []struct {
		to      string
		section catalog.Section
		files   []catalog.FileInfo
		want    []int
		fails   bool
	}{
		{"/restore", catalog.SectionDatabases, files, []int{0, 1}, false},
		{"/restore", catalog.SectionConsistent, files, []int{1, 2}, false},
		{"/", catalog.SectionDatabases, files, []int{0}, false},
		{"/", catalog.SectionConsistent, files, []int{2}, false},
		{"/restore", catalog.SectionConsistent, files[:2], nil, true},
	}
	for _, tt := range tests {
		r := &restorer{opts: RestoreOptions{To: tt.to, Section: tt.section}, info: &catalog.SetInfo{Files: tt.files}}
		got, err := r.offered()
		if !slices.Equal(got, tt.want) || errors.Is(err, catalog.ErrNotFound) != tt.fails {
			t.Errorf("%s of %s: %v, %v; want %v", tt.section, tt.to, got, err, tt.want)
		}
	}
}
