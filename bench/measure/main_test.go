package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	// Three stretches; the second is zero and must not count.
	content := bytes.Repeat([]byte{1}, 3*frameSize+1)
	clear(content[frameSize : 2*frameSize])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := readRandom(&out, path); err != nil {
		t.Fatal(err)
	}
	if want := "2 random reads of 8 KiB in "; !strings.HasPrefix(out.String(), want) {
		t.Errorf("random: %q, want %q", out.String(), want)
	}
	out.Reset()
	if err := readSequential(&out, path); err != nil {
		t.Fatal(err)
	}
	if want := "196609 bytes in "; !strings.HasPrefix(out.String(), want) {
		t.Errorf("sequential: %q, want %q", out.String(), want)
	}

	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, make([]byte, 10), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := readRandom(&out, short); err == nil {
		t.Error("random reads of a short file: no error")
	}
}

// A failing command must fail the whole run too.
func TestRunCommand_ExitCode(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	err := run([]string{"run", log, "sh", "-c", "exit 7"})
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 7 {
		t.Errorf("err = %v, want exit code 7", err)
	}
	if err := run([]string{"run", log, "true"}); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if peaks := strings.Fields(string(b)); len(peaks) != 2 || slices.Contains(peaks, "0") {
		t.Errorf("the log has %q, want two peaks", peaks)
	}
}

func TestRun_Usage(t *testing.T) {
	for _, args := range []string{"", "run", "run log", "random", "random a b", "write a"} {
		if err := run(strings.Fields(args)); !errors.Is(err, errUsage) {
			t.Errorf("measure %s: err = %v, want usage", args, err)
		}
	}
}
