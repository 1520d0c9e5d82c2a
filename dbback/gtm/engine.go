package gtm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"datfs/catalog"
	"datfs/dbback"
)

// Options says which databases an [Engine] is for.
type Options struct {
	Gbldir  string   // the global directory file; "" means $gtmgbldir
	Regions []string // which of its regions; none means all
	Dist    string   // directory of GT.M's programs; "" means as FindDist says

	// Work is an existing directory with room for the incremental until it is
	// stored. "" means the directory of the first database.
	Work string
}

// An Engine backs up the regions of one global directory. It implements
// [dbback.Engine].
type Engine struct {
	opts  Options
	tools tools

	regions []region // of the last survey
	plain   []string // regions that were not journaled when the preflight looked
	early   string   // said and answered before the run began
	run     *dbback.Run
	step    string
	work    string // this run's directory
	lock    *os.File
	marks   map[string]uint64 // region -> TN of the mark
	blocks  map[string]int64  // region -> how many blocks it had then
	starts  map[string]uint64 // region -> TN at which the incremental begins
	ends    map[string]uint64 // region -> TN at which the incremental ends
	incs    map[string]*incremental
	fresh   map[string][]byte // region that never was written to -> file header at the mark
}

var _ dbback.Engine = (*Engine)(nil)

// New returns the engine for a global directory. It looks only at files.
func New(opts Options) (*Engine, error) {
	if opts.Gbldir == "" {
		opts.Gbldir = os.Getenv("gtmgbldir")
	}
	if opts.Gbldir == "" {
		return nil, errors.New("no global directory: name it with --gbldir or in $gtmgbldir")
	}
	gbldir, err := gbldirFile(opts.Gbldir)
	if err != nil {
		return nil, fmt.Errorf("global directory: %w", err)
	}
	opts.Gbldir = gbldir
	dist, err := FindDist(opts.Dist)
	if err != nil {
		return nil, err
	}
	if opts.Work != "" {
		if opts.Work, err = catalog.AbsPath(opts.Work); err != nil {
			return nil, err
		}
	}
	e := &Engine{opts: opts, tools: tools{dist: dist, gbldir: gbldir}}
	e.tools.transcript = e.say
	return e, nil
}

// gbldirFile returns the absolute path of a global directory, whose extension
// may be left out as GT.M allows it.
func gbldirFile(name string) (string, error) {
	abs, err := catalog.AbsPath(name)
	if err != nil {
		return "", err
	}
	st, err := os.Stat(abs)
	if errors.Is(err, os.ErrNotExist) && filepath.Ext(abs) == "" {
		if _, err := os.Stat(abs + ".gld"); err == nil {
			return abs + ".gld", nil
		}
	}
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", abs)
	}
	return abs, nil
}

// Gbldir returns the global directory file, absolute.
func (e *Engine) Gbldir() string { return e.opts.Gbldir }

// Name implements [dbback.Engine].
func (e *Engine) Name() string { return engineName }

// engineName is what sets are marked with.
const engineName = "gtm"

// say gives the run's transcript a command and its answer, or keeps them until
// there is a run.
func (e *Engine) say(command, answer string) {
	text := "$ " + command + "\n" + answer
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if e.run == nil {
		e.early += text
		return
	}
	e.run.Transcript(e.step, text)
}

// Leaves implements [dbback.Engine].
func (e *Engine) Leaves(run *dbback.Run) []string { return []string{e.workDir(run)} }

