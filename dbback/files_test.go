package dbback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// fatal returns the problems of a set that make it incomplete, and warnings the
// others.
func fatal(info *catalog.SetInfo) (fatal, warnings []string) {
	for _, p := range info.Problems {
		if p.Fatal {
			fatal = append(fatal, p.String())
		} else {
			warnings = append(warnings, p.String())
		}
	}
	return fatal, warnings
}

func TestBackupFiles_RoundTrip(t *testing.T) {
	dir := mkdir(t, t.TempDir(), "data")
	old := time.Now().Add(-48 * time.Hour)
	var paths []string
	add := func(elem string, mode os.FileMode, data []byte) {
		path := filepath.Join(dir, elem)
		mkdir(t, filepath.Dir(path))
		put(t, path, data)
		if os.Geteuid() == 0 {
			if err := os.Chown(path, 1234, 567); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		old = old.Add(time.Second + 7)
		if err := os.Chtimes(path, time.Time{}, old); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	add("user/IRIS.DAT", 0o640, irisFile(100, 50, 51, 52))
	add("app/IRIS.DAT", 0o660, irisFile(3))
	add("odd/eleven", 0o600, noise(11, 11))
	add("odd/empty", 0o444, nil)
	add("odd/one", 0o755|os.ModeSetgid, []byte{1})
	add("odd/big", 0o644, noise(12, 9<<20+4097))
	add("gtm/t.dat", 0o664, append(gtmHead("04", 1536, 3), noise(5, 1<<20)...))
	if err := os.Chmod(filepath.Join(dir, "gtm"), 0o2750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, "gtm"), old, old); err != nil {
		t.Fatal(err)
	}

	repo := newRepo(t)
	var progress catalog.Progress
	info, err := BackupFiles(t.Context(), repo.Repository, FilesOptions{
		Instance: "PROD", Paths: paths, Program: "test", Progress: &progress,
	})
	if err != nil {
		t.Fatal(err)
	}
	if info.State != catalog.StateComplete || info.Engine != "files" || info.Databases != len(paths) || info.Program != "test" {
		t.Errorf("info = %+v", info)
	}
	if progress.Done() != progress.Total() || progress.Total() != info.Bytes {
		t.Errorf("progress: %d of %d, the set has %d bytes", progress.Done(), progress.Total(), info.Bytes)
	}
	if i := slices.IndexFunc(info.Files, func(f catalog.FileInfo) bool { return f.Path == paths[0] }); i < 0 {
		t.Errorf("no %s in %+v", paths[0], info.Files)
	} else if f := info.Files[i]; f.Format != "iris" || f.BlockSize != 8192 || f.Database != "user" || f.ZeroBytes != 3*8192 ||
		f.Label == nil || f.Label.Resource != "%DB_USER" || f.SizeAtEnd != 100*8192 {
		t.Errorf("file = %+v", f)
	}

	to := filepath.Join(t.TempDir(), "not", "there", "yet")
	report := repo.restore(t, info, to)
	for _, p := range paths {
		sameFile(t, to+p, p)
	}
	for _, d := range []string{"gtm", "user", ""} {
		g, w := stat(t, filepath.Join(to, dir, d)), stat(t, filepath.Join(dir, d))
		if g.Mode != w.Mode || g.Uid != w.Uid || g.Mtim != w.Mtim {
			t.Errorf("directory %q has mode %o, owner %d, mtime %v; want %o, %d, %v", d, g.Mode, g.Uid, g.Mtim, w.Mode, w.Uid, w.Mtim)
		}
	}
	if got := names(t, to); len(got) != len(paths) {
		t.Errorf("restored %v", got)
	}
	if report.Size != info.Bytes || report.WrittenBytes != info.Bytes-info.ZeroBytes || report.UnchangedBytes != 0 || report.HoleBytes != info.ZeroBytes {
		t.Errorf("report = %+v", report)
	}
	for _, f := range report.Files {
		if !f.Created || f.Target != to+f.Path {
			t.Errorf("file = %+v", f)
		}
	}
}

// TestBackupFiles_Sparse keeps holes on the way in and out.
func TestBackupFiles_Sparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	const size = 1<<30 + 3
	writeSparse(t, path, size, map[int64][]byte{0: noise(1, 100), 500 << 20: noise(2, 1<<20), 1 << 30: {1, 2, 3}})
	repo := newRepo(t)
	info := repo.backup(t, path)
	if info.Bytes != size || info.Bytes-info.ZeroBytes > 2<<20 {
		t.Errorf("%d bytes, %d of them zero", info.Bytes, info.ZeroBytes)
	}
	to := t.TempDir()
	for _, run := range []string{"new", "existing"} {
		report := repo.restore(t, info, to)
		if got := stat(t, to+path); got.Size != size || got.Blocks*512 > 2<<20 {
			t.Errorf("%s: %d bytes on %d blocks of disk", run, got.Size, got.Blocks)
		}
		if report.HoleBytes != info.ZeroBytes {
			t.Errorf("%s: %d bytes of holes, want %d", run, report.HoleBytes, info.ZeroBytes)
		}
		if run == "existing" && report.WrittenBytes != 0 {
			t.Errorf("wrote %d bytes again", report.WrittenBytes)
		}
	}
	sameSparse(t, to+path, path)
}

