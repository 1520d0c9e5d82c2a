package restore

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// What the instance itself has of journals, beside what the repository has.

// foundJournals is what a restore found out of the instance that it restores into,
// or of the one that is down.
type foundJournals struct {
	current string   // plain name of the file that the running instance writes to; "": not known
	listed  []string // plain names in its journal.log
}

// asksForJournals returns whether the restore asks the running instance for its
// journal files: those from the set up to the current one must be there.
func (o *Options) asksForJournals() bool {
	return !o.NoJournals && !o.Everything && o.To == "" && len(o.Redirect) == 0
}

// findJournals adds the journal files that the instance itself still has to those
// of the repository: for a restore into it, and for one of everything, which goes as
// far as the files that survived.
func (r *restoration) findJournals(ctx context.Context, info *catalog.SetInfo) error {
	switch {
	case r.opts.NoJournals || info.Method.Journal == nil:
	case r.opts.OtherHost: // what this machine has is of its own, and may seem to follow by its names
	case r.opts.Everything:
		mgr := info.Method.Facts[factManager]
		if err := r.addLocal(ctx, info, mgr, configuredDirs(mgr), ""); err != nil {
			return err
		}
		path := filepath.Join(mgr, dbback.JournalLog)
		if st, err := os.Stat(path); err == nil && st.Size() > 0 {
			r.opts.Later = append(r.opts.Later, dbback.ArchivedJournal{
				Name: dbback.JournalLog, Stored: dbback.JournalLog, Size: st.Size(), ModTime: st.ModTime(), Origin: path,
			})
		}
	case r.opts.asksForJournals():
		a, err := r.session(ctx, r.instance.Statement("asking for the journal files", session.NewScript(session.JournalStatement())))
		if err != nil {
			return err
		}
		current, dirs := a.JournalPlaces()
		if current != "" {
			r.opts.found.current = dbback.PlainJournal(filepath.Base(current))
		}
		return r.addLocal(ctx, info, r.mgr, dirs, current)
	}
	return nil
}

