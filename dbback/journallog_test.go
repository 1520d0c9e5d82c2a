package dbback

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadJournalLog(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"paths", "/j/20261121.009\n/j/20261122.001\n", "/j/20261121.009 /j/20261122.001"},
		{"names, CRLF, blank lines, compressed", "20261122.001z\r\n\r\n20261122.002\r\n", "20261122.001 20261122.002"},
		{"fields around", "3,/j/20261122.001,2026-11-22\n; a comment\n4^/alt/20261122.002^x\n", "/j/20261122.001 /alt/20261122.002"},
		{"a mirror's", "/j/MIRROR-M-20261122.001\n", "/j/MIRROR-M-20261122.001"},
		{"twice: the last counts", "/j/20261122.001\n/j/20261122.002\n/alt/20261122.001\n", "/j/20261122.002 /alt/20261122.001"},
		{"the first of a line", "/j/20261122.001 /j/20261122.002\n", "/j/20261122.001"},
		{"no end of line", "/j/20261122.001", "/j/20261122.001"},
		{"a directory", "/j/20261122.001z/\n", ""},
		{"nothing of the kind", "list\njournal.log\n20261122\n", ""},
		{"not lines", "/j/20261122.001\n" + strings.Repeat("x", 2*maxLogLine), "/j/20261122.001"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		got, err := ReadJournalLog(strings.NewReader(tt.text))
		if s := strings.Join(got, " "); s != tt.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.name, s, err, tt.want)
		}
	}
}

func FuzzReadJournalLog(f *testing.F) {
	f.Add("/j/20261122.001z\n3,/j/x20261122.002\r\n\x00;^")
	f.Add("20261122.001z/")
	f.Fuzz(func(t *testing.T, text string) {
		names, _ := ReadJournalLog(strings.NewReader(text))
		seen := make(map[string]bool)
		for _, name := range names {
			n, ok := ParseJournalName(path.Base(name))
			if !ok || n.Zipped || seen[path.Base(name)] || !strings.Contains(text, name) {
				t.Errorf("%q is made of %q", name, text)
			}
			seen[path.Base(name)] = true
		}
	})
}

// at is a minute of a day of the tests.
func at(minute int) time.Time {
	return time.Date(2026, 11, 22, 0, minute, 0, 0, time.UTC)
}

func writtenAt(names string) map[string]time.Time {
	written := make(map[string]time.Time)
	for i, name := range strings.Fields(names) {
		written[name] = at(i)
	}
	return written
}

func TestListedJournals(t *testing.T) {
	dir := t.TempDir()
	if got := ListedJournals(dir); got != nil {
		t.Errorf("of none: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, JournalLog), []byte("/j/20261122.001z\n/j/20261122.002\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ListedJournals(dir), " "); got != "/j/20261122.001 /j/20261122.002" {
		t.Error(got)
	}
}

func TestOrderJournals(t *testing.T) {
	tests := []struct{ name, written, log, want string }{
		{"by name", "20261122.002 20261121.010 20261122.001 20261121.009", "", "20261121.009 20261121.010 20261122.001 20261122.002"},
		{"counters over 999", "20261122.1000 20261122.999", "", "20261122.999 20261122.1000"},
		{
			"prefixes of a day by their first file", "B20261122.001 20261122.001 20261122.002 B20261122.002", "",
			"B20261122.001 B20261122.002 20261122.001 20261122.002",
		},
		{"the log knows better", "20261122.001 20261122.002 20261122.003", "20261122.003 20261122.001", "20261122.003 20261122.002 20261122.001"},
		{
			"the log has a part", "20261121.001 20261122.001 B20261122.001 20261123.001", "20261120.001 B20261122.001 20261122.001",
			"20261121.001 B20261122.001 20261122.001 20261123.001",
		},
		{"of another engine", "b a 20261122.001", "", "b a 20261122.001"},
		{"none", "", "20261122.001", ""},
	}
	for _, tt := range tests {
		got := orderJournals(writtenAt(tt.written), strings.Fields(tt.log))
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
		}
	}
}

func TestMissingNames(t *testing.T) {
	tests := []struct{ name, stored, log, want string }{
		{"nothing", "20261122.001 20261122.002", "20261122.001 20261122.002", ""},
		{"one day", "20261122.003 20261122.006", "", "20261122.004 20261122.005"},
		{"over midnight", "20261121.005 20261123.003", "", "20261123.001 20261123.002"},
		{"each prefix by itself", "20261122.001 B20261122.007 20261122.003 B20261122.008", "", "20261122.002"},
		{"the end of a day, by the log", "20261121.005 20261122.001", "20261121.004 20261121.005 20261121.006 20261122.001 20261122.002", "20261121.006"},
		{"a log of other files", "20261122.001", "20261101.001 20261101.002", ""},
		{"what is behind is not missing yet", "20261122.001", "20261122.001 20261122.002", ""},
		{"of another engine", "mumps.mjl mumps.mjl_1", "", ""},
		{"none", "", "20261122.001", ""},
	}
	for _, tt := range tests {
		got := missingNames(writtenAt(tt.stored), strings.Fields(tt.log))
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
		}
	}
	if n := len(missingNames(writtenAt("20261122.001 20261122.999999999"), nil)); n < maxGap-1 || n > maxGap {
		t.Errorf("%d names are made up", n)
	}
}

func FuzzJournalNames(f *testing.F) {
	f.Add("20261122.001 20261122.003z x", "20261122.002 20261122.003")
	f.Add("20261122.001 B20261122.999999999 B20261101.001", "")
	f.Fuzz(func(t *testing.T, stored, listed string) {
		log, err := ReadJournalLog(strings.NewReader(strings.Join(strings.Fields(listed), "\n")))
		if err != nil {
			t.Skip()
		}
		written := writtenAt(stored)
		for _, name := range missingNames(written, baseNames(log)) {
			if _, ok := written[name]; ok {
				t.Errorf("%q is there and missing", name)
			}
			written[name] = time.Time{}
		}
		order := orderJournals(written, baseNames(log))
		sorted := slices.Clone(order)
		slices.Sort(sorted)
		if len(order) != len(written) || len(slices.Compact(sorted)) != len(written) {
			t.Errorf("%d names in order of %d", len(order), len(written))
		}
	})
}
