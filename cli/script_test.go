package cli_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"datfs/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"datfs": func() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// fakeIrisProgram is absolute: scripts work in directories of their own.
var fakeIrisProgram = func() string {
	dir, err := os.Getwd()
	if err != nil {
		return err.Error()
	}
	return filepath.Join(dir, "testdata", "fakeiris.sh")
}()

// TestScript runs the scripts in testdata/script, each a command's behaviour in
// the words of somebody who uses it. Besides the usual commands they have:
//
//	exits CODE PROGRAM ARG...   run, and end with just that exit code
//	mkdb FILE MIB SEED          make a file of 8 KiB blocks that look like data
//	dirty FILE BLOCK...         change single blocks of it
//	label FILE DIRECTORY        make such a file a database of that directory
//	fakeiris MGR                put an "iris" on the PATH that knows one instance
//	flip GLOB OFFSET            invert a byte of each file that matches
//	capture VAR REGEXP          keep the first group found in standard output
//	jsonfield FIELD REGEXP      the field of the JSON object in standard output
//	eventually PROGRAM ARG...   repeat until it succeeds
//	daemon DIR                  the process that serves DIR is detached from us
//	oldset INSTANCE ENGINE DAYS store a set as ENGINE would have so many days ago
//	note SET KIND EXT FILE      add a note to a set
//	validated SET FILE          add the validation that the JSON in FILE says
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			env.Defer(func() { unmountAll(t, env.WorkDir) })
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"mkdb":       mkdb,
			"dirty":      dirty,
			"label":      label,
			"fakeiris":   fakeIris,
			"flip":       flip,
			"capture":    capture,
			"jsonfield":  jsonfield,
			"eventually": eventually,
			"daemon":     daemon,
			"oldset":     oldSet,
			"note":       addNote,
			"validated":  addValidation,
		},
	})
}

// condition knows "fuse", whether this machine can mount, and "root". A machine
// of CI that cannot mount is an error: skipping there would hide the loss.
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "fuse":
		f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err == nil {
			_ = f.Close()
			if _, err = exec.LookPath("fusermount3"); err == nil || os.Geteuid() == 0 {
				return true, nil
			}
		}
		if os.Getenv("CI") != "" || os.Getenv("DATFS_REQUIRE_FUSE") != "" {
			return false, fmt.Errorf("this machine must be able to mount: %w", err)
		}
		return false, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// unmountAll takes away what a failed script left mounted.
func unmountAll(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(string(list)) {
		if point := strings.Fields(line)[4]; strings.HasPrefix(point, dir+"/") {
			unmount := exec.Command("umount", "--lazy", point)
			if os.Geteuid() != 0 {
				unmount = exec.Command("fusermount3", "-uz", point)
			}
			if out, err := unmount.CombinedOutput(); err != nil {
				t.Errorf("%v: %v %s", unmount, err, out)
			}
		}
	}
}

// TestSecondSignal blocks the program in a write, where no context can reach it,
// and holds that another signal ends it then.
func TestSecondSignal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// Less than the output, so that it stays in the write.
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("datfs", "completion", "fish")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil { // it has come as far as the write
		t.Fatal(err)
	}
	dead := make(chan error, 1)
	go func() { dead <- cmd.Wait() }()
	for deadline := time.After(time.Minute); ; {
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		select {
		case err := <-dead:
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v, not by the signal", err)
			}
			return
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			_ = cmd.Process.Kill()
			t.Fatal("signals did not end it")
		}
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

const blockSize = 8 << 10

// block returns 8 KiB that compress about three times, as databases do.
func block(r *rand.Rand) []byte {
	b := make([]byte, 0, blockSize)
	for len(b) < blockSize {
		b = append(binary.LittleEndian.AppendUint64(b, r.Uint64()), "^PATIENT(1)=ACTIVE"...)
	}
	return b[:blockSize]
}

func mkdb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: mkdb FILE MIB SEED")
	}
	mib, err := strconv.Atoi(args[1])
	ts.Check(err)
	seed, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	f, err := os.Create(name)
	ts.Check(err)
	r := rand.New(rand.NewPCG(seed, 0))
	for range mib * (1 << 20) / blockSize {
		_, err := f.Write(block(r))
		ts.Check(err)
	}
	ts.Check(f.Close())
}

