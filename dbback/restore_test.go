package dbback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// edit writes data into an existing file.
func edit(t testing.TB, path string, off int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, off); err != nil {
		t.Fatal(err)
	}
}

// TestRestore_InPlace writes the blocks that differ and no others.
func TestRestore_InPlace(t *testing.T) {
	const block = 8192
	dir := mkdir(t, t.TempDir(), "user")
	db := put(t, filepath.Join(dir, "IRIS.DAT"), irisFile(2000, 100, 101, 1500))
	repo := newRepo(t)
	info := repo.backup(t, db)
	to := t.TempDir()
	repo.restore(t, info, to)
	inode := stat(t, to+db).Ino

	tests := []struct {
		name    string
		edit    func(path string)
		written int64
	}{
		{"Nothing", func(string) {}, 0},
		{"ThreeBlocks", func(path string) {
			edit(t, path, 5*block+100, []byte("x"))
			edit(t, path, 6*block, noise(9, block))
			edit(t, path, 1999*block+block-1, []byte("x"))
		}, 3 * block},
		{"AcrossPieces", func(path string) { edit(t, path, 512*block-10, noise(9, 20)) }, 2 * block},
		{"DataToZero", func(path string) { edit(t, path, 700*block, make([]byte, 2*block)) }, 2 * block},
		{"HoleToData", func(path string) { edit(t, path, 100*block, noise(9, 2*block)) }, 0},
		{"ZeroedHole", func(path string) { edit(t, path, 1500*block, make([]byte, block)) }, 0},
		{"Attributes", func(path string) {
			if err := errors.Join(os.Chmod(path, 0o400), os.Chtimes(path, time.Time{}, time.Now())); err != nil {
				t.Fatal(err)
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.edit(to + db)
			report := repo.restore(t, info, to)
			sameFile(t, to+db, db)
			f := report.Files[0]
			if f.Created || f.WrittenBytes != tt.written || f.HoleBytes != 3*block || f.UnchangedBytes != 1997*block-tt.written {
				t.Errorf("report = %+v, want %d bytes written", f, tt.written)
			}
			if st := stat(t, to+db); st.Ino != inode || st.Blocks*512 > 1998*block {
				t.Errorf("inode %d was %d, %d bytes on disk", st.Ino, inode, st.Blocks*512)
			}
			if got := names(t, to); len(got) != 1 {
				t.Errorf("files = %v", got)
			}
		})
	}
}

// TestRestore_WrongSize restores onto targets that are longer or shorter, and
// makes the sparse ones of them right too.
func TestRestore_WrongSize(t *testing.T) {
	const block = 8192
	const size = 600*block + 1000
	dir := t.TempDir()
	data := append(irisFile(600, 10, 590, 599), noise(4, 1000)...)
	db := put(t, filepath.Join(dir, "IRIS.DAT"), data)
	repo := newRepo(t)
	info := repo.backup(t, db)
	if info.Files[0].BlockSize != block {
		t.Fatalf("file = %+v", info.Files[0])
	}
	tests := []struct {
		name    string
		target  []byte
		written int64
	}{
		{"Same", data, 0},
		{"Empty", nil, size - 3*block},
		{"OneByte", data[:1], size - 3*block},
		{"BlockMissing", data[:599*block], 1000},
		{"HalfBlockMissing", data[:598*block+block/2], 1000 + block},
		{"TailIsGarbage", slices.Concat(data[:598*block], noise(7, 1000)), 1000 + block},
		{"Longer", slices.Concat(data, noise(7, 5)), 0},
		{"MuchLonger", slices.Concat(data, noise(7, 20<<20)), 0},
		{"OtherContent", noise(8, size+1), size - 3*block},
		{"Zeros", make([]byte, size), size - 3*block},
	}
	for _, tt := range tests {
		for _, dry := range []bool{true, false} {
			to := t.TempDir()
			mkdir(t, to, dir)
			put(t, to+db, tt.target)
			before := stat(t, to+db)
			report, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: to, DryRun: dry})
			if err != nil {
				t.Errorf("%s, dry run %v: %v", tt.name, dry, err)
				continue
			}
			if report.WrittenBytes != tt.written || report.HoleBytes != 3*block || report.UnchangedBytes != size-3*block-tt.written {
				t.Errorf("%s, dry run %v: report = %+v, want %d written", tt.name, dry, report, tt.written)
			}
			if !dry {
				sameFile(t, to+db, db)
				continue
			}
			if got, err := os.ReadFile(to + db); err != nil || !bytes.Equal(got, tt.target) || stat(t, to+db).Ctim != before.Ctim {
				t.Errorf("%s: the dry run changed the target", tt.name)
			}
		}
	}
}

