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
