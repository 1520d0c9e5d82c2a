package dbback

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// opener starts a process that has a file open until the test, or close, ends it.
func opener(t *testing.T, path string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `exec 7<"$0"; echo open; read x`, path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			in.Close()
			cmd.Wait()
		}
	}
	t.Cleanup(end)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd.Process.Pid, end
}

func TestOpenBy(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "IRIS.DAT"), filepath.Join(dir, "other", "IRIS.DAT")
	if err := os.Mkdir(filepath.Dir(other), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, other} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link, linked := filepath.Join(dir, "link.dat"), filepath.Join(dir, "symbolic")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, linked); err != nil {
		t.Fatal(err)
	}
	check := func(when string, paths []string, want ...string) {
		t.Helper()
		got, err := OpenBy(paths)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", when, got, err, want)
		}
	}
	check("nobody", []string{path, other})
	check("a file that does not exist", []string{filepath.Join(dir, "none")})
	check("no file", nil)
	own, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	check("this process", []string{path})

	pid, end := opener(t, path)
	by := func(path string, pid int) string { return fmt.Sprintf("%s by process %d (sh)", path, pid) }
	check("one of the same name elsewhere", []string{other})
	check("open", []string{other, path}, by(path, pid))
	check("open, with one that does not exist", []string{filepath.Join(dir, "none"), path}, by(path, pid))
	check("by a symbolic link of its directory", []string{filepath.Join(linked, "IRIS.DAT")}, by(filepath.Join(linked, "IRIS.DAT"), pid))
	end()
	check("the process has ended", []string{path, other})

	pid, end = opener(t, link)
	if inode(pid, "7") != "" { // else the kernel does not tell
		check("by a hard link", []string{path}, by(path, pid))
	}
	end()

	pid, _ = opener(t, path)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if inode(pid, "7") != "" {
		check("renamed since it was opened", []string{path + ".old"}, by(path+".old", pid))
	}
	if err := os.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("a new file of that name", []string{path})

	if _, err := OpenBy([]string{filepath.Join(path, "x")}); err == nil {
		t.Error("what cannot be looked at is not open")
	}
}
