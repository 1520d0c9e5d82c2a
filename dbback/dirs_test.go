package dbback

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// TestRestorer_MakeDirs gives directories owner and mode at once, in case there
// is no later, but keeps the right to write to them.
func TestRestorer_MakeDirs(t *testing.T) {
	to := t.TempDir()
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = 1234, 567
	}
	made := time.Now().Add(-time.Hour)
	dir := filepath.Join(to, "a", "b")
	r := &restorer{dirs: map[string]catalog.DirInfo{
		dir: {Path: "/a/b", Mode: 0o2555, UID: uint32(uid), GID: uint32(gid), ModTime: made},
	}}
	check := func(mode uint32) {
		t.Helper()
		if st := stat(t, dir); st.Mode&0o7777 != mode || int(st.Uid) != uid || int(st.Gid) != gid {
			t.Errorf("mode %o, owner %d:%d; want %o, %d:%d", st.Mode, st.Uid, st.Gid, mode, uid, gid)
		}
	}
	for range 2 { // what is there is left alone
		if err := r.makeDirs(dir); err != nil {
			t.Fatal(err)
		}
		check(0o2755)
	}
	if err := r.finishDirs(); err != nil {
		t.Fatal(err)
	}
	check(0o2555)
	if got := stat(t, dir).Mtim; got != unix.NsecToTimespec(made.UnixNano()) {
		t.Errorf("mtime is %v, want %v", got, made)
	}
}

// TestRestore_NotRoot restores files of another user: the owner is a warning.
// The test binary runs itself as nobody.
func TestRestore_NotRoot(t *testing.T) {
	if dir := os.Getenv("DATFS_TEST_NOT_ROOT"); dir != "" {
		restoreAsNobody(t, dir)
		return
	}
	if os.Geteuid() != 0 {
		missing(t, "needs root, to stop being it")
	}
	const nobody = 65534
	dir := t.TempDir()
	path := put(t, filepath.Join(mkdir(t, dir, "data", "below"), "f"), []byte("content"))
	// Only root can look below it.
	if err := os.Chmod(filepath.Join(dir, "data"), 0o600); err != nil {
		t.Fatal(err)
	}
	repo := newRepo(t)
	repo.backup(t, path)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe") // where it lies only root may go
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "test")
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Dir(repo.Dir()), func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	})
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := os.Chown(to, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestRestore_NotRoot$")
	cmd.Env = append(os.Environ(), "DATFS_TEST_NOT_ROOT="+repo.Dir(), "DATFS_TEST_TO="+to)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sameContent(t, to+path, path)
	if st := stat(t, to+path); st.Mode != stat(t, path).Mode || st.Mtim != stat(t, path).Mtim || st.Uid != nobody {
		t.Errorf("restored with mode %o and owner %d", st.Mode, st.Uid)
	}
}

func restoreAsNobody(t *testing.T, dir string) {
	t.Helper()
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	name, err := repo.Resolve("PROD/latest")
	if err != nil {
		t.Fatal(err)
	}
	report, err := Restore(t.Context(), repo, RestoreOptions{Set: name, To: os.Getenv("DATFS_TEST_TO")})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "could not be set, which takes root") {
		t.Errorf("warnings = %q", report.Warnings)
	}
}
