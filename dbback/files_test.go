package dbback

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

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
	if stat(t, to).Mtim == stat(t, "/").Mtim {
		t.Error("the directory restored to has the attributes of /")
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
	for _, run := range []string{"new", "existing", "with garbage in a hole"} {
		if run != "new" && run != "existing" {
			edit(t, to+path, 700<<20+4096, []byte("x"))
		}
		report := repo.restore(t, info, to)
		if got := stat(t, to+path); got.Size != size || got.Blocks*512 > 2<<20 {
			t.Errorf("%s: %d bytes on %d blocks of disk", run, got.Size, got.Blocks)
		}
		if report.HoleBytes != info.ZeroBytes {
			t.Errorf("%s: %d bytes of holes, want %d", run, report.HoleBytes, info.ZeroBytes)
		}
		if run != "new" && report.WrittenBytes != 0 {
			t.Errorf("%s: wrote %d bytes again", run, report.WrittenBytes)
		}
		sameSparse(t, to+path, path)
	}
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
	other := put(t, filepath.Join(dir, "g"), []byte("y"))
	info := repo.backup(t, "f", path, dir+"/./f", other, "../"+filepath.Base(dir)+"/f")
	if len(info.Files) != 2 || info.Files[0].Path != path || info.Files[1].Path != other {
		t.Errorf("files = %+v", info.Files)
	}
	last := "" // which "/" is inside of
	for _, d := range info.Dirs {
		if d.Path == last || !isInside(d.Path, last) {
			t.Errorf("directory %s comes after %s", d.Path, last)
		}
		last = d.Path
	}
	if last != dir {
		t.Errorf("the last directory is %s, want %s", last, dir)
	}
}
