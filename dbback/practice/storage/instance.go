package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An Instance is a running practice instance. All methods may be called by
// several goroutines at once.
//
// One mutex guards all that is logical: databases, caches, the current journal,
// transactions. An update holds it from the journal record to the last block, so
// whoever holds it sees no half update. The write daemon, backups and restores
// take it for moments only.
type Instance struct {
	cfg      Config
	session  int64   // of this run; later runs have greater ones
	past     []int64 // the runs before that crashed, since the last that ended in order
	recovery Recovery

	mu       sync.Mutex
	dbs      map[string]*database
	jrn      *journal
	txns     map[uint64]*Txn // open ones
	nextTxn  uint64
	locks    map[lockKey]uint64 // to the transaction that changed the key
	holds    map[*Hold]struct{}
	released chan struct{} // closed when there is no hold any more
	faults   map[Fault]bool
	oplog    *oplog
	cycles   int64

	flush sync.Mutex // held for a cycle of the write daemon; guards wij
	wij   *wij
	busy  atomic.Bool // a backup or restore is in progress
	dead  atomic.Bool // nothing may be written any more
	done  chan struct{}
	stop  sync.Once
	work  sync.WaitGroup // the write daemon
}

// lockKey is a key of a database.
type lockKey struct{ dir, global, key string }

// Recovery is what Open did.
type Recovery struct {
	Crashed    bool             // the last run did not end in order
	WIJMissing bool             // it crashed and its WIJ is not there: where to roll forward from is unknown
	WIJBlocks  int              // blocks written to databases from the WIJ
	Journals   []string         // journal files rolled forward, absolute
	Records    int              // SETs and KILLs applied
	RolledBack int              // transactions
	Failed     map[string]error // databases that could not be mounted, by directory
	Skipped    []string         // databases with journal records that were not mounted
}

// Open starts an instance. The manager directory and the journal directories are
// made if missing. After an orderly shutdown there is nothing to recover; after a
// crash an active WIJ is applied, the journals are rolled forward from the last
// checkpoint, and open transactions are rolled back. A new journal file begins.
//
// Two processes must not have the same manager directory open; the caller sees to
// that.
func Open(ctx context.Context, cfg Config) (*Instance, error) {
	cfg = cfg.withDefaults()
	in := &Instance{
		cfg: cfg, session: cfg.Now().UnixNano(),
		dbs: map[string]*database{}, txns: map[uint64]*Txn{}, locks: map[lockKey]uint64{},
		holds: map[*Hold]struct{}{}, faults: map[Fault]bool{}, done: make(chan struct{}),
	}
	in.nextTxn = uint64(in.session)
	for _, dir := range []string{cfg.Dir, cfg.WIJDir} {
		if err := os.MkdirAll(dir, 0o770); err != nil {
			return nil, err
		}
	}
	if err := in.start(ctx); err != nil {
		in.Crash()
		return nil, fmt.Errorf("start the practice instance in %s: %w", cfg.Dir, err)
	}
	if cfg.FlushEvery > 0 {
		in.work.Go(in.daemon)
	}
	return in, nil
}

// start does what Open does.
func (in *Instance) start(ctx context.Context) (err error) {
	state, err := readStartup(in.cfg.Dir)
	if err != nil {
		return err
	}
	if state.running {
		in.recovery.Crashed, in.past = true, append(state.past, state.session)
	}
	if in.session <= state.session {
		in.session = state.session + 1 // the clock was set back
		in.nextTxn = uint64(in.session)
	}
	if in.oplog, err = openOplog(in.cfg.Oplog); err != nil {
		return err
	}
	list, err := readJournalLog(filepath.Join(in.cfg.Dir, journalLog))
	if err != nil {
		return err
	}
	in.jrn = &journal{cfg: &in.cfg, list: list}
	var found bool
	if in.wij, found, err = openWIJ(in.cfg.WIJDir); err != nil {
		return err
	}
	in.recovery.WIJMissing = in.recovery.Crashed && !found
	if err := writeStartup(in.cfg, startup{session: in.session, past: in.past, running: true}); err != nil {
		return err
	}
	return in.recover(ctx)
}

// Recovery returns what Open did.
func (in *Instance) Recovery() Recovery { return in.recovery }

// Done is closed when the instance has been shut down or has crashed.
func (in *Instance) Done() <-chan struct{} { return in.done }

// Shutdown ends the instance in order: open transactions are rolled back, all
// blocks written, databases dismounted. If something of this fails, the instance
// ends all the same, as after a crash.
func (in *Instance) Shutdown(ctx context.Context) error {
	hold := in.Hold()
	defer hold.Release()
	err := in.windUp(ctx)
	in.Crash() // nothing is left to be lost
	if err == nil {
		err = writeStartup(in.cfg, startup{session: in.session})
	}
	return errors.Join(err, in.jrn.closed())
}

