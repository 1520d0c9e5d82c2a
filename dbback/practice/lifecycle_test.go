package practice_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/dbback/practice"
)

// left returns the iris.lck files and sockets that are there.
func left(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && (d.Name() == "iris.lck" || d.Type()&os.ModeSocket != 0) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestLifecycle(t *testing.T) {
	dir := create(t)
	remote, err := practice.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	qlist := func() []string {
		out, code := iris(t, dir, "", "qlist", practice.DefaultName)
		fields := strings.Split(strings.TrimSpace(out), "^")
		if code != 0 || len(fields) != 14 {
			t.Fatalf("qlist: exit code %d, %d fields: %s", code, len(fields), out)
		}
		return fields
	}
	if got := qlist()[3]; !strings.HasPrefix(got, "down, last used ") {
		t.Errorf("before the start: %s", got)
	}
	if out, code := terminal(t, dir, "halt"); code == 0 {
		t.Errorf("a session of an instance that is down: %s", out)
	}
	if err := remote.Stop(t.Context()); !errors.Is(err, practice.ErrDown) {
		t.Errorf("stop of an instance that is down: %v", err)
	}
	inst := start(t, dir, heavy)
	fields := qlist()
	if !strings.HasPrefix(fields[3], "running, since ") || fields[0] != "PRACTICE" || fields[8] != "ok" || fields[12] != dir+"/" {
		t.Errorf("running: %q", fields)
	}
	if _, err := practice.Start(t.Context(), dir, practice.StartOptions{}); !errors.Is(err, practice.ErrRunning) {
		t.Errorf("a second start: %v", err)
	}
	st, err := remote.Status(t.Context())
	if err != nil || st.State != practice.StateRunning || len(st.Databases) != 6 || st.Load != practice.LoadHeavy {
		t.Errorf("status: %+v, %v", st, err)
	}
	if len(left(t, dir)) == 0 {
		t.Error("no iris.lck while databases are mounted")
	}
	if err := remote.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-inst.Done()
	if found := left(t, dir); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
	if st, err := remote.Status(t.Context()); err != nil || st.State != practice.StateDown || st.Crashed {
		t.Errorf("status after the stop: %+v, %v", st, err)
	}
}

func TestCrash(t *testing.T) {
	dir := create(t)
	inst := start(t, dir, heavy)
	remote, err := practice.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Crash(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-inst.Done()
	if st, err := remote.Status(t.Context()); err != nil || !st.Crashed {
		t.Errorf("status after the crash: %+v, %v", st, err)
	}
	inst = start(t, dir)
	if !inst.Storage().Recovery().Crashed {
		t.Error("the start does not know of the crash")
	}
	sound(t, inst, "USER")
	sound(t, inst, "APP")
}

// A directory whose path does not fit into the address of a socket.
func TestLongDirectory(t *testing.T) {
	dir := create(t, func(o *practice.CreateOptions) {
		o.Dir = filepath.Join(o.Dir, strings.Repeat("long/", 20)+"p")
	})
	inst := start(t, dir)
	if got := evaluate(t, inst, "1+1"); got != "2" {
		t.Errorf("1+1 is %s", got)
	}
}

// An instance whose directory is removed leaves no process behind.
func TestDirectoryRemoved(t *testing.T) {
	dir := create(t)
	inst := start(t, dir, heavy)
	if err := os.RemoveAll(dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
		t.Fatal(err)
	}
	select {
	case <-inst.Done():
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
}

func TestCreate_Refuses(t *testing.T) {
	full := t.TempDir()
	write(t, filepath.Join(full, "x"), "")
	if err := practice.Create(t.Context(), practice.CreateOptions{Dir: full}); !errors.Is(err, practice.ErrNotEmpty) {
		t.Errorf("a directory that is not empty: %v", err)
	}
	for _, opts := range []practice.CreateOptions{
		{Name: "a^b"},
		{Databases: []string{"A/B"}},
		{Databases: []string{"A", "a"}},
		{Databases: []string{"IRISSYS"}},
		{Size: 1},
		{Size: 1 << 40},
		{Databases: []string{"journal"}},
		{Databases: []string{"BACKUP"}},
	} {
		opts.Dir = filepath.Join(t.TempDir(), "p")
		var usage *practice.UsageError
		if err := practice.Create(t.Context(), opts); !errors.As(err, &usage) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	var usage *practice.UsageError
	if err := practice.Create(t.Context(), practice.CreateOptions{Dir: filepath.Join(t.TempDir(), "a,b")}); !errors.As(err, &usage) {
		t.Errorf("a comma in the directory: %v", err)
	}
	if _, err := practice.At(t.TempDir()); !errors.Is(err, practice.ErrNotInstance) {
		t.Errorf("an empty directory: %v", err)
	}
}

// The scripts in DIR/bin, as other programs run them.
func TestScripts(t *testing.T) {
	inst := newInstance(t)
	for _, tt := range []struct {
		name, stdin string
		args        []string
		want        string
		code        int
	}{
		{name: "iris", args: []string{"qlist"}, want: `^PRACTICE\^`},
		{name: "iris", args: []string{"list"}, want: `Instance 'PRACTICE'`},
		{name: "iris", args: []string{"all"}, want: `^up >PRACTICE`},
		{name: "ccontrol", args: []string{"qlist", "practice"}, want: `^PRACTICE\^`},
		{name: "csession", args: []string{"PRACTICE", "-U%SYS"}, stdin: "write 6*7\nhalt\n", want: `\nNode: .*, Instance: PRACTICE\n\n%SYS>42\n%SYS>`},
		{name: "iris", args: []string{"terminal", "PRACTICE", "-U", "%SYS"}, stdin: "do $SYSTEM.Process.Terminate($job,5)\n", want: `%SYS>`, code: 5},
		{name: "iris", args: []string{"session", "PRACTICE", "-U", "%SYS", `LISTDIRS^DBACK("/dev/null")`}, want: `List of directories`},
		{name: "iris", args: []string{"session", "NOSUCH"}, want: `NOSUCH`, code: 1},
		{name: "iris", args: []string{"nosuch"}, want: `unknown function`, code: 1},
	} {
		cmd := exec.CommandContext(t.Context(), inst.Command(tt.name), tt.args...)
		cmd.Stdin = strings.NewReader(tt.stdin)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tt.code {
			t.Errorf("%s %q: %v\n%s", tt.name, tt.args, err, out)
			continue
		}
		matches(t, string(out), tt.want)
	}
}
