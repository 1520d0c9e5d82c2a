package iris

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A journalName is the name of a journal file, cut up: a prefix, which may be
// empty or, of a mirror's, MIRROR-name-; the day; a counter that begins at 1 each
// day; and a z if the file was compressed after it was closed (InterSystems
// manual, Data Integrity Guide, journaling; CPF CompressFiles).
type journalName struct {
	prefix string
	day    string // yyyymmdd
	count  int
	zipped bool
}

var reJournal = regexp.MustCompile(`^(.*?)(\d{8})\.(\d{3,9})(z?)$`)

// parseJournalName returns the parts of a file name, without directories.
func parseJournalName(name string) (journalName, bool) {
	m := reJournal.FindStringSubmatch(name)
	if m == nil {
		return journalName{}, false
	}
	n, err := strconv.Atoi(m[3])
	if err != nil || n < 1 {
		return journalName{}, false
	}
	return journalName{prefix: m[1], day: m[2], count: n, zipped: m[4] != ""}, true
}

// String returns the name as it was before compression.
func (n journalName) String() string { return fmt.Sprintf("%s%s.%03d", n.prefix, n.day, n.count) }

// compare orders names of one prefix by their time.
func (n journalName) compare(o journalName) int {
	return cmp.Or(cmp.Compare(n.day, o.day), cmp.Compare(n.count, o.count))
}

// plain returns a path without the z of a compressed journal file.
func plain(path string) string {
	if n, ok := parseJournalName(filepath.Base(path)); ok && n.zipped {
		return strings.TrimSuffix(path, "z")
	}
	return path
}

// A journalFile is one that was found.
type journalFile struct {
	path string
	journalName
}

// pickJournals returns those of the paths that are journal files from required to
// marker, both included, oldest first, each name once: the one that comes first
// in paths, and of a directory rather the uncompressed one. others are the same
// names in other directories. missing are the names that must have been between
// them and are not there.
func pickJournals(paths []string, required, marker journalName) (files, others []journalFile, missing []string) {
	found := make(map[string]int) // by name, in files
	for _, path := range paths {
		n, ok := parseJournalName(filepath.Base(path))
		if !ok || n.prefix != required.prefix || n.compare(required) < 0 || n.compare(marker) > 0 {
			continue
		}
		f := journalFile{path, n}
		i, again := found[n.String()]
		switch {
		case !again:
			found[n.String()] = len(files)
			files = append(files, f)
		case filepath.Dir(files[i].path) != filepath.Dir(path):
			others = append(others, f)
		case files[i].zipped:
			files[i] = f // a compressed one that is not finished yet may lie beside it
		}
	}
	slices.SortFunc(files, func(a, b journalFile) int { return a.compare(b.journalName) })
	return files, others, gaps(files, required, marker)
}

// gaps returns the names that are missing between required and marker. How high a
// day's counter went is not known of days that are over: the files of a day are
// there without a gap from the first on, or something is missing; that a whole
// day is missing cannot be told from one on which the instance was down.
func gaps(files []journalFile, required, marker journalName) (missing []string) {
	last := make(map[string]int) // counter by day
	have := make(map[string]bool)
	for _, f := range files {
		have[f.String()] = true
		last[f.day] = max(last[f.day], f.count)
	}
	last[required.day] = max(last[required.day], required.count)
	last[marker.day] = marker.count
	days := make([]string, 0, len(last))
	for day := range last {
		days = append(days, day)
	}
	slices.Sort(days)
	for _, day := range days {
		n := journalName{prefix: required.prefix, day: day, count: 1}
		if day == required.day {
			n.count = required.count
		}
		for ; n.count <= last[day] && len(missing) < maxMissing; n.count++ {
			if !have[n.String()] {
				missing = append(missing, n.String())
			}
		}
	}
	return missing
}

// maxMissing bounds how many missing files are named.
const maxMissing = 20
