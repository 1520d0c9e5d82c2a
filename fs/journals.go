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
			c.addDir(name, dirAttr(newestTime(in.sets, started)), false, archivedFiles(in.sets))
		}
	})
}

// archivedFiles fills an instance's directory below "journals". A journal file is
// in one set; of what is in several, which is the lists of them, the newest is
// shown.
func archivedFiles(sets []*set) func(*children) {
	return func(c *children) {
		shown := make(map[string]*entry)
		var names []string
		for _, s := range sets {
			for i := range s.info.Files {
				f := &s.info.Files[i]
				if f.Section != catalog.SectionJournals {
					continue
				}
				e := s.fileEntry(i)
				// Another list takes the place of this one under the same path: the
				// kernel must not keep it.
				e.fixed = e.fixed && path.Ext(f.Path) != ".log"
				name := plainName(path.Base(original(f.Path)))
				if shown[name] == nil {
					names = append(names, name)
				}
				shown[name] = e
			}
		}
		slices.Sort(names)
		for _, name := range names {
			c.add(name, shown[name])
		}
	}
}
