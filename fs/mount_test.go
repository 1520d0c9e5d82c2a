package fs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// standard returns the files that most tests store: with and without holes, of
// odd size, empty, of one byte, with unusual names and modes.
func standard() []stored {
	half := func(i int) bool { return i%64 >= 32 }
	user := newStored("/data/user/IRIS.DAT", "USER", 0o640, blocks(1, 300, half))
	user.UID, user.GID = idOr(1234), idOr(5678)
	locked := uint32(0o000) // which only root can read
	if os.Geteuid() != 0 {
		locked = 0o400
	}
	return []stored{
		user,
		newStored("/data/app/IRIS.DAT", "APP", 0o660, blocks(2, 150, nil)),
		newStored("/data/app/stream/IRIS.DAT", "APP", 0o4600, append(blocks(3, 3, nil), "odd"...)),
		newStored("/data/empty", "", 0o400, nil),
		newStored("/data/one", "", locked, []byte{0}),
		newStored("/data/zeros", "", 0o644, make([]byte, 1<<20+5)),
		newStored("/data/with space/it's a \"name\" é", "", 0o644, []byte("text\n")),
	}
}

// idOr returns id where a file of any owner can be made, else the user's own.
func idOr(id uint32) uint32 {
	if os.Geteuid() == 0 {
		return id
	}
	return uint32(os.Getuid())
}

// standardSet stores the standard files as the first set of PROD.
func standardSet(tb testing.TB, repo *catalog.Repository) []stored {
	tb.Helper()
	w := begin(tb, repo, "PROD", 0)
	files := standard()
	for _, dir := range []string{"/", "/data", "/data/app"} {
		w.AddDir(catalog.DirInfo{Path: dir, Mode: 0o2750, UID: idOr(11), GID: idOr(22), ModTime: firstSet.Add(-time.Minute)})
	}
	store(tb, w, files...)
	seal(tb, w)
	return files
}

// inSet returns where a stored file is shown.
func inSet(dir, set string, f stored) string {
	return filepath.Join(dir, set, string(f.Section), f.Path)
}

const set1 = "sets/PROD/2026-11-22T03-00-00Z"

func TestMount_Tree(t *testing.T) {
	repo := newRepo(t)
	standardSet(t, repo)
	dir, _ := mounted(t, repo, Options{})
	got := tree(t, dir)
	for i := range got { // the test's own language has no spaces in names
		got[i] = strings.ReplaceAll(strings.ReplaceAll(got[i], " ->", ">"), " ", "_")
	}
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], ">_", " -> ")
	}
	wantLines(t, got, strings.ReplaceAll(`
		README.txt latest/ sets/ sets/PROD/ databases/ databases/PROD/ incomplete/
		latest/PROD -> ../% %/ %/set.json %/SUMS.xxh64 %/notes/ %/databases/ %/databases/data/
		%/databases/data/user/ %/databases/data/user/IRIS.DAT
		%/databases/data/app/ %/databases/data/app/IRIS.DAT
		%/databases/data/app/stream/ %/databases/data/app/stream/IRIS.DAT
		%/databases/data/empty %/databases/data/one %/databases/data/zeros
		%/databases/data/with_space/ %/databases/data/with_space/it's_a_"name"_é
		databases/PROD/USER/ databases/PROD/USER/2026-11-22T03-00-00Z/ databases/PROD/USER/2026-11-22T03-00-00Z/IRIS.DAT
		databases/PROD/APP/ databases/PROD/APP/2026-11-22T03-00-00Z/
		databases/PROD/APP/2026-11-22T03-00-00Z/IRIS.DAT databases/PROD/APP/2026-11-22T03-00-00Z/IRIS.DAT-2`, "%", set1))

	entries, err := os.ReadDir(filepath.Join(dir, set1))
	if err != nil || len(entries) != 4 {
		t.Errorf("entries = %v, %v", entries, err)
	}
	if out := run(t, "ls", "-a", dir); !strings.HasPrefix(out, ".\n..\n") {
		t.Errorf("ls -a shows no . and ..:\n%s", out)
	}
}