// windUp leaves everything as a start without recovery needs it.
func (in *Instance) windUp(ctx context.Context) error {
	in.mu.Lock()
	if in.dead.Load() {
		in.mu.Unlock()
		return ErrCrashed
	}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(in.txns)) {
		errs = append(errs, in.rollback(in.txns[id]))
	}
	in.mu.Unlock()
	if err := errors.Join(append(errs, in.Flush(ctx))...); err != nil {
		return err
	}
	for _, info := range in.Databases() {
		if info.Mounted {
			if err := in.Dismount(ctx, info.Directory); err != nil {
				return err
			}
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead.Load() {
		return ErrCrashed
	}
	f := in.jrn.f
	in.jrn.f = nil
	return writeEnd(f, in.jrn.end, "", in.cfg.Now())
}

// Crash ends the instance at once, as kill -9 would: nothing is written that has
// not been. iris.lck files stay. Crash returns when no database, journal or WIJ is
// written to any more.
func (in *Instance) Crash() {
	in.dead.Store(true)
	in.stop.Do(func() {
		in.mu.Lock()
		close(in.done)
		in.mu.Unlock()
	})
	in.work.Wait()
	in.flush.Lock() // the last write of a cycle
	defer in.flush.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, db := range in.dbs {
		if db.mounted {
			db.info = db.describe()
			db.info.Mounted = false
			db.mounted = false
			_ = db.f.Close() // nothing was promised
		}
	}
	if in.jrn != nil && in.jrn.f != nil {
		_ = in.jrn.f.Close()
		in.jrn.f = nil
	}
	if in.jrn != nil {
		in.jrn.work.Wait()
	}
	if in.wij != nil {
		_ = in.wij.f.Close()
	}
	in.oplog.close()
}

// Status is the state of an instance at a moment.
type Status struct {
	Journal      string // the current journal file, absolute
	Offset       int64  // where its next record goes, bytes
	Required     string // the oldest journal file needed for a rollback
	JournalCount int    // files begun since the start of journal.log
	Primary      string // journal directories, with a trailing slash
	Alternate    string
	OpenTxns     int
	Dirty        int   // blocks in memory that are not yet in their files
	Cycles       int64 // of the write daemon
	Held         bool  // updates are held
	Busy         bool  // a backup or restore is in progress
}

// Status returns the state of the instance.
func (in *Instance) Status() Status {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := Status{
		Journal: in.jrn.current(), Offset: in.jrn.end, Required: in.required(), JournalCount: len(in.jrn.list),
		Primary: in.cfg.JournalDir, Alternate: in.cfg.AlternateDir,
		OpenTxns: len(in.txns), Cycles: in.cycles, Held: len(in.holds) > 0, Busy: in.busy.Load(),
	}
	for _, db := range in.dbs {
		if db.mounted {
			s.Dirty += db.dirty
		}
	}
	return s
}

// A Hold keeps all updates from happening (switches 10 and 13 of an instance).
type Hold struct{ in *Instance }

// holdKey is the key of the hold that a context may pass.
type holdKey struct{}

// Hold waits for the update in progress and holds all others until Release.
func (in *Instance) Hold() *Hold {
	h := &Hold{in}
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.holds) == 0 {
		in.released = make(chan struct{})
	}
	in.holds[h] = struct{}{}
	return h
}

// Allow returns a context whose updates are not held by h: those of the one who
// holds.
func (h *Hold) Allow(ctx context.Context) context.Context {
	return context.WithValue(ctx, holdKey{}, h)
}

// Release ends the hold. More than once is as once.
func (h *Hold) Release() {
	h.in.mu.Lock()
	defer h.in.mu.Unlock()
	if _, held := h.in.holds[h]; !held {
		return
	}
	delete(h.in.holds, h)
	if len(h.in.holds) > 0 {
		return
	}
	for _, t := range h.in.txns {
		if t.given && !h.in.dead.Load() {
			_ = h.in.rollback(t) // nobody waits for it; a database that could not be changed says so itself
		}
	}
	close(h.in.released)
}

// enter locks the instance for an update: it waits while updates are held by
// others. On success the caller unlocks.
func (in *Instance) enter(ctx context.Context) error {
	mine, _ := ctx.Value(holdKey{}).(*Hold)
	for {
		in.mu.Lock()
		others := len(in.holds)
		if _, held := in.holds[mine]; held {
			others--
		}
		switch {
		case in.dead.Load():
			in.mu.Unlock()
			return ErrCrashed
		case others == 0:
			return nil
		}
		released := in.released
		in.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-in.done:
			return ErrCrashed
		case <-released:
		}
	}
}

// rest waits, unless ctx or the instance ends before.
func (in *Instance) rest(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-in.done:
		return ErrCrashed
	case <-t.C:
		return nil
	}
}

// A Fault is something that the instance does wrong on purpose.
type Fault string

// MarkWithoutFlush makes [Instance.Mark] forget blocks that have changed in memory
// and are not yet in the file.
const MarkWithoutFlush Fault = "mark-without-flush"

// SetFault arms or disarms a fault.
func (in *Instance) SetFault(f Fault, on bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.faults[f] = on
}
