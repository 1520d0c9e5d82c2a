package dbback

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"datfs/catalog"
)

// sentences says what each step is, for people.
var sentences = map[string]string{
	"preflight":     "look at the instance",
	StepPrepare:     "make the working directory, list the databases",
	StepMark:        "clear the record of changed blocks: from here on changes are counted",
	StepCopy:        "copy the database files while they are in use",
	StepList:        "see whether the list of databases is still the same",
	StepRecord:      "tell the instance that a full copy was taken",
	StepEstimate:    "ask for the size of the incremental, check the space",
	StepIncremental: "take the incremental: what changed since the mark",
	StepJournals:    "close the journal file, capture what a restore needs",
	StepSeal:        "make the set final",
}

// A procedure is one attempt at the method: one set, one run of the engine.
type procedure struct {
	repo   *catalog.Repository
	engine Engine
	opts   BackupOptions
	survey *Survey
	left   []string // of earlier runs, and cannot be removed

	w           *catalog.SetWriter
	run         *Run
	step        string // the one being taken
	begun       bool   // the engine's run
	copier      *copier
	transcripts []transcript
	method      *catalog.Method
}

// attempt goes through the method once.
func (p *procedure) attempt(ctx context.Context) (*catalog.SetInfo, error) {
	w, err := p.repo.Begin(catalog.BeginOptions{
		Instance: p.opts.Instance,
		Engine:   p.engine.Name(),
		Program:  p.opts.Program,
		Progress: p.opts.Progress,
	})
	if err != nil {
		return nil, err
	}
	p.w = w
	p.run = &Run{Set: w.Name(), Transcript: p.transcript, Log: p.opts.Log}
	w.SetFindings(p.survey.Findings)
	info, err := p.steps(ctx)
	if err != nil {
		return nil, p.fail(ctx, err)
	}
	// The set is final: what goes wrong from here on is only told.
	if err := p.engine.End(context.WithoutCancel(ctx), p.opts.Keep); err != nil {
		p.opts.Log("the set is sealed, but cleaning up after the backup: %v", err)
	}
	return info, nil
}

// steps takes all the steps, in the order that makes the method right.
func (p *procedure) steps(ctx context.Context) (*catalog.SetInfo, error) {
	dbs, err := p.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.take(ctx, StepMark, p.engine.Mark); err != nil {
		return nil, err
	}
	copyAll := func(ctx context.Context) error { return p.copyDatabases(ctx, dbs) }
	if err := p.take(ctx, StepCopy, copyAll); err != nil {
		return nil, err
	}
	listAgain := func(ctx context.Context) error {
		after, err := p.engine.List(ctx)
		if err != nil {
			return err
		}
		return compareLists(dbs, after)
	}
	if err := p.take(ctx, StepList, listAgain); err != nil {
		return nil, err
	}
	if err := p.take(ctx, StepRecord, p.engine.Record); err != nil {
		return nil, err
	}
	if err := p.take(ctx, StepEstimate, p.checkIncrementalSpace); err != nil {
		return nil, err
	}
	if err := p.take(ctx, StepIncremental, p.incremental); err != nil {
		return nil, err
	}
	if err := p.take(ctx, StepJournals, p.journals); err != nil {
		return nil, err
	}
	var info *catalog.SetInfo
	seal := func(ctx context.Context) (err error) {
		p.checkCopies(dbs)
		if err := p.storeTranscripts(ctx); err != nil {
			return err
		}
		p.w.SetMethod(p.method)
		info, err = p.w.Seal(ctx)
		return err
	}
	return info, p.take(ctx, StepSeal, seal)
}

// take records a step, then takes it.
func (p *procedure) take(ctx context.Context, step string, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.step = step
	s := catalog.Step{Name: step}
	s.Means, s.Next = p.engine.Sentences(step)
	if step == StepPrepare && !p.opts.Keep {
		s.Leaves = p.engine.Leaves(p.run)
	}
	if err := p.w.Step(s); err != nil {
		return err
	}
	p.opts.Step(step, sentences[step])
	return do(ctx)
}

// prepare begins the engine's run and returns the list of what is to be copied.
func (p *procedure) prepare(ctx context.Context) (dbs []catalog.Database, err error) {
	return dbs, p.take(ctx, StepPrepare, func(ctx context.Context) error {
		if err := p.engine.Begin(ctx, p.run); err != nil {
			return err
		}
		p.begun = true
		if len(p.left) > 0 { // whoever was still at work in it has ended: we have the lock now
			p.left = removeLeftovers(p.repo, p.opts)
		}
		p.warnAll(p.left)
		if dbs, err = p.engine.List(ctx); err != nil {
			return err
		}
		p.method = &catalog.Method{ProductVersion: p.survey.Version, Databases: dbs, Facts: p.survey.Facts}
		return p.checkList(dbs)
	})
}

// checkList refuses a list that cannot be copied.
func (p *procedure) checkList(dbs []catalog.Database) error {
	if len(dbs) == 0 {
		return errors.New("there is no database to be backed up")
	}
	dir := resolve(p.repo.Dir())
	for _, db := range dbs {
		if len(db.Paths) == 0 {
			return fmt.Errorf("%s has no files", db.Directory)
		}
		for _, path := range db.Paths {
			if !filepath.IsAbs(path) {
				return fmt.Errorf("%s is not an absolute path", path)
			}
			if isInside(resolve(path), dir) {
				return fmt.Errorf("%s lies inside the repository %s", path, p.repo.Dir())
			}
		}
	}
	return nil
}

