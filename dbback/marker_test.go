package dbback

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// TestRestore_MarkerInTheWay has something of somebody else's where the marker
// of a restore should go. It and the target are left alone.
func TestRestore_MarkerInTheWay(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, marker string)
	}{
		{"File", func(t *testing.T, marker string) {
			t.Helper()
			put(t, marker, []byte("precious data"))
		}},
		{"HardLink", func(t *testing.T, marker string) {
			t.Helper()
			other := put(t, filepath.Join(t.TempDir(), "other"), nil)
			if err := os.Link(other, marker); err != nil {
				t.Fatal(err)
			}
		}},
		{"Directory", func(t *testing.T, marker string) {
			t.Helper()
			if err := os.Mkdir(marker, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, filepath.Join(t.TempDir(), "f"), noise(1, 50_000))
			repo := newRepo(t)
			info := repo.backup(t, path)
			to := t.TempDir()
			mkdir(t, to, filepath.Dir(path))
			old := noise(2, 200_000)
			target := put(t, to+path, old)
			tt.make(t, markerPath(target))
			before := stat(t, markerPath(target))
			if _, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: to}); err == nil {
				t.Error("no error")
			}
			if got, err := os.ReadFile(target); err != nil || string(got) != string(old) {
				t.Errorf("the target was changed to %d bytes, %v", len(got), err)
			}
			if after := stat(t, markerPath(target)); after.Ino != before.Ino || after.Size != before.Size {
				t.Errorf("what was in the way was changed: %+v", after)
			}
		})
	}
}

// TestRestore_TwoAtOnce has another restore at work on a target.
func TestRestore_TwoAtOnce(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "f"), noise(1, 50_000))
	repo := newRepo(t)
	info := repo.backup(t, path)
	to := t.TempDir()
	mkdir(t, to, filepath.Dir(path))
	target := put(t, to+path, []byte("old"))
	f, err := os.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: to}); !errors.Is(err, catalog.ErrLocked) {
		t.Errorf("err = %v, want %v", err, catalog.ErrLocked)
	}
	if got, _ := os.ReadFile(target); string(got) != "old" {
		t.Errorf("the target was changed to %d bytes", len(got))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	repo.restore(t, info, to)
	sameFile(t, target, path)
}

// TestRestore_LongName restores files whose names leave no room for the
// marker's suffix.
func TestRestore_LongName(t *testing.T) {
	dir := t.TempDir()
	long := put(t, filepath.Join(dir, strings.Repeat("x", 255)), noise(1, 1000))
	other := put(t, filepath.Join(dir, strings.Repeat("x", 250)), noise(2, 1000))
	repo := newRepo(t)
	info := repo.backup(t, long, other)
	to := t.TempDir()
	repo.restore(t, info, to)
	sameFile(t, to+long, long)
	sameFile(t, to+other, other)
}
