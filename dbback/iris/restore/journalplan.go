package restore

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// A journalPlan says which journal files a restore applies.
type journalPlan struct {
	none  bool
	first string // name without the z of compression
	last  string // the same; "": the instance's own current file

	files []journalSource // oldest first, up to last: of the repository, and of the instance itself
	log   *journalSource  // the newest journal.log; nil if there is none

	// reaches is when the last file was written to last: the moment to which the
	// databases come. The zero time: to the moment of the restore.
	reaches time.Time
	next    *journalSource // the file after the last one, which Until kept out
	beyond  string         // the first file that is there after a gap, which ends the files
	open    bool           // the last of files was copied before it was whole

	// other is the file with which another time line begins: what was written since
	// does not follow the set. nil: there is none.
	other *journalSource
	lost  string // the instance's journal.log names it after the last one, and it is nowhere
}

// A journalSource is a journal file, of the repository or where the instance has
// it.
type journalSource struct {
	name   string          // without the z of compression
	stored string          // as it is called in the set
	was    string          // as it was called: stored, but for what tells it from another of its name
	set    catalog.SetName // the zero value: it is at origin
	file   int             // index in the set's Files
	wrote  time.Time       // when it was written to last
	origin string          // where it was
	size   int64
}

// chooseJournals finds the journal files that a restore needs, and to where they
// bring it.
func (p *Plan) chooseJournals() error {
	if p.opts.NoJournals {
		p.journals.none = true
		return nil
	}
	r := p.Set.Method.Journal
	if r == nil || r.Required == "" || len(r.Files) == 0 {
		return refuse("the set %s has no journal files; to restore without them, which leaves open transactions as they are, say so", p.Set.SetName())
	}
	j := &p.journals
	j.first = filepath.Base(dbback.PlainJournal(r.Required))
	least := filepath.Base(dbback.PlainJournal(cmp.Or(r.Marker, r.Required))) // without it nothing is consistent
	for _, name := range r.Files {
		i := slices.IndexFunc(p.Set.Files, func(f catalog.FileInfo) bool {
			return f.Section == catalog.SectionJournals && f.Path == name
		})
		if i < 0 {
			return fmt.Errorf("the set does not have the journal file %s: %w", name, catalog.ErrNotFound)
		}
		j.files = append(j.files, sourceOf(p.Set, i))
	}
	if i := slices.IndexFunc(p.Set.Files, func(f catalog.FileInfo) bool {
		return f.Section == catalog.SectionJournals && f.Path == dbback.JournalLog
	}); i >= 0 {
		log := sourceOf(p.Set, i)
		j.log = &log
	}
	for _, name := range []string{j.first, least} {
		if !slices.ContainsFunc(j.files, func(f journalSource) bool { return f.name == name }) {
			return fmt.Errorf("the set %s does not have the journal file %s, which it needs: %w", p.Set.SetName(), name, catalog.ErrNotFound)
		}
	}
	p.addLater()
	return p.limit(least)
}

func sourceOf(info *catalog.SetInfo, i int) journalSource {
	f := &info.Files[i]
	return journalSource{
		name: filepath.Base(dbback.PlainJournal(f.Path)), stored: f.Path, was: f.Path, set: info.SetName(), file: i, wrote: f.ModTime, origin: f.Origin, size: f.Size,
	}
}

func laterSource(a dbback.ArchivedJournal) journalSource {
	return journalSource{
		name: a.Name, stored: a.Stored, was: a.FileName(), set: a.Set, file: a.File, wrote: a.ModTime, origin: a.Origin, size: a.Size,
	}
}

