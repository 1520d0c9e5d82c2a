package session

import (
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	out := &Output{}
	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, s := range []string{"start", long, long, long, long, "the end"} {
		if n, err := out.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	s := out.String()
	if !strings.HasPrefix(s, "start0123") || !strings.HasSuffix(s, "cdefthe end") || !strings.Contains(s, "are left out") {
		t.Error("start, end or the note of the gap is lost")
	}
	if len(s) > 4*keepOutput {
		t.Errorf("%d bytes are kept", len(s))
	}
	short := &Output{}
	short.Write([]byte("a"))
	short.Write([]byte("b"))
	if short.String() != "ab" {
		t.Errorf("%q", short.String())
	}
}

// A session that does not end goes on talking while what it said is read: the race
// detector sees it if that is not kept apart.
func TestOutput_Talking(t *testing.T) {
	out := &Output{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			out.Write([]byte("word\n"))
		}
	}()
	for range 100 {
		if s := out.String(); len(s)%5 != 0 {
			t.Errorf("half a word: %d bytes", len(s))
		}
	}
	<-done
	if s := out.String(); len(s) != 5000 {
		t.Errorf("%d bytes", len(s))
	}
}
