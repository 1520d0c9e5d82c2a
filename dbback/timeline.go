package dbback

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"path"
	"slices"
	"time"

	"datfs/catalog"
)

// An instance whose journals and journal.log are lost may count its journal files
// from the first of the day again (the practice instance does; what a real one does
// is not known). Then one name stands for two files, and the stored files are of two
// time lines: a restore must not go on from one of them to the other. Names do not
// tell them apart; content and times do. A file of an older name that somebody put back,
// without its time, is told by its content if another copy of it is known.

// How long after a journal file was written to last its compressed form may be dated.
// Whether compression keeps the time is not documented, nor when it is done if the
// instance is stopped before. To copy a file once more than needed does little harm;
// to take a file for another one would end a restore there, and needs more: a name has
// the day in it, so that what is dated a day later is another file.
const (
	compressedSoon = time.Hour
	compressedLate = 24 * time.Hour
)

// zipped returns whether it was compressed when it was copied.
func (j ArchivedJournal) zipped() bool { return PlainJournal(j.FileName()) != j.FileName() }

// sameJournal returns whether b, which is of the name of a and was not written to
// earlier, is another copy of the same file; within is how much later a compressed one
// may be dated.
func sameJournal(a, b ArchivedJournal, within time.Duration) bool {
	switch {
	case a.Open && !a.zipped(): // it was written to later, and may have been compressed then
		return b.zipped() || b.Size >= a.Size
	case a.zipped() == b.zipped() && a.Sum != "" && b.Sum != "":
		return a.Size == b.Size && a.Sum == b.Sum
	case a.zipped() == b.zipped():
		return a.Size == b.Size && a.ModTime.Equal(b.ModTime)
	case a.zipped(): // its plain form is not written to after it was compressed
		return b.ModTime.Equal(a.ModTime)
	}
	return b.ModTime.Sub(a.ModTime) <= within
}

// SameTimeLine returns those of the journal files that can follow a set, oldest
// first: what was written to last before the backup set its marker does not follow it,
// whatever its name, and where a name comes again with other content, or one before the
// set's last of that day was written to after that, another time line begins. other is
// the file with which it does, nil if there is none: what was written since does not
// follow the set. Lists of journal files are kept up to there too. Files of
// other prefixes than the set's are left out.
func SameTimeLine(set *catalog.SetInfo, files []ArchivedJournal) (line []ArchivedJournal, other *ArchivedJournal) {
	own := RequiredJournals(set)
	if len(own) == 0 {
		return nil, nil
	}
	last, ok := ParseJournalName(own[len(own)-1].Name)
	if !ok {
		return nil, nil
	}
	begun := markedAfter(set)
	copies, lower := make(map[string][]ArchivedJournal), make(map[string][]ArchivedJournal) // by name; the set's own is the first
	for _, j := range own {
		copies[j.Name] = []ArchivedJournal{j}
	}
	for _, j := range files {
		n, ok := ParseJournalName(j.Name)
		before := j.ModTime.Before(begun)
		if mine := copies[j.Name]; len(mine) > 0 && mine[0].Set == set.SetName() {
			before = j.ModTime.Before(mine[0].ModTime) && !sameJournal(j, mine[0], compressedLate)
		} else if ok && n.Prefix == last.Prefix && n.Compare(last) <= 0 {
			lower[j.Name] = append(lower[j.Name], j) // the set has those that it needs
			continue
		}
		if ok && n.Prefix == last.Prefix && !before {
			copies[j.Name] = append(copies[j.Name], j)
		}
	}
	earliest := func(j *ArchivedJournal) {
		if j != nil && (other == nil || j.ModTime.Before(other.ModTime)) {
			other = j
		}
	}
	for _, all := range copies {
		earliest(firstOther(all))
	}
	for _, all := range lower {
		earliest(firstBelow(all, own[len(own)-1]))
	}
	of := func(j ArchivedJournal) bool { return other == nil || j.ModTime.Before(other.ModTime) }
	for _, all := range copies {
		for _, j := range all {
			if j.Set != set.SetName() && of(j) {
				line = append(line, j)
			}
		}
	}
	slices.SortStableFunc(line, byNameAndTime)
	for _, j := range files {
		if path.Ext(j.Name) == ".log" && of(j) {
			line = append(line, j)
		}
	}
	return line, other
}

// markedAfter returns a time before which no file was written to last that follows the
// set: its own last file has the marker of the incremental, and those that follow were
// begun after it. That they were begun after their predecessors were written to last
// is not known: the product may open the new one first.
func markedAfter(set *catalog.SetInfo) time.Time {
	at := set.Time
	for _, s := range set.Steps {
		if s.Name == StepIncremental && s.Time.After(at) {
			at = s.Time
		}
	}
	return at
}

// firstOther returns the first of the copies of a name that is of another file than
// those before it.
func firstOther(copies []ArchivedJournal) *ArchivedJournal {
	slices.SortStableFunc(copies, byNameAndTime)
	for i := 1; i < len(copies); i++ {
		if !sameAsOne(copies[:i], copies[i]) {
			return &copies[i]
		}
	}
	return nil
}

