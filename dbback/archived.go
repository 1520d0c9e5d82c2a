package dbback

import (
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"time"

	"datfs/catalog"
)

// An ArchivedJournal is a journal file in the repository: of a journal archive,
// or of a backup.
type ArchivedJournal struct {
	Name   string          // plain base name that it had, without the z of a compressed one
	Stored string          // as it is stored, in the section "journals"
	Set    catalog.SetName //
	File   int             // index in the set's Files
	Size   int64           // as stored, bytes
	Sum    string          // of its bytes, as catalog.FileInfo has it; "": not known
	Open   bool            // it was still written to when it was copied: the file may have more

	// ModTime is when the file was last written to, as it was copied: the moment
	// up to which it leads. Of a compressed one it may be when it was compressed,
	// which is a little later.
	ModTime time.Time
	Origin  string // where it was, absolute
}

// FileName returns the base name that the file had, with the z of a compressed one:
// how it is stored, without what tells it from another file of its name.
func (j ArchivedJournal) FileName() string { return otherName.ReplaceAllString(j.Stored, "") }

// ArchivedJournals returns the journal files that were copied between backups of
// an instance (see [ArchiveJournals]), oldest first. A name can be there more than
// once: [SameTimeLine] says which files follow a set. Within a time line the order
// is that of journal.log as far as the newest copy of it goes, else that of the
// names. The copies of journal.log and its like come last, under their own names,
// oldest first. An error that matches [catalog.ErrCorrupt] says which sets of the
// archive cannot be read; what the others have is returned all the same.
func ArchivedJournals(repo *catalog.Repository, instance string) ([]ArchivedJournal, error) {
	sets, err := archiveSets(repo, instance)
	if sets == nil && err != nil {
		return nil, fmt.Errorf("journal archive of %s: %w", instance, err)
	}
	var out []ArchivedJournal
	for _, e := range newHistory(instance, sets, baseNames(storedLog(repo, sets))).Entries {
		for _, c := range slices.Backward(e.Copies) {
			out = append(out, c.ArchivedJournal)
		}
	}
	for _, s := range sets {
		for i := range s.Files {
			if isJournalLog(&s.Files[i]) {
				out = append(out, archivedFile(s, i))
			}
		}
	}
	if err != nil {
		err = fmt.Errorf("journal archive of %s: %w", instance, err)
	}
	return out, err
}

// archiveSets returns the sealed sets of an instance's journal archive, oldest
// first. The error is joined of those that cannot be read.
func archiveSets(repo *catalog.Repository, instance string) ([]*catalog.SetInfo, error) {
	all, err := repo.Sets()
	if all == nil && err != nil && len(catalog.SetErrors(err)) == 0 {
		return nil, err
	}
	var errs []error
	for _, e := range catalog.SetErrors(err) {
		if e.Sealed && e.Name.Instance == catalog.ArchiveOf(instance) {
			errs = append(errs, e)
		}
	}
	return sealedOf(all, catalog.ArchiveOf(instance)), errors.Join(errs...)
}

// sealedOf returns the sealed sets of an instance.
func sealedOf(all []*catalog.SetInfo, instance string) []*catalog.SetInfo {
	var out []*catalog.SetInfo
	for _, s := range all {
		if s.Instance == instance && (s.State == catalog.StateComplete || s.State == catalog.StateIncomplete) {
			out = append(out, s)
		}
	}
	return out
}

// otherName is how a journal file is called whose own name another one has:
// 20261122.001.other-1.
var otherName = regexp.MustCompile(`\.other-\d+$`)

// journalsOf returns the journal files of a set, in the order in which they are
// stored. Those of an archive can be of a name that another one has; of those of a
// backup only the ones are meant that its restore needs.
func journalsOf(s *catalog.SetInfo) (out []ArchivedJournal) {
	for i := range s.Files {
		f := &s.Files[i]
		if f.Section == catalog.SectionJournals && !isJournalLog(f) && (s.SetName().IsArchive() || !otherName.MatchString(f.Path)) {
			out = append(out, archivedFile(s, i))
		}
	}
	return out
}

// isJournalLog reports whether a stored file is a list of journal files.
func isJournalLog(f *catalog.FileInfo) bool {
	return f.Section == catalog.SectionJournals && path.Ext(f.Path) == ".log"
}

// archivedFile describes the i-th file of a set.
func archivedFile(s *catalog.SetInfo, i int) ArchivedJournal {
	f := &s.Files[i]
	j := ArchivedJournal{Stored: f.Path, Set: s.SetName(), File: i, Size: f.Size, Sum: f.XXH64, ModTime: f.ModTime, Origin: f.Origin}
	j.Name = PlainJournal(j.FileName())
	j.Open = wasOpen(s, j.Name)
	return j
}

// storedLog returns the journal files that the journal.log in the sets names which
// was written to last. If it cannot be read there are none: that is verify's to
// report.
func storedLog(repo *catalog.Repository, sets []*catalog.SetInfo) []string {
	var newest *catalog.SetInfo
	at := 0
	for _, s := range sets {
		i := slices.IndexFunc(s.Files, func(f catalog.FileInfo) bool {
			return f.Section == catalog.SectionJournals && f.Path == JournalLog
		})
		if i >= 0 && (newest == nil || !s.Files[i].ModTime.Before(newest.Files[at].ModTime)) {
			newest, at = s, i
		}
	}
	if newest == nil {
		return nil
	}
	set, err := repo.OpenSet(newest.SetName())
	if err != nil {
		return nil
	}
	defer func() { _ = set.Close() }()
	f := set.File(at)
	names, err := ReadJournalLog(io.NewSectionReader(f, 0, f.Info().Size))
	if err != nil {
		return nil
	}
	return names
}
