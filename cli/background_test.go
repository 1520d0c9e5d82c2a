package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// TestReadyPipe sends each kind of message through a pipe, as the process in the
// background does, and holds that it arrives as it would have been printed.
func TestReadyPipe(t *testing.T) {
	tests := []struct {
		name string
		send func(*readyPipe)
		want outcome
	}{
		{"Ready", func(p *readyPipe) { p.announce("mounted"); p.fail(errors.New("later")) }, outcome{Ready: "mounted"}},
		{"Failed", func(p *readyPipe) { p.fail(fmt.Errorf("open: %w", catalog.ErrNewerFormat)) }, outcome{Error: &childError{
			Text: "open: written in a newer format than this datfs knows", Code: exitFailure,
		}}},
		{"Locked", func(p *readyPipe) { p.fail(catalog.ErrLocked) }, outcome{Error: &childError{Text: "locked by another process", Code: exitLocked}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			tt.send(&readyPipe{w})
			var got outcome
			if err := json.NewDecoder(r).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if got.Ready != tt.want.Ready {
				t.Errorf("ready line %q, want %q", got.Ready, tt.want.Ready)
			}
			if tt.want.Error == nil {
				return
			}
			if got.Error.Text != tt.want.Error.Text || exitCode(got.Error) != tt.want.Error.Code {
				t.Errorf("got %+v, want %+v", got.Error, tt.want.Error)
			}
			if len(hintsFor(got.Error)) == 0 {
				t.Error("the hint was lost on the way")
			}
		})
	}
	var foreground *readyPipe
	if foreground.announce("x") {
		t.Error("a process in the foreground has somebody else to announce to")
	}
}

// TestStartAndAwait_Dies holds that a background process that dies without a word
// is an error and not a wait without end.
func TestStartAndAwait_Dies(t *testing.T) {
	_, err := startAndAwait(t.Context(), exec.Command("false"), "")
	if err == nil || !strings.Contains(err.Error(), "ended before the mount answered") || len(hintsFor(err)) == 0 {
		t.Errorf("startAndAwait() = %v, hints %q", err, hintsFor(err))
	}
}

// TestStartAndAwait_Interrupted holds that ^C while we wait does not leave the
// other process behind.
func TestStartAndAwait_Interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.Command("sleep", "600")
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := startAndAwait(ctx, cmd, "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("startAndAwait() = %v", err)
	}
	if cmd.ProcessState == nil {
		t.Error("the process was left behind")
	}
}

func TestOpenReadyPipe_BadValue(t *testing.T) {
	for _, value := range []string{"x", "0", "2", "-1"} {
		t.Setenv(readyEnv, value)
		if _, err := openReadyPipe(); err == nil {
			t.Errorf("%s=%s was accepted", readyEnv, value)
		}
	}
}

// TestOpenReadyPipe_CloseOnExec holds that a helper which the process starts does
// not keep the pipe open, for which the command in front waits.
func TestOpenReadyPipe_CloseOnExec(t *testing.T) {
	fds := make([]int, 2)
	if err := unix.Pipe2(fds, 0); err != nil { // inherited, as fd 3 is
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	t.Setenv(readyEnv, strconv.Itoa(fds[1]))
	p, err := openReadyPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.f.Close()
	if flags, err := unix.FcntlInt(p.f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v: not closed on exec", flags, err)
	}
}
