package restore

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A pasteboard runs blocks of run-books with programs that only take note of their
// calls.
type pasteboard struct {
	dir, log, fail string
}

// changers are the programs of run-books that change something.
var changers = []string{"cat", "chmod", "chown", "cp", "install", "mv", "rm", "rsync"}

func newPasteboard(t *testing.T) *pasteboard {
	t.Helper()
	p := &pasteboard{dir: t.TempDir()}
	p.log, p.fail = filepath.Join(p.dir, "log"), filepath.Join(p.dir, "fail")
	bin := filepath.Join(p.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"iris", "csession", "ls", "fuser"}, changers...) {
		script := fmt.Sprintf("#!/bin/sh\necho %[1]s \"$@\" >>%[2]s\n[ ! -e %[3]s-%[1]s ] || exit 1\n", name, p.log, p.fail)
		switch name {
		case "iris":
			script += "s=down; grep -q '^iris start' " + p.log + " && s=running\necho \"X^/x^1^$s, since today\"\n"
		case "fuser":
			script = "#!/bin/sh\nexit 1\n" // nobody
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"grep", "date", "sh"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// paste pastes a text into a shell, and returns what that printed and which programs
// were called.
func (p *pasteboard) paste(t *testing.T, text string) (said string, called []string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	if err := os.Remove(p.log); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	cmd := exec.Command(bash, "--norc", "--noprofile", "-i") // as a person's: it goes on after an error
	cmd.Env, cmd.Stdin = []string{"PATH=" + filepath.Join(p.dir, "bin"), "PS1="}, strings.NewReader(text+"\n")
	out, _ := cmd.Output()
	log, err := os.ReadFile(p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(out), strings.Split(strings.TrimSuffix(string(log), "\n"), "\n")
}

var usesVariable = regexp.MustCompile(`"\$[A-Z_]+"`)

// A block that is pasted into a shell where its variables are not set does nothing.
func TestBlocks_Unset(t *testing.T) {
	p, used := newPasteboard(t), 0
	for i := range goldens {
		_, text := goldenBook(t, i, English)
		for _, block := range blocks(text)["sh"] {
			if !usesVariable.MatchString(block) {
				continue
			}
			used++
			for _, before := range []string{"", "SET= WORK= WIJ= EMERGENCY_USER= EMERGENCY_PASSWORD=\n"} {
				if said, called := p.paste(t, before+block); strings.Contains(said, "OK") || !slices.Equal(called, []string{""}) {
					t.Errorf("%s\nsays %q and calls %q", block, said, called)
				}
			}
		}
	}
	if used < 20 {
		t.Errorf("only %d blocks use variables", used)
	}
}

// A block goes no further than its first command that fails, however it is pasted.
func TestBlocks_Stop(t *testing.T) {
	p, stopped := newPasteboard(t), 0
	root := t.TempDir() // the directories have to be there
	set := "SET=/s WORK=" + root + " WIJ=/j EMERGENCY_USER=u EMERGENCY_PASSWORD=p\n"
	info := madeSet()
	info.Method.Facts[factManager] = root + "/usr/irissys/mgr/"
	for _, db := range info.Method.Databases {
		moveDatabase(db.Name, filepath.Join(root, db.Directory)+"/")(info)
		if err := os.MkdirAll(filepath.Join(root, db.Directory), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "usr/irissys/mgr/startup.last"), []byte("wijlast=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := SetBook(info, English, BookPlace{SetDir: "/s"})
	for _, block := range blocks(text)["sh"] {
		if !strings.HasPrefix(block, "(\n") {
			continue
		}
		if said, called := p.paste(t, set+block); !strings.HasSuffix(said, "OK\n") {
			t.Errorf("%s\nsays %q and calls %q", block, said, called)
		}
		for _, name := range append([]string{"iris"}, changers...) {
			if err := os.WriteFile(p.fail+"-"+name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			said, called := p.paste(t, set+block)
			if err := os.Remove(p.fail + "-" + name); err != nil {
				t.Fatal(err)
			}
			first := slices.IndexFunc(called, func(s string) bool { return strings.HasPrefix(s, name+" ") })
			if first < 0 {
				continue
			}
			stopped++
			if rest := called[first+1:]; strings.Contains(said, "OK") || slices.ContainsFunc(rest, func(s string) bool {
				return slices.Contains(changers, strings.Fields(s)[0])
			}) {
				t.Errorf("%s fails in\n%s\nwhich says %q, and goes on with %q", name, block, said, rest)
			}
		}
	}
	if stopped < 15 {
		t.Errorf("only %d failures", stopped)
	}
}

// asStep returns the blocks of a step of a run-book, by its title.
func asStep(t *testing.T, text, step string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(text, ". "+english("step."+step)+"\n")
	if !ok {
		t.Fatalf("no step %s", step)
	}
	rest, _, _ = strings.Cut(rest, "\n### ")
	return blocks(rest)["sh"]
}

// A WIJ that was moved aside is never written over, however often the block is
// pasted; and one that is not found is no success.
func TestBlocks_WIJ(t *testing.T) {
	p, dir := newPasteboard(t), t.TempDir()
	for _, name := range []string{"mv", "ls"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Remove(filepath.Join(p.dir, "bin", name))
		}
		if err == nil {
			err = os.Symlink(path, filepath.Join(p.dir, "bin", name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, text := goldenBook(t, 2, English)
	list := asStep(t, text, stepWIJ)
	block := "WIJ=" + dir + "\n" + list[len(list)-1]
	if said, _ := p.paste(t, block); strings.Contains(said, "OK") {
		t.Errorf("without a WIJ it says %q", said)
	}
	wij := filepath.Join(dir, "IRIS.WIJ")
	for _, content := range []string{"first", "second", ""} {
		if content != "" {
			if err := os.WriteFile(wij, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// Whatever the clock says: both in one second.
		if said, _ := p.paste(t, "date() { echo now; }\n"+block); content != "second" && !strings.HasSuffix(said, "OK\n") {
			t.Errorf("%q: it says %q", content, said)
		} else if content == "second" && strings.Contains(said, "OK") {
			t.Errorf("a WIJ is still there, and it says %q", said)
		}
		if content == "second" { // another second
			if said, _ := p.paste(t, block); !strings.HasSuffix(said, "OK\n") {
				t.Errorf("it says %q", said)
			}
		}
	}
	aside, err := filepath.Glob(wij + ".datfs-2026-11-22T03-00-00Z-*")
	if _, serr := os.Lstat(wij); err != nil || len(aside) != 2 || serr == nil {
		t.Errorf("aside: %v, %v; in place: %v", aside, err, serr)
	}
}

// A block that copies stops where a file is in use, is a symbolic link, or where its
// directory is missing; one that looks for locks, where there is one.
func TestBlocks_Refuse(t *testing.T) {
	const set = "SET=/s WORK=/w WIJ=/j\n"
	at := func(t *testing.T) (p *pasteboard, user string, book string) {
		t.Helper()
		root := t.TempDir()
		info := madeSet()
		for _, db := range info.Method.Databases {
			moveDatabase(db.Name, filepath.Join(root, db.Name)+"/")(info)
			if err := os.Mkdir(filepath.Join(root, db.Name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return newPasteboard(t), filepath.Join(root, "USER"), mustPlan(t, info, Options{Everything: true, Instance: "REST"}).RunBook(English)
	}
	for name, tt := range map[string]struct {
		step string
		do   func(p *pasteboard, user string) error
		ok   bool
	}{
		"as it should be": {stepCopy, func(*pasteboard, string) error { return nil }, true},
		"link":            {stepCopy, func(_ *pasteboard, user string) error { return os.Symlink("/elsewhere", user+"/IRIS.DAT") }, false},
		"no directory":    {stepCopy, func(_ *pasteboard, user string) error { return os.Remove(user) }, false},
		"in use": {stepCopy, func(p *pasteboard, _ string) error {
			return os.WriteFile(filepath.Join(p.dir, "bin/fuser"), []byte("#!/bin/sh\necho 4711\n"), 0o700)
		}, false},
		"no fuser": {stepCopy, func(p *pasteboard, _ string) error { return os.Remove(filepath.Join(p.dir, "bin/fuser")) }, false},
		"up": {stepCopy, func(p *pasteboard, _ string) error {
			return os.WriteFile(filepath.Join(p.dir, "bin/iris"), []byte("#!/bin/sh\necho 'X^/x^1^running, since today'\n"), 0o700)
		}, false},
		"no lock": {stepRelease, func(*pasteboard, string) error { return nil }, true},
		"lock":    {stepRelease, func(_ *pasteboard, user string) error { return os.WriteFile(user+"/iris.lck", nil, 0o600) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, user, book := at(t)
			if err := tt.do(p, user); err != nil {
				t.Fatal(err)
			}
			said, called := p.paste(t, set+strings.Join(asStep(t, book, tt.step), "\n"))
			copied := slices.ContainsFunc(called, func(s string) bool { return strings.HasPrefix(s, "rsync ") || strings.HasPrefix(s, "rm ") })
			if strings.HasSuffix(said, "OK\n") != tt.ok || copied && !tt.ok {
				t.Errorf("it says %q, and calls %q", said, called)
			}
		})
	}
}