// addLocal adds the journal files in directories: in those given, in those that the
// set's files came from, and in those that journal.log names, as journals may have
// gone on elsewhere since.
func (r *restoration) addLocal(ctx context.Context, info *catalog.SetInfo, mgr string, dirs []string, current string) error {
	for _, j := range dbback.RequiredJournals(info) {
		if j.Origin != "" {
			dirs = append(dirs, filepath.Dir(j.Origin))
		}
	}
	if after := info.Method.Facts["journal after the backup"]; filepath.IsAbs(after) {
		dirs = append(dirs, filepath.Dir(after))
	}
	for _, path := range dbback.ListedJournals(mgr) {
		if filepath.IsAbs(path) {
			dirs = append(dirs, filepath.Dir(path))
		}
		r.opts.found.listed = append(r.opts.found.listed, filepath.Base(path))
	}
	r.opts.Missing = append(r.opts.Missing, r.opts.found.listed...) // unless they are found
	stored := slices.Concat(dbback.RequiredJournals(info), r.opts.Later)
	for _, a := range localJournals(info, dirs, current) {
		for _, s := range stored {
			// A copy of it may have got a new date.
			if s.Name == a.Name && s.FileName() == a.Stored && !s.ModTime.Equal(a.ModTime) && dbback.SameContent(ctx, r.repo, s, a.Origin) {
				a.ModTime = s.ModTime
				break
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r.opts.Later = append(r.opts.Later, a)
	}
	return nil
}

// configuredDirs returns the directories of journal files that the configuration of
// an instance names (InterSystems manual, Configuration Parameter File Reference).
func configuredDirs(mgr string) (dirs []string) {
	for _, name := range []string{"iris.cpf", "cache.cpf"} {
		settings := session.ReadSettings(filepath.Join(filepath.Dir(filepath.Clean(mgr)), name))
		for _, key := range []string{"CurrentDirectory", "AlternateDirectory"} {
			if dir := settings[key]; filepath.IsAbs(dir) {
				dirs = append(dirs, filepath.Clean(dir))
			}
		}
	}
	return dirs
}

// localJournals returns the journal files in directories of this machine from the
// set's first one on, but for the current one; and those before it of the day of the
// set's last, by which counters that began anew are known.
func localJournals(info *catalog.SetInfo, dirs []string, current string) (out []dbback.ArchivedJournal) {
	own := dbback.RequiredJournals(info)
	if len(own) == 0 {
		return nil
	}
	first, ok := dbback.ParseJournalName(own[0].Name)
	last, ok2 := dbback.ParseJournalName(own[len(own)-1].Name)
	if !ok || !ok2 {
		return nil
	}
	paths, _ := session.FilesIn(dirs) // one that cannot be looked into has none
	for _, path := range paths {
		n, ok := dbback.ParseJournalName(filepath.Base(path))
		st, err := os.Stat(path)
		if !ok || err != nil || n.Prefix != first.Prefix || n.Compare(first) < 0 && n.Day != last.Day || dbback.PlainJournal(path) == dbback.PlainJournal(current) {
			continue
		}
		out = append(out, dbback.ArchivedJournal{Name: n.String(), Stored: filepath.Base(path), Size: st.Size(), ModTime: st.ModTime(), Origin: path})
	}
	return out
}

// lostAfter returns the first file that the journal.log of the instance names after
// the last one that is there; "" if there is none.
func (p *Plan) lostAfter(last string) string {
	end, ok := dbback.ParseJournalName(last)
	for _, name := range p.opts.found.listed {
		if n, ok2 := dbback.ParseJournalName(name); ok && ok2 && n.Prefix == end.Prefix && n.Compare(end) > 0 {
			return name
		}
	}
	return ""
}

// intoOwn returns whether the databases come back into the running instance that they
// are of, which has the journal files of the set and those since, and lists them.
func (p *Plan) intoOwn() bool { return p.Way == WayDatabases && !p.opts.OtherHost }

// checkJoined refuses a restore into the running instance if the journal files of
// the set, of the archive and of the instance are not one row up to the last one
// that is applied: without a file in it the journals come to nothing, and that is
// better known before a database is overwritten.
func (p *Plan) checkJoined() error {
	j := &p.journals
	if j.none || !p.intoOwn() {
		return nil
	}
	if j.other != nil {
		return refuse("%s, written to last at %s, is not of the row of journal files that belongs to %s: the instance has begun anew with its journals since, and they do not follow the set; "+
			"restore to another directory, with --to, or without journals, with --no-journals, which leaves open transactions as they are; "+
			"a file that was only put back needs the time that it had", j.other.origin, stamp(j.other.wrote), p.Set.SetName())
	}
	if j.last != "" || p.opts.found.current == "" { // what journal files it has could not be asked
		return nil
	}
	end := j.files[len(j.files)-1]
	if end.name == p.opts.found.current {
		if j.open {
			return nil
		}
		return refuse("the current journal file of the instance, %s, has the name of one that was closed when it was copied: the instance has begun anew with its journals since, and they do not follow the set; "+
			"restore to another directory, with --to, or without journals, with --no-journals, which leaves open transactions as they are", end.name)
	}
	last, ok := dbback.ParseJournalName(end.name)
	current, ok2 := dbback.ParseJournalName(p.opts.found.current)
	switch {
	case j.open:
		return refuse("the journal file %s was copied before it was whole, and is nowhere else now: the journals cannot be applied up to the current one, %s; "+
			"restore without journals, with --no-journals, which leaves open transactions as they are, or take another set", end.name, p.opts.found.current)
	case ok && ok2 && last.Prefix == current.Prefix && follows(last, current) && !p.lacks(last, current):
		return nil
	}
	return refuse("the journal files between %s and the current one, %s, are neither in the repository nor in the instance's directories: "+
		"use --until '%s' to end at %s, or --no-journals, which leaves open transactions as they are", end.name, p.opts.found.current, untilFlag(secondAfter(end.wrote)), end.name)
}

// secondAfter returns the first whole second that is not before a time.
func secondAfter(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); whole.Before(t) {
		return whole.Add(time.Second)
	}
	return t
}

// gapText says that journal files are missing, or do not follow the set, without
// which the restore cannot go on to those after them; "" if none are.
func (p *Plan) gapText(lang string) string {
	j := &p.journals
	switch {
	case j.none || j.next != nil:
		return ""
	case j.other != nil:
		return say(lang, "other", j.files[len(j.files)-1].name, j.other.stored, stamp(j.other.wrote))
	case j.beyond != "" && j.last == "":
		end := j.files[len(j.files)-1]
		return say(lang, "gap.instance", end.name, j.beyond, untilFlag(secondAfter(end.wrote)))
	case j.beyond != "":
		return say(lang, "gap", j.last, j.beyond)
	case j.lost != "":
		return say(lang, "lost", j.last, j.lost)
	}
	return ""
}