// sameSparse compares two large sparse files without reading their holes.
func sameSparse(t testing.TB, got, want string) {
	t.Helper()
	g, w := mustOpen(t, got), mustOpen(t, want)
	a, b := alignedBuffer(pieceSize), alignedBuffer(pieceSize)
	for {
		n1, h1, err1 := g.Next(a)
		n2, h2, err2 := w.Next(b)
		if n1 != n2 || h1 != h2 || !errors.Is(err1, err2) || string(a[:n1]) != string(b[:n2]) {
			t.Fatalf("differ before offset %d: %d, %d, %v and %d, %d, %v", g.off, n1, h1, err1, n2, h2, err2)
		}
		if err1 != nil {
			return
		}
	}
}

// TestBackupFiles_Missing stores what there is.
func TestBackupFiles_Missing(t *testing.T) {
	dir := t.TempDir()
	good := put(t, filepath.Join(dir, "good"), noise(1, 100_000))
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nothing", dangling); err != nil {
		t.Fatal(err)
	}
	repo := newRepo(t)
	info := repo.backup(t, filepath.Join(dir, "missing"), good, dir, dangling)
	failed, warnings := fatal(info)
	if info.State != catalog.StateIncomplete || len(info.Files) != 1 || len(failed) != 3 || len(warnings) != 0 {
		t.Fatalf("info = %+v", info)
	}
	for i, want := range []string{
		filepath.Join(dir, "missing") + ": stat: no such file or directory",
		dir + ": open: is a directory: name the files in it",
		dangling + ": stat: no such file or directory",
	} {
		if failed[i] != want {
			t.Errorf("problem = %q, want %q", failed[i], want)
		}
	}

	// I6: it is not restored by mistake.
	to := t.TempDir()
	opts := RestoreOptions{Set: info.SetName(), To: to}
	if _, err := Restore(t.Context(), repo.Repository, opts); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "/missing") {
		t.Errorf("err = %v, want ErrIncomplete that names what is missing", err)
	}
	if got := names(t, to); len(got) != 0 {
		t.Errorf("restored %v", got)
	}
	opts.AllowIncomplete = true
	report, err := Restore(t.Context(), repo.Repository, opts)
	if err != nil || len(report.Warnings) != 3 || !strings.Contains(report.Warnings[0], "/missing") {
		t.Errorf("report = %+v, err = %v", report, err)
	}
	sameFile(t, to+good, good)
}

// TestBackupFiles_None leaves no set behind for a mistyped name.
func TestBackupFiles_None(t *testing.T) {
	dir := t.TempDir()
	repo := newRepo(t)
	_, err := BackupFiles(t.Context(), repo.Repository, FilesOptions{Instance: "PROD", Paths: []string{dir, filepath.Join(dir, "missing")}})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("err = %v", err)
	}
	if sets, err := repo.Sets(); len(sets) != 0 || err != nil {
		t.Errorf("sets = %v, %v", sets, err)
	}
}

func TestBackupFiles_Refuses(t *testing.T) {
	repo := newRepo(t)
	path := put(t, filepath.Join(t.TempDir(), "f"), []byte("x"))
	link := path + "-link"
	if err := os.Symlink(filepath.Join(repo.Dir(), "config"), link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		instance string
		paths    []string
		want     string
	}{
		{"NoFiles", "PROD", nil, "no files"},
		{"EmptyName", "PROD", []string{path, ""}, "empty file name"},
		{"InRepository", "PROD", []string{path, filepath.Join(repo.Dir(), "config")}, "inside the repository"},
		{"LinkIntoRepository", "PROD", []string{path, link}, "inside the repository"},
		{"Instance", "../x", []string{path}, "../x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := BackupFiles(t.Context(), repo.Repository, FilesOptions{Instance: tt.instance, Paths: tt.paths})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
	if sets, err := repo.Sets(); len(sets) != 0 || err != nil {
		t.Errorf("sets = %v, %v", sets, err)
	}
}

// TestBackupFiles_Paths stores a file once however often it is named.
func TestBackupFiles_Paths(t *testing.T) {
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), []byte("x"))
	t.Chdir(dir)
	repo := newRepo(t)
	info := repo.backup(t, "f", path, dir+"/./f", "nothing/../f")
	if len(info.Files) != 1 || info.Files[0].Path != path {
		t.Errorf("files = %+v", info.Files)
	}
	var last string
	for _, d := range info.Dirs {
		if d.Path != "/" && !isInside(d.Path, last) {
			t.Errorf("directory %s comes after %s", d.Path, last)
		}
		last = d.Path
	}
	if last != dir {
		t.Errorf("the last directory is %s, want %s", last, dir)
	}
}

func TestBackupFiles_NotUTF8(t *testing.T) {
	dir := t.TempDir()
	bad, good := put(t, filepath.Join(dir, "b\xffd"), []byte("x")), put(t, filepath.Join(dir, "good"), []byte("x"))
	info := newRepo(t).backup(t, bad, good)
	if failed, _ := fatal(info); len(failed) != 1 || !strings.Contains(failed[0], "not UTF-8") {
		t.Errorf("problems = %v", info.Problems)
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
