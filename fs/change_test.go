package fs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
)

// TestMount_NewSet stores a set while the repository is mounted.
func TestMount_NewSet(t *testing.T) {
	repo := newRepo(t)
	dir, _ := mounted(t, repo, Options{})
	wantLines(t, tree(t, dir), "README.txt latest/ sets/ databases/ incomplete/")

	first := newStored("/data/IRIS.DAT", "USER", 0o600, blocks(1, 40, nil))
	backup(t, repo, "PROD", 0, first)
	latest := filepath.Join(dir, "latest/PROD")
	eventually(t, "the first set", func() bool { return exists(latest) })
	sameFile(t, latest+"/databases/data/IRIS.DAT", first.data)

	second := first
	second.data = blocks(2, 40, nil)
	held, err := os.Open(latest + "/databases/data/IRIS.DAT")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }()
	backup(t, repo, "PROD", 1, second)
	eventually(t, "the new target of latest", func() bool {
		to, err := os.Readlink(latest)
		return err == nil && to == "../sets/PROD/2026-11-22T04-00-00Z"
	})
	sameFile(t, latest+"/databases/data/IRIS.DAT", second.data)
	sameFile(t, inSet(dir, set1, first), first.data)
	got := make([]byte, len(first.data))
	if _, err := held.ReadAt(got, 0); err != nil || !bytes.Equal(got, first.data) {
		t.Errorf("a file opened through the old link has other bytes now, or %v", err)
	}
	eventually(t, "the time of the new set at the root", func() bool {
		st, err := os.Stat(dir)
		return err == nil && st.ModTime().Equal(firstSet.Add(time.Hour))
	})
	eventually(t, "the new set by database", func() bool {
		return exists(filepath.Join(dir, "databases/PROD/USER/2026-11-22T04-00-00Z/IRIS.DAT"))
	})
}

// TestMount_Incomplete follows I6: what cannot be restored is not to be found
// where restores look.
func TestMount_Incomplete(t *testing.T) {
	repo := newRepo(t)
	good := newStored("/data/IRIS.DAT", "USER", 0o600, blocks(1, 20, nil))
	backup(t, repo, "PROD", 0, good)

	w := begin(t, repo, "PROD", 1)
	store(t, w, newStored("/data/IRIS.DAT", "USER", 0o600, blocks(2, 20, nil)))
	w.Fail(catalog.Problem{Path: "/data/gone", Error: "no such file", Fatal: true})
	if got := seal(t, w).State; got != catalog.StateIncomplete {
		t.Fatalf("state = %s", got)
	}
	w = begin(t, repo, "PROD", 2)
	store(t, w, newStored("/data/IRIS.DAT", "USER", 0o600, blocks(4, 20, nil)))
	if err := w.Abort(errors.New("power went out")); err != nil {
		t.Fatal(err)
	}
	w = begin(t, repo, "TEST", 0)
	store(t, w, newStored("/data/IRIS.DAT", "USER", 0o600, blocks(3, 20, nil)))

	dir, _ := mounted(t, repo, Options{})
	for _, p := range tree(t, dir) {
		if strings.HasPrefix(p, "incomplete/") || strings.HasPrefix(p, "latest/PROD -> ../"+set1) {
			continue
		}
		if strings.Contains(p, "T04-") || strings.Contains(p, "T05-") || strings.Contains(p, "TEST") {
			t.Errorf("%s is of an incomplete set", p)
		}
	}
	for name, want := range map[string]string{
		"PROD/2026-11-22T04-00-00Z": "error: /data/gone: no such file\n",
		"PROD/2026-11-22T05-00-00Z": "power went out",
		"TEST/2026-11-22T03-00-00Z": "it is running",
	} {
		b, err := os.ReadFile(filepath.Join(dir, "incomplete", name, "PROBLEMS.txt"))
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("PROBLEMS.txt of %s does not say %q: %s %v", name, want, b, err)
		}
	}
	sameFile(t, filepath.Join(dir, "incomplete/PROD/2026-11-22T04-00-00Z/databases/data/IRIS.DAT"), blocks(2, 20, nil))

	// The running one is sealed, and moves.
	seal(t, w)
	eventually(t, "the sealed set", func() bool {
		return exists(filepath.Join(dir, "latest/TEST")) && !exists(filepath.Join(dir, "incomplete/TEST"))
	})
	sameFile(t, filepath.Join(dir, "latest/TEST/databases/data/IRIS.DAT"), blocks(3, 20, nil))
}

