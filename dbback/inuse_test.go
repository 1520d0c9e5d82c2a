package dbback

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// gtmFile returns the beginning of a GT.M database whose header names a semaphore.
func gtmFile(sem int32) []byte {
	b := make([]byte, 64<<10)
	copy(b, "GDSDYNUNX04\x00")
	binary.LittleEndian.PutUint32(b[gtmBlockSize:], 4096)
	binary.LittleEndian.PutUint32(b[gtmSemID:], uint32(sem))
	binary.LittleEndian.PutUint32(b[gtmSemID+4:], ^uint32(0))
	return b
}

// semaphore makes a semaphore of a key until the end of the test, and returns its ID.
func semaphore(t *testing.T, key int32) int32 {
	t.Helper()
	id, _, errno := unix.Syscall(unix.SYS_SEMGET, uintptr(uint32(key)), 1, 0o1600) // IPC_CREAT
	if errno != 0 {
		t.Fatal(errno)
	}
	t.Cleanup(func() {
		if _, _, errno := unix.Syscall6(unix.SYS_SEMCTL, id, 0, 0, 0, 0, 0); errno != 0 { // IPC_RMID
			t.Error(errno)
		}
	})
	return int32(id)
}

func TestRestore_InUse(t *testing.T) {
	dir := t.TempDir()
	iris, gtm := put(t, filepath.Join(dir, "IRIS.DAT"), irisFile(20)), filepath.Join(dir, "t.dat")
	private := semaphore(t, 0)
	put(t, gtm, gtmFile(private))
	repo := newRepo(t)
	info := repo.backup(t, iris, gtm)

	elsewhere := func(t *testing.T) (to, iris, gtm string) {
		t.Helper()
		to = t.TempDir()
		repo.restore(t, info, to)
		iris, gtm = filepath.Join(to, dir, "IRIS.DAT"), filepath.Join(to, dir, "t.dat")
		edit(t, iris, 8192*5, []byte("newer")) // so that a restore has something to write
		return to, iris, gtm
	}
	original := func(*testing.T) (string, string, string) { return "/", iris, gtm }
	key := func(t *testing.T, path string) int32 {
		t.Helper()
		st := stat(t, path)
		return int32(gtmProject<<24 | st.Dev&0xff<<16 | st.Ino&0xffff)
	}
	tests := []struct {
		name string
		at   func(*testing.T) (to, iris, gtm string)
		use  func(t *testing.T, iris, gtm string)
		want string // "": it is restored
	}{
		{"Nobody", elsewhere, func(*testing.T, string, string) {}, ""},
		{"Open", elsewhere, func(t *testing.T, iris, _ string) { t.Helper(); opener(t, iris) }, "/IRIS.DAT by process "},
		{"OpenByHardLink", elsewhere, func(t *testing.T, iris, _ string) {
			t.Helper()
			link := filepath.Join(t.TempDir(), "x")
			if err := os.Link(iris, link); err != nil {
				t.Fatal(err)
			}
			if pid, _ := opener(t, link); inode(pid, "7") == "" {
				t.Skip("the kernel does not tell")
			}
		}, "/IRIS.DAT by process "},
		{"Lock", elsewhere, func(t *testing.T, iris, _ string) {
			t.Helper()
			put(t, filepath.Join(filepath.Dir(iris), "iris.lck"), nil)
		}, "/iris.lck says"},
		{"CacheLock", elsewhere, func(t *testing.T, iris, _ string) {
			t.Helper()
			put(t, filepath.Join(filepath.Dir(iris), "cache.lck"), nil)
		}, "/cache.lck says"},
		{"Header", elsewhere, func(t *testing.T, _, gtm string) { t.Helper(); semaphore(t, key(t, gtm)) }, "/t.dat has a header that says so"},
		{"HeaderOfNone", elsewhere, func(t *testing.T, _, gtm string) {
			t.Helper()
			semaphore(t, key(t, gtm))
			edit(t, gtm, gtmSemID, []byte{0xff, 0xff, 0xff, 0xff})
		}, ""},
		// A copy names the semaphores of the database that it was made of.
		{"Original", original, func(*testing.T, string, string) {}, "/t.dat has a header that says so"},
		{"OriginalOfNone", original, func(t *testing.T, _, gtm string) {
			t.Helper()
			edit(t, gtm, gtmSemID, []byte{0xff, 0xff, 0xff, 0x7f})
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to, iris, gtm := tt.at(t)
			tt.use(t, iris, gtm)
			was, err := os.ReadFile(iris)
			if err != nil {
				t.Fatal(err)
			}
			opts := RestoreOptions{Set: info.SetName(), To: to}
			_, err = Restore(t.Context(), repo.Repository, opts)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			used, ok := errors.AsType[*InUseError](err)
			if !ok || len(used.By) != 1 || !strings.Contains(used.By[0], tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
			if now, err := os.ReadFile(iris); err != nil || !slices.Equal(now, was) {
				t.Errorf("it was written to, %v", err)
			}
			opts.DryRun = true
			report, err := Restore(t.Context(), repo.Repository, opts)
			if err != nil || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], tt.want) {
				t.Errorf("dry run: %v, %v", report, err)
			}
			opts.DryRun, opts.InUse = false, true
			if _, err := Restore(t.Context(), repo.Repository, opts); err != nil {
				t.Error(err)
			}
			sameContent(t, iris, filepath.Join(dir, "IRIS.DAT"))
		})
	}
}

func TestOverwritten(t *testing.T) {
	e := &fakeEngine{dir: t.TempDir(), lists: [][]string{{"user"}}}
	dir := mkdir(t, e.dir, "user")
	path := put(t, filepath.Join(dir, "IRIS.DAT"), irisFile(20))
	alias, copied := filepath.Join(t.TempDir(), "alias"), t.TempDir()
	if err := os.Symlink("/", alias); err != nil {
		t.Fatal(err)
	}
	repo := newRepo(t)
	info := repo.backup(t, path)
	put(t, filepath.Join(mkdir(t, copied, dir), "IRIS.DAT"), nil)
	used, err := Backup(t.Context(), repo.Repository, e, BackupOptions{Instance: "FAKE"})
	if err != nil {
		t.Fatal(err)
	}
	inUse := used.SetName()
	tests := []struct {
		name string
		set  catalog.SetName
		to   string
		want []string
	}{
		{"Original", inUse, "/", []string{path}},
		{"Alias", inUse, alias, []string{alias + path}},
		{"Elsewhere", inUse, t.TempDir(), nil},
		{"OverACopy", inUse, copied, nil},
		{"AtRest", info.SetName(), "/", nil},
	}
	for _, tt := range tests {
		if got := Overwritten(repo.Repository, RestoreOptions{Set: tt.set, To: tt.to}); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
