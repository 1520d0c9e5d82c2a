package integration

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program is the path of the datfs that TestMain built.
var program string

// patience is how long a test waits for what should take no time. It is only
// ever used up by a program that hangs.
const patience = time.Minute

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "datfs-integration-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program = filepath.Join(dir, "datfs")
	args := append([]string{"build", "-o", program}, strings.Fields(os.Getenv("DATFS_BUILD_FLAGS"))...)
	if out, err := exec.Command("go", append(args, "..")...).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build datfs: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// missing skips a test that cannot run on this machine; where all tests must
// run, it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("DATFS_REQUIRE_FUSE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// needFUSE is called first by every test that mounts.
func needFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		missing(t, "this machine cannot mount: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	needTool(t, "fusermount3")
}

// needTool is called first by every test that runs somebody else's program.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, "%v", err)
	}
}

// A result is what a run of a program left.
type result struct {
	stdout, stderr string
	code           int
}

// command prepares a run of datfs without the caller's own settings.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DATFS_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	return cmd
}

// datfs runs datfs to its end.
func datfs(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, command(t, args...))
}

// mustDatfs runs datfs to its end, which must be a good one, and returns its
// standard output.
func mustDatfs(t *testing.T, args ...string) string {
	t.Helper()
	r := datfs(t, args...)
	if r.code != 0 {
		t.Fatalf("datfs %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// mustRun runs somebody else's program, which must succeed, and returns its
// standard output.
func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	r := finish(t, exec.CommandContext(t.Context(), name, args...))
	if r.code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s%s", name, strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// newRepository makes an empty repository.
func newRepository(t *testing.T) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo")
	mustDatfs(t, "init", repo)
	return repo
}

// mount mounts the repository with a datfs of its own in the foreground, and
// returns the mount point once the ready line was printed. It is unmounted, and
// the process has ended, before the test's directories are removed.
func mount(t *testing.T, repo string, flags ...string) string {
	t.Helper()
	needFUSE(t)
	dir := t.TempDir()
	// Not bound to t.Context: a killed mount leaves a dead mount point.
	args := append([]string{"--repo", repo, "mount"}, flags...)
	cmd := exec.Command(program, append(args, dir)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			select {
			case ready <- lines.Text():
			default: // only the first line counts
			}
		}
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() { unmount(t, cmd, dir, ended, &stderr) })
	select {
	case <-ready:
	case err := <-ended:
		ended <- err // for unmount
		t.Fatalf("mount %s: %v\n%s", repo, err, &stderr)
	case <-time.After(patience):
		t.Fatalf("mount %s: no ready line", repo)
	}
	return dir
}

// unmount ends a mount the way ^C does; by force if that does not work.
func unmount(t *testing.T, cmd *exec.Cmd, dir string, ended <-chan error, stderr *bytes.Buffer) {
	t.Helper()
	_ = cmd.Process.Signal(os.Interrupt) // fails if it has ended already
	select {
	case <-ended:
	case <-time.After(patience):
		t.Errorf("mount did not end within %v of an interrupt", patience)
		_ = exec.Command("fusermount3", "-uz", dir).Run()
		_ = cmd.Process.Kill()
		<-ended
	}
	if t.Failed() && stderr.Len() > 0 {
		t.Logf("the mount said:\n%s", stderr)
	}
}
