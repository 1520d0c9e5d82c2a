package practice_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"datfs/dbback/practice"
)

// A screen is a terminal's output that can be looked at while it is written.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// At a terminal, ^C ends the statement and not the session.
func TestInterrupt(t *testing.T) {
	inst := newInstance(t)
	armed(t, inst, "hang", "CLRINC^DBACK")
	r, err := practice.At(inst.Dir())
	if err != nil {
		t.Fatal(err)
	}
	in, keyboard := io.Pipe()
	defer in.Close()
	out, code := &screen{}, make(chan int, 1)
	go func() {
		code <- r.Command(t.Context(), "iris", []string{"session", "PRACTICE", "-U", "%SYS"}, practice.Streams{In: in, Out: out, Err: out, Terminal: true})
	}()
	if _, err := io.WriteString(keyboard, "write $$CLRINC^DBACK(\"QUIET\")\n"); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { st, err := inst.Status(); return err == nil && len(st.Failures) == 0 }) // it hangs
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return strings.Contains(out.String(), "<INTERRUPT>") })
	if _, err := io.WriteString(keyboard, "write \"on\"\nhalt\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != 0 || !strings.Contains(out.String(), "%SYS>on") {
		t.Errorf("exit code %d\n%s", got, out)
	}
}

// A session whose reader has gone goes on to the end of its script.
func TestSession_NobodyReads(t *testing.T) {
	inst := newInstance(t)
	r, err := practice.At(inst.Dir())
	if err != nil {
		t.Fatal(err)
	}
	gone, out := io.Pipe()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	script := "write \"a\",!\nwrite \"b\",!\nhalt\n"
	code := r.Command(t.Context(), "iris", []string{"session", "PRACTICE", "-U", "%SYS"}, practice.Streams{In: strings.NewReader(script), Out: out, Err: io.Discard})
	if code != 0 {
		t.Errorf("exit code %d, want that of its halt", code)
	}
}
