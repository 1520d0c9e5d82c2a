package iris

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/dbback"
)

func TestPickJournals(t *testing.T) {
	tests := []struct {
		name             string
		paths            string // the last element of each below its directory
		required, marker string
		files            string
		others, missing  string
	}{
		{
			name: "one file", paths: "/j/20261122.001 /j/20261122.002 /j/20261122.003",
			required: "20261122.002", marker: "20261122.002", files: "/j/20261122.002",
		},
		{
			name: "over midnight, compressed, other prefixes and files", required: "20261121.009", marker: "20261122.002",
			paths: "/j/20261122.002 /j/20261121.009z /j/20261121.010z /j/20261122.001 /j/20261122.003 /j/P20261122.001 /j/journal.log /j/20261121.008",
			files: "/j/20261121.009z /j/20261121.010z /j/20261122.001 /j/20261122.002",
		},
		{
			name: "alternate directory", paths: "/j/20261122.001 /alt/20261122.002", required: "20261122.001", marker: "20261122.002",
			files: "/j/20261122.001 /alt/20261122.002",
		},
		{
			name: "both forms", paths: "/j/20261122.001z /j/20261122.001 /j/20261122.002 /j/20261122.002z", required: "20261122.001", marker: "20261122.002",
			files: "/j/20261122.001 /j/20261122.002",
		},
		{
			name: "same name twice", paths: "/j/20261122.001 /alt/20261122.001", required: "20261122.001", marker: "20261122.001",
			files: "/j/20261122.001", others: "/alt/20261122.001",
		},
		{
			name: "the oldest is gone", paths: "/j/20261122.002", required: "20261122.001", marker: "20261122.002",
			files: "/j/20261122.002", missing: "20261122.001",
		},
		{
			name: "the newest is gone", paths: "/j/20261122.001", required: "20261122.001", marker: "20261122.002",
			files: "/j/20261122.001", missing: "20261122.002",
		},
		{
			name: "gaps", paths: "/j/20261120.005 /j/20261120.007 /j/20261121.002 /j/20261122.003", required: "20261120.005", marker: "20261122.003",
			files: "/j/20261120.005 /j/20261120.007 /j/20261121.002 /j/20261122.003", missing: "20261120.006 20261121.001 20261122.001 20261122.002",
		},
		{
			name: "mirror", paths: "/j/MIRROR-M-20261122.001 /j/20261122.001 /j/MIRROR-M-20261122.002", required: "MIRROR-M-20261122.001", marker: "MIRROR-M-20261122.002",
			files: "/j/MIRROR-M-20261122.001 /j/MIRROR-M-20261122.002",
		},
		{
			name: "counter over 999", paths: "/j/20261122.1000 /j/20261122.999", required: "20261122.999", marker: "20261122.1000",
			files: "/j/20261122.999 /j/20261122.1000",
		},
	}
	for _, tt := range tests {
		required, _ := dbback.ParseJournalName(tt.required)
		marker, _ := dbback.ParseJournalName(tt.marker)
		files, others, missing := pickJournals(strings.Fields(tt.paths), required, marker)
		if got := paths(files); got != tt.files {
			t.Errorf("%s: files %s, want %s", tt.name, got, tt.files)
		}
		if got := paths(others); got != tt.others {
			t.Errorf("%s: others %s, want %s", tt.name, got, tt.others)
		}
		if got := strings.Join(missing, " "); got != tt.missing {
			t.Errorf("%s: missing %s, want %s", tt.name, got, tt.missing)
		}
	}
}

func paths(files []journalFile) string {
	var out []string
	for _, f := range files {
		out = append(out, f.path)
	}
	return strings.Join(out, " ")
}

func FuzzPickJournals(f *testing.F) {
	f.Add("/j/20261122.001 /j/20261122.002z /a/20261122.002", "20261122.001", "20261122.002")
	f.Add("", "20261122.001", "20261122.999999999")
	f.Fuzz(func(t *testing.T, list, from, to string) {
		required, ok1 := dbback.ParseJournalName(from)
		marker, ok2 := dbback.ParseJournalName(to)
		if !ok1 || !ok2 || required.Prefix != marker.Prefix || required.Compare(marker) > 0 {
			t.Skip()
		}
		files, _, missing := pickJournals(strings.Fields(list), required, marker)
		if !slices.IsSortedFunc(files, func(a, b journalFile) int { return a.Compare(b.JournalName) }) {
			t.Errorf("not in order: %s", paths(files))
		}
		have := make(map[string]bool)
		for _, file := range files {
			if have[file.String()] || file.Compare(required) < 0 || file.Compare(marker) > 0 {
				t.Errorf("%s twice or out of range", file.path)
			}
			have[file.String()] = true
			if _, ok := dbback.ParseJournalName(filepath.Base(file.path)); !ok {
				t.Errorf("%s is no journal file", file.path)
			}
		}
		for _, name := range missing {
			if have[name] {
				t.Errorf("%s is there and missing", name)
			}
		}
		if len(missing) == 0 && (!have[required.String()] || !have[marker.String()]) {
			t.Error("an end is not there, and nothing is missing")
		}
	})
}
