package iris

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// An Engine backs up one instance. It is not for several goroutines at once.
type Engine struct {
	opts     Options
	terminal *terminal
	control  string // program that has qlist: iris or ccontrol; "" if it is not to be asked

	// Of the newest preflight.
	mgr     string // manager directory, absolute; "" before
	install string // installation directory; "" if not known
	cpf     *cpf   // nil if it could not be read
	journal string // the current journal file then
	heard   []said // what was said, for each Run that follows

	run *attempt // nil between End and Begin
}

// said is one session, for the transcript.
type said struct{ step, text string }

// An attempt is what the engine knows of the run that was begun.
type attempt struct {
	*dbback.Run
	dir   string // the run's own
	locks locks
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

// New returns the engine of an instance. It starts nothing. The error is
// ErrNoCommand if it does not know how to open a session.
func New(opts Options) (*Engine, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("instance %s: %w", opts.Instance, err)
	}
	e := &Engine{opts: opts}
	command := opts.Command
	if len(command) == 0 {
		switch {
		case onPath("iris"):
			command, e.control = []string{"iris", "session", opts.Instance, "-U", "%SYS"}, "iris"
		case onPath("csession"):
			command = []string{"csession", opts.Instance, "-U", "%SYS"}
			if onPath("ccontrol") {
				e.control = "ccontrol"
			}
		default:
			return nil, ErrNoCommand
		}
	}
	e.terminal = &terminal{
		command: command, user: opts.User, password: opts.Password, started: opts.Started, grace: defaultGrace,
	}
	return e, nil
}

// defaultGrace is how long a session may take to end after each signal.
const defaultGrace = 10 * time.Second

func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// Name implements [dbback.Engine].
func (*Engine) Name() string { return "iris" }

// Begin implements [dbback.Engine]: it takes the instance's lock and makes the
// run's directory. Preflight comes before.
func (e *Engine) Begin(_ context.Context, run *dbback.Run) error {
	if e.workDir() == "" {
		return errors.New("the manager directory is not known: there was no preflight")
	}
	if err := makeDir(e.workDir()); err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	held, err := e.takeLocks(true)
	if err != nil {
		return fmt.Errorf("lock of the instance: %w", err)
	}
	dir := e.runDir(run)
	err = os.Mkdir(dir, 0o770) // never one that exists: names in it must be new
	if err == nil {
		err = makeShared(dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("directory of the run: %w", err), held.Close())
	}
	e.run = &attempt{Run: run, dir: dir, locks: held, step: dbback.StepPrepare}
	e.terminal.held = held
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
	e.run, e.terminal.held = nil, nil
	var err error
	if !keep {
		err = os.RemoveAll(run.dir)
	}
	return errors.Join(err, run.locks.Close())
}

// session runs one session of a step and keeps its transcript.
func (e *Engine) session(ctx context.Context, step string, t task) (*answer, error) {
	a, err := e.terminal.run(ctx, t)
	text := a.transcript()
	if err != nil {
		text += fmt.Sprintf("(%v)\n\n", err)
	}
	if e.run != nil {
		e.run.step = step
		e.run.Transcript(step, text)
	} else {
		e.heard = append(e.heard, said{step, text})
	}
	return a, err
}

// statement returns the task of something that is answered at once.
func (e *Engine) statement(name string, s script) task {
	return task{name: name, script: s, limit: e.opts.StatementTimeout, patience: e.terminal.grace}
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
