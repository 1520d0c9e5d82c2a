package session

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestUnfinishedRestores(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, state string) string {
		dir := filepath.Join(base, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, StateName), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	usual := filepath.Join(base, "usual")
	put("usual/IRIS-set", `{"set":"of a backup"}`)
	torn := put("usual/restore-b", `{"set":"IRIS/b","st`)
	whole := put("usual/restore-a", `{"set":"IRIS/a","dirs":["/x/","/y/"],"step":"apply","half":true,"done":["look"],"more":1}`)
	other := put("other/restore-c", `{"set":"IRIS/c"}`)
	for link, to := range map[string]string{"restore-l": other, "restore-m": other, "restore-n": filepath.Join(base, "none"), "restore-o": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(usual, link)); err != nil {
			t.Fatal(err)
		}
	}
	got := UnfinishedRestores(usual, filepath.Join(base, "other"), filepath.Join(base, "missing"))
	var dirs []string
	for _, u := range got {
		dirs = append(dirs, u.Dir)
	}
	if !slices.Equal(dirs, []string{whole, torn, other}) {
		t.Fatalf("%q", dirs)
	}
	if u := got[0]; u.Set != "IRIS/a" || u.Step != "apply" || !u.Half || !slices.Equal(u.Overlap([]string{"/z/", "/y/"}), []string{"/y/"}) {
		t.Errorf("%+v", u)
	}
	if got[1].Set != "" || got[2].Set != "IRIS/c" || got[2].Overlap([]string{"/x/"}) != nil {
		t.Errorf("%+v, %+v", got[1], got[2])
	}
}

// Whatever is in state.json of another run: it is read, or it is not known.
func FuzzReadUnfinished(f *testing.F) {
	f.Add([]byte(`{"key":"k","set":"IRIS/a","dirs":["/x/"],"step":"apply","half":true,"command":"datfs"}`))
	f.Add([]byte(`{"dirs":1}`))
	f.Add([]byte(`{"set":"\u001b[2K","step":"a\nb","command":"datfs 'x'\\''y' --a=b; rm"}`))
	f.Add([]byte(`null`))
	path := filepath.Join(f.TempDir(), StateName)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		u := readUnfinished(path)
		if u.Dir != "" {
			t.Errorf("%q is taken from the file", u.Dir)
		}
		if HasControl(u.Set + u.Step + u.Command) {
			t.Errorf("%+v does something to a terminal", u)
		}
	})
}
