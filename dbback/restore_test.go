package dbback

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// TestRestore_DiskFull stops, since the other files do not fit either. The space
// was not known to be short: the target is there, but is one hole.
func TestRestore_DiskFull(t *testing.T) {
	to := mount(t, "tmpfs", "size=4m")
	dir := t.TempDir()
	first := put(t, filepath.Join(dir, "first"), noise(1, 16<<20))
	second := put(t, filepath.Join(dir, "second"), []byte("x"))
	repo := newRepo(t)
	info := repo.backup(t, first, second)
	opts := RestoreOptions{Set: info.SetName(), To: to}
	if _, err := Restore(t.Context(), repo.Repository, opts); err == nil || !strings.Contains(err.Error(), "16777217 bytes are needed") {
		t.Errorf("err = %v, want one that says how much is needed", err)
	}
	if got := names(t, to); len(got) != 0 {
		t.Errorf("files = %v", got)
	}

	mkdir(t, to, dir)
	writeSparse(t, to+first, 16<<20, nil)
	report, err := Restore(t.Context(), repo.Repository, opts)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), first) {
		t.Errorf("err = %v, want ENOSPC", err)
	}
	if len(report.Files) != 2 || report.Files[1].Error != "not reached" {
		t.Errorf("report = %+v", report)
	}
	if got := names(t, to); !slices.Equal(got, []string{first[1:], first[1:] + partialSuffix}) {
		t.Errorf("files = %v", got)
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

// TestRestoreReport_JSON pins the names of the fields.
func TestRestoreReport_JSON(t *testing.T) {
	got, err := json.Marshal(RestoreReport{Files: []RestoredFile{{Error: "x"}}, Warnings: []string{"w"}})
	want := `{"set":"","to":"","dry_run":false,"files":[{"path":"","target":"","size":0,"written_bytes":0,"unchanged_bytes":0,` +
		`"hole_bytes":0,"created":false,"error":"x"}],"size":0,"written_bytes":0,"unchanged_bytes":0,"hole_bytes":0,"warnings":["w"]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// TestRestore_Place restores some files to where the caller says, and for whom.
func TestRestore_Place(t *testing.T) {
	dir := t.TempDir()
	one := put(t, filepath.Join(dir, "one"), noise(1, 100_000))
	two := put(t, filepath.Join(dir, "two"), noise(2, 70_000))
	repo := newRepo(t)
	info := repo.backup(t, one, two)
	at := func(path string) int {
		return slices.IndexFunc(info.Files, func(f catalog.FileInfo) bool { return f.Path == path })
	}
	target := filepath.Join(t.TempDir(), "elsewhere")
	owner := &Owner{UID: os.Getuid(), GID: os.Getgid()}
	if os.Getuid() == 0 {
		owner = &Owner{UID: 4711, GID: 4712}
	}
	report, err := Restore(t.Context(), repo.Repository, RestoreOptions{
		Set: info.SetName(), Place: map[int]string{at(two): target}, Owner: owner,
	})
	if err != nil {
		t.Fatal(err)
	}
	sameContent(t, target, two)
	if st := stat(t, target); int(st.Uid) != owner.UID || int(st.Gid) != owner.GID {
		t.Errorf("owner %d:%d, want %+v", st.Uid, st.Gid, owner)
	}
	if len(report.Files) != 1 || report.Files[0].Target != target {
		t.Errorf("report %+v", report.Files)
	}
	for name, place := range map[string]map[int]string{
		"no such file": {len(info.Files): target}, "a relative path": {0: "x"}, "in the repository": {0: filepath.Join(repo.Dir(), "x")},
	} {
		if _, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), Place: place}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A directory that is lost with the file in it is made as it was: the database's
// owner has to write to it. Another one is not made like it.
func TestRestore_PlaceMakesDirs(t *testing.T) {
	dir := t.TempDir()
	lost := filepath.Join(dir, "lost", "below")
	if err := os.MkdirAll(lost, 0o755); err != nil {
		t.Fatal(err)
	}
	path := put(t, filepath.Join(lost, "db"), noise(1, 100_000))
	if err := errors.Join(os.Chmod(lost, 0o2775), os.Chmod(filepath.Dir(lost), 0o711)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(lost, 4711, 4712); err != nil {
			t.Fatal(err)
		}
	}
	before, above := stat(t, lost), stat(t, filepath.Dir(lost))
	repo := newRepo(t)
	info := repo.backup(t, path)
	if err := os.RemoveAll(filepath.Dir(lost)); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "lost", "below", "db")
	for _, target := range []string{path, elsewhere} {
		if _, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), Place: map[int]string{0: target}}); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]unix.Stat_t{lost: before, filepath.Dir(lost): above} {
		if st := stat(t, dir); st.Mode != want.Mode || st.Uid != want.Uid || st.Gid != want.Gid {
			t.Errorf("%s has mode %o and owner %d:%d, want %o, %d:%d", dir, st.Mode, st.Uid, st.Gid, want.Mode, want.Uid, want.Gid)
		}
	}
	if st := stat(t, filepath.Dir(elsewhere)); st.Mode&0o7777 == before.Mode&0o7777 || int(st.Uid) != os.Getuid() {
		t.Errorf("another directory has mode %o and owner %d", st.Mode, st.Uid)
	}
}

// On another machine numbers mean other users: what is there stays whose it is, also
// if a restore before this one was cut off as soon as it had made it.
func TestRestore_KeepOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("takes root")
	}
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), noise(1, 100_000))
	repo := newRepo(t)
	info := repo.backup(t, path)
	there, missing, cut := put(t, filepath.Join(dir, "there"), []byte("x")), filepath.Join(dir, "missing"), filepath.Join(dir, "cut")
	if err := os.Chown(there, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	restore := func(ctx context.Context, target string, after func()) error {
		_, err := Restore(ctx, repo.Repository, RestoreOptions{
			Set: info.SetName(), Place: map[int]string{0: target}, Owner: &Owner{815, 816}, KeepOwner: true, afterPiece: after,
		})
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := restore(ctx, cut, cancel); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for target, want := range map[string]Owner{there: {4711, 4712}, missing: {815, 816}, cut: {815, 816}} {
		if err := restore(t.Context(), target, nil); err != nil {
			t.Fatal(err)
		}
		sameContent(t, target, path)
		if st := stat(t, target); int(st.Uid) != want.UID || int(st.Gid) != want.GID {
			t.Errorf("%s belongs to %d:%d, want %+v", target, st.Uid, st.Gid, want)
		}
	}
}