func dirty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: dirty FILE BLOCK...")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	for _, arg := range args[1:] {
		n, err := strconv.ParseInt(arg, 10, 64)
		ts.Check(err)
		_, err = f.WriteAt(block(rand.New(rand.NewPCG(uint64(n), 1))), n*blockSize)
		ts.Check(err)
	}
	ts.Check(f.Close())
}

// label writes the fields of an InterSystems label that dbback.Recognise reads.
func label(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: label FILE DIRECTORY")
	}
	name := ts.MkAbs(args[0])
	st, err := os.Stat(name)
	ts.Check(err)
	head := make([]byte, 0x800)
	binary.LittleEndian.PutUint32(head[0x458:], uint32(st.Size()/blockSize))
	copy(head[0x5F4:], "Cache DB")
	binary.LittleEndian.PutUint16(head[0x5FC:], uint16(len(args[1])))
	copy(head[0x5FE:], args[1])
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt(head, 0)
	ts.Check(err)
	ts.Check(f.Close())
}

// fakeIris puts testdata/fakeiris.sh on the PATH as iris, and makes what its
// instance consists of.
func fakeIris(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fakeiris MGR")
	}
	mgr, bin := ts.MkAbs(args[0]), ts.MkAbs("bin")
	ts.Check(os.MkdirAll(filepath.Join(mgr, "journal"), 0o755))
	ts.Check(os.MkdirAll(bin, 0o755))
	for name, text := range map[string]string{
		"journal/20261122.001": "one", "journal/20261122.002": "two", "journal.log": "log",
		"../iris.cpf": "[Databases]\nIRISSYS=" + mgr + "/\n[Journal]\nBackupsBeforePurge=4\n",
	} {
		ts.Check(os.WriteFile(filepath.Join(mgr, name), []byte(text), 0o644))
	}
	mkdb(ts, false, []string{filepath.Join(mgr, "IRIS.DAT"), "1", "1"})
	mkdb(ts, false, []string{filepath.Join(mgr, "user/IRIS.DAT"), "2", "2"})
	label(ts, false, []string{filepath.Join(mgr, "IRIS.DAT"), mgr + "/"})
	label(ts, false, []string{filepath.Join(mgr, "user/IRIS.DAT"), mgr + "/user/"})
	program, err := os.ReadFile(fakeIrisProgram)
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(bin, "iris"), program, 0o755))
	ts.Setenv("MGR", mgr)
	ts.Setenv("PATH", bin+":"+ts.Getenv("PATH"))
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip GLOB OFFSET")
	}
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(names) == 0 {
		ts.Fatalf("no file matches %s", args[0])
	}
	off, err := strconv.Atoi(args[1])
	ts.Check(err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		ts.Check(err)
		b[off] ^= 0xff
		ts.Check(os.Chmod(name, 0o600))
		ts.Check(os.WriteFile(name, b, 0o600))
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VAR REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("standard output does not match %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func jsonfield(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: jsonfield FIELD REGEXP")
	}
	var object map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	if got, ok := object[args[0]]; !ok || !re.Match(got) {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

// eventually repeats a command for as long as a slow machine may need.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually PROGRAM ARG...")
	}
	var out []byte
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		cmd := exec.Command(args[0], args[1:]...) // not ts.Exec, which logs every try
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = append(os.Environ(), "DATFS_REPO="+ts.Getenv("DATFS_REPO"))
		var err error
		if out, err = cmd.CombinedOutput(); err == nil {
			return
		}
	}
	ts.Fatalf("%v never succeeded: %s", args, out)
}

// daemon checks that the mount at DIR is served by a process that survives us:
// leader of its own session, and with a working directory that can be unmounted.
func daemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: daemon DIR")
	}
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, name := range procs {
		line, _ := os.ReadFile(name) // it may be gone
		words := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		if len(words) < 3 || words[1] != "mount" || words[len(words)-1] != args[0] {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		ts.Check(err)
		session, err := unix.Getsid(pid)
		ts.Check(err)
		dir, err := os.Readlink(filepath.Join(filepath.Dir(name), "cwd"))
		ts.Check(err)
		if session != pid || dir != "/" {
			ts.Fatalf("process %d is of session %d and works in %s", pid, session, dir)
		}
		return
	}
	ts.Fatalf("no process serves %s", args[0])
}
