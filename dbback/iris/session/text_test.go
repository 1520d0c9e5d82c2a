package session

import (
	"strings"
	"testing"
)

func TestLastLines(t *testing.T) {
	if got := LastLines("1\n2\n\n3\r\n4\n5\n\x1b[1m6\n7\n\n"); got != "2 / 3 / 4 / 5 / [1m6 / 7" {
		t.Errorf("%q", got)
	}
	if got := LastLines(strings.Repeat("é", 1000)); len(got) > 700 || !strings.HasPrefix(got, "…") {
		t.Errorf("%q", got)
	}
}

func FuzzLastLines(f *testing.F) {
	f.Add("a\n\x1b]0;x\a\nb\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := LastLines(s)
		if len(got) > 700 || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
			t.Errorf("%q", got)
		}
	})
}
