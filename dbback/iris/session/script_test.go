package session

import (
	"strings"
	"testing"
)

func FuzzQuote(f *testing.F) {
	f.Add(`a "b" c`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, s string) {
		q := Quote(s)
		inner, ok := strings.CutPrefix(q, `"`)
		inner, ok2 := strings.CutSuffix(inner, `"`)
		if !ok || !ok2 || strings.ReplaceAll(inner, `""`, "") != strings.ReplaceAll(s, `"`, "") || strings.ReplaceAll(inner, `""`, `"`) != s {
			t.Errorf("%q becomes %s", s, q)
		}
	})
}
