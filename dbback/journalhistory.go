package dbback

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"datfs/catalog"
)

// What the journals of a backup are known by in Method.Facts, if its last file
// was not closed when it was copied.
const (
	FactJournal = "journal"
	JournalOpen = "open when copied"
)

// A JournalHistory is all that the repository knows of an instance's journal
// files: those of its journal archive, those of its sealed backups, and those that
// must have been between them.
type JournalHistory struct {
	Instance string
	Entries  []JournalEntry // oldest first, each name once in a time line

	log []string // the names in the newest journal.log
}

// A JournalEntry is one journal file.
type JournalEntry struct {
	Name   string        // plain base name
	Copies []JournalCopy // the best first; none: it is not in the repository, and that is a gap
	Anew   bool          // the instance has begun anew with its journals before it: see [SameTimeLine]
}

// A JournalCopy is a journal file as one set has it.
type JournalCopy struct {
	ArchivedJournal
	StoredBytes int64 // what its new blocks took
}

// ReadJournalHistory returns what the repository knows of an instance's journal files. Gaps
// are what the counters in the names and the newest stored journal.log tell: that
// files are missing which no such list names and no higher counter of the same
// day implies is not noticed. The error is as that of [ArchivedJournals], of the
// backups too.
func ReadJournalHistory(repo *catalog.Repository, instance string) (*JournalHistory, error) {
	all, err := repo.Sets()
	if all == nil && err != nil && len(catalog.SetErrors(err)) == 0 {
		return nil, fmt.Errorf("journals of %s: %w", instance, err)
	}
	var errs []error
	for _, e := range catalog.SetErrors(err) {
		if e.Sealed && (e.Name.Instance == instance || e.Name.Instance == catalog.ArchiveOf(instance)) {
			errs = append(errs, fmt.Errorf("journals of %s: %w", instance, e))
		}
	}
	sets := append(sealedOf(all, instance), sealedOf(all, catalog.ArchiveOf(instance))...)
	return newHistory(instance, sets, baseNames(storedLog(repo, sets))), errors.Join(errs...)
}

func newHistory(instance string, sets []*catalog.SetInfo, log []string) *JournalHistory {
	var files []JournalCopy
	for _, s := range sets {
		for _, j := range journalsOf(s) {
			files = append(files, JournalCopy{j, s.Files[j.File].StoredBytes})
		}
	}
	h := &JournalHistory{Instance: instance, log: log}
	lines := timeLines(files)
	for i, line := range lines {
		var listed []string
		if i == len(lines)-1 { // the newest journal.log is of the newest time line
			listed = log
		}
		entries := journalEntries(line, listed)
		entries[0].Anew = i > 0
		h.Entries = append(h.Entries, entries...)
	}
	return h
}

// journalEntries puts the files of one time line into their order, with those that
// are missing between them.
func journalEntries(files []JournalCopy, log []string) (entries []JournalEntry) {
	copies := make(map[string][]JournalCopy)
	written := make(map[string]time.Time)
	for _, c := range files {
		copies[c.Name] = append(copies[c.Name], c)
		if at := written[c.Name]; at.IsZero() || c.ModTime.Before(at) {
			written[c.Name] = c.ModTime
		}
	}
	for _, name := range missingNames(written, log) {
		written[name] = time.Time{}
	}
	for _, name := range orderJournals(written, log) {
		slices.SortStableFunc(copies[name], betterCopy)
		entries = append(entries, JournalEntry{Name: name, Copies: copies[name]})
	}
	return entries
}

// wasOpen returns whether a set's copy of the journal file with its marker may lack
// what was written to it later.
func wasOpen(s *catalog.SetInfo, name string) bool {
	if s.Method == nil || s.Method.Facts[FactJournal] != JournalOpen || s.Method.Journal == nil {
		return false
	}
	files := s.Method.Journal.Files
	return len(files) > 0 && PlainJournal(files[len(files)-1]) == name
}

// betterCopy orders copies of one file: closed ones first, those of the archive
// before those of backups, then the newest.
func betterCopy(a, b JournalCopy) int {
	rank := func(c JournalCopy) int {
		switch {
		case c.Open:
			return 2
		case !c.Set.IsArchive():
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), b.Set.Compare(a.Set))
}

