package gtm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// fakeDist returns a directory whose program mupip is a shell script.
func fakeDist(t testing.TB, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mupip"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// exists waits for a file.
func exists(t testing.TB, path string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s", path)
		}
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name, script string
		want         string // in the error, "" for none
	}{
		{"success", "echo '%GTM-I-BACKUPSUCCESS, fine'", ""},
		{"a warning", "echo '%GTM-W-JNLDISABLE, to be known'", ""},
		{"an exit code", "echo some words; exit 3", "mupip a b: exit status 3"},
		{"a complaint with an exit code", "echo '%GTM-E-DBFILERR, Error with x'; exit 194", "mupip a b: %GTM-E-DBFILERR, Error with x (exit status 194)"},
		{"a complaint without one", "echo '%SYSTEM-E-ENO2, No such file'", "mupip a b: %SYSTEM-E-ENO2, No such file (exit code 0)"},
		{"a fatal one of YottaDB", "echo '%YDB-F-MEMORY, out of it' >&2", "%YDB-F-MEMORY"},
		{"no terminal", "read x && echo '%GTM-E-READ, it could read'; exit 0", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told string
			tools := tools{dist: fakeDist(t, tt.script), transcript: func(command, answer string) { told = command + "|" + answer }}
			out, err := tools.mupip(t.Context(), patience, "a", "b")
			if told != "mupip a b|"+out {
				t.Errorf("the transcript has %q", told)
			}
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e, ok := errors.AsType[*CommandError](err); !ok || e.Output != out || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestCommandError_Long(t *testing.T) {
	e := &CommandError{Command: "mumps -run %XCMD " + strings.Repeat("é", 500), Output: "%GTM-E-X, bad\n", Err: errors.New("exit status 1")}
	if text := e.Error(); len(text) > 200 || !utf8.ValidString(text) || !strings.Contains(text, " …: %GTM-E-X, bad") {
		t.Error(text)
	}
}

// TestRun_Cancel holds that a command is asked to end, not killed: a killed mupip
// leaves the engine to clean up after it.
func TestRun_Cancel(t *testing.T) {
	dir := t.TempDir()
	tools := tools{dist: fakeDist(t, "trap 'touch "+dir+"/asked; exit 1' TERM; touch "+dir+"/began; while :; do sleep 0.01; done")}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		exists(t, dir+"/began")
		cancel()
	}()
	if _, err := tools.mupip(ctx, patience, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	exists(t, dir+"/asked")
	if _, err := tools.mupip(t.Context(), 10*time.Millisecond, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestRun_Lock holds that a command goes on holding the lock of the backup when
// the backup does not any more.
func TestRun_Lock(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "t.gld")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() *os.File {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	try := func() error {
		f := open()
		defer f.Close()
		return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	lock := open()
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	tools := tools{dist: fakeDist(t, "touch "+dir+"/began; while ! [ -e "+dir+"/end ]; do sleep 0.01; done"), lock: lock}
	fd := int(lock.Fd()) // before the command: it asks for it too
	done := make(chan error, 1)
	go func() {
		_, err := tools.mupip(t.Context(), patience, "x")
		done <- err
	}()
	exists(t, dir+"/began")
	// As if this process were killed: it lets go of the lock. The os.File stays
	// good, as the command's goroutine may still look at it.
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := syscall.Dup3(int(null.Fd()), fd, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := try(); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("while the command runs: %v", err)
	}
	if err := os.WriteFile(dir+"/end", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := try(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestFindDist(t *testing.T) {
	good := fakeDist(t, "")
	t.Setenv("gtm_dist", good)
	if got, err := FindDist(""); err != nil || got != good {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := FindDist(t.TempDir()); !errors.Is(err, ErrNoEngine) {
		t.Errorf("a directory without programs: %v", err)
	}
}

// TestEnvironment holds that what the caller has set for other databases does not
// reach ours.
func TestEnvironment(t *testing.T) {
	t.Setenv("gtmgbldir", "/other.gld")
	t.Setenv("ydb_gbldir", "/other.gld")
	t.Setenv("gtm_etrap", "halt")
	t.Setenv("gtm_tmp", "/run/gtm")
	tools := tools{dist: "/dist", gbldir: "/our.gld"}
	env := strings.Join(tools.environment(), "\n")
	for _, want := range []string{"gtmgbldir=/our.gld", "gtm_dist=/dist", "gtm_tmp=/run/gtm", "gtm_chset=M"} {
		if strings.Count("\n"+env+"\n", "\n"+want+"\n") != 1 {
			t.Errorf("no %s in\n%s", want, env)
		}
	}
	if strings.Contains(env, "/other.gld") || strings.Contains(env, "gtm_etrap") {
		t.Errorf("%s", env)
	}
}

func FuzzSegments(f *testing.F) {
	f.Add("% ... REG = DEFAULT\n SEG = DEFAULT\n FILE = $X/t.dat\nLOCAL LOCKS REG = AREG\n SEG = ASEG\n")
	f.Fuzz(func(t *testing.T, text string) {
		for region, segment := range segments(text) {
			if region == "" || segment == "" || !strings.Contains(text, "SEG = "+segment) || strings.ContainsAny(region+segment, " \n=") {
				t.Errorf("%q -> %q", region, segment)
			}
		}
	})
}
