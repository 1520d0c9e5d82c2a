package dbback

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// A testRepo is a repository that is verified when its test ends.
type testRepo struct {
	*catalog.Repository
	damaged bool // by the test: not to be verified
}

func newRepo(t testing.TB) *testRepo {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo")
	if err := catalog.Init(dir); err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		t.Fatal(err)
	}
	r := &testRepo{Repository: repo}
	t.Cleanup(func() {
		if !r.damaged {
			// t.Context() has ended here.
			err := repo.Verify(context.Background(), catalog.VerifyOptions{}, func(d catalog.Damage) {
				t.Errorf("verify: %+v", d)
			})
			if err != nil {
				t.Errorf("verify: %v", err)
			}
		}
		if err := repo.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// backup stores files as a set of instance PROD, which must succeed.
func (r *testRepo) backup(t testing.TB, paths ...string) *catalog.SetInfo {
	t.Helper()
	info, err := BackupFiles(t.Context(), r.Repository, FilesOptions{Instance: "PROD", Paths: paths, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// restore restores a set, which must succeed.
func (r *testRepo) restore(t testing.TB, info *catalog.SetInfo, to string, only ...string) *RestoreReport {
	t.Helper()
	report, err := Restore(t.Context(), r.Repository, RestoreOptions{Set: info.SetName(), To: to, Only: only})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// irisFile returns a database of so many 8 KiB blocks. The blocks numbered in
// zero are zero.
func irisFile(blocks int, zero ...int) []byte {
	b := noise(uint64(blocks), blocks*8192)
	head := irisHead{blocks: uint32(blocks), mapAt: 8192, dir: "/mgr/user/", resource: "%DB_USER"}.bytes()
	copy(b[:8192], head)
	b[8192+4] = irisMapType
	for _, n := range zero {
		clear(b[n*8192:][:8192])
	}
	return b
}

func stat(t testing.TB, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("stat %s: %v", path, err)
	}
	return st
}

// sameFile compares content and attributes of two files.
func sameFile(t testing.TB, got, want string) {
	t.Helper()
	sameContent(t, got, want)
	g, w := stat(t, got), stat(t, want)
	if g.Mode != w.Mode || g.Uid != w.Uid || g.Gid != w.Gid || g.Mtim != w.Mtim {
		t.Errorf("%s has mode %o, owner %d:%d, mtime %v; want %o, %d:%d, %v", got, g.Mode, g.Uid, g.Gid, g.Mtim, w.Mode, w.Uid, w.Gid, w.Mtim)
	}
}

func sameContent(t testing.TB, got, want string) {
	t.Helper()
	g, err := os.ReadFile(got)
	if err != nil {
		t.Error(err)
		return
	}
	w, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("%s is not the same as %s: %d and %d bytes", got, want, len(g), len(w))
	}
}

// names returns the paths of all files below dir, relative to it and sorted.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// mkdir makes a directory below dir and returns its path.
func mkdir(t testing.TB, dir string, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{dir}, elem...)...)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// put writes a file and returns its path.
func put(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// mount mounts a file system of that type on a temporary directory.
func mount(t testing.TB, fstype, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, fstype, 0, options); err != nil {
		missing(t, "mount %s: %v (takes root)", fstype, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// edit writes data into an existing file.
func edit(t testing.TB, path string, off int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, off); err != nil {
		t.Fatal(err)
	}
}

// missing skips a test that cannot run on this machine; where all tests must
// run, it fails.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("DATFS_REQUIRE_FUSE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
