package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What root makes in a repository of somebody else is that one's, whatever makes
// it, and so is what an older run of root left; else the owner's next backup could
// not go on with it.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const uid, gid = 12345, 54321
	dir := t.TempDir()
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, setsName, "PROD")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	r := openRepo(t, dir)
	set := storeSet(t, r, "PROD", testFile{"/a", 8192, blocks(3, 8192, 1)}).SetName()
	addNote(t, r, set, "drill", "x")
	w, err := r.Begin(BeginOptions{Instance: "OTHER"})
	if err != nil {
		t.Fatal(err)
	}
	checkOwner(t, dir, uid, gid)
	if err := w.Abort(errors.New("enough")); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	rebuild(t, dir)
	checkOwner(t, dir, uid, gid)
}

func checkOwner(t *testing.T, dir string, uid, gid uint32) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		seen++
		if st := info.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid {
			t.Errorf("%s is of %d:%d", path, st.Uid, st.Gid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 12 {
		t.Errorf("only %d files and directories", seen)
	}
}

// A link in the place of a file that root made does not give away what it leads to.
func TestOwner_Links(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	repo := filepath.Join(dir, "repo")
	if err := os.Mkdir(repo, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(repo, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]func(string, string) error{"symbolic": os.Symlink, "hard": os.Link} {
		if err := link(secret, filepath.Join(repo, name)); err != nil {
			t.Fatal(err)
		}
		(&disk{dir: repo}).giveToOwner(name)
	}
	info, err := os.Stat(secret)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 0 {
		t.Errorf("it was given to %d", st.Uid)
	}
}
