package dbback

import "testing"

func TestParseJournalName(t *testing.T) {
	tests := []struct {
		name string
		want JournalName
		ok   bool
	}{
		{"20261122.001", JournalName{"", "20261122", 1, false}, true},
		{"20261122.012z", JournalName{"", "20261122", 12, true}, true},
		{"20261122.1000", JournalName{"", "20261122", 1000, false}, true},
		{"PRE20261122.001", JournalName{"PRE", "20261122", 1, false}, true},
		{"MIRROR-AUGEST-20220917.011", JournalName{"MIRROR-AUGEST-", "20220917", 11, false}, true},
		{"MIRROR-M20200101-20220917.011z", JournalName{"MIRROR-M20200101-", "20220917", 11, true}, true},
		{"20261122.000", JournalName{}, false},
		{"20261122.01", JournalName{}, false},
		{"20261122.001.tmp", JournalName{}, false},
		{"20261122.001zz", JournalName{}, false},
		{"journal.log", JournalName{}, false},
		{"", JournalName{}, false},
	}
	for _, tt := range tests {
		if got, ok := ParseJournalName(tt.name); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseJournalName(f *testing.F) {
	for _, s := range []string{"20261122.001z", "MIRROR-M-20220917.011", "x20261122.999999999", "20261122.000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseJournalName(s)
		if !ok {
			return
		}
		again, ok := ParseJournalName(n.String())
		n.Zipped = false
		if !ok || again != n {
			t.Errorf("%q is %+v, and that %q", s, n, n.String())
		}
	})
}

func TestPlainJournal(t *testing.T) {
	for in, want := range map[string]string{
		"20261122.001z": "20261122.001", "/j/20261122.001z": "/j/20261122.001", "20261122.001": "20261122.001",
		"": "", "xyz": "xyz", "/20261122.001z/z": "/20261122.001z/z",
	} {
		if got := PlainJournal(in); got != want {
			t.Errorf("PlainJournal(%q) = %q, want %q", in, got, want)
		}
	}
}
