package dbback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// A hookedSource calls a function before each Next.
type hookedSource struct {
	catalog.Source
	calls int
	hook  func(call int)
}

func (h *hookedSource) Next(buf []byte) (int, int64, error) {
	h.calls++
	h.hook(h.calls)
	return h.Source.Next(buf)
}

// hookOn returns FilesOptions.wrap that calls hook while path is read.
func hookOn(path string, hook func(call int)) func(string, catalog.Source) catalog.Source {
	return func(p string, src catalog.Source) catalog.Source {
		if p != path {
			return src
		}
		return &hookedSource{Source: src, hook: hook}
	}
}

// TestBackupFiles_NotUTF8 keeps names of files and directories that are not text.
func TestBackupFiles_NotUTF8(t *testing.T) {
	dir := mkdir(t, t.TempDir(), "d\xfe")
	path := put(t, filepath.Join(dir, "b\xffd"), []byte("x"))
	if err := os.Chmod(dir, 0o2711); err != nil {
		t.Fatal(err)
	}
	repo := newRepo(t)
	name := repo.backup(t, path).SetName()
	to := t.TempDir()
	if _, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: name, To: to, Only: []string{"b?d"}}); err != nil {
		t.Fatal(err)
	}
	sameFile(t, to+path, path)
	if got, want := stat(t, to+dir).Mode, stat(t, dir).Mode; got != want {
		t.Errorf("the directory has mode %o, want %o", got, want)
	}
}

func TestBackupFiles_Shrinks(t *testing.T) {
	dir := t.TempDir()
	first := put(t, filepath.Join(dir, "first"), noise(1, 1<<20))
	short := put(t, filepath.Join(dir, "short"), noise(2, 64<<20))
	last := put(t, filepath.Join(dir, "last"), noise(3, 1<<20))
	repo := newRepo(t)
	opts := FilesOptions{Instance: "PROD", Paths: []string{first, short, last}, wrap: hookOn(short, func(call int) {
		if call == 2 {
			if err := os.Truncate(short, 1<<20); err != nil {
				t.Error(err)
			}
		}
	})}
	info, err := BackupFiles(t.Context(), repo.Repository, opts)
	if err != nil {
		t.Fatal(err)
	}
	failed, _ := fatal(info)
	want := short + ": read: shrank while it was read: it had 67108864 bytes when it was opened and has 1048576 now"
	if info.State != catalog.StateIncomplete || len(info.Files) != 2 || !slices.Equal(failed, []string{want}) {
		t.Errorf("state %s, %d files, problems %q, want %q", info.State, len(info.Files), failed, want)
	}

	// Alone it is an error, and no sealed set.
	put(t, short, noise(4, 64<<20))
	opts.Paths = []string{short}
	if _, err := BackupFiles(t.Context(), repo.Repository, opts); !errors.Is(err, catalog.ErrShrank) {
		t.Errorf("err = %v, want ErrShrank", err)
	}
	sets, err := repo.Sets()
	if err != nil || len(sets) != 2 || sets[1].State != catalog.StateInterrupted {
		t.Errorf("sets = %+v, %v", sets, err)
	}
}

func TestBackupFiles_Warnings(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		data []byte
		hook func(path string, call int)
		want string
	}{
		{"Quiet", noise(1, 100), nil, ""},
		{"Grows", noise(1, 1<<20), func(path string, call int) {
			if call == 1 {
				appendTo(t, path, noise(2, 5000))
			}
		}, "grew from 1048576 to 1053576 bytes while it was read"},
		{"GrowsForever", noise(1, 100), func(path string, _ int) { appendTo(t, path, noise(2, 100)) }, "faster than it could be read"},
		{"Written", noise(1, 1<<20), func(path string, call int) {
			for before := stat(t, path).Mtim; call == 1 && stat(t, path).Mtim == before; {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = f.WriteAt([]byte("x"), 7)
				_ = f.Close()
				unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
			}
		}, "was written to"},
		{"PartlyRestored", noise(1, 100), func(path string, call int) {
			if call == 1 {
				put(t, path+partialSuffix, nil)
			}
		}, "a restore of it was not finished: see PartlyRestored.datfs-partial"},
		{"Label", append(irisFile(100), 1), nil, "has 819201 bytes, but its label says 819200"},
	}
	repo := newRepo(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, filepath.Join(dir, tt.name), tt.data)
			opts := FilesOptions{Instance: tt.name, Paths: []string{path}}
			if tt.hook != nil {
				opts.wrap = hookOn(path, func(call int) { tt.hook(path, call) })
			}
			var logged []string
			opts.Log = func(format string, args ...any) { logged = append(logged, fmt.Sprintf(format, args...)) }
			info, err := BackupFiles(t.Context(), repo.Repository, opts)
			if err != nil {
				t.Fatal(err)
			}
			_, warnings := fatal(info)
			if tt.want == "" {
				if len(warnings) > 0 {
					t.Errorf("warnings = %q", warnings)
				}
			} else if len(warnings) != 1 || !strings.Contains(warnings[0], tt.want) || !slices.Equal(warnings, logged) {
				t.Errorf("warnings = %q, logged %q, want %q", warnings, logged, tt.want)
			}
			f := info.Files[0]
			if info.State != catalog.StateComplete || f.SizeAtOpen != int64(len(tt.data)) || f.SizeAtEnd != stat(t, path).Size {
				t.Errorf("state %s, file = %+v", info.State, f)
			}
		})
	}
}

// TestBackupFiles_Canceled can be repeated.
func TestBackupFiles_Canceled(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "f"), noise(1, 64<<20))
	repo := newRepo(t)
	ctx, cancel := context.WithCancel(t.Context())
	opts := FilesOptions{Instance: "PROD", Paths: []string{path}, wrap: hookOn(path, func(call int) {
		if call == 5 {
			cancel()
		}
	})}
	if _, err := BackupFiles(ctx, repo.Repository, opts); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), path) {
		t.Fatalf("err = %v, want context.Canceled", err)
	}
	sets, err := repo.Sets()
	if err != nil || len(sets) != 1 || sets[0].State != catalog.StateInterrupted {
		t.Fatalf("sets = %+v, %v", sets, err)
	}
	info := repo.backup(t, path)
	if info.State != catalog.StateComplete {
		t.Errorf("info = %+v", info)
	}
	to := t.TempDir()
	repo.restore(t, info, to)
	sameFile(t, to+path, path)
}
