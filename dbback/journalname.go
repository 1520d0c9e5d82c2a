package dbback

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A JournalName is the name of an InterSystems journal file, cut up: a prefix,
// which may be empty or, of a mirror's, MIRROR-name-; the day; a counter that
// begins at 1 each day; and a z if the file was compressed after it was closed
// (InterSystems manual, Data Integrity Guide, journaling; CPF CompressFiles).
type JournalName struct {
	Prefix string
	Day    string // yyyymmdd
	Count  int
	Zipped bool
}

var reJournal = regexp.MustCompile(`^(.*?)(\d{8})\.(\d{3,9})(z?)$`)

// ParseJournalName returns the parts of a file name, without directories.
func ParseJournalName(name string) (JournalName, bool) {
	m := reJournal.FindStringSubmatch(name)
	if m == nil {
		return JournalName{}, false
	}
	n, err := strconv.Atoi(m[3])
	if err != nil || n < 1 {
		return JournalName{}, false
	}
	return JournalName{Prefix: m[1], Day: m[2], Count: n, Zipped: m[4] != ""}, true
}

// String returns the name as it was before compression.
func (n JournalName) String() string { return fmt.Sprintf("%s%s.%03d", n.Prefix, n.Day, n.Count) }

// Compare orders names of one prefix by their time.
func (n JournalName) Compare(o JournalName) int {
	return cmp.Or(cmp.Compare(n.Day, o.Day), cmp.Compare(n.Count, o.Count))
}

// PlainJournal returns a name or path without the z of a compressed journal file.
func PlainJournal(name string) string {
	if n, ok := ParseJournalName(path.Base(name)); ok && n.Zipped {
		return strings.TrimSuffix(name, "z")
	}
	return name
}

// MissingJournals returns the names of one prefix that must have been between
// from and to, both included, and are not among those there are; no more than
// most. How high a day's counter went is not known of days that are over: the
// files of a day are there without a gap from the first on, or something is
// missing; that a whole day is missing, or a day's last files, cannot be told
// from the names.
func MissingJournals(there []JournalName, from, to JournalName, most int) (missing []JournalName) {
	last := make(map[string]int) // counter by day
	have := make(map[string]bool)
	for _, n := range there {
		have[n.String()] = true
		last[n.Day] = max(last[n.Day], n.Count)
	}
	last[from.Day] = max(last[from.Day], from.Count)
	last[to.Day] = to.Count
	days := make([]string, 0, len(last))
	for day := range last {
		days = append(days, day)
	}
	slices.Sort(days)
	for _, day := range days {
		n := JournalName{Prefix: from.Prefix, Day: day, Count: 1}
		if day == from.Day {
			n.Count = from.Count
		}
		for ; n.Count <= last[day] && len(missing) < most; n.Count++ {
			if !have[n.String()] {
				missing = append(missing, n)
			}
		}
	}
	return missing
}
