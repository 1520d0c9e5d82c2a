package session

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseMarkers(t *testing.T) {
	text := "%SYS>write \"@@NO|1\"\n@@A|1\r\n@@B|x|y\n @@C|indented\n@@lower|1\n@@|1\n@@D\n%SYS 2d1>\n@@A|2"
	got := parseMarkers([]byte(text))
	want := []Marker{
		{"A", "1", []string{"1"}},
		{"B", "x|y", []string{"x", "y"}},
		{"A", "2", []string{"2"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	a := &Answer{markers: got}
	if m, ok := a.Find("A"); !ok || m.Value != "2" {
		t.Errorf("the last A is %+v", m)
	}
}

func FuzzParseMarkers(f *testing.F) {
	f.Add("%SYS>\n@@A|1\n@@ERR|A|<PROTECT>|x+1^Y|data|with|bars\n")
	f.Fuzz(func(t *testing.T, s string) {
		a := ParseAnswer(s)
		for _, m := range a.markers {
			if strings.Join(m.Fields, "|") != m.Value || strings.Contains(m.Value, "\n") {
				t.Errorf("%+v", m)
			}
			if !strings.Contains(s, "@@"+m.Name+"|") {
				t.Errorf("marker %s out of nothing", m.Name)
			}
		}
		if trap := a.Trap("A"); trap != nil && trap.Error() == "" {
			t.Error("a trap that says nothing")
		}
	})
}

func TestTrap(t *testing.T) {
	tests := []struct {
		line string
		want TrapError
	}{
		{"@@ERR|A|<PROTECT>|L+1^R|a|b", TrapError{Name: "<PROTECT>", Location: "L+1^R", Data: "a|b"}},
		{"@@ERR|A|<UNDEFINED>", TrapError{Name: "<UNDEFINED>"}},
		{"@@ERR|A", TrapError{}},
	}
	for _, tt := range tests {
		a := ParseAnswer(tt.line + "\n")
		if got := a.Trap("A"); got == nil || *got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.line, got, tt.want)
		}
	}
}

// Journal files may be in directories whose names have bars.
func TestJournalPlaces_Bars(t *testing.T) {
	for line, want := range map[string]string{
		"@@JRN|/a|b/20261122.001|/a|b/|/c/": "/a|b/20261122.001: /a|b /a|b /c",
		"@@JRN||/j/|/k|k/":                  ": /j /k|k",
		"@@JRN|off|/j/|":                    ": /j",
	} {
		current, dirs := ParseAnswer(line + "\n").JournalPlaces()
		if got := current + ": " + strings.Join(dirs, " "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