// TestMount_RemovedSet removes a set's file as a clean-up does.
func TestMount_RemovedSet(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/IRIS.DAT", "USER", 0o600, blocks(1, 40, nil))
	backup(t, repo, "PROD", 0, f)
	backup(t, repo, "PROD", 1, f)
	dir, _ := mounted(t, repo, Options{})
	path := inSet(dir, set1, f)
	held, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }() // or there is no unmounting

	removeMatching(t, repo.Dir(), "2026-11-22T03-00-00Z*")
	eventually(t, "the removed set", func() bool { return !exists(filepath.Join(dir, set1)) })
	if _, err := os.Open(path); !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ESTALE) {
		t.Errorf("open in a removed set: %v", err)
	}
	got := make([]byte, len(f.data))
	if _, err := held.ReadAt(got, 0); err != nil || !bytes.Equal(got, f.data) {
		t.Errorf("a file of it that is open: %v", err)
	}
	if n := openFiles(t, "2026-11-22T03-00-00Z"); n == 0 {
		t.Error("the removed set is closed while a file of it is open, or this test looks for another name")
	}
	_ = held.Close()
	eventually(t, "the end of the removed set's last user", func() bool { return openFiles(t, "2026-11-22T03-00-00Z") == 0 })
	sameFile(t, filepath.Join(dir, "latest/PROD/databases/data/IRIS.DAT"), f.data)
}

// openFiles counts the files of the repository's sets that this process has open
// and whose path says name. Files in the mount are left out.
func openFiles(tb testing.TB, name string) int {
	tb.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		to, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.Contains(to, "/repo/sets/") && strings.Contains(to, name) {
			n++
		}
	}
	return n
}

