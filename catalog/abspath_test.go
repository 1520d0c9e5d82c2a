package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAbsPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.MkdirAll(filepath.Join(dir, "real/deep"), 0o700), os.Symlink("real/deep", filepath.Join(dir, "link")))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	tests := []struct{ in, want string }{
		{"f", dir + "/f"},
		{"./a//b/", dir + "/a/b"},
		{"/x/./y", "/x/y"},
		{"real/../f", dir + "/f"},
		{"link/f", dir + "/link/f"},
		{"link/../f", dir + "/real/f"},
		{"link/..", dir + "/real"},
		{dir + "/link/../f", dir + "/real/f"},
		{"link/../deep/../link", dir + "/real/link"},
	}
	for _, tt := range tests {
		if got, err := AbsPath(tt.in); err != nil || got != tt.want {
			t.Errorf("AbsPath(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	if _, err := AbsPath("missing/../f"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	t.Chdir("link") // sets $PWD to the link
	if got, err := AbsPath("../f"); err != nil || got != dir+"/real/f" {
		t.Errorf("AbsPath in a linked directory = %q, %v", got, err)
	}
}