func TestMount_Read(t *testing.T) {
	for _, direct := range []bool{false, true} {
		t.Run(fmt.Sprintf("DirectIO=%v", direct), func(t *testing.T) {
			repo := newRepo(t)
			files := standardSet(t, repo)
			dir, _ := mounted(t, repo, Options{DirectIO: direct})
			for _, f := range files {
				sameFile(t, inSet(dir, set1, f), f.data)
			}
			sameFile(t, filepath.Join(dir, "databases/PROD/APP/2026-11-22T03-00-00Z/IRIS.DAT-2"), files[2].data)

			f, err := os.Open(inSet(dir, set1, files[0]))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			data := files[0].data
			for _, off := range []int64{0, 1, 8191, 8192, 65535, 65537, 1<<20 - 3, int64(len(data)) - 1, int64(len(data)), int64(len(data)) + 9} {
				for _, n := range []int{1, 511, 8192, 70001, 2 << 20} {
					b := make([]byte, n)
					got, err := f.ReadAt(b, off)
					rest := data[min(off, int64(len(data))):]
					want := rest[:min(n, len(rest))]
					if !bytes.Equal(b[:got], want) || errors.Is(err, io.EOF) != (len(want) < n) {
						t.Errorf("ReadAt(%d bytes, %d) = %d, %v; want %d", n, off, got, err, len(want))
					}
				}
			}
		})
	}
}

