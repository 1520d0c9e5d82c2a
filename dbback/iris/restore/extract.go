package restore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"datfs/catalog"
	"datfs/dbback"
)

// An extractAct copies out of the set what the instance reads: its processes may
// not be able to read a mount.
type extractAct struct{ p *Plan }

func (c *extractAct) show(b *book) {
	p := c.p
	b.shell(b.newDir(p.Work))
	b.shell(fmt.Sprintf(`cp "$SET"/incremental/%s "$WORK"/`, shellWord(p.Set.Method.Incrementals[0])))
	if !p.journals.none {
		b.shell(b.newDir(p.journalDir()))
		for _, j := range p.journals.files {
			if !j.local() {
				b.shell(p.fetch(j))
			}
		}
		if log := p.journals.log; log != nil && !log.local() && !p.intoOwn() {
			b.shell(p.fetch(*log))
		}
	}
	b.shell(b.own(p.Work), b.share())
	if p.journals.none {
		return
	}
	if p.Way == WayEverything && !p.opts.OtherHost {
		b.say("survived", p.number(stepJournals))
	}
	if b.all {
		b.archive()
	}
}

// fetch returns the command that copies a journal file out of the mount. Into its
// own running instance only those are copied that it has no more.
func (p *Plan) fetch(j journalSource) string {
	from, to := `"$SET"/journals/`+shellWord(j.stored), `"$WORK"/journals/`
	if j.was != j.stored {
		to += shellWord(j.was)
	}
	if j.set != p.Set.SetName() {
		from = p.archiveDir() + "/" + shellWord(j.stored)
	}
	cp := "cp " + from + " " + to
	if !p.intoOwn() {
		return cp
	}
	origin := dbback.PlainJournal(j.origin)
	return fmt.Sprintf("[ -e %s ] || [ -e %s ] || %s", shellWord(origin), shellWord(origin+"z"), cp)
}

func (c *extractAct) run(ctx context.Context, r *restoration) (err error) {
	p := c.p
	work, err := r.openOwned(p.Work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.close()) }()
	if err := p.bringIncremental(ctx, r, work); err != nil {
		return err
	}
	return p.bringJournals(ctx, r)
}

// bringIncremental copies the incremental to where the instance reads it.
func (p *Plan) bringIncremental(ctx context.Context, r *restoration, work *ownedDir) error {
	for i, f := range p.Set.Files {
		if f.Section == catalog.SectionIncremental && f.Path == p.Set.Method.Incrementals[0] {
			if err := r.extract(ctx, work, p.Set.SetName(), map[int]string{i: filepath.Base(p.incremental())}); err != nil {
				return err
			}
		}
	}
	return nil
}

// An incrementalAct brings the incremental again in a restore that is gone on with:
// who has removed it, or changed it, would have every run after that fail.
type incrementalAct struct{ p *Plan }

func (c *incrementalAct) show(*book) {}

func (c *incrementalAct) run(ctx context.Context, r *restoration) error {
	if r.resumed == "" { // the step "prepare" was of this run
		return nil
	}
	work, err := r.openOwned(c.p.Work)
	if err != nil {
		return err
	}
	return errors.Join(c.p.bringIncremental(ctx, r, work), work.close())
}

// A fetchAct brings the journal files again. The plan of a restore that is gone on
// with is not that of its step "prepare": the archive has more by now; and the
// running instance may have purged what it had then.
type fetchAct struct{ p *Plan }

func (c *fetchAct) show(*book) {}

func (c *fetchAct) run(ctx context.Context, r *restoration) error {
	if r.resumed == "" && c.p.Way != WayDatabases {
		return nil
	}
	return c.p.bringJournals(ctx, r)
}

// bringJournals copies the plan's journal files to where the instance reads them, and
// the list of them.
func (p *Plan) bringJournals(ctx context.Context, r *restoration) (err error) {
	if p.journals.none {
		return nil
	}
	dir, err := r.openOwned(p.journalDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.close()) }()
	if err := p.removeOthers(dir); err != nil {
		return err
	}
	place := make(map[catalog.SetName]map[int]string)
	add := func(j journalSource, name string) {
		if j.local() {
			return // it is the instance's, and stays where it is
		}
		if place[j.set] == nil {
			place[j.set] = make(map[int]string)
		}
		place[j.set][j.file] = name
	}
	for _, j := range p.journals.files {
		if !p.intoOwn() || !j.there() {
			add(j, j.was)
		}
	}
	switch log := p.journals.log; {
	case log == nil || p.intoOwn(): // the running instance has its own
	case log.local():
		text, err := readAlone(log.origin)
		if err == nil {
			err = dir.write(dbback.JournalLog, text)
		}
		if err != nil {
			return err
		}
	default:
		add(*log, dbback.JournalLog)
	}
	for set, files := range place {
		if err := r.extract(ctx, dir, set, files); err != nil {
			return err
		}
	}
	return nil
}

// removeOthers removes journal files that a plan before this one brought, and this one
// does not: the instance would find them first.
func (p *Plan) removeOthers(dir *ownedDir) error {
	entries, err := dir.self.ReadDir(-1)
	for _, e := range entries {
		_, isJournal := dbback.ParseJournalName(e.Name())
		if isJournal && !slices.ContainsFunc(p.journals.files, func(j journalSource) bool { return !j.local() && j.was == e.Name() }) {
			err = errors.Join(err, dir.root.Remove(e.Name()))
		}
	}
	return err
}