// TestRestore_Holes makes holes again where the target has garbage.
func TestRestore_Holes(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "sparse")
	const size = 50 << 20
	writeSparse(t, db, size, map[int64][]byte{10 << 20: noise(1, 1<<20)})
	repo := newRepo(t)
	info := repo.backup(t, db)
	to := t.TempDir()
	mkdir(t, to, dir)
	put(t, to+db, noise(2, size))
	report := repo.restore(t, info, to)
	sameFile(t, to+db, db)
	if st := stat(t, to+db); st.Blocks*512 > 2<<20 {
		t.Errorf("%d bytes on disk", st.Blocks*512)
	}
	if report.WrittenBytes != 1<<20 || report.HoleBytes != size-1<<20 {
		t.Errorf("report = %+v", report)
	}
}

// TestTarget_MakeHole_Zeros is for file systems without holes.
func TestTarget_MakeHole_Zeros(t *testing.T) {
	path := writeFile(t, noise(1, 10<<20))
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(want[5000:9_000_000])
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &restorer{buf: noise(3, pieceSize)}
	tg := &target{job: &job{target: path}, r: r, f: f, noPunch: true}
	zeros, err := tg.makeHole(t.Context(), catalog.Range{Off: 5000, Len: 9_000_000 - 5000, Hole: true})
	if err != nil || zeros != 9_000_000-5000 {
		t.Errorf("wrote %d zeros, err = %v", zeros, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("content differs, err = %v", err)
	}
}

func TestChoose(t *testing.T) {
	files := []catalog.FileInfo{
		{Path: "/mgr/user/IRIS.DAT", Database: "user"},
		{Path: "/mgr/user/IRIS-0001.VOL", Database: "user"},
		{Path: "/mgr/app/IRIS.DAT", Database: "app"},
		{Path: "/mgr/app/old/IRIS.DAT", Database: "old"},
		{Path: "/data/[x]/t.dat", Database: "t"},
		{Path: "20261122.002", Section: catalog.SectionJournals},
	}
	tests := []struct {
		patterns []string
		want     []int // nil: no match
	}{
		{nil, []int{0, 1, 2, 3, 4, 5}},
		{[]string{"/mgr/user/IRIS.DAT"}, []int{0}},
		{[]string{"IRIS.DAT"}, []int{0, 2, 3}},
		{[]string{"user"}, []int{0, 1}},
		{[]string{"*.VOL"}, []int{1}},
		{[]string{"a*"}, []int{2}},
		{[]string{"{app,old}"}, []int{2, 3}},
		{[]string{"/mgr/app"}, []int{2, 3}},
		{[]string{"/mgr/app/"}, []int{2, 3}},
		{[]string{"/mgr/ap"}, nil},
		{[]string{"/mgr/*/IRIS.DAT"}, []int{0, 2}},
		{[]string{"/mgr/**/IRIS.DAT"}, []int{0, 2, 3}},
		{[]string{"/**/*.dat"}, []int{4}},
		{[]string{"/mgr/*"}, []int{0, 1, 2, 3}},
		{[]string{"/mgr/u*"}, []int{0, 1}},
		{[]string{"/data/[x]"}, []int{4}},
		{[]string{"/data/[x]/t.dat"}, []int{4}},
		{[]string{"/"}, []int{0, 1, 2, 3, 4}},
		{[]string{"*"}, []int{0, 1, 2, 3, 4, 5}},
		{[]string{"20261122.*"}, []int{5}},
		{[]string{"old", "user", "IRIS.DAT"}, []int{0, 1, 2, 3}},
		{[]string{"user", "nothing"}, nil},
		{[]string{"mgr/user/IRIS.DAT"}, nil},
		{[]string{"USER"}, nil},
		{[]string{""}, nil},
	}
	for _, tt := range tests {
		got, err := choose(files, tt.patterns)
		if tt.want == nil {
			if !errors.Is(err, catalog.ErrNotFound) || !strings.Contains(err.Error(), "/mgr/app/old/IRIS.DAT (database old)") {
				t.Errorf("choose(%q) = %v, %v; want ErrNotFound that lists the files", tt.patterns, got, err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("choose(%q) = %v, %v; want %v", tt.patterns, got, err, tt.want)
		}
	}
	if _, err := choose(files, []string{"[a"}); !errors.Is(err, doublestar.ErrBadPattern) {
		t.Errorf("err = %v, want ErrBadPattern", err)
	}
}

func TestRestore_Only(t *testing.T) {
	dir := t.TempDir()
	a := put(t, filepath.Join(mkdir(t, dir, "a"), "IRIS.DAT"), irisFile(10))
	b := put(t, filepath.Join(mkdir(t, dir, "b"), "IRIS.DAT"), irisFile(11))
	repo := newRepo(t)
	info := repo.backup(t, a, b)
	to := t.TempDir()
	report := repo.restore(t, info, to, "b")
	if got := names(t, to); !slices.Equal(got, []string{b[1:]}) || len(report.Files) != 1 || report.Files[0].Path != b {
		t.Errorf("restored %v, report = %+v", got, report)
	}
	if _, err := os.Stat(filepath.Join(to, dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of a file that was not asked for is there: %v", err)
	}
}

func TestRestore_DryRun(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "f"), noise(1, 9<<20))
	repo := newRepo(t)
	info := repo.backup(t, path)
	to := filepath.Join(t.TempDir(), "new")
	var progress catalog.Progress
	report, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: to, DryRun: true, Progress: &progress})
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Files[0]; !report.DryRun || !f.Created || f.WrittenBytes != 9<<20 {
		t.Errorf("report = %+v", report)
	}
	if progress.Done() != 9<<20 || progress.Total() != 9<<20 {
		t.Errorf("progress %d of %d", progress.Done(), progress.Total())
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dry run made %s: %v", to, err)
	}
}

