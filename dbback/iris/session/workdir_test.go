package session

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMakeDir(t *testing.T) {
	base := t.TempDir()
	if err := os.WriteFile(filepath.Join(base, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "a", "b")
	if err := MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(dir); err != nil {
		t.Errorf("again: %v", err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o770 {
			t.Errorf("%s: %v, %v", d, info, err)
		}
	}
	for _, bad := range []string{filepath.Join(base, "file"), filepath.Join(base, "file", "x"), base + "/a\nb"} {
		if MakeDir(bad) == nil {
			t.Errorf("%q is made", bad)
		}
	}
}

// What the owner of the directory above puts in the place of what root makes is not
// given to him.
func TestGiveDir(t *testing.T) {
	base, victim := t.TempDir(), t.TempDir()
	if err := os.Symlink(victim, filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(victim, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := GiveDir(filepath.Join(base, "link"), -1, -1); err == nil {
		t.Error("a symbolic link is given")
	}
	if info, err := os.Stat(victim); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if os.Geteuid() != 0 {
		t.Skip("takes root")
	}
	if err := os.Chown(victim, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := GiveDir(victim, 0, 0); err == nil {
		t.Error("a directory of somebody else's is given")
	}
}

func TestLockFile_Planted(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "instance.lock")
	if err := os.Link(secret, path); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := lockFile(path); err == nil {
		f.Close()
		t.Error("a hard link is locked")
	}
	info, err := os.Stat(secret)
	if err != nil || info.Mode().Perm() != 0o600 || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f, err := lockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || os.Geteuid() == 0 && (info.Sys().(*syscall.Stat_t).Uid != 12345 || info.Mode().Perm() != 0o660) {
		t.Errorf("%v, %v", info, err)
	}
}
