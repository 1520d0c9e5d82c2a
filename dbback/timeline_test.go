package dbback

import (
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// journalFiles makes stored journal files of "NAME MINUTE CONTENT"; a minute with a + is of
// a file that was open.
func journalFiles(set catalog.SetName, specs string) (out []ArchivedJournal) {
	for i, spec := range strings.Split(specs, ", ") {
		f := strings.Fields(spec)
		if len(f) != 3 {
			continue
		}
		minute, open := strings.CutSuffix(f[1], "+")
		d, err := time.ParseDuration(minute + "m")
		if err != nil {
			panic(err)
		}
		j := ArchivedJournal{Stored: f[0], Set: set, File: i, Size: int64(len(f[2])), Sum: f[2], Open: open, ModTime: at(0).Add(d), Origin: "/j/" + f[0]}
		j.Name = PlainJournal(j.FileName())
		out = append(out, j)
	}
	return out
}

// checkLines checks that the time lines of all files of a prefix are divided where that
// of a set ends.
func checkLines(t *testing.T, own, specs string, line []ArchivedJournal, other *ArchivedJournal) {
	t.Helper()
	var files []JournalCopy
	last := journalFiles(catalog.SetName{Instance: "PROD", Name: "2026-11-22T03-00-00Z"}, own)
	for _, j := range append(last, journalFiles(catalog.SetName{Instance: "PROD.journals", Name: "a"}, specs)...) {
		if n, ok := ParseJournalName(j.Name); ok && n.Prefix == "" {
			files = append(files, JournalCopy{ArchivedJournal: j})
		}
	}
	at := make(map[string]int)
	for i, l := range timeLines(files) {
		for _, c := range l {
			at[c.Set.String()+" "+c.Stored] = i
		}
	}
	mine := last[len(last)-1]
	want := at[mine.Set.String()+" "+mine.Stored]
	for _, j := range line {
		if i, ok := at[j.Set.String()+" "+j.Stored]; ok && i != want {
			t.Errorf("%s, which follows the set, is of time line %d, the set of %d", j.Stored, i, want)
		}
	}
	if other != nil && at[other.Set.String()+" "+other.Stored] != want+1 {
		t.Errorf("%s begins another time line, and is of %d, the set of %d", other.Stored, at[other.Set.String()+" "+other.Stored], want)
	}
}

func TestSameTimeLine(t *testing.T) {
	const old = "20261122.001 1 a, 20261122.002 2 b, 20261122.003 3 c, 20261122.004 4 d, 20261122.005 5 e"
	tests := []struct {
		name  string
		own   string // of the set
		begun int    // in which minute it was
		files string
		want  string // as stored
		other string
	}{
		{"none", "20261122.002 2 b", 1, "", "", ""},
		{"those that follow", "20261122.002 2 b", 1, old, "20261122.002 20261122.003 20261122.004 20261122.005", ""},
		{"compressed since", "20261122.002 2 b", 1, "20261122.002z 9 z, 20261122.003z 10 z", "20261122.002z 20261122.003z", ""},
		{"compressed when copied", "20261122.002z 9 z", 1, "20261122.002 2 b, 20261122.003 3 c", "20261122.002 20261122.003", ""},
		{"compressed too late to be the same", "20261122.002 2 b", 1, "20261122.002z 1450 z, 20261122.003z 1460 z", "", "20261122.002z"},
		{"compressed, and another that is compressed", "20261122.002 2 b", 1, "20261122.002z 9 z, 20261122.002z.other-1 30 y, 20261122.003z 31 z", "20261122.002z", "20261122.002z.other-1"},
		{"lists", "20261122.002 2 b", 1, "20261122.003 3 c, journal.log 3 l, journal.log 4 m", "20261122.003 journal.log journal.log", ""},
		{"other prefixes, and what is none", "20261122.002 2 b", 1, "M-20261122.003 3 c, x 4 m", "", ""},
		{"of a time line that is lost", "20261122.003 20 x", 15, old, "", ""},
		{
			"of a time line that is lost, and of its own", "20261122.003 20 x", 15,
			old + ", 20261122.001.other-1 17 m, 20261122.003.other-1 20 x, 20261122.004.other-1 21 y, 20261122.005.other-1 22 z, 20261122.006 23 o",
			"20261122.003.other-1 20261122.004.other-1 20261122.005.other-1 20261122.006", "",
		},
		{
			"of a time line that came later", "20261122.003 3 c", 2,
			old + ", 20261122.003.other-1 20 x, 20261122.004.other-1 21 y, 20261122.005.other-1 22 z, 20261122.006 23 o, journal.log 5 l, journal.log 23 m",
			"20261122.003 20261122.004 20261122.005 journal.log", "20261122.003.other-1",
		},
		{
			"later, and its first ones were never copied", "20261122.003 3 c", 2,
			old + ", 20261122.005.other-1 22 z, 20261122.006 23 o", "20261122.003 20261122.004 20261122.005", "20261122.005.other-1",
		},
		{"open when copied", "20261122.003 3+ c", 2, "20261122.003 30 cc, 20261122.004 31 d", "20261122.003 20261122.004", ""},
		{"open when copied, and compressed", "20261122.003 3+ c", 2, "20261122.003z 300 cc, 20261122.004 301 d", "20261122.003z 20261122.004", ""},
		{"open when copied, and another one", "20261122.003 3+ c", 2, "20261122.003 30 cc, 20261122.003.other-1 40 ccx, 20261122.004 41 d", "20261122.003", "20261122.003.other-1"},
		{"open when copied, and shorter", "20261122.003 3+ ccc", 2, "20261122.003 30 x, 20261122.004 41 d", "", "20261122.003"},
		{"below the set's", "20261122.006 6 f", 5, "20261122.001 20 x, 20261122.002 21 y, 20261122.003 22 z, 20261123.001 1440 q, journal.log 6 l, journal.log 23 m", "journal.log", "20261122.001"},
		{"below the set's, as before too", "20261122.006 6 f", 5, "20261122.001 1 a, 20261122.002 2 b, 20261122.001.other-1 20 x, 20261122.002.other-1 21 y, 20261122.003 22 z, 20261123.001 1440 q", "", "20261122.001.other-1"},
		{"below the set's, and it had gone on", "20261122.006 6 f", 5, "20261122.007 7 g, 20261122.001 20 x, 20261122.008 28 z", "20261122.007", "20261122.001"},
		{"below the set's first, above which it had gone on to be written to", "20261122.005 5 e, 20261122.006 30 f", 5, "20261122.004 12 d, 20261122.007 31 g", "20261122.007", ""},
		{"below the set's, and compressed the next hour", "20261122.006 6 f", 5, "20261122.005z 66 e, 20261122.007 67 g", "20261122.007", ""},
		{"below the set's, and compressed another day", "20261122.006 6 f", 5, "20261122.001z 1450 e, 20261123.001 1460 g", "", "20261122.001z"},
		{"an older one put back", "20261122.006 6 f", 5, "20261122.001 1 a, 20261122.001.other-1 20 a, 20261122.007 21 g", "20261122.007", ""},
		{"an older one put back, and a later row", "20261122.006 6 f", 5, "20261122.001 1 a, 20261122.001.other-1 20 a, 20261122.007 21 g, 20261122.001.other-2 30 x, 20261122.008 38 h", "20261122.007", "20261122.001.other-2"},
		{"one of the day before put back", "20261122.006 6 f", 5, "20261121.004 20 a, 20261122.007 21 g", "20261122.007", ""},
		{"one that was missing put back", "20261122.006 6 f", 5, "20261122.008 8 h, 20261122.007 21 g", "20261122.007 20261122.008", ""},
		{"below the set's, of another prefix", "20261122.006 6 f", 5, "M-20261122.001 20 a, 20261122.007 21 g", "20261122.007", ""},
		{"a copy with a new date", "20261122.002 2 b", 1, "20261122.002 30 b, 20261122.003 3 c, 20261122.003.other-1 40 c", "20261122.002 20261122.003 20261122.003.other-1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := &catalog.SetInfo{Instance: "PROD", Name: "2026-11-22T03-00-00Z", Time: at(tt.begun), Method: &catalog.Method{Journal: &catalog.JournalRange{}, Facts: map[string]string{}}}
			for _, j := range journalFiles(set.SetName(), tt.own) {
				set.Files = append(set.Files, catalog.FileInfo{Path: j.Stored, Section: catalog.SectionJournals, Size: j.Size, XXH64: j.Sum, ModTime: j.ModTime, Origin: j.Origin})
				set.Method.Journal.Files = append(set.Method.Journal.Files, j.Stored)
				if j.Open {
					set.Method.Facts[FactJournal] = JournalOpen
				}
			}
			line, other := SameTimeLine(set, journalFiles(catalog.SetName{Instance: "PROD.journals", Name: "a"}, tt.files))
			var names []string
			for _, j := range line {
				names = append(names, j.Stored)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
			checkLines(t, tt.own, tt.files, line, other)
			if got := ""; other != nil || tt.other != "" {
				if other != nil {
					got = other.Stored
				}
				if got != tt.other {
					t.Errorf("another time line begins with %q, want %q", got, tt.other)
				}
			}
		})
	}
	late := setWith("PROD", "x", "20261122.003", "20261122.003")
	late.Time, late.Steps = at(1), []catalog.Step{{Name: StepCopy, Time: at(2)}, {Name: StepIncremental, Time: at(5)}, {Name: StepSeal, Time: at(9)}}
	if line, _ := SameTimeLine(late, journalFiles(catalog.SetName{}, "20261122.004 4 d, 20261122.005 5 e")); len(line) != 1 || line[0].Name != "20261122.005" {
		t.Errorf("after a long copy: %v", line)
	}
	for _, set := range []*catalog.SetInfo{{}, {Method: &catalog.Method{}}, setWith("PROD", "x", "odd", "odd")} {
		if line, other := SameTimeLine(set, journalFiles(catalog.SetName{}, old)); line != nil || other != nil {
			t.Errorf("of a set without journals: %v, %v", line, other)
		}
	}
}
