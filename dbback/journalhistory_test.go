package dbback

import (
	"errors"
	"strings"
	"testing"

	"datfs/catalog"
)

// setWith returns a set that holds journal files; each was written to last in the
// minute that its counter says.
func setWith(instance, name, required, files string) *catalog.SetInfo {
	s := &catalog.SetInfo{Instance: instance, Name: name, State: catalog.StateComplete}
	for file := range strings.FieldsSeq(files) {
		n, _ := ParseJournalName(otherName.ReplaceAllString(file, ""))
		wrote := at(n.Count)
		if n.Day > "20261122" {
			wrote = wrote.AddDate(0, 0, 1)
		}
		s.Files = append(s.Files, catalog.FileInfo{Path: file, Section: catalog.SectionJournals, Size: 100, ModTime: wrote, Origin: "/j/" + file})
	}
	if required != "" {
		s.Method = &catalog.Method{Journal: &catalog.JournalRange{Required: "/j/" + required, Files: strings.Fields(files)}}
	}
	return s
}

func TestHistory_Reach(t *testing.T) {
	const first, second = "2026-11-22T03-00-00Z", "2026-11-22T04-00-00Z"
	open := setWith("PROD", first, "20261122.002", "20261122.002")
	open.Method.Facts = map[string]string{FactJournal: JournalOpen}
	tests := []struct {
		name    string
		sets    []*catalog.SetInfo // the first is restored
		log     string
		files   string
		missing string
		beyond  int
	}{
		{
			name:  "the set alone",
			sets:  []*catalog.SetInfo{setWith("PROD", first, "20261122.002", "20261122.002 20261122.003 journal.log")},
			files: "20261122.002 20261122.003",
		},
		{
			name: "on into the archive, over midnight",
			sets: []*catalog.SetInfo{
				setWith("PROD", first, "20261122.002z", "20261122.002z 20261122.003"),
				setWith("PROD.journals", first, "", "20261122.001 20261122.002 20261122.003z 20261122.004z journal.log"),
				setWith("PROD.journals", second, "", "20261123.001"),
			},
			files: "20261122.002 20261122.003 20261122.004 20261123.001",
		},
		{
			name: "a gap",
			sets: []*catalog.SetInfo{
				setWith("PROD", first, "20261122.002", "20261122.002"),
				setWith("PROD.journals", first, "", "20261122.005 20261122.006"),
			},
			files: "20261122.002", missing: "20261122.003 20261122.004", beyond: 2,
		},
		{
			name: "a gap that only the list tells",
			sets: []*catalog.SetInfo{
				setWith("PROD", first, "20261122.002", "20261122.002"),
				setWith("PROD.journals", first, "", "20261123.001"),
			},
			log:   "20261122.001 20261122.002 20261122.003 20261123.001 20261123.002",
			files: "20261122.002", missing: "20261122.003", beyond: 1,
		},
		{
			name: "a gap before does not matter",
			sets: []*catalog.SetInfo{
				setWith("PROD", first, "20261122.007", "20261122.007"),
				setWith("PROD.journals", first, "", "20261122.001 20261122.008"),
			},
			files: "20261122.007 20261122.008",
		},
		{
			name:  "copied while it was open, nothing behind",
			sets:  []*catalog.SetInfo{open},
			files: "20261122.002",
		},
		{
			name:  "copied while it was open, and the rest is lost",
			sets:  []*catalog.SetInfo{open, setWith("PROD.journals", first, "", "20261122.003")},
			files: "20261122.002", missing: "20261122.002", beyond: 1,
		},
		{
			name:  "copied while it was open, and again",
			sets:  []*catalog.SetInfo{open, setWith("PROD.journals", first, "", "20261122.002 20261122.003")},
			files: "20261122.002 20261122.003",
		},
		{
			name:    "the required one is nowhere",
			sets:    []*catalog.SetInfo{setWith("PROD", first, "20261122.002", ""), setWith("PROD.journals", first, "", "20261122.003")},
			missing: "20261122.002",
		},
		{
			name: "others of a mirror, and files of the same name",
			sets: []*catalog.SetInfo{
				setWith("PROD", first, "MIRROR-M-20261122.002", "MIRROR-M-20261122.002"),
				setWith("PROD.journals", first, "", "20261122.001 20261122.009 MIRROR-M-20261122.003 MIRROR-M-20261122.003.other-1"),
			},
			files: "MIRROR-M-20261122.002 MIRROR-M-20261122.003",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := newHistory("PROD", tt.sets, strings.Fields(tt.log)).Reach(tt.sets[0])
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, f := range r.Files {
				files = append(files, f.Name)
			}
			if got := strings.Join(files, " "); got != tt.files {
				t.Errorf("files %s, want %s", got, tt.files)
			}
			if got := strings.Join(r.Missing, " "); got != tt.missing || r.Beyond != tt.beyond {
				t.Errorf("missing %s, %d beyond; want %s, %d", got, r.Beyond, tt.missing, tt.beyond)
			}
			if last, until := r.Last(); len(files) > 0 && (last != files[len(files)-1] || until.IsZero()) || len(files) == 0 && last != "" {
				t.Errorf("last %s, %v", last, until)
			}
		})
	}
}