// below returns whether j, of which no earlier copy is known, is of counters that began
// anew: its name is before that of a file of the same day, and it was written to after
// that one. One of a day before was only copied: the counters go on with the day that it
// is then.
func below(j, of ArchivedJournal) bool {
	n, ok := ParseJournalName(j.Name)
	m, ok2 := ParseJournalName(of.Name)
	if !ok || !ok2 || n.Prefix != m.Prefix || n.Day != m.Day || n.Count >= m.Count {
		return false
	}
	at := of.ModTime
	if j.zipped() {
		at = at.Add(compressedLate)
	}
	return j.ModTime.After(at)
}

// firstBelow returns the first of the copies of a name that [below] takes for one of
// counters that began anew, and that is no copy of an earlier file: somebody may have
// put that one back, with a new date.
func firstBelow(copies []ArchivedJournal, of ArchivedJournal) *ArchivedJournal {
	slices.SortStableFunc(copies, byNameAndTime)
	for i, j := range copies {
		if below(j, of) && !sameAsOne(copies[:i], j) {
			return &copies[i]
		}
	}
	return nil
}

// sameAsOne returns whether j is another copy of one of the files: those of its form
// tell best, and what was copied before it was whole tells least.
func sameAsOne(files []ArchivedJournal, j ArchivedJournal) bool {
	rank := func(f ArchivedJournal) int {
		switch {
		case f.Open:
			return 2
		case f.zipped() != j.zipped():
			return 1
		}
		return 0
	}
	best := 2
	for _, f := range files {
		best = min(best, rank(f))
	}
	return slices.ContainsFunc(files, func(f ArchivedJournal) bool { return rank(f) == best && sameJournal(f, j, compressedLate) })
}

// byNameAndTime orders journal files of one prefix.
func byNameAndTime(a, b ArchivedJournal) int {
	x, _ := ParseJournalName(a.Name)
	y, _ := ParseJournalName(b.Name)
	return cmp.Or(x.Compare(y), a.ModTime.Compare(b.ModTime))
}

// RequiredJournals returns the journal files that a restore of the set needs, of its
// own, oldest first.
func RequiredJournals(set *catalog.SetInfo) (out []ArchivedJournal) {
	if set.Method == nil || set.Method.Journal == nil {
		return nil
	}
	for _, name := range set.Method.Journal.Files {
		for i := range set.Files {
			if f := &set.Files[i]; f.Section == catalog.SectionJournals && f.Path == name {
				out = append(out, archivedFile(set, i))
			}
		}
	}
	return out
}

// timeLines divides journal files into time lines, the oldest first: one begins
// where a name comes again with other content, or the counters are below the lowest of
// the day. It is [SameTimeLine] for those that no set is asked of.
func timeLines(files []JournalCopy) (lines [][]JournalCopy) {
	slices.SortStableFunc(files, func(a, b JournalCopy) int { return a.ModTime.Compare(b.ModTime) })
	var seen map[string][]ArchivedJournal
	var lowest map[JournalName]ArchivedJournal // of each prefix and day
	for _, c := range files {
		n, ok := ParseJournalName(c.Name)
		day := JournalName{Prefix: n.Prefix, Day: n.Day}
		low, known := lowest[day]
		copies := seen[c.Name]
		again := len(copies) > 0 && !sameAsOne(copies, c.ArchivedJournal)
		if again || len(copies) == 0 && known && below(c.ArchivedJournal, low) || len(lines) == 0 {
			lines, seen, lowest = append(lines, nil), make(map[string][]ArchivedJournal), make(map[JournalName]ArchivedJournal)
			known = false
		}
		seen[c.Name] = append(seen[c.Name], c.ArchivedJournal)
		if m, _ := ParseJournalName(low.Name); ok && (!known || n.Compare(m) < 0) {
			lowest[day] = c.ArchivedJournal
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], c)
	}
	return lines
}

// SameContent returns whether the file at path has the bytes of a stored journal file
// of its form. One that cannot be read has not, nor one of which ctx ended the reading:
// that is the caller's to ask.
func SameContent(ctx context.Context, repo *catalog.Repository, j ArchivedJournal, path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err != nil || st.Size() != j.Size {
		return false
	}
	set, err := repo.OpenSet(j.Set)
	if err != nil {
		return false
	}
	defer func() { _ = set.Close() }()
	stored := io.NewSectionReader(set.File(j.File), 0, j.Size)
	a, b := make([]byte, compareSize), make([]byte, compareSize)
	for left := j.Size; left > 0; left -= int64(len(a)) {
		if ctx.Err() != nil {
			return false
		}
		a, b = a[:min(left, compareSize)], b[:min(left, compareSize)]
		if _, err := io.ReadFull(stored, a); err != nil {
			return false
		}
		if _, err := io.ReadFull(f, b); err != nil || !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}

// compareSize is how much is compared at once, in bytes.
const compareSize = 1 << 20
