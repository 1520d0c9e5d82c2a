package session

import (
	"os"
	"path/filepath"
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