// copyDatabases stores all files of the databases. A file that cannot be read
// leaves the set incomplete; the others are still worth having.
func (p *procedure) copyDatabases(ctx context.Context, dbs []catalog.Database) error {
	var total int64
	for _, db := range dbs {
		for _, path := range db.Paths {
			if src, err := openSource(path); err == nil {
				total += src.opened.Size
				_ = src.Close()
			}
		}
	}
	p.opts.Progress.SetTotal(p.opts.Progress.Done() + total) // it may be the second attempt
	p.copier = &copier{
		w: p.w, progress: p.opts.Progress, log: p.opts.Log, dirs: make(map[string]bool), live: true,
		wrap: p.considerate(ctx),
	}
	for _, db := range dbs {
		for _, path := range db.Paths {
			if err := p.copier.copy(ctx, path, catalog.SectionDatabases, db.Name); err != nil {
				return err
			}
		}
	}
	if p.copier.stored == 0 {
		return fmt.Errorf("none of the database files can be read: %w", errors.Join(p.copier.failed...))
	}
	return nil
}

// checkIncrementalSpace compares the size that the incremental will have with
// the space there is for it.
func (p *procedure) checkIncrementalSpace(ctx context.Context) error {
	need, dir, err := p.engine.Estimate(ctx)
	if err != nil || need < 0 {
		return err
	}
	free, err := freeSpace(existing(dir))
	if err != nil {
		return err
	}
	need += need/10 + SpareSpace
	if free >= need {
		return nil
	}
	err = fmt.Errorf("%s has %d MiB free, and the incremental may need %d MiB", dir, free>>20, need>>20)
	if p.opts.IgnoreSpace {
		p.warn("%v", err)
		return nil
	}
	return err
}

// incremental takes the incremental and stores it.
func (p *procedure) incremental(ctx context.Context) error {
	inc, err := p.engine.Incremental(ctx)
	if err != nil {
		return err
	}
	p.warnAll(inc.Warnings)
	p.method.Incrementals, p.method.Journal = inc.Apply, inc.Journal
	if err := p.storeFiles(ctx, inc.Files, true); err != nil {
		return err
	}
	if e, ok := p.engine.(Overlayer); ok {
		return p.overlay(ctx, e)
	}
	return nil
}

// journals captures what a restore needs beside the databases and the
// incremental.
func (p *procedure) journals(ctx context.Context) error {
	j, err := p.engine.Journals(ctx)
	if err != nil {
		return err
	}
	for _, text := range j.Missing {
		p.problem(catalog.Problem{Error: text, Fatal: true})
	}
	p.warnAll(j.Warnings)
	if j.Range != nil {
		p.method.Journal = j.Range
	}
	for k, v := range j.Facts {
		if p.method.Facts == nil {
			p.method.Facts = make(map[string]string)
		}
		p.method.Facts[k] = v
	}
	return p.storeFiles(ctx, j.Files, false)
}

// checkCopies compares what is stored with what the product says of it. What does
// not fit is a warning. A file that does not begin like a database may be one of a
// layout that datfs does not know; but if it is shorter too than the product says,
// the set has none where there should be one.
func (p *procedure) checkCopies(dbs []catalog.Database) {
	files := p.w.Files()
	for _, db := range dbs {
		i := copyOf(files, db)
		if i < 0 {
			continue // it is a problem of the set already
		}
		none := files[i].Label == nil && db.BlockSize > 0 && files[i].SizeAtEnd < db.Bytes-sizeSlack
		for _, text := range p.engine.Check(db, files[i]) {
			p.problem(catalog.Problem{Path: files[i].Path, Error: text, Fatal: none})
		}
	}
}

// sizeSlack is how many bytes a product's size of a database may be too large:
// InterSystems gives it in MB.
const sizeSlack = 1 << 20

// copyOf returns the index of the stored copy of a database's first file, or -1.
func copyOf(files []catalog.FileInfo, db catalog.Database) int {
	return slices.IndexFunc(files, func(f catalog.FileInfo) bool {
		return f.Section == catalog.SectionDatabases && f.Path == filepath.Clean(db.Paths[0])
	})
}

// giveUpTime is how long a failed run may take to keep what it knows.
const giveUpTime = time.Minute

// fail ends the attempt: what was said is kept in the set, the set as
// interrupted, and the engine cleans up.
func (p *procedure) fail(ctx context.Context, err error) error {
	means, next := p.engine.Sentences(p.step)
	failed := &StepError{Step: p.step, Set: p.w.Name(), Means: means, Next: next, Err: err}
	err = failed
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpTime)
	defer cancel()
	if _, ok := errors.AsType[*catalog.RepositoryError](err); !ok && means != "" {
		lost := p.storeTranscripts(ctx)
		failed.Kept = lost == nil
		err = errors.Join(err, lost)
	}
	err = errors.Join(err, p.w.Abort(err))
	if p.begun {
		if e := p.engine.End(ctx, p.opts.Keep); e != nil {
			p.opts.Log("cleaning up after the backup: %v", e)
		}
	}
	return err
}

func (p *procedure) problem(problem catalog.Problem) {
	p.w.Fail(problem)
	p.opts.Log("%v", problem)
}

func (p *procedure) warn(format string, args ...any) {
	p.problem(catalog.Problem{Error: fmt.Sprintf(format, args...)})
}

func (p *procedure) warnAll(texts []string) {
	for _, text := range texts {
		p.warn("%s", text)
	}
}