// A JournalReach says how far the stored journals lead on from a set.
type JournalReach struct {
	Set      catalog.SetName
	Required string        // the oldest journal file that a restore of it needs, plain base name
	Files    []JournalCopy // without StoredBytes: from that one on without a gap, oldest first
	Missing  []string      // what would be next and is not there, if there is anything behind it; plain base names
	Beyond   int           // how many stored files are behind that, and of no use to the set

	// Other is the file with which another time line begins, nil if there is none:
	// what was written since does not follow the set (see [SameTimeLine]).
	Other *ArchivedJournal
}

// Last returns the name of the last file, and when it was last written to: a
// restore can go on up to that moment. "" if there is none.
func (r *JournalReach) Last() (name string, until time.Time) {
	if len(r.Files) == 0 {
		return "", time.Time{}
	}
	last := r.Files[len(r.Files)-1]
	return last.Name, last.ModTime
}

// ErrNoJournals means that a set does not say from which journal file on a restore
// of it needs journals.
var ErrNoJournals = errors.New("it does not say which journals a restore of it needs")

// Reach says how far a restore of a set can go on: with its own journal files and
// those of the archive that are of its time line. Only files of the prefix of the
// required one are looked at: what it means for a restore if that changed in
// between, as when another member became a mirror's primary, is not documented.
func (h *JournalHistory) Reach(set *catalog.SetInfo) (*JournalReach, error) {
	r := &JournalReach{Set: set.SetName()}
	if set.Method != nil && set.Method.Journal != nil {
		r.Required = PlainJournal(path.Base(set.Method.Journal.Required))
	}
	if _, ok := ParseJournalName(r.Required); !ok {
		return nil, fmt.Errorf("set %v: %w", set.SetName(), ErrNoJournals)
	}
	var own []JournalEntry
	own, r.Other = h.entriesOf(set, r.Required)
	at := slices.IndexFunc(own, func(e JournalEntry) bool { return e.Name == r.Required })
	if at < 0 {
		r.Missing = []string{r.Required}
		return r, nil
	}
	r.follow(own[at:])
	return r, nil
}

// Lacks returns the names of all files that are missing in the time line of a set: a
// [JournalReach] has those of the first gap only, which others may fill.
func (h *JournalHistory) Lacks(set *catalog.SetInfo) (names []string) {
	r, err := h.Reach(set)
	if err != nil {
		return nil
	}
	entries, _ := h.entriesOf(set, r.Required)
	for _, e := range entries {
		if len(e.Copies) == 0 {
			names = append(names, e.Name)
		}
	}
	return names
}

// entriesOf returns the journal files of the time line of a set and of the prefix of the
// one that it requires, with those missing between them, and with which file another
// time line begins.
func (h *JournalHistory) entriesOf(set *catalog.SetInfo, required string) (own []JournalEntry, other *ArchivedJournal) {
	first, _ := ParseJournalName(required)
	var files []ArchivedJournal
	var log []string
	for _, e := range h.Entries {
		for _, c := range e.Copies {
			if c.Set.IsArchive() {
				files = append(files, c.ArchivedJournal)
			}
		}
	}
	line, other := SameTimeLine(set, files)
	if other == nil {
		log = h.log
	}
	var copies []JournalCopy
	for _, j := range append(RequiredJournals(set), line...) {
		copies = append(copies, JournalCopy{ArchivedJournal: j})
	}
	for _, e := range journalEntries(copies, log) {
		if n, ok := ParseJournalName(e.Name); ok && n.Prefix == first.Prefix {
			own = append(own, e)
		}
	}
	return own, other
}

// follow goes through the entries as far as they are there, and says what is
// missing then.
func (r *JournalReach) follow(entries []JournalEntry) {
	for len(entries) > 0 && len(entries[0].Copies) > 0 {
		best := entries[0].Copies[0]
		r.Files = append(r.Files, best)
		entries = entries[1:]
		if best.Open && len(entries) > 0 {
			r.Missing = []string{best.Name} // the rest of it
			break
		}
	}
	for len(entries) > 0 && len(entries[0].Copies) == 0 {
		r.Missing = append(r.Missing, entries[0].Name)
		entries = entries[1:]
	}
	for _, e := range entries {
		if len(e.Copies) > 0 {
			r.Beyond++
		}
	}
}

// NewestRestorable returns the newest complete set of a backup that says which
// journals a restore of it needs, nil if there is none.
func NewestRestorable(sets []*catalog.SetInfo, instance string) *catalog.SetInfo {
	for _, s := range slices.Backward(sets) {
		if s.Instance == instance && s.State == catalog.StateComplete && s.Method != nil && s.Method.Journal != nil {
			return s
		}
	}
	return nil
}
