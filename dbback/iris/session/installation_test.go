package session

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestParseSettings(t *testing.T) {
	got, err := parseSettings(strings.NewReader("wijlast=/wij/\r\nsecurity_settings.iris_user: irisusr\n\nno value\n=x\na=b:c\n"))
	want := map[string]string{"wijlast": "/wij/", "security_settings.iris_user": "irisusr", "a": "b:c"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add("wijlast=/wij/\nsecurity_settings.iris_user: irisusr\n")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseSettings(strings.NewReader(s))
		if err != nil {
			t.Skip()
		}
		for key, value := range got {
			if key == "" || strings.ContainsAny(key, "=:\n") || !strings.Contains(s, key) || !strings.Contains(s, value) {
				t.Errorf("%q: %q", key, value)
			}
		}
	})
}

func TestParseQlist(t *testing.T) {
	b, err := os.ReadFile("testdata/qlist.txt")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name                 string
		found                bool
		status, health, data string
	}{
		{"insttest", true, "running, since Fri May 13 22:07:02 2016", "ok", "/mgr/config"},
		{"OLD", true, "down, last used Fri May 13 22:07:02 2016", "", "/usr/cachesys"},
		{"SHUT", true, "sign-on inhibited: starting", "warn", "/usr/irissys"},
		{"CARET", true, "running, since Fri May 13 22:07:02 2016", "ok", "/usr/iris^2024.1^sys"},
		{"SHORT", false, "", "", ""},
		{"INST", false, "", "", ""},
	}
	for _, tt := range tests {
		l, ok := parseQlist(string(b), tt.name)
		if ok != tt.found || l.Status != tt.status || l.Health != tt.health || l.Data != tt.data {
			t.Errorf("%s: %+v, %v", tt.name, l, ok)
		}
	}
}

func FuzzParseQlist(f *testing.F) {
	f.Add("A^/x^1^running^iris.cpf^1^2^3^ok^IRIS^^^/d", "a")
	f.Add("A^^^^", "")
	f.Fuzz(func(t *testing.T, s, name string) {
		l, ok := parseQlist(s, name)
		if ok && !strings.EqualFold(l.Name, strings.TrimSpace(l.Name)) || ok && !strings.EqualFold(l.Name, name) {
			t.Errorf("%q is found as %q", name, l.Name)
		}
		if !ok && l != (QlistLine{}) {
			t.Errorf("nothing is found, but %+v", l)
		}
	})
}

func TestParseVersion(t *testing.T) {
	tests := []struct {
		text string
		want Version
	}{
		{"IRIS for UNIX (Red Hat Enterprise Linux 7 for x86-64) 2022.1 (Build 209U) Tue May 31 2022 12:16:40 EDT", Version{"IRIS", "2022.1", 2022}},
		{"IRIS for UNIX (Ubuntu Server LTS for x86-64 Containers) 2024.1.0 (Build 263U) Wed Mar 13 2024", Version{"IRIS", "2024.1.0", 2024}},
		{"Cache for UNIX (SUSE Linux Enterprise Server for x86-64) 2017.2.2 (Build 865U) Mon Jun 25 2018", Version{"Cache", "2017.2.2", 2017}},
		{"Cache for UNIX 5.0.21", Version{"Cache", "", 0}},
		{"", Version{}},
	}
	for _, tt := range tests {
		if got := ParseVersion(tt.text); got != tt.want {
			t.Errorf("%q: %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add("IRIS for UNIX (Red Hat Enterprise Linux 7 for x86-64) 2022.1 (Build 209U)")
	f.Fuzz(func(t *testing.T, s string) {
		v := ParseVersion(s)
		if !strings.Contains(s, v.Product) || !strings.Contains(s, v.Number) || (v.Year > 0) != (v.Number != "" && !strings.HasPrefix(v.Number, "0000")) {
			t.Errorf("%q: %+v", s, v)
		}
	})
}