// removeMatching removes the files below the repository's sets that match.
func removeMatching(t *testing.T, repoDir, pattern string) {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(repoDir, "sets", "*", pattern))
	if len(found) == 0 {
		t.Fatalf("no file matches %s", pattern)
	}
	for _, name := range found {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMount_DamagedSet flips a bit in one of two set files.
func TestMount_DamagedSet(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/IRIS.DAT", "USER", 0o600, blocks(1, 40, nil))
	backup(t, repo, "PROD", 0, f)
	backup(t, repo, "PROD", 1, f)
	name := filepath.Join(repo.Dir(), "sets/PROD/2026-11-22T03-00-00Z.set")
	flip(t, name, -20)

	var logs logBuffer
	dir, _ := mounted(t, repo, Options{Logger: logs.logger()})
	wantLines(t, names(t, filepath.Join(dir, "sets/PROD")), "2026-11-22T04-00-00Z")
	sameFile(t, filepath.Join(dir, "latest/PROD/databases/data/IRIS.DAT"), f.data)
	backup(t, repo, "PROD", 2, f) // so that the repository is surely listed once more
	eventually(t, "the next set", func() bool { return len(names(t, filepath.Join(dir, "sets/PROD"))) == 2 })
	if got := logs.lines("2026-11-22T03-00-00Z.set"); len(got) != 1 {
		t.Errorf("the damage is logged %d times, want once: %v", len(got), got)
	}
}

func names(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// flip inverts a bit of a file; a negative offset counts from the end.
func flip(tb testing.TB, name string, off int64) {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	if off < 0 {
		off += int64(len(b))
	}
	b[off] ^= 0x10
	if err := errors.Join(os.Chmod(name, 0o600), os.WriteFile(name, b, 0o600)); err != nil {
		tb.Fatal(err)
	}
}

// TestMount_DamagedPack flips a bit in a frame of one file. That file gives
// EIO there and nowhere else, and the log says where the damage is.
func TestMount_DamagedPack(t *testing.T) {
	repo := newRepo(t)
	bad := newStored("/data/bad", "", 0o600, blocks(1, 64, nil))
	backup(t, repo, "PROD", 0, bad)
	packs := packFiles(t, repo.Dir())
	good := newStored("/data/good", "", 0o600, blocks(2, 64, nil))
	backup(t, repo, "PROD", 1, bad, good)
	for _, name := range packs {
		st, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		flip(t, name, st.Size()/2)
	}

	var logs logBuffer
	dir, _ := mounted(t, repo, Options{Logger: logs.logger()})
	badPath := filepath.Join(dir, "latest/PROD/databases/data/bad")
	f, err := os.Open(badPath)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	failed, page := 0, make([]byte, 4096)
	for off := 0; off < len(bad.data); off += len(page) {
		_, err := f.ReadAt(page, int64(off))
		switch {
		case errors.Is(err, syscall.EIO):
			failed++
		case err != nil:
			t.Errorf("at %d: %v, want EIO or the bytes", off, err)
		case !bytes.Equal(page, bad.data[off:][:len(page)]):
			t.Fatalf("at %d: wrong bytes", off) // I3
		}
	}
	if failed == 0 || failed > 16 {
		t.Errorf("%d pages cannot be read, want the 16 of one frame at most", failed)
	}
	sameFile(t, filepath.Join(dir, "latest/PROD/databases/data/good"), good.data)

	lines := logs.lines("op=read")
	if len(lines) == 0 || len(lines) > 2 {
		t.Fatalf("%d log lines for one damaged frame: %v", len(lines), lines)
	}
	rel, _ := filepath.Rel(repo.Dir(), packs[0])
	for _, want := range []string{"/databases/data/bad", rel, "offset"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("the log does not say %q: %s", want, lines[0])
		}
	}
}

// packFiles lists the pack files of a repository.
func packFiles(tb testing.TB, repoDir string) []string {
	tb.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(repoDir, "packs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) == 0 {
		tb.Fatalf("packs: %v, %v", found, err)
	}
	return found
}

// TestOpenSets checks that sets are shared, that few stay open, and that what
// was replaced is closed by its last user.
func TestOpenSets(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/f", "", 0o600, []byte("text"))
	var sets []*set
	for i := range 4 {
		sets = append(sets, newSet(backup(t, repo, "PROD", i, f), extras{}))
	}
	opened := 0
	o := openSets{limit: 2, open: func(name catalog.SetName) (*catalog.Set, error) {
		opened++
		return repo.OpenSet(name)
	}}
	defer o.closeAll()
	use := func(s *set) *openSet {
		t.Helper()
		u, _, err := o.acquire(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	want := func(wantOpened, wantOpen, wantIdle int) {
		t.Helper()
		if opened != wantOpened || len(o.all) != wantOpen || o.idle.Len() != wantIdle {
			t.Errorf("opened %d, open %d, idle %d; want %d, %d, %d", opened, len(o.all), o.idle.Len(), wantOpened, wantOpen, wantIdle)
		}
	}

	a, b := use(sets[0]), use(sets[0])
	want(1, 1, 0)
	o.release(a)
	want(1, 1, 0)
	o.release(b)
	want(1, 1, 1)
	o.release(use(sets[0]))
	want(1, 1, 1)
	for _, s := range sets[1:] {
		o.release(use(s))
	}
	want(4, 2, 2)
	o.release(use(sets[0])) // was the longest idle
	want(5, 2, 2)

	held := use(sets[3])
	o.forget(sets[3])
	o.forget(sets[0])
	want(5, 1, 0)
	o.release(held)
	want(5, 0, 0)

	missing := newSet(info("PROD", "2000-01-01T00-00-00Z", catalog.StateComplete), extras{})
	if _, _, err := o.acquire(missing); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
	want(6, 0, 0)
}
