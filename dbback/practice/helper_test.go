package practice_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// TestMain lets this test binary be the program that the scripts in DIR/bin run,
// and the instance that "iris start" starts.
func TestMain(m *testing.M) {
	words := os.Args[1:]
	if len(words) < 3 || words[0] != "practice" {
		os.Exit(m.Run())
	}
	switch words[1] {
	case "tool":
		os.Exit(tool(words[3:]))
	case "start":
		os.Exit(startProgram(words[2:]))
	case "serve":
		os.Exit(serve(words[2:]))
	}
	os.Exit(2)
}

func tool(words []string) int {
	r, err := practice.At(words[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return r.Command(context.Background(), words[1], words[2:], practice.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// startProgram is "datfs practice start [--load LOAD] DIR": it returns when the
// instance answers.
func startProgram(words []string) int {
	r, err := practice.At(words[len(words)-1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(os.Args[0], append([]string{"practice", "serve"}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			fmt.Fprintln(os.Stderr, "it has ended:", err)
			return 1
		case <-time.After(5 * time.Millisecond):
		}
		if st, err := r.Status(context.Background()); err == nil && st.PID == cmd.Process.Pid {
			return 0
		}
	}
}

func serve(words []string) int {
	opts := practice.StartOptions{Load: practice.LoadLight, FlushEvery: 20 * time.Millisecond, Kill: func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }}
	if words[0] == "--load" {
		opts.Load, words = words[1], words[2:]
	}
	inst, err := practice.Start(context.Background(), words[0], opts)
	if err != nil {
		return 1
	}
	<-inst.Done()
	return 0
}

// patience bounds what should take no time at all.
const patience = time.Minute

// create makes an instance with small databases.
func create(t *testing.T, change ...func(*practice.CreateOptions)) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opts := practice.CreateOptions{Dir: filepath.Join(t.TempDir(), "p"), Databases: []string{"USER", "APP"}, Size: 2 << 20, Executable: self}
	for _, c := range change {
		c(&opts)
	}
	if err := practice.Create(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	return opts.Dir
}

// start starts the instance in dir for the length of the test.
func start(t *testing.T, dir string, change ...func(*practice.StartOptions)) *practice.Instance {
	t.Helper()
	opts := practice.StartOptions{FlushEvery: 20 * time.Millisecond}
	for _, c := range change {
		c(&opts)
	}
	inst, err := practice.Start(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := inst.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return inst
}

func heavy(o *practice.StartOptions) { o.Load = practice.LoadHeavy }

// newInstance makes and starts an instance without load.
func newInstance(t *testing.T) *practice.Instance {
	t.Helper()
	return start(t, create(t))
}

// terminal runs a session as "iris session INST -U %SYS" does, with these lines as
// its input, and returns what it printed and its exit code.
func terminal(t *testing.T, dir string, lines ...string) (string, int) {
	t.Helper()
	r, err := practice.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	return iris(t, dir, strings.Join(lines, "\n")+"\n", "session", r.Name(), "-U", "%SYS")
}

// iris runs the iris command in this process.
func iris(t *testing.T, dir, stdin string, args ...string) (string, int) {
	t.Helper()
	r, err := practice.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out bytes.Buffer
	code := r.Command(ctx, "iris", args, practice.Streams{In: strings.NewReader(stdin), Out: &out, Err: &out})
	return out.String(), code
}

// program prepares a run of the script DIR/bin/iris.
func program(t *testing.T, inst *practice.Instance, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(inst.Command("iris"), args...)
}

// typed runs lines in a session that must end by its halt, and returns what was
// printed.
func typed(t *testing.T, inst *practice.Instance, lines ...string) string {
	t.Helper()
	out, code := terminal(t, inst.Dir(), append(lines, "halt")...)
	if code != 0 {
		t.Fatalf("exit code %d of %q:\n%s", code, lines, out)
	}
	return out
}

// evaluate returns what "write EXPRESSION" prints.
func evaluate(t *testing.T, inst *practice.Instance, expression string) string {
	t.Helper()
	out := typed(t, inst, `try { set v=`+expression+` write !,"@@V|",v,"|@@",! } catch e { write !,"@@V|",e.Name,e.Location,"|@@",! }`)
	return find(t, out, `(?m)^@@V\|(.*)\|@@\r?$`)
}

// find returns the first group of a match.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in\n%s", pattern, text)
	}
	return m[1]
}

// matches holds text to patterns, in their order.
func matches(t *testing.T, text string, patterns ...string) {
	t.Helper()
	rest := text
	for _, p := range patterns {
		at := regexp.MustCompile(p).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("no %s, after what came before it, in\n%s", p, text)
		}
		rest = rest[at[1]:]
	}
}

// dir returns the directory of a database.
func dirOf(inst *practice.Instance, name string) string {
	return filepath.Join(inst.Dir(), "mgr", strings.ToLower(name)) + "/"
}

// sound holds a database to a clean integrity check.
func sound(t *testing.T, inst *practice.Instance, name string) {
	t.Helper()
	findings, err := inst.Storage().Check(t.Context(), dirOf(inst, name))
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) > 0 {
		t.Errorf("database %s is damaged: %v", name, findings[:min(3, len(findings))])
	}
}

// copyFile copies a file as cp does, with rests, so that a database that is
// written to changes meanwhile.
func copyFile(t *testing.T, from, to string, rest time.Duration) {
	t.Helper()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o775); err != nil {
		t.Fatal(err)
	}
	dst, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if _, err := dst.Write(buf[:n]); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			break
		}
		time.Sleep(rest)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}

// damaged reports whether the file of a database, which nobody writes to, is
// found damaged.
func damaged(t *testing.T, path string) bool {
	t.Helper()
	findings, err := storage.CheckFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return len(findings) > 0
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o660); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
