package restore

import (
	"context"
	"os"
	"path/filepath"

	"datfs/catalog"
	"datfs/dbback"
)

// What is copied out of sets for the instance to read.

// placed says where files of sets go: by set, by index in its Files.
type placed map[catalog.SetName]map[int]string

func (p placed) add(set catalog.SetName, file int, path string) {
	if set.Name == "" {
		return // it is the instance's, and stays where it is
	}
	if p[set] == nil {
		p[set] = make(map[int]string)
	}
	p[set][file] = path
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
	place := make(placed)
	if err := c.p.placeJournals(r, place); err != nil {
		return err
	}
	return r.extract(ctx, place)
}

// placeJournals adds the plan's journal files, and writes the list of them if that is
// the instance's.
func (p *Plan) placeJournals(r *restoration, place placed) error {
	if p.journals.none {
		return nil
	}
	if err := r.ownDir(filepath.Clean(p.journalDir())); err != nil {
		return err
	}
	for _, j := range p.journals.files {
		if p.Way != WayDatabases || !j.there() {
			place.add(j.set, j.file, filepath.Join(p.journalDir(), j.was))
		}
	}
	log := p.journals.log
	if log == nil || p.Way == WayDatabases { // the running instance has its own
		return nil
	}
	path := filepath.Join(p.journalDir(), dbback.JournalLog)
	if !log.local() {
		place.add(log.set, log.file, path)
		return nil
	}
	text, err := os.ReadFile(log.origin)
	if err != nil {
		return err
	}
	return r.writeOwned(path, text)
}

// extract copies files out of sets, so that the instance can read them.
func (r *restoration) extract(ctx context.Context, place placed) error {
	for set, files := range place {
		opts := dbback.RestoreOptions{Set: set, Place: files, Owner: r.plan.opts.owner, Progress: r.opts.Progress}
		if _, err := dbback.Restore(ctx, r.repo, opts); err != nil {
			return err
		}
		for _, path := range files { // whatever the backup's own mode was
			if err := os.Chmod(path, 0o660); err != nil {
				return err
			}
		}
	}
	return nil
}
