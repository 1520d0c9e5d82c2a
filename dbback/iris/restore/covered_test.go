package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/dbback/iris/session"
)

// What is left of another restore of the databases is removed if it is the owner's,
// wherever a link has it found, and nothing else.
func TestRun_Covered(t *testing.T) {
	for _, tt := range []struct {
		name  string
		uid   int
		state string // DIR is the directory of the database
		gone  bool
		warns string
	}{
		{"the owner's", ownerUID, `{"key":"k","set":"IRIS/x","dirs":["DIR"]}`, true, ""},
		{"somebody else's", 4711, `{"key":"k","set":"IRIS/x","dirs":["DIR"]}`, false, "belongs to the user 4711, not to the instance's owner 12345"},
		{"root's", 0, `{"key":"k","set":"IRIS/x","dirs":["DIR"]}`, false, "belongs to the user 0"},
		{"of more databases", ownerUID, `{"key":"k","set":"IRIS/x","dirs":["DIR","/other/"]}`, false, ""},
		{"torn", ownerUID, `{"key":"k","set":"IRIS/x","dirs":["DIR"]`, false, ""},
	} {
		for _, everything := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, everything), func(t *testing.T) {
				way := Options{Databases: []string{"USER"}}
				if everything {
					way = Options{Everything: true}
				}
				r := newRestoring(t, way)
				asRoot(t, r)
				left := filepath.Join(t.TempDir(), "restore-x")
				home := session.UsualWorkDir(r.w.At("mgr"))
				err := errors.Join(os.MkdirAll(filepath.Join(left, "journals"), 0o700), os.MkdirAll(home, 0o755), os.Symlink(left, filepath.Join(home, "restore-l")),
					os.WriteFile(filepath.Join(left, "journals/x"), nil, 0o600),
					os.WriteFile(filepath.Join(left, "state.json"), []byte(strings.ReplaceAll(tt.state, "DIR", session.Slashed(r.w.At("mgr/user")))+"\n"), 0o600),
					os.Chown(left, tt.uid, tt.uid))
				if err != nil {
					t.Fatal(err)
				}
				r.opts.Anew = true
				report, err := r.run()
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range []string{filepath.Join(left, "journals/x"), filepath.Join(left, "state.json"), left, filepath.Join(home, "restore-l")} {
					if _, err := os.Lstat(path); (err != nil) != tt.gone {
						t.Errorf("%s: %v", path, err)
					}
				}
				warned := slices.ContainsFunc(report.Warnings, func(s string) bool {
					return strings.Contains(s, "could not be removed: ") && strings.Contains(s, tt.warns)
				})
				if warned != (tt.warns != "") {
					t.Errorf("warnings %q", report.Warnings)
				}
			})
		}
	}
}

// What has come to be in the place of a directory is not removed with it.
func TestRemoveOwned_Replaced(t *testing.T) {
	base := t.TempDir()
	path, other := filepath.Join(base, "restore-x"), filepath.Join(base, "other")
	for _, dir := range []string{path, other} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := findOwned(path, ownerOf(base))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	if err := errors.Join(os.Rename(path, path+".old"), os.Symlink(other, path)); err != nil {
		t.Fatal(err)
	}
	if err := dir.remove(); err == nil {
		t.Error("it says that it is removed")
	}
	if _, err := os.Stat(filepath.Join(other, "file")); err != nil {
		t.Error(err)
	}
}