func TestMount_Texts(t *testing.T) {
	repo := newRepo(t)
	standardSet(t, repo)
	stored, err := repo.Sets()
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := mounted(t, repo, Options{})

	readme, err := os.ReadFile(filepath.Join(dir, "README.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{dir + "/latest/PROD/databases/ /restore/", "datfs --repo " + repo.Dir() + " restore PROD/2026-11-22T03-00-00Z"} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("README.txt does not say %q:\n%s", want, readme)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "latest/PROD/set.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got catalog.SetInfo
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.SetName() != stored[0].SetName() || len(got.Files) != len(stored[0].Files) || got.Bytes != stored[0].Bytes {
		t.Errorf("set.json = %+v, want %+v", got, stored[0])
	}
}

// mmapChild compares a file, mapped, with another one that is read.
func mmapChild(args []string) error {
	want, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	for _, how := range []int{syscall.MAP_SHARED, syscall.MAP_PRIVATE} {
		got, err := syscall.Mmap(int(f.Fd()), 0, len(want), syscall.PROT_READ, how)
		if err != nil {
			return fmt.Errorf("mmap with flags %d: %w", how, err)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("mmap with flags %d: other bytes", how)
		}
	}
	return nil
}

func TestMount_Mmap(t *testing.T) {
	repo := newRepo(t)
	files := standardSet(t, repo)
	dir, _ := mounted(t, repo, Options{})
	copied := filepath.Join(t.TempDir(), "copy")
	for _, f := range files {
		if len(f.data) == 0 {
			continue // cannot be mapped
		}
		if err := os.WriteFile(copied, f.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := childCommand(t, "mmap", inSet(dir, set1, f), copied).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", f.Path, err, out)
		}
	}
}

// TestMount_Seek walks through data and holes and compares what it finds with
// the bytes.
func TestMount_Seek(t *testing.T) {
	repo := newRepo(t)
	files := standardSet(t, repo)
	dir, _ := mounted(t, repo, Options{})
	for _, f := range files {
		r, err := os.Open(inSet(dir, set1, f))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		size := int64(len(f.data))
		var data int64
		for off := int64(0); off < size; {
			from, err := unix.Seek(int(r.Fd()), off, unix.SEEK_DATA)
			if err != nil {
				from = size
				if !errors.Is(err, syscall.ENXIO) {
					t.Fatalf("%s: SEEK_DATA from %d: %v", f.Path, off, err)
				}
			}
			if len(bytes.Trim(f.data[off:from], "\x00")) > 0 {
				t.Fatalf("%s: hole from %d to %d has data", f.Path, off, from)
			}
			if from == size {
				break
			}
			if off, err = unix.Seek(int(r.Fd()), from, unix.SEEK_HOLE); err != nil || off <= from || off > size {
				t.Fatalf("%s: SEEK_HOLE from %d = %d, %v", f.Path, from, off, err)
			}
			data += off - from
		}
		if want := map[string]int64{"/data/zeros": 0, "/data/user/IRIS.DAT": (300 - 4*32 - 12) * 8192}; f.Section != "" {
			if n, ok := want[f.Path]; ok && data != n {
				t.Errorf("%s: %d bytes of data, want %d", f.Path, data, n)
			}
		}
		for _, off := range []int64{size, size + 1, -1} {
			for _, whence := range []int{unix.SEEK_DATA, unix.SEEK_HOLE} {
				if _, err := unix.Seek(int(r.Fd()), off, whence); !errors.Is(err, syscall.ENXIO) {
					t.Errorf("%s: seek to %d, %d: %v, want ENXIO", f.Path, off, whence, err)
				}
			}
		}
	}
}

func TestMount_ReadOnly(t *testing.T) {
	repo := newRepo(t)
	files := standardSet(t, repo)
	dir, _ := mounted(t, repo, Options{})
	file, other := inSet(dir, set1, files[1]), filepath.Join(dir, set1, "new")
	tests := []struct {
		name string
		do   func() error
	}{
		{"Write", func() error { _, err := os.OpenFile(file, os.O_WRONLY, 0); return err }},
		{"ReadWrite", func() error { _, err := os.OpenFile(file, os.O_RDWR, 0); return err }},
		{"Append", func() error { _, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0); return err }},
		{"Truncate", func() error { return os.Truncate(file, 0) }},
		{"Create", func() error { _, err := os.Create(other); return err }},
		{"Mkdir", func() error { return os.Mkdir(other, 0o700) }},
		{"Symlink", func() error { return os.Symlink("x", other) }},
		{"Link", func() error { return os.Link(file, other) }},
		{"Rename", func() error { return os.Rename(file, other) }},
		{"Remove", func() error { return syscall.Unlink(file) }},
		{"Rmdir", func() error { return syscall.Rmdir(filepath.Dir(file)) }},
		{"Chmod", func() error { return os.Chmod(file, 0o777) }},
		{"Chown", func() error { return os.Chown(file, 1, 1) }},
		{"Chtimes", func() error { return os.Chtimes(file, time.Now(), time.Now()) }},
		{"Mknod", func() error { return syscall.Mknod(other, syscall.S_IFIFO|0o600, 0) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(); !errors.Is(err, syscall.EROFS) {
				t.Errorf("err = %v, want EROFS", err)
			}
		})
	}
	sameFile(t, file, files[1].data)
}

func TestMount_Statfs(t *testing.T) {
	repo := newRepo(t)
	dir, _ := mounted(t, repo, Options{})
	var here, there syscall.Statfs_t
	if err := errors.Join(syscall.Statfs(dir, &here), syscall.Statfs(repo.Dir(), &there)); err != nil {
		t.Fatal(err)
	}
	if here.Blocks != there.Blocks || here.Bsize != there.Bsize || here.Blocks == 0 || here.Namelen != maxName {
		t.Errorf("statfs = %+v, of the repository %+v", here, there)
	}
}

func TestMount_Options(t *testing.T) {
	repo := newRepo(t)
	dir, s := mounted(t, repo, Options{ReadAheadKiB: 1536})
	list, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	line := ""
	for l := range strings.Lines(string(list)) {
		if strings.Contains(l, " "+dir+" ") {
			line = l
		}
	}
	for _, want := range []string{"datfs:" + repo.Dir() + " ", " fuse.datfs ", "ro,", "nosuid,", "nodev,", ",default_permissions", ",max_read=1048576"} {
		if !strings.Contains(line, want) {
			t.Errorf("mounted without %q: %s", want, line)
		}
	}
	if os.Geteuid() == 0 {
		got, err := os.ReadFile("/sys/class/bdi/" + s.point.device + "/read_ahead_kb")
		if err != nil || string(got) != "1536\n" {
			t.Errorf("read_ahead_kb = %q, %v; want 1536", got, err)
		}
	}
}
