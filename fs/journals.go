package fs

import (
	"path"
	"slices"
	"time"

	"datfs/catalog"
)

// withoutArchives returns the sets that are backups: what is below latest and
// databases, and what README.txt tells of.
func withoutArchives(sets []*set) []*set {
	return slices.DeleteFunc(slices.Clone(sets), func(s *set) bool { return s.info.SetName().IsArchive() })
}

// addJournals puts the directory "journals" into the top one, if any instance has
// a journal archive: a directory for each, with what all its sets hold together.
func addJournals(top *children, sets []*set, started time.Time) {
	var archives []*set
	for _, s := range sets {
		if s.info.SetName().IsArchive() && s.sealed() {
			archives = append(archives, s)
		}
	}
	if len(archives) == 0 {
		return
	}
	top.addDir("journals", dirAttr(newestTime(archives, started)), false, func(c *children) {
		for _, in := range byInstance(archives) {
			name, _ := catalog.ArchivedInstance(in.name)
			backups := slices.DeleteFunc(slices.Clone(sets), func(s *set) bool { return s.info.Instance != name || !s.sealed() })
			c.addDir(name, dirAttr(newestTime(in.sets, started)), false, archivedFiles(in.sets, backups))
		}
	})
}

// archivedFiles fills an instance's directory below "journals" with what the sets of
// its archive hold. A journal file is in one set; of the lists of them, which are in
// several, that is shown which was written to last: a backup may have a newer one than
// the archive.
func archivedFiles(archive, backups []*set) func(*children) {
	return func(c *children) {
		shown := make(map[string]*entry)
		written := make(map[string]time.Time)
		var names []string
		show := func(s *set, i int) {
			f := &s.info.Files[i]
			name := plainName(path.Base(original(f.Path)))
			switch {
			case shown[name] == nil:
				names = append(names, name)
			case isList(f) && f.ModTime.Before(written[name]):
				return
			}
			e := s.fileEntry(i)
			// Another list takes the place of this one under the same path: the
			// kernel must not keep it.
			e.fixed = e.fixed && !isList(f)
			shown[name], written[name] = e, f.ModTime
		}
		for _, s := range slices.Concat(archive, backups) {
			for i := range s.info.Files {
				f := &s.info.Files[i]
				if f.Section == catalog.SectionJournals && (s.info.SetName().IsArchive() || isList(f)) {
					show(s, i)
				}
			}
		}
		slices.Sort(names)
		for _, name := range names {
			c.add(name, shown[name])
		}
	}
}

// isList returns whether a file is a list of journal files.
func isList(f *catalog.FileInfo) bool { return path.Ext(f.Path) == ".log" }