// TestRestore_Interrupted is visible, and finished by repeating it.
func TestRestore_Interrupted(t *testing.T) {
	dir := t.TempDir()
	first := put(t, filepath.Join(dir, "first"), noise(1, 40<<20))
	second := put(t, filepath.Join(dir, "second"), noise(2, 1<<20))
	repo := newRepo(t)
	info := repo.backup(t, first, second)
	to := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	pieces := 0
	report, err := Restore(ctx, repo.Repository, RestoreOptions{Set: info.SetName(), To: to, afterPiece: func() {
		if pieces++; pieces == 9 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "repeat the restore") {
		t.Errorf("err = %v", err)
	}
	if len(report.Files) != 2 || report.Files[0].Error == "" || report.Files[1].Error != "not reached" {
		t.Errorf("report = %+v", report)
	}
	written := report.Files[0].WrittenBytes
	if written < 8<<20 || written > 36<<20 {
		t.Errorf("wrote %d bytes", written)
	}
	if got := names(t, to); !slices.Equal(got, []string{first[1:], first[1:] + partialSuffix}) {
		t.Errorf("files = %v", got)
	}
	if text, err := os.ReadFile(to + first + partialSuffix); err != nil || !strings.Contains(string(text), info.SetName().String()) {
		t.Errorf("marker says %q, err = %v", text, err)
	}

	report = repo.restore(t, info, to)
	if got := report.Files[0]; got.WrittenBytes != 40<<20-written || got.UnchangedBytes != written {
		t.Errorf("the repetition: %+v, %d bytes were there", got, written)
	}
	if got := names(t, to); !slices.Equal(got, []string{first[1:], second[1:]}) {
		t.Errorf("files = %v", got)
	}
	sameFile(t, to+first, first)
	sameFile(t, to+second, second)
}

// TestRestore_Damaged restores what is sound and says where the damage is (I3).
func TestRestore_Damaged(t *testing.T) {
	dir := t.TempDir()
	first := put(t, filepath.Join(dir, "first"), noise(1, 8<<20))
	second := put(t, filepath.Join(dir, "second"), noise(2, 8<<20))
	repo := newRepo(t)
	info := repo.backup(t, first, second)
	packs, err := filepath.Glob(filepath.Join(repo.Dir(), "packs", "*", "*"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs = %v, %v", packs, err)
	}
	// In the middle of the first file: blocks are packed in the order of files.
	repo.damaged = true
	b, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	b[4<<20] ^= 1
	if err := errors.Join(os.Chmod(packs[0], 0o600), os.WriteFile(packs[0], b, 0o600)); err != nil {
		t.Fatal(err)
	}

	to := t.TempDir()
	report, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: to})
	if !errors.Is(err, catalog.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(packs[0])) || !strings.Contains(err.Error(), first) {
		t.Errorf("err = %v, want ErrCorrupt that names file and pack", err)
	}
	if len(report.Files) != 2 || report.Files[0].Error == "" || report.Files[1].Error != "" {
		t.Errorf("report = %+v", report)
	}
	sameFile(t, to+second, second)
	if got := names(t, to); !slices.Equal(got, []string{first[1:], first[1:] + partialSuffix, second[1:]}) {
		t.Errorf("files = %v", got)
	}
	if stat(t, to+first).Mode&0o777 != 0o600 {
		t.Error("the damaged file has got its mode")
	}
}

func TestRestore_Refuses(t *testing.T) {
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), []byte("content"))
	repo := newRepo(t)
	info := repo.backup(t, path)
	outside := put(t, filepath.Join(t.TempDir(), "outside"), []byte("precious"))

	at := func(t *testing.T, make func(target string) error) string {
		to := t.TempDir()
		mkdir(t, to, dir)
		if err := make(to + path); err != nil {
			t.Fatal(err)
		}
		return to
	}
	tests := []struct {
		name string
		to   func(t *testing.T) string
		want string
	}{
		{"Nowhere", func(*testing.T) string { return "" }, "no directory"},
		{"Repository", func(*testing.T) string { return repo.Dir() }, "inside the repository"},
		{"BelowRepository", func(*testing.T) string { return repo.Dir() + "/x/y" }, "inside the repository"},
		{"LinkToRepository", func(t *testing.T) string {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(repo.Dir(), link); err != nil {
				t.Fatal(err)
			}
			return link
		}, "inside the repository"},
		{"Link", func(t *testing.T) string {
			return at(t, func(target string) error { return os.Symlink(outside, target) })
		}, "symbolic link"},
		{"Directory", func(t *testing.T) string { return at(t, func(target string) error { return os.Mkdir(target, 0o700) }) }, "is a directory"},
		{"Pipe", func(t *testing.T) string {
			return at(t, func(target string) error { return unix.Mkfifo(target, 0o600) })
		}, "named pipe"},
		{"BelowFile", func(*testing.T) string { return outside }, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: tt.to(t)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "precious" {
		t.Errorf("the file outside is %q, %v", got, err)
	}
	_, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: catalog.SetName{Instance: "PROD", Name: "x"}, To: dir})
	if !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
}

