package fs

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestAttr_Fill(t *testing.T) {
	tests := []struct {
		name       string
		size, zero int64
		blocks     uint64
	}{
		{"Empty", 0, 0, 0},
		{"OneByte", 1, 0, 1}, // 0 would make tar take it for a hole
		{"Whole", 8192, 0, 16},
		{"Odd", 8193, 0, 17},
		{"HalfHole", 16384, 8192, 16},
		{"AllHole", 1 << 40, 1 << 40, 0},
		{"LastBlockCountedWhole", 100, 8192, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := attr{mode: syscall.S_IFREG | 0o600, size: tt.size, zero: tt.zero}
			var out fuse.Attr
			a.fill(&out, a.size)
			if out.Blocks != tt.blocks || out.Size != uint64(tt.size) || out.Blksize == 0 {
				t.Errorf("blocks = %d, size = %d, blksize = %d; want %d blocks", out.Blocks, out.Size, out.Blksize, tt.blocks)
			}
		})
	}
}

func TestInode(t *testing.T) {
	tests := []struct {
		in   []byte
		want uint64
	}{
		{[]byte{0, 0, 0, 0, 0, 0, 0, 0}, 2},
		{[]byte{0, 0, 0, 0, 0, 0, 0, 1}, 3},
		{[]byte{0x80, 0, 0, 0, 0, 0, 0, 0}, 2},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1<<63 - 1},
		{[]byte{0, 0, 0, 0, 0, 0, 1, 0}, 256},
	}
	for _, tt := range tests {
		if got := inode(tt.in); got != tt.want {
			t.Errorf("inode(%x) = %#x, want %#x", tt.in, got, tt.want)
		}
	}
	// Numbers must be the same after every update of this program.
	if got, want := entryIno("sets/PROD"), uint64(0x1bb3af4ef4f8c260); got != want {
		t.Errorf("entryIno = %#x, want %#x", got, want)
	}
}

func TestMount_Attributes(t *testing.T) {
	repo := newRepo(t)
	files := standardSet(t, repo)
	dir, _ := mounted(t, repo, Options{})

	check := func(path string, mode, uid, gid uint32, mtime time.Time) *syscall.Stat_t {
		t.Helper()
		var st syscall.Stat_t
		if err := syscall.Lstat(filepath.Join(dir, path), &st); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if st.Mode != mode || st.Uid != uid || st.Gid != gid || st.Nlink != 1 {
			t.Errorf("%s: mode %o, owner %d:%d, %d links; want %o, %d:%d, 1", path, st.Mode, st.Uid, st.Gid, st.Nlink, mode, uid, gid)
		}
		for what, ts := range map[string]syscall.Timespec{"mtime": st.Mtim, "atime": st.Atim, "ctime": st.Ctim} {
			if got := time.Unix(ts.Unix()); !got.Equal(mtime) {
				t.Errorf("%s: %s = %v, want %v", path, what, got, mtime)
			}
		}
		return &st
	}
	for _, f := range files {
		st := check(inSet("", set1, f), syscall.S_IFREG|f.Mode, f.UID, f.GID, f.ModTime)
		if st.Size != int64(len(f.data)) {
			t.Errorf("%s: size = %d, want %d", f.Path, st.Size, len(f.data))
		}
	}
	for _, p := range []string{"", "/data", "/data/app"} {
		check(set1+"/databases"+p, syscall.S_IFDIR|0o2750, idOr(11), idOr(22), firstSet.Add(-time.Minute))
	}
	for _, p := range []string{"", "sets", "latest", "databases/PROD/APP", set1, set1 + "/databases/data/user"} {
		check(p, syscall.S_IFDIR|0o755, 0, 0, firstSet)
	}
	check("databases", syscall.S_IFDIR|0o700, uint32(os.Geteuid()), uint32(os.Getegid()), firstSet)
	check("latest/PROD", syscall.S_IFLNK|0o777, 0, 0, firstSet)
	check(set1+"/set.json", syscall.S_IFREG|0o444, 0, 0, firstSet)

	// Half of the first file, and all of the zeros, are holes.
	want := map[string]int64{files[0].Path: (300 - 4*32 - 12) * 16, files[1].Path: 150 * 16, "/data/empty": 0, "/data/zeros": 0}
	for _, f := range files {
		var st syscall.Stat_t
		if err := syscall.Lstat(inSet(dir, set1, f), &st); err != nil {
			t.Fatal(err)
		}
		if n, ok := want[f.Path]; ok && st.Blocks != n {
			t.Errorf("%s: %d blocks of 512 bytes, want %d", f.Path, st.Blocks, n)
		}
	}
}

// TestMount_Permissions lets another user in, who must still not read what the
// original's mode kept from him.
func TestMount_Permissions(t *testing.T) {
	needRoot(t)
	repo := newRepo(t)
	backup(t, repo, "PROD", 0,
		newStored("/data/secret", "", 0o600, []byte("secret")), newStored("/data/open", "", 0o644, []byte("open")))
	at := t.TempDir()
	for _, dir := range []string{at, filepath.Dir(at)} { // others may not enter the latter
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	needFUSE(t)
	dir, _ := mountedAt(t, repo, at, Options{AllowOther: true})
	as := func(user uint32, file string) (string, error) {
		cmd := exec.Command("cat", filepath.Join(dir, set1, "databases/data", file))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, tt := range []struct {
		user uint32
		file string
		ok   bool
	}{{0, "secret", true}, {0, "open", true}, {65534, "open", true}, {65534, "secret", false}} {
		out, err := as(tt.user, tt.file)
		if ok := err == nil && out == tt.file; ok != tt.ok {
			t.Errorf("user %d reads %s: %q, %v; want ok = %v", tt.user, tt.file, out, err, tt.ok)
		}
	}
}

// TestMount_Inodes checks that numbers are unique in a mount and the same in
// the next one.
func TestMount_Inodes(t *testing.T) {
	repo := newRepo(t)
	standardSet(t, repo)
	numbers := func() map[string]uint64 {
		dir, s := mounted(t, repo, Options{})
		found := make(map[string]uint64)
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			var st syscall.Stat_t
			if err := syscall.Lstat(path, &st); err != nil {
				return err
			}
			rel, _ := filepath.Rel(dir, path)
			found[rel] = st.Ino
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unmount(); err != nil {
			t.Fatal(err)
		}
		return found
	}
	first, second := numbers(), numbers()
	seen := make(map[uint64]string)
	for path, ino := range first {
		if other, ok := seen[ino]; ok || ino == 0 || ino == 1 && path != "." {
			t.Errorf("%s has number %d, so has %q", path, ino, other)
		}
		seen[ino] = path
		if second[path] != ino {
			t.Errorf("%s has number %d, then %d", path, ino, second[path])
		}
	}
	if len(first) < 20 {
		t.Errorf("only %d entries seen", len(first))
	}
}