// addLater adds the files of the archive, and of the instance itself, that follow
// the set's without a gap, and are of its time line. The set's last one may have been
// copied before it was whole: then another copy takes its place, and without that
// nothing can follow. Of the lists of journal files the one that was written to last
// is taken.
func (p *Plan) addLater() {
	j := &p.journals
	j.open = p.Set.Method.Facts[dbback.FactJournal] == dbback.JournalOpen
	line, other := dbback.SameTimeLine(p.Set, p.opts.Later)
	if other != nil {
		s := laterSource(*other)
		j.other = &s
	}
	for _, a := range line {
		s := laterSource(a)
		if a.Name == dbback.JournalLog {
			if j.log == nil || s.wrote.After(j.log.wrote) {
				j.log = &s
			}
			continue
		}
		end := len(j.files) - 1
		last, ok := dbback.ParseJournalName(j.files[end].name)
		next, ok2 := dbback.ParseJournalName(a.Name)
		switch {
		case !ok || !ok2 || j.beyond != "" || next.Compare(last) < 0:
		case next.Compare(last) == 0:
			if j.open {
				j.files[end], j.open = s, false
			}
		case j.open || !follows(last, next) || p.lacks(last, next):
			j.beyond = a.Name
		default:
			j.files = append(j.files, s)
		}
	}
}

// follows returns whether no file can be missing between two, as far as names
// tell: the next of the day, or the first of another day.
func follows(a, b dbback.JournalName) bool {
	return b.Day == a.Day && b.Count == a.Count+1 || b.Day > a.Day && b.Count == 1
}

// lacks returns whether a file between two is known to be missing.
func (p *Plan) lacks(a, b dbback.JournalName) bool {
	return slices.ContainsFunc(p.opts.Missing, func(name string) bool {
		n, ok := dbback.ParseJournalName(name)
		return ok && n.Prefix == a.Prefix && n.Compare(a) > 0 && n.Compare(b) < 0
	})
}

// limit chooses the last file. Into a running instance, and with no other wish,
// that is the instance's own current one.
func (p *Plan) limit(least string) error {
	j := &p.journals
	if p.opts.Until.IsZero() {
		end := j.files[len(j.files)-1]
		if p.Way == WayDatabases && p.opts.OtherHost {
			return refuse("this machine has taken the place of that of the set %s, so that the journals of its running instance do not belong to the set: "+
				"use --until '%s' to end at %s, the last one in the repository, or --no-journals, which leaves open transactions as they are", p.Set.SetName(), untilFlag(secondAfter(end.wrote)), end.name)
		}
		if p.Way != WayDatabases {
			j.last, j.reaches = end.name, end.wrote
			j.lost = p.lostAfter(end.name)
		}
		return nil
	}
	last := -1
	for i, f := range j.files {
		if !f.wrote.After(p.opts.Until) {
			last = i
		}
	}
	needed := slices.IndexFunc(j.files, func(f journalSource) bool { return f.name == least })
	if last < needed {
		return refuse("%s cannot be reached with %s: its databases are whole only at the end of the journal file %s, which was written to until %s; take an older set",
			stamp(p.opts.Until), p.Set.SetName(), least, stamp(j.files[needed].wrote))
	}
	if last+1 < len(j.files) {
		next := j.files[last+1]
		j.next, j.beyond = &next, ""
	}
	j.files = j.files[:last+1]
	j.last, j.reaches = j.files[last].name, j.files[last].wrote
	return nil
}

// stamp writes a time for people, in the local zone, which it names.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// there returns whether the instance still has a journal file where it was when it
// was copied, compressed or not. Its own is used then: it is whole.
func (s *journalSource) there() bool {
	for _, path := range []string{dbback.PlainJournal(s.origin), dbback.PlainJournal(s.origin) + "z"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// untilFlag writes a time as --until takes it, in whatever zone it is read.
func untilFlag(t time.Time) string { return t.Local().Format(time.RFC3339) }

// local returns whether a journal file is used where the instance has it.
func (s *journalSource) local() bool { return s.set.Name == "" }

// locations returns the directories of the journal files that are used where the
// instance has them, with a slash.
func (j *journalPlan) locations() (out []string) {
	for _, f := range j.files {
		if dir := session.Slashed(filepath.Dir(f.origin)); f.local() && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// lastPath returns where the last file is, without the z of compression.
func (p *Plan) lastPath() string {
	j := &p.journals
	if end := j.files[len(j.files)-1]; end.local() {
		return dbback.PlainJournal(end.origin)
	}
	return p.journalDir() + j.last
}
