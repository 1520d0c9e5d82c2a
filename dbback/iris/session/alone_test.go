package session

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is read of a work directory is not what somebody else may read, nor without end.
func TestReadAlone(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"file", "linked"} {
		if err := os.WriteFile(at(name), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(at("file"), at("symbolic")), os.Link(at("linked"), at("other")), syscall.Mkfifo(at("pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int64]string{3: "tex", 4: "text", 100: "text"} {
		if b, err := ReadAlone(at("file"), most); string(b) != want || err != nil {
			t.Errorf("%d bytes: %q, %v", most, b, err)
		}
	}
	for _, name := range []string{"linked", "other", "symbolic", "pipe", "."} {
		b, err := ReadAlone(at(name), 100)
		if err == nil || len(b) > 0 || !strings.Contains(err.Error(), at(name)+" is not a plain file with one name only") {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := ReadAlone(at("none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is missing: %v", err)
	}
}

// What other runs print of a state does nothing to a terminal, and its command nothing
// but what datfs does.
func TestReadState_Planted(t *testing.T) {
	path := filepath.Join(t.TempDir(), StateName)
	for command, want := range map[string]bool{
		"datfs restore iris IRIS/2026 --database USER":             true,
		`datfs --repo '/a b/'\''c' restore iris IRIS/x --to '$x;'`: true,
		"datfs restore iris IRIS/x --redirect '日本=/x'":             true,
		"":                                             false,
		"datfs restore iris IRIS/x; rm x":              false,
		"datfs restore iris IRIS/x\nrm x":              false,
		"datfs restore iris 'IRIS/x\nrm x'":            false,
		"datfs restore iris IRIS/x\x1b[2K":             false,
		"datfs restore iris IRIS/x '\u202e'":           false,
		"datfs restore iris IRIS/x $(rm x)":            false,
		"datfs restore iris IRIS/x `rm x`":             false,
		"datfs restore iris IRIS/x > /etc/x":           false,
		`datfs restore iris IRIS/x \\'rm`:              false,
		"datfs restore iris 'IRIS/x":                   false,
		"/home/owner/datfs restore iris IRIS/x":        false,
		"PATH=/home/owner datfs restore iris IRIS/x":   false,
		"datfs restore iris IRIS/x --command 'rm x'":   false,
		"datfs restore iris IRIS/x '-comm''and=rm'":    false,
		"datfs restore iris IRIS/x --password-file /x": false,
	} {
		b, err := json.Marshal(Unfinished{Set: "IRIS/x\x1b[2K\ny", Step: "app\rly", Command: command})
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		u := readUnfinished(path)
		if u.Set != "IRIS/x[2Ky" || u.Step != "apply" {
			t.Errorf("set %q, step %q", u.Set, u.Step)
		}
		if kept := u.Command == command && command != ""; kept != want || !want && u.Command != "" {
			t.Errorf("%q is read as %q", command, u.Command)
		}
	}
}
