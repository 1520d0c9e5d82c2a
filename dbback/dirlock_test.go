package dbback

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A directory stays as long as anyone holds its lock, a process that outlived the one
// that took it too.
func TestRemoveUnused(t *testing.T) {
	dir := mkdir(t, t.TempDir(), "run")
	put(t, filepath.Join(dir, "i.cbk"), []byte("being written"))
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cat") // reads until its input ends
	cmd.ExtraFiles = []*os.File{lock}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err := errors.Join(err, lock.Close()); err != nil {
		t.Fatal(err)
	}
	if err := RemoveUnused(dir); !errors.Is(err, errInUse) {
		t.Errorf("while somebody works in it: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "i.cbk")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(dir), "file")
	put(t, file, nil)
	for _, path := range []string{dir, file} {
		if err := RemoveUnused(path); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}
