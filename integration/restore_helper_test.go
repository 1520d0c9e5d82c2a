package integration

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"datfs/dbback/iris/restore"
	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// sample skips most rows of a big table in a short run, such as one under the race
// detector: the others differ only in what they tell the practice instance.
func sample(t *testing.T, row int) {
	t.Helper()
	if testing.Short() && row%6 != 0 {
		t.Skip("one row of six in a short run")
	}
}

// long skips a test in a short run: others take the same ways through the program.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("not in a short run")
	}
}

// set returns the name of the newest set.
func (s *irisSite) set(t *testing.T) string {
	t.Helper()
	info := s.newest(t)
	if info == nil {
		t.Fatal("there is no set")
	}
	return info.SetName().String()
}

// restore restores a set, which must end with the exit code.
func (s *irisSite) restore(t *testing.T, code int, args ...string) result {
	t.Helper()
	args = append([]string{"restore", "iris"}, args...)
	r := s.datfs(t, args...)
	if r.code != code {
		t.Fatalf("%s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// restored restores a set, which must succeed, and returns its report.
func (s *irisSite) restored(t *testing.T, args ...string) *restore.Report {
	t.Helper()
	return report(t, s.restore(t, 0, append(slices.Clone(args), "--yes", "--json")...))
}

func report(t *testing.T, r result) *restore.Report {
	t.Helper()
	out := new(restore.Report)
	if err := json.Unmarshal([]byte(r.stdout), out); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	if !out.Clean || len(out.Damage) != 0 {
		t.Errorf("report %+v", out)
	}
	return out
}

// dat returns the path of a database's file.
func (s *irisSite) dat(name string) string { return s.database(name) + "IRIS.DAT" }

// journal returns the path of a journal file, as the record of operations has it.
func (s *irisSite) journal(name string) string { return filepath.Join(s.dir, "mgr/journal", name) }

// garble fills a file with what is no database, as a broken disk does.
func garble(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, info.Size())
	r := rand.NewChaCha8([32]byte{byte(info.Size())})
	if _, err := r.Read(b); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0) // the same file, with its owner and mode
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// dismount dismounts a database of the instance, whose users leave it.
func (s *irisSite) dismount(t *testing.T, dir string) {
	t.Helper()
	out := s.session(t, `write !,"@@DM|",##class(SYS.Database).DismountDatabase("`+dir+`"),!`)
	if !strings.Contains(out, "@@DM|1") {
		t.Fatalf("dismount %s:\n%s", dir, out)
	}
}

// lose dismounts databases and garbles their files.
func (s *irisSite) lose(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		s.dismount(t, s.database(name))
		garble(t, s.dat(name))
	}
}

// holds checks that a database of the instance is mounted for writing, and holds
// what it held at the end of a journal file; "" is at the end of all. The record of
// operations says what that is: it has nothing to do with journals, blocks or
// backups.
func (s *irisSite) holds(t *testing.T, name, journal string) {
	t.Helper()
	dir := s.database(name)
	if info, err := s.inst.Storage().Database(dir); err != nil || !info.Mounted || info.ReadOnly {
		t.Errorf("%s: %+v, %v", name, info, err)
		return
	}
	s.dismount(t, dir)
	s.fileHolds(t, name, s.dat(name), journal)
	if err := s.inst.Storage().Mount(t.Context(), dir, false); err != nil {
		t.Fatal(err)
	}
}

// fileHolds checks that a file, which nobody has mounted, is the database as it was
// at the end of a journal file.
func (s *irisSite) fileHolds(t *testing.T, name, path, journal string) {
	t.Helper()
	if journal != "" {
		journal = s.journal(journal)
	}
	content, err := storage.ReplayOplog(s.oplog, journal)
	if err != nil {
		t.Fatal(err)
	}
	got, err := storage.DigestFile(path)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if want := content[s.database(name)]; want == nil || got != want.Digest() {
		t.Errorf("%s is not what %s was at the end of %q", path, name, journal)
	}
}

// write makes a change that is no simulated user's, so that a database without
// load is not always the same.
func (s *irisSite) write(t *testing.T, name, value string) {
	t.Helper()
	if err := s.inst.Storage().Set(t.Context(), s.database(name), "Changed", value, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

// clean checks what a restore that succeeded must leave: nothing in the work
// directories, and a repository that verifies.
func (s *irisSite) clean(t *testing.T) {
	t.Helper()
	if left := s.leftovers(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
}

// another makes and starts an instance of another name beside the site's, with
// databases of its own names, and returns it.
func (s *irisSite) another(t *testing.T, name string, databases ...string) *irisSite {
	t.Helper()
	dir := t.TempDir()
	other := &irisSite{dir: filepath.Join(dir, "instance"), repo: s.repo, oplog: filepath.Join(dir, "oplog"), beside: []string{s.dir}}
	opts := practice.CreateOptions{
		Dir: other.dir, Name: name, Size: 2 << 20, Databases: slices.Clone(databases), Executable: program, Oplog: other.oplog,
	}
	if opts.Databases == nil {
		opts.Databases = []string{}
	}
	if err := practice.Create(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	other.start(t, practice.StartOptions{Oplog: other.oplog})
	t.Cleanup(func() { _ = other.inst.Stop() })
	s.beside = append(s.beside, other.dir)
	return other
}

// ends sees to it that the site's instance, which may have been started as a
// program of its own, ends with the test.
func (s *irisSite) ends(t *testing.T) {
	t.Helper()
	r, err := practice.At(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil && !errors.Is(err, practice.ErrDown) {
			t.Errorf("stop: %v", err)
		}
	})
}

// own is who a file belongs to, and its mode.
type own struct {
	uid, gid uint32
	mode     os.FileMode
}

func ownerOf(t *testing.T, path string) own {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return own{st.Uid, st.Gid, info.Mode()}
}

// remount gives a small file system another size.
func remount(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("datfs-test", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		t.Fatal(err)
	}
}

// readOnly makes a directory read-only, for everybody, until the test ends.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "only root can mount a directory read-only")
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		missing(t, "mount %s: %v", dir, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}