// Begin implements [dbback.Engine]. What keeps a second backup of the same
// global directory out is a lock on that file: GT.M takes none.
func (e *Engine) Begin(_ context.Context, run *dbback.Run) error {
	lock, err := os.Open(e.opts.Gbldir)
	if err != nil {
		return err
	}
	if err := takeLock(lock, "backup of it"); err != nil {
		return errors.Join(fmt.Errorf("global directory %s: %w", e.opts.Gbldir, err), lock.Close())
	}
	dir := e.workDir(run)
	if err := makeWorkDir(dir); err != nil {
		return errors.Join(err, lock.Close())
	}
	workLock, err := dbback.LockDir(dir)
	if err != nil {
		return errors.Join(err, os.Remove(dir), lock.Close())
	}
	e.run, e.step, e.work, e.lock = run, dbback.StepPrepare, dir, lock
	if e.early != "" {
		run.Transcript("preflight", e.early)
		e.early = ""
	}
	e.marks, e.starts, e.ends = make(map[string]uint64), make(map[string]uint64), make(map[string]uint64)
	e.blocks, e.incs, e.fresh = make(map[string]int64), make(map[string]*incremental), make(map[string][]byte)
	e.tools.lock, e.tools.workLock, e.tools.temp = lock, workLock, dir
	return nil
}

// takeLock locks a file, which every command that is run then holds too. what else
// may hold it is for the error.
func takeLock(f *os.File, what string) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("another %s is at work, or a mupip that one began: %w", what, catalog.ErrLocked)
	}
	return err
}

// End implements [dbback.Engine].
func (e *Engine) End(_ context.Context, keep bool) error {
	var err error
	for _, inc := range e.incs {
		err = errors.Join(err, inc.Close())
	}
	if !keep {
		err = errors.Join(err, os.RemoveAll(e.work))
	}
	err = errors.Join(err, e.tools.workLock.Close(), e.lock.Close())
	e.run, e.work, e.lock, e.incs = nil, "", nil, nil
	e.tools.lock, e.tools.workLock, e.tools.temp, e.tools.dir = nil, nil, "", ""
	return err
}

// List implements [dbback.Engine].
func (e *Engine) List(ctx context.Context) ([]catalog.Database, error) {
	e.step = dbback.StepList
	_, all, err := e.tools.listRegions(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(all, e.opts.Regions)
	if err != nil {
		return nil, err
	}
	var dbs []catalog.Database
	for i := range chosen {
		r := &chosen[i]
		if r.err != nil {
			return nil, fmt.Errorf("region %s: %w", r.name, r.err)
		}
		dbs = append(dbs, r.database())
	}
	e.regions = chosen
	return dbs, nil
}

// Record implements [dbback.Engine]: there is nothing to tell GT.M.
func (e *Engine) Record(context.Context) error { return nil }

// Estimate implements [dbback.Engine]: GT.M does not say how large an
// incremental is going to be.
func (e *Engine) Estimate(context.Context) (int64, string, error) { return -1, e.work, nil }

// Check implements [dbback.Engine].
func (e *Engine) Check(db catalog.Database, f catalog.FileInfo) []string {
	var out []string
	if f.Format != FormatV6 && f.Format != FormatV7 {
		out = append(out, "the copy is not recognised as a database of GT.M")
	}
	if f.Label != nil && db.BlockSize != 0 && f.Label.BlockSize != db.BlockSize {
		out = append(out, fmt.Sprintf("the copy has blocks of %d bytes, the database of %d", f.Label.BlockSize, db.BlockSize))
	}
	return out
}

// Names of facts in [catalog.Method], each for a region.
const (
	factStartTN = "start_tn" // the start of the incremental; the end, if the region never was written to and has none
	factEndTN   = "end_tn"   // the end of the incremental; journals go on from there
	factFormat  = "format"   // FormatV6 or FormatV7
	factAccess  = "access"   // "BG" or "MM"
	factImages  = "images"   // "before" or "nobefore": how it is journaled; missing if it is not
	factJournal = "journals" // names in the section "journals" with the TN at which each begins: "name@hex name@hex"
)

// factName returns the name of a region's fact.
func factName(region, fact string) string { return "region." + region + "." + fact }

// factTN returns a transaction number of a region from the facts of a set.
func factTN(m *catalog.Method, region, fact string) (uint64, error) {
	name := factName(region, fact)
	tn, err := strconv.ParseUint(m.Facts[name], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the set's fact %s is %q, not a transaction number", name, m.Facts[name])
	}
	return tn, nil
}
