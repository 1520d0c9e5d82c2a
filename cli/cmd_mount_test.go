package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"datfs/catalog"
	"datfs/fs"
)

// A fakeServer is a mount that is in use for as long as a test likes.
type fakeServer struct {
	busy, gone, detached bool
	ended                chan struct{}
}

func (s *fakeServer) Wait() error { <-s.ended; return nil }

func (s *fakeServer) Unmount() error {
	switch {
	case s.gone:
		return fmt.Errorf("unmount: %w", fs.ErrNotMounted)
	case s.busy:
		return fmt.Errorf("unmount: %w", fs.ErrBusy)
	}
	s.gone = true
	close(s.ended)
	return nil
}

func (s *fakeServer) Detach() error { s.detached = true; return nil }

func TestServe(t *testing.T) {
	const (
		wantError = 1 << iota
		wantDetached
		wantBusyMessage
	)
	end := func(s *fakeServer, _ chan<- os.Signal) { close(s.ended) }
	send := func(sig os.Signal) func(*fakeServer, chan<- os.Signal) {
		return func(_ *fakeServer, c chan<- os.Signal) { c <- sig }
	}
	tests := []struct {
		name  string
		busy  bool
		steps []func(*fakeServer, chan<- os.Signal)
		want  int
	}{
		{"UnmountedElsewhere", false, []func(*fakeServer, chan<- os.Signal){end}, 0},
		{"Interrupt", false, []func(*fakeServer, chan<- os.Signal){send(os.Interrupt)}, 0},
		{"Terminate", false, []func(*fakeServer, chan<- os.Signal){send(syscall.SIGTERM)}, 0},
		{"BusyThenUnmountedElsewhere", true, []func(*fakeServer, chan<- os.Signal){send(os.Interrupt), end}, wantBusyMessage},
		{"BusyThenFree", true, []func(*fakeServer, chan<- os.Signal){
			send(os.Interrupt),
			func(s *fakeServer, c chan<- os.Signal) { s.busy = false; c <- os.Interrupt },
		}, wantBusyMessage},
		{"BusyTwice", true, []func(*fakeServer, chan<- os.Signal){send(os.Interrupt), send(os.Interrupt), end}, wantBusyMessage | wantDetached},
		{"BusyThrice", true, []func(*fakeServer, chan<- os.Signal){
			send(os.Interrupt), send(os.Interrupt), send(os.Interrupt),
		}, wantBusyMessage | wantDetached | wantError},
		{"TerminateBusy", true, []func(*fakeServer, chan<- os.Signal){send(syscall.SIGTERM), end}, wantDetached},
		{"SomebodyWasQuicker", false, []func(*fakeServer, chan<- os.Signal){
			func(s *fakeServer, c chan<- os.Signal) { s.gone = true; c <- os.Interrupt },
			end,
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fakeServer{busy: tt.busy, ended: make(chan struct{})}
				signals := make(chan os.Signal, 1)
				var stderr bytes.Buffer
				result := make(chan error, 1)
				go func() { result <- serve(s, "/mnt/b", signals, &stderr) }()
				for _, step := range tt.steps {
					synctest.Wait()
					time.Sleep(time.Second)
					step(s, signals)
				}
				err := <-result
				if (err != nil) != (tt.want&wantError != 0) {
					t.Errorf("serve() = %v", err)
				}
				if s.detached != (tt.want&wantDetached != 0) {
					t.Errorf("detached: %t", s.detached)
				}
				if got := strings.Contains(stderr.String(), "still serving"); got != (tt.want&wantBusyMessage != 0) {
					t.Errorf("said %q", stderr.String())
				}
				if tt.want&wantError != 0 {
					close(s.ended) // the process would end here, and Wait with it
				}
			})
		})
	}
}

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

// TestAwaitReady_Dies holds that a background process that dies without a word
// is an error and not a wait without end.
func TestAwaitReady_Dies(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("false")
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	_, err = awaitReady(context.Background(), r, cmd)
	if err == nil || !strings.Contains(err.Error(), "ended before the mount answered") || len(hintsFor(err)) == 0 {
		t.Errorf("awaitReady() = %v, hints %q", err, hintsFor(err))
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