// TestRestorer_Place keeps a forged path below the directory restored to.
func TestRestorer_Place(t *testing.T) {
	to := t.TempDir()
	tests := []struct {
		section    catalog.Section
		path, want string
	}{
		{catalog.SectionDatabases, "/a/b", "/a/b"},
		{catalog.SectionDatabases, "/../../etc/passwd", "/etc/passwd"},
		{catalog.SectionDatabases, "../x", "/x"},
		{catalog.SectionJournals, "20261122.002", "/journals/20261122.002"},
		{catalog.SectionIncremental, "../../x.cbk", "/incremental/x.cbk"},
	}
	for _, tt := range tests {
		r := &restorer{opts: RestoreOptions{To: to}}
		j := &job{info: &catalog.FileInfo{Path: tt.path, Section: tt.section}}
		if err := r.place(j, "/repo"); err != nil || j.target != to+tt.want || j.size != -1 {
			t.Errorf("%s %q goes to %s, err = %v; want %s", tt.section, tt.path, j.target, err, tt.want)
		}
	}
}

func TestRestorer_CheckSpace(t *testing.T) {
	const huge = 1 << 60
	dir := t.TempDir()
	tests := []struct {
		name   string
		target int64 // size, -1 for none
		info   catalog.FileInfo
		fits   bool
	}{
		{"New", -1, catalog.FileInfo{Size: huge}, false},
		{"NewHole", -1, catalog.FileInfo{Size: huge, ZeroBytes: huge}, true},
		{"Existing", huge, catalog.FileInfo{Size: huge}, true},
		{"Longer", 2 * huge, catalog.FileInfo{Size: huge}, true},
		{"Growing", 100, catalog.FileInfo{Size: huge}, false},
		{"GrowingByHole", 100, catalog.FileInfo{Size: huge, ZeroBytes: huge - 100}, true},
	}
	for _, tt := range tests {
		for _, dry := range []bool{true, false} {
			r := &restorer{
				opts:   RestoreOptions{DryRun: dry},
				report: &RestoreReport{},
				jobs:   []*job{{info: &tt.info, size: tt.target, target: filepath.Join(dir, "x", "y")}},
			}
			err := r.checkSpace()
			said := err != nil || len(r.report.Warnings) > 0
			if said == tt.fits || (err != nil && dry) {
				t.Errorf("%s, dry run %v: err = %v, warnings = %v", tt.name, dry, err, r.report.Warnings)
			}
			if err != nil && (!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "bytes are needed")) {
				t.Errorf("%s: err = %v", tt.name, err)
			}
		}
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
		t.Skip("needs root, to stop being it")
	}
	const nobody = 65534
	dir := t.TempDir()
	path := put(t, filepath.Join(mkdir(t, dir, "data"), "f"), []byte("content"))
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

// TestRestoreReport_JSON pins the names of the fields.
func TestRestoreReport_JSON(t *testing.T) {
	got, err := json.Marshal(RestoreReport{Files: []RestoredFile{{Error: "x"}}, Warnings: []string{"w"}})
	want := `{"set":"","to":"","dry_run":false,"files":[{"path":"","target":"","size":0,"written_bytes":0,"unchanged_bytes":0,` +
		`"hole_bytes":0,"created":false,"error":"x"}],"size":0,"written_bytes":0,"unchanged_bytes":0,"hole_bytes":0,"warnings":["w"]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}
