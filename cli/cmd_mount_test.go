package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

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
