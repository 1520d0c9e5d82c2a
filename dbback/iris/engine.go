package iris

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// An Engine backs up one instance. It is not for several goroutines at once.
type Engine struct {
	instance *session.Instance
	opts     Options

	// Of the newest preflight.
	mgr     string   // manager directory, absolute; "" before
	install string   // installation directory; "" if not known
	cpf     *cpf     // nil if it could not be read
	journal string   // the current journal file then
	places  []string // directories of journal files
	heard   []said   // what was said, for each Run that follows

	run *attempt // nil between End and Begin
}

// said is one session, for the transcript.
type said struct{ step, text string }

// An attempt is what the engine knows of the run that was begun.
type attempt struct {
	*dbback.Run
	dir   string // the run's own
	step  string
	lists int                // how many there were
	dbs   []catalog.Database // the newest list
	known []configured       // what the instance says of them
	log   *backupLog         // of the incremental

	history      []entry // as it was before the mark
	historyKnown bool

	warnings []string // of the record, for the set
}

var _ dbback.Engine = (*Engine)(nil)

// New returns the engine of an instance. It starts nothing.
func New(in *session.Instance, opts Options) (*Engine, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("instance %s: %w", in.Name(), err)
	}
	return &Engine{instance: in, opts: opts}, nil
}

// Name implements [dbback.Engine].
func (*Engine) Name() string { return "iris" }

// Begin implements [dbback.Engine]: it takes the instance's lock and makes the
// run's directory. Preflight comes before.
func (e *Engine) Begin(_ context.Context, run *dbback.Run) error {
	if e.workDir() == "" {
		return errors.New("the manager directory is not known: there was no preflight")
	}
	if err := session.MakeDir(e.workDir()); err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	if err := e.instance.Lock(e.mgr, true); err != nil {
		return fmt.Errorf("lock of the instance: %w", err)
	}
	dir := e.runDir(run)
	if err := session.NewDir(dir); err != nil { // never one that exists: names in it must be new
		return errors.Join(fmt.Errorf("directory of the run: %w", err), e.instance.Unlock())
	}
	lock, err := dbback.LockDir(dir)
	if err != nil {
		return errors.Join(fmt.Errorf("directory of the run: %w", err), os.Remove(dir), e.instance.Unlock())
	}
	e.instance.Hold(lock)
	e.run = &attempt{Run: run, dir: dir, step: dbback.StepPrepare}
	for _, s := range e.heard {
		run.Transcript(s.step, s.text)
	}
	return nil
}

// End implements [dbback.Engine].
func (e *Engine) End(_ context.Context, keep bool) error {
	run := e.run
	if run == nil {
		return nil
	}
	e.run = nil
	var err error
	if !keep {
		err = os.RemoveAll(run.dir)
	}
	return errors.Join(err, e.instance.Unlock())
}

// session runs one session of a step and keeps its transcript. In a run, one that is
// refused is tried again some times, as nothing was carried out: a licence that has no
// unit left for a moment must not cost a copy of hours.
func (e *Engine) session(ctx context.Context, step string, t session.Task) (*session.Answer, error) {
	const tries = 4
	pause := e.instance.Options.RefusedPause
	for n := 1; ; n++ {
		a, err := e.once(ctx, step, t)
		if n == tries || e.run == nil || !session.Refused(err) || e.anyOutput(step) {
			return a, err
		}
		e.run.Log("%v: it is tried again in %v", err, pause)
		select {
		case <-ctx.Done():
			return a, err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// once runs one session and keeps its transcript.
func (e *Engine) once(ctx context.Context, step string, t session.Task) (*session.Answer, error) {
	a, err := e.instance.Run(ctx, t)
	text := a.Transcript(err)
	if e.run != nil {
		e.run.step = step
		e.run.Transcript(step, text)
	} else {
		e.heard = append(e.heard, said{step, text})
	}
	return a, err
}

// anyOutput returns whether there is anything of an incremental, whatever its session
// said: a second one would lack what the first one has.
func (e *Engine) anyOutput(step string) bool {
	if step != dbback.StepIncremental {
		return false
	}
	file, log := e.incrementalFiles(e.run.Run)
	for _, path := range []string{file, log} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return true
		}
	}
	return false
}

// begun returns an error if there is no run.
func (e *Engine) begun() error {
	if e.run == nil {
		return errors.New("no run was begun")
	}
	return nil
}

// path returns the path of a file of the run.
func (r *attempt) path(name string) string { return filepath.Join(r.dir, name) }

// workDir returns the directory that runs have theirs in, "" as long as the
// manager directory is not known.
func (e *Engine) workDir() string { return e.instance.WorkDir(e.mgr) }

// runDir returns the directory of a run.
func (e *Engine) runDir(run *dbback.Run) string {
	base := e.workDir()
	if base == "" {
		return ""
	}
	return filepath.Join(base, run.Set.Instance+"-"+run.Set.Name)
}

// Leaves implements [dbback.Engine].
func (e *Engine) Leaves(run *dbback.Run) []string {
	if dir := e.runDir(run); dir != "" {
		return []string{dir}
	}
	return nil
}
