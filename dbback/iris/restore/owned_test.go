package restore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"datfs/dbback"
)

const ownerUID, ownerGID = 12345, 12346

// asRoot gives the instance of a restore to another user, as whom root then works.
func asRoot(t *testing.T, r *restoring) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("takes root")
	}
	err := filepath.WalkDir(r.w.Dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, ownerUID, ownerGID))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func ownedBy(t *testing.T, path string) (uid uint32, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid, info.Mode()
}

// What the instance's owner puts into the work directory leads root nowhere.
func TestRun_Planted(t *testing.T) {
	// Where the work directory is, a restore that fails says.
	planned := func(t *testing.T) *restoring {
		t.Helper()
		r := newRestoring(t, Options{Databases: []string{"USER"}, To: filepath.Join(t.TempDir(), "to")})
		asRoot(t, r)
		r.w.Say["REST"] = "@@REST|-3"
		if _, err := r.run(); err == nil {
			t.Fatal("it succeeds")
		}
		if uid, mode := ownedBy(t, r.plan.Work); uid != ownerUID || mode.Perm() != 0o770 {
			t.Errorf("%s belongs to %d, %v", r.plan.Work, uid, mode)
		}
		for _, name := range []string{"dirlist.kept.txt", r.info.Method.Incrementals[0], "journals/journal.log", "journals/20261122.002"} {
			if uid, mode := ownedBy(t, filepath.Join(r.plan.Work, name)); uid != ownerUID || mode.Perm() != 0o660 {
				t.Errorf("%s belongs to %d, %v", name, uid, mode)
			}
		}
		delete(r.w.Say, "REST")
		r.opts.Anew = true
		return r
	}
	for _, tt := range []struct {
		name  string
		plant func(work, victim string) error
		want  string // "": it is restored, what was planted is gone
	}{
		{"nothing", func(string, string) error { return nil }, ""},
		{"a link to a directory", func(work, victim string) error {
			return errors.Join(os.RemoveAll(work+"/journals"), os.Symlink(victim, work+"/journals"))
		}, "/journals is a symbolic link"},
		{"a link in place of the work directory", func(work, victim string) error {
			return errors.Join(os.RemoveAll(work), os.Symlink(victim, work))
		}, " is a symbolic link"},
		{"a directory of somebody else's", func(work, _ string) error {
			return os.Chown(work+"/journals", 0, 0)
		}, "/journals belongs to the user 0, not to the instance's owner 12345"},
		{"links to files", func(work, victim string) error {
			var failed []error
			for _, name := range []string{"dirlist.txt", "dirlist.kept.txt", "journals/journal.log", "journals/20261122.002"} {
				failed = append(failed, ignoreMissing(os.Remove(filepath.Join(work, name))), os.Symlink(victim+"/secret", filepath.Join(work, name)))
			}
			return errors.Join(failed...)
		}, ""},
		{"hard links", func(work, victim string) error {
			var failed []error
			for _, name := range []string{"dirlist.kept.txt", "journals/journal.log", "journals/20261122.002"} {
				failed = append(failed, os.Remove(filepath.Join(work, name)), os.Link(victim+"/secret", filepath.Join(work, name)))
			}
			return errors.Join(failed...)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := planned(t)
			victim := t.TempDir()
			if err := errors.Join(os.WriteFile(victim+"/secret", []byte("secret"), 0o600), os.Chmod(victim, 0o700), tt.plant(r.plan.Work, victim)); err != nil {
				t.Fatal(err)
			}
			_, err := r.run()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			entries, err := os.ReadDir(victim)
			if err != nil || len(entries) != 1 {
				t.Errorf("in the other directory: %v, %v", entries, err)
			}
			b, err := os.ReadFile(victim + "/secret")
			if uid, mode := ownedBy(t, victim+"/secret"); string(b) != "secret" || err != nil || uid != 0 || mode.Perm() != 0o600 {
				t.Errorf("the other file: %q, of %d, %v, %v", b, uid, mode, err)
			}
		})
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// What is read to be given to the instance's owner is not what somebody else may read.
func TestReadAlone(t *testing.T) {
	dir := t.TempDir()
	file, linked, symbolic := filepath.Join(dir, "file"), filepath.Join(dir, "linked"), filepath.Join(dir, "symbolic")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := readAlone(file); string(b) != "text" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := errors.Join(os.Symlink(file, symbolic), os.Link(file, linked)); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, "long")
	if err := errors.Join(os.WriteFile(long, nil, 0o600), os.Truncate(long, dbback.MaxJournalLog+1)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{linked, symbolic, dir, long} {
		if _, err := readAlone(path); err == nil {
			t.Errorf("%s is read", path)
		}
	}
}

// On a machine that has taken the place of the set's, a database belongs to whom it
// belonged before, or to whom the instance belongs: not to the old machine's numbers.
func TestRun_OtherHostOwner(t *testing.T) {
	for _, way := range []Options{{Databases: []string{"USER"}, NoJournals: true}, {Everything: true}} {
		for _, lost := range []bool{false, true} {
			r := newRestoring(t, way)
			r.opts.OtherHost = true
			asRoot(t, r)
			dat := r.w.At("mgr/user/IRIS.DAT")
			want := uint32(ownerUID)
			if lost {
				if err := os.RemoveAll(filepath.Dir(dat)); err != nil {
					t.Fatal(err)
				}
			} else {
				want = 4711
				if err := os.Chown(dat, 4711, 4712); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.run(); err != nil {
				t.Fatal(err)
			}
			r.checkRestored(dat)
			if uid, _ := ownedBy(t, dat); uid != want {
				t.Errorf("%+v, lost %v: the database belongs to %d, want %d", way, lost, uid, want)
			}
			if uid, _ := ownedBy(t, filepath.Dir(dat)); uid != ownerUID {
				t.Errorf("%+v, lost %v: its directory belongs to %d", way, lost, uid)
			}
		}
	}
}
