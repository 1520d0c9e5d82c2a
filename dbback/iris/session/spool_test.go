package session

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A session that never stops talking takes no more room than what is kept, and
// what is kept are whole lines.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, err := newSpool()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the file has a name: %v, %v", left, err)
	}
	if st, err := s.f.Stat(); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("it can be read by others: %v, %v", st.Mode(), err)
	}
	write := func(b []byte) {
		t.Helper()
		if _, err := s.f.Write(b); err != nil {
			t.Fatal(err)
		}
		s.trim()
	}
	line := []byte("@@NUMBER|" + strings.Repeat("0123456789", 9) + "\n")
	block := bytes.Repeat(line, 1<<20/len(line))
	write([]byte("start\n"))
	for range 40 {
		write(block)
	}
	write([]byte("the end"))
	var st syscall.Stat_t
	if err := syscall.Fstat(int(s.f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if most := int64(keepStart + keepEnd + 3<<20); st.Blocks*512 > most {
		t.Errorf("%d bytes are on disk of %d, at most %d are wanted", st.Blocks*512, st.Size, most)
	}
	text, lost, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "start\n@@NUMBER") || !strings.HasSuffix(text, "9\nthe end") || !strings.Contains(text, "\n(") || lost == 0 {
		t.Errorf("start, end or the note of the gap is lost, or %d bytes are", lost)
	}
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, "@@") && l != string(line) {
			t.Errorf("half a marker: %q", l)
		}
	}
}

func TestSpool_Small(t *testing.T) {
	for _, size := range []int{0, 1, keepStart, keepStart + 1, keepStart + keepEnd} {
		s, err := newSpool()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("x", size)
		if _, err := s.f.WriteString(want); err != nil {
			t.Fatal(err)
		}
		s.trim()
		if text, lost, err := s.read(); text != want || lost != 0 || err != nil {
			t.Errorf("of %d bytes %d are kept, %d lost, %v", size, len(text), lost, err)
		}
		s.close()
	}
}

// shell returns an instance whose sessions are a shell script.
func shell(t *testing.T, script string) *Instance {
	t.Helper()
	in, err := New(Options{Instance: "IRIS", Command: []string{"sh", "-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// What a session writes to is no pipe, and what it says on both outputs comes in its
// order, more than is kept with an error of what is missing.
func TestRun_Output(t *testing.T) {
	const begin = `cat >/dev/null; printf '@@READY|x\n@@NS|%%SYS\n'; `
	in := shell(t, begin+`[ -p /dev/stdout ] && echo '@@PIPE|1'; echo '@@A|1'; echo '@@A|2' >&2`)
	a, err := in.Run(t.Context(), in.Statement("test", NewScript()))
	if err != nil {
		t.Fatal(err)
	}
	if _, pipe := a.Find("PIPE"); pipe {
		t.Error("the session writes to a pipe: it dies with datfs")
	}
	if m, _ := a.Find("A"); m.Value != "2" {
		t.Errorf("the last answer is %q", m.Value)
	}
	if err := a.Whole("test"); err != nil {
		t.Error(err)
	}
	in = shell(t, begin+`head -c 12000000 /dev/zero | tr '\0' '\n'; echo '@@A|1'`)
	a, err = in.Run(t.Context(), in.Statement("test", NewScript()))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Whole("test"); err == nil || !strings.Contains(err.Error(), "left out") {
		t.Errorf("of a gap: %v", err)
	}
	if _, ok := a.Find("A"); !ok {
		t.Error("the end is not kept")
	}
}

// A session that is the child of a script is ended too, though the script ends at
// the first signal.
func TestRun_EndsGroup(t *testing.T) {
	in := shell(t, `sh -c 'trap "" TERM; while :; do sleep 0.1; done' & wait`)
	in.Options.Grace = 300 * time.Millisecond
	pids := make(chan int, 1)
	in.Options.Started = func(pid int) { pids <- pid }
	task := in.Statement("test", NewScript())
	task.Limit = 500 * time.Millisecond
	if _, err := in.Run(t.Context(), task); err == nil {
		t.Error("it answered")
	}
	group := <-pids
	if !groupEnded(group, time.Minute) { // whoever reaps orphans may take a while
		t.Errorf("what the script started still runs: %v", syscall.Kill(-group, syscall.SIGKILL))
	}
}
