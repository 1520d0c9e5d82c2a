package restore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Elsewhere is not where something else is, by whatever name: that is refused before
// the instance is told anything.
func TestRun_Places(t *testing.T) {
	alias := func(t *testing.T) string {
		t.Helper()
		link := filepath.Join(t.TempDir(), "alias")
		if err := os.Symlink("/", link); err != nil {
			t.Fatal(err)
		}
		return link
	}
	user := func(r *restoring, dir string) { r.opts.Redirect = map[string]string{"USER": dir} }
	const sys = "another system's USER must never be put there"
	for _, tt := range []struct {
		name string
		to   func(r *restoring)
		want string // "": it is restored
	}{
		{"a new directory", func(r *restoring) { user(r, filepath.Join(r.t.TempDir(), "new")) }, ""},
		{"the original by a symbolic link", func(r *restoring) {
			r.opts.Databases, r.opts.To = []string{"USER"}, alias(r.t)
		}, "which is the place of USER by another name"},
		{"the lost original by a symbolic link", func(r *restoring) {
			if err := os.RemoveAll(r.w.At("mgr/user")); err != nil {
				r.t.Fatal(err)
			}
			r.opts.Databases, r.opts.To = []string{"USER"}, alias(r.t)
		}, "which is the place of USER by another name"},
		{"its own path by a symbolic link by redirection", func(r *restoring) { user(r, alias(r.t)+r.w.At("mgr/user")) }, "which is the place of USER by another name"},
		{"a hard link of the original", func(r *restoring) {
			dir := r.t.TempDir()
			if err := os.Link(r.w.At("mgr/user/IRIS.DAT"), filepath.Join(dir, "IRIS.DAT")); err != nil {
				r.t.Fatal(err)
			}
			user(r, dir)
		}, "IRIS.DAT, which is the place of USER by another name"},
		{"two in one place", func(r *restoring) {
			dir := r.t.TempDir()
			r.opts.Redirect = map[string]string{"USER": dir + "/x", "IRISSYS": alias(r.t) + dir + "/x"}
		}, "would both be restored to"},
		{"another database of the instance", func(r *restoring) { user(r, r.w.At("mgr/irislib")) }, "where IRIS has its database IRISLIB"},
		{"that by a symbolic link", func(r *restoring) { user(r, alias(r.t)+r.w.At("mgr/irislib")) }, "where IRIS has its database IRISLIB"},
		{"the manager directory by a symbolic link", func(r *restoring) {
			r.opts.Redirect = map[string]string{"IRISSYS": alias(r.t) + r.w.At("mgr")}
		}, "which is the place of IRISSYS by another name"},
		{"the directory of the instance", func(r *restoring) { user(r, r.w.Dir) }, "the directory of IRIS itself: " + sys},
		{"a manager directory of another instance", func(r *restoring) {
			r.w.Write("other/mgr/startup.last", "")
			user(r, r.w.At("other/mgr"))
		}, "startup.last): " + sys},
		{"that of one that was never started", func(r *restoring) {
			r.w.Write("other/cache.cpf", "")
			user(r, r.w.At("other/mgr"))
		}, "cache.cpf): " + sys},
		{"a database of another instance", func(r *restoring) {
			r.w.Write("other/mgr/startup.last", "")
			r.w.Write("other/mgr/user/IRIS.DAT", "other")
			user(r, r.w.At("other/mgr/user"))
		}, "below the directory of another instance"},
		{"below that of the instance itself", func(r *restoring) {
			r.w.Write("mgr/user2/IRIS.DAT", "second")
			user(r, r.w.At("mgr/user2"))
		}, ""},
		{"a database of that name in another directory", func(r *restoring) {
			r.w.Write("staged/IRIS.DAT", "staged")
			r.w.Databases = "@@DB|USER|" + r.w.At("staged") + "/|8192|1|1|0|0|0|3\n@@DB|FAR|:mirror:x"
			user(r, r.w.At("staged"))
		}, ""},
		{"no list", func(r *restoring) {
			r.w.Say["OWN"] = "@@OWN|USER|/x/"
			user(r, filepath.Join(r.t.TempDir(), "new"))
		}, "ends in the middle"},
		{"a list that is refused", func(r *restoring) {
			r.w.Say["OWN"] = "@@ERR|OWN|<PROTECT>|x|"
			user(r, filepath.Join(r.t.TempDir(), "new"))
		}, "<PROTECT>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRestoring(t, Options{})
			tt.to(r)
			_, err := r.run()
			told := r.w.Told()
			if tt.want == "" {
				if err != nil || r.next == "" {
					t.Errorf("error %v, it asks to begin with %q", err, r.next)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
			if refusal := !strings.HasSuffix(tt.name, "list") && !strings.HasPrefix(tt.name, "a list"); refusal != errors.Is(err, ErrRefused) {
				t.Errorf("error %v: refused %v", err, !refusal)
			}
			if told != "" || r.next != "" {
				t.Errorf("it tells %s, and asks to begin with %q", told, r.next)
			}
		})
	}
}

// What cannot be written to is refused by the look, before anything is told.
func TestRun_LookWrites(t *testing.T) {
	for _, tt := range []struct {
		name string
		to   func(r *restoring) string
		want string
	}{
		{"a file system that is read-only", func(*restoring) string {
			dir := t.TempDir()
			if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
				t.Skipf("%v (takes root)", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(dir, 0); err != nil {
					t.Error(err)
				}
			})
			return filepath.Join(dir, "to")
		}, "cannot be written: access "},
		{"a symbolic link", func(r *restoring) string {
			r.w.Write("real", "x")
			r.w.Write("to/.keep", "")
			if err := os.Symlink(r.w.At("real"), r.w.At("to/IRIS.DAT")); err != nil {
				t.Fatal(err)
			}
			return r.w.At("to")
		}, "is a symbolic link"},
	} {
		r := newRestoring(t, Options{})
		r.opts.Redirect = map[string]string{"USER": tt.to(r)}
		_, err := r.run()
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.want) || r.w.Told() != "" {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What a restore has put below the directory of another instance is its own, when it
// goes on, begins anew or is given up.
func TestRun_PlacesOfItsOwn(t *testing.T) {
	for _, anew := range []bool{false, true} {
		r := newRestoring(t, Options{})
		r.w.Write("other/startup.last", "")
		r.opts.Redirect = map[string]string{"USER": r.w.At("other/user2")}
		undo := failures(r)[stepApply]()
		r.mustFail(stepApply)
		undo()
		r.opts.Anew = anew
		if _, err := r.run(); err != nil {
			t.Errorf("anew %v: %v", anew, err)
		}
	}
	r := newRestoring(t, Options{})
	r.w.Write("other/startup.last", "")
	r.opts.Redirect = map[string]string{"USER": r.w.At("other/user2")}
	failures(r)[stepApply]()
	r.mustFail(stepApply)
	if _, err := r.giveUp(); err != nil {
		t.Errorf("given up: %v", err)
	}
}