func TestHistory_NoJournals(t *testing.T) {
	h := newHistory("PROD", nil, nil)
	for _, s := range []*catalog.SetInfo{setWith("PROD", "x", "", ""), setWith("PROD", "x", "odd", "odd")} {
		if _, err := h.Reach(s); !errors.Is(err, ErrNoJournals) {
			t.Errorf("reach of %+v: %v", s.Method, err)
		}
	}
}

// The archive's copy is the one to take, then that of the newest set.
func TestHistory_Copies(t *testing.T) {
	sets := []*catalog.SetInfo{
		setWith("PROD", "2026-11-22T03-00-00Z", "20261122.001", "20261122.001"),
		setWith("PROD", "2026-11-22T04-00-00Z", "20261122.001", "20261122.001"),
		setWith("PROD.journals", "2026-11-22T05-00-00Z", "", "20261122.001z"),
	}
	h := newHistory("PROD", sets, nil)
	if len(h.Entries) != 1 || len(h.Entries[0].Copies) != 3 {
		t.Fatalf("%+v", h.Entries)
	}
	for i, want := range []string{"PROD.journals/2026-11-22T05-00-00Z", "PROD/2026-11-22T04-00-00Z", "PROD/2026-11-22T03-00-00Z"} {
		if got := h.Entries[0].Copies[i].Set.String(); got != want {
			t.Errorf("copy %d is %s, want %s", i, got, want)
		}
	}
}

func TestNewestRestorable(t *testing.T) {
	a := setWith("PROD", "2026-11-22T03-00-00Z", "20261122.001", "20261122.001")
	b := setWith("PROD", "2026-11-22T04-00-00Z", "20261122.001", "20261122.001")
	b.State = catalog.StateIncomplete
	files := setWith("PROD", "2026-11-22T05-00-00Z", "", "")
	if got := NewestRestorable([]*catalog.SetInfo{a, b, files}, "PROD"); got != a {
		t.Errorf("%+v", got)
	}
	if got := NewestRestorable([]*catalog.SetInfo{a}, "TEST"); got != nil {
		t.Errorf("%+v", got)
	}
}

// What is missing in a time line that is lost does not stop a restore of a set of the one
// that came after it: it reaches what is promised.
func TestHistory_Lacks(t *testing.T) {
	const first, second = "2026-11-22T00-00-30Z", "2026-11-22T00-30-00Z"
	set := setWith("PROD", second, "20261122.003", "20261122.003")
	set.Time = at(30)
	set.Files[0].ModTime, set.Files[0].XXH64 = at(33), "x"
	archive := setWith("PROD.journals", first, "", "20261122.001 20261122.003 20261122.007 20261122.009 20261122.001.other-1 20261122.002.other-1 20261122.003.other-1 20261123.001 20261123.003")
	for i, minute := range []int{1, 3, 7, 9, 31, 32, 33, 1440, 1443} {
		f := &archive.Files[i]
		if f.ModTime = at(minute); minute > 30 {
			f.XXH64 = "x"
		} else {
			f.XXH64 = "old"
		}
	}
	h := newHistory("PROD", []*catalog.SetInfo{set, archive}, nil)
	var all []string
	for _, e := range h.Entries {
		if len(e.Copies) == 0 {
			all = append(all, e.Name)
		}
	}
	if got, want := strings.Join(all, " "), "20261122.002 20261122.004 20261122.005 20261122.006 20261122.008 20261123.002"; got != want {
		t.Errorf("missing of all time lines: %s, want %s", got, want)
	}
	r, err := h.Reach(set)
	if last, _ := r.Last(); err != nil || last != "20261123.001" || r.Other != nil {
		t.Errorf("it reaches %s, %v; %v", last, r.Other, err)
	}
	if got, want := strings.Join(h.Lacks(set), " "), "20261123.002"; got != want {
		t.Errorf("missing of its own: %s, want %s", got, want)
	}
	older := setWith("PROD", first, "20261122.001", "20261122.001")
	older.Files[0].XXH64 = "old"
	if got, want := strings.Join(h.Lacks(older), " "), "20261122.002 20261122.004 20261122.005 20261122.006 20261122.008"; got != want {
		t.Errorf("missing behind a gap too: %s, want %s", got, want)
	}
	if got := h.Lacks(setWith("PROD", "x", "", "")); got != nil {
		t.Errorf("of a set without journals: %s", got)
	}
}
