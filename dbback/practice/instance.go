package practice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"datfs/dbback/practice/storage"
)

// writePause is the rest of the write daemon after each block. Without it the
// databases of a small instance are written in an instant once a second, and most
// copies of them would happen to be whole.
const writePause = 200 * time.Microsecond

// StartOptions says how an instance runs.
type StartOptions struct {
	Load string // LoadNone (the default here), LoadLight, LoadHeavy

	// Kill ends the process at once; a crash calls it. nil if the process is not
	// the instance's own: the instance then leaves its files as a crash would and
	// lets go of them.
	Kill func()

	// FlushEvery is how long the write daemon rests between cycles, default one
	// second; a negative value makes it write only when told to.
	FlushEvery time.Duration

	// Oplog is a file for a record of every change that does not depend on the
	// journals: see [storage.ReplayOplog]. "" keeps none.
	Oplog string

	// EmergencyID is the "USER,PASSWORD" of "iris start INST EmergencyId=…": only
	// that user can sign on, and there is no load. "" is a normal start.
	EmergencyID string

	// Fail arms failures, each a name and arguments as in DATFS_PRACTICE_FAIL.
	Fail []string
}

// An Instance is a running practice instance in this process.
type Instance struct {
	l       layout
	s       *settings
	opts    StartOptions
	db      *storage.Instance
	arms    *armory
	backups *backupState
	lock    *os.File
	srv     *server
	load    *loader
	started time.Time

	emergency *emergency // nil after a normal start

	pastJournals int // how many files journal.log named at the start

	routines map[string]routine
	classes  map[string]classMethod

	ctx      context.Context // ends with the instance
	cancel   context.CancelFunc
	up       atomic.Bool // it answers on its socket
	sessions atomic.Int32
	lastPID  atomic.Int64 // of the sessions; see $job

	mu     sync.Mutex
	conf   *cpf
	work   *work        // the backup or restore that runs, nil if none
	txn    *storage.Txn // that the failure open-transaction holds open
	ending bool

	done chan struct{}
	err  error // set before done is closed
}

// Start starts the instance in dir in this process: it recovers what a crash
// left, mounts the databases, and answers on its socket. It ends by Stop or Crash,
// also from another process; ctx is only for the start. The error is ErrRunning
// if it runs already.
func Start(ctx context.Context, dir string, opts StartOptions) (_ *Instance, err error) {
	l, s, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	i := &Instance{
		l: l, s: s, opts: opts, started: time.Now(), done: make(chan struct{}),
		routines: routineTable(), classes: classTable(),
	}
	if i.lock, err = takeLock(l.dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = i.lock.Close()
		}
	}()
	i.ctx, i.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := i.open(ctx); err != nil {
		i.cancel()
		return nil, fmt.Errorf("start the practice instance in %s: %w", l.dir, err)
	}
	if err := i.serve(ctx); err != nil {
		i.cancel()
		return nil, errors.Join(fmt.Errorf("start the practice instance in %s: %w", l.dir, err), i.db.Shutdown(ctx))
	}
	return i, nil
}

// open reads what is kept and opens the databases.
func (i *Instance) open(ctx context.Context) (err error) {
	if i.arms, err = loadArmory(i.l.failures()); err != nil {
		return err
	}
	if err := i.arms.parse(os.Getenv(failEnv), ";", failEnv); err != nil {
		return err
	}
	if err := i.arms.parse(strings.Join(i.opts.Fail, "\n"), "\n", "StartOptions.Fail"); err != nil {
		return err
	}
	if err := i.beginEmergency(); err != nil {
		return err
	}
	if i.backups, err = loadBackupState(i.l.backupState()); err != nil {
		return err
	}
	if i.conf, err = readCPF(i.l.cpf()); err != nil {
		return err
	}
	primary, alternate := i.journalDirs()
	if i.arms.has("journal-alternate") {
		primary, alternate = alternate, primary
	}
	cfg := storage.Config{
		Dir: i.l.mgr(), Node: i.node(), WIJDir: i.conf.get("config", "wijdir"), JournalDir: primary, AlternateDir: alternate,
		CompressJournals: i.conf.get("Journal", "CompressFiles") == "1",
		FlushEvery:       i.opts.FlushEvery, WritePause: writePause, Oplog: i.opts.Oplog, CrashWriting: i.crashWriting,
	}
	for _, db := range i.conf.databases() {
		if db.Server == "" {
			cfg.Databases = append(cfg.Databases, db.Directory)
		}
	}
	if i.db, err = storage.Open(ctx, cfg); err != nil {
		return err
	}
	names, err := i.db.Journals()
	i.pastJournals = max(0, len(names)-1) // the last one is open
	if i.db.Recovery().Crashed {
		i.pastJournals = max(0, i.pastJournals-1) // and the one before may be compressed now
	}
	return err
}

// serve brings about the states that are armed, and begins to answer.
func (i *Instance) serve(ctx context.Context) error {
	i.logStart()
	for _, a := range i.arms.all() {
		if err := i.beginState(ctx, a); err != nil {
			return fmt.Errorf("failure %s: %w", a, err)
		}
	}
	i.load = newLoader(i)
	level := i.opts.Load
	if level == "" || i.emergency != nil {
		level = LoadNone
	}
	if err := i.load.set(level); err != nil {
		return err
	}
	l, err := listen(i.l.dir)
	if err != nil {
		i.load.stop()
		return err
	}
	i.srv = newServer(i, l)
	i.up.Store(true)
	go i.watch()
	return nil
}

// watchEvery is how often an instance looks whether its directory is still there.
const watchEvery = time.Second

// watch crashes the instance when its directory is removed: whoever did that wants
// no process to stay.
func (i *Instance) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-i.done:
			return
		case <-tick.C:
		}
		mine, err := i.lock.Stat()
		if err != nil {
			return // it is closed: the instance has ended
		}
		if there, err := os.Stat(i.lock.Name()); errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(mine, there) {
			i.Crash()
			return
		}
	}
}

// node is the name of this instance on this machine, as iris.lck has it.
func (i *Instance) node() string { return hostname() + ":" + i.s.Name + ":" + i.l.dir }

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// logStart writes to messages.log what the start did.
func (i *Instance) logStart() {
	rec := i.db.Recovery()
	i.log("Practice instance %s started, process %d", i.s.Name, os.Getpid())
	if rec.Crashed {
		i.log("The last run did not end in order: %d blocks from the WIJ, %d journal files, %d records applied, %d transactions rolled back",
			rec.WIJBlocks, len(rec.Journals), rec.Records, rec.RolledBack)
	}
	for dir, err := range rec.Failed {
		i.log("Database %s was not mounted: %v", dir, err)
	}
	i.logEmergency()
}

// log appends a line to messages.log.
func (i *Instance) log(format string, args ...any) {
	f, err := os.OpenFile(i.l.messages(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o660)
	if err != nil {
		return // nobody is there to be told
	}
	fmt.Fprintf(f, "%s (%d) 0 %s\n", time.Now().Format("01/02/06-15:04:05:000"), os.Getpid(), fmt.Sprintf(format, args...))
	_ = f.Close()
}

// Name returns the instance's name.
func (i *Instance) Name() string { return i.s.Name }

// Dir returns the instance's directory.
func (i *Instance) Dir() string { return i.l.dir }

// Command returns the path of one of the scripts in DIR/bin: "iris".
func (i *Instance) Command(name string) string { return filepath.Join(i.l.bin(), name) }

// Storage returns the databases.
func (i *Instance) Storage() *storage.Instance { return i.db }

// Done is closed when the instance has ended.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Err returns why the instance ended: nil if it was stopped or crashed. It is
// called after Done.
func (i *Instance) Err() error { return i.err }

// begin the end, once.
func (i *Instance) beginEnd() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ending {
		return false
	}
	i.ending = true
	return true
}

// Stop ends the instance in an orderly way: sessions end, everything is written,
// databases are dismounted.
func (i *Instance) Stop() error {
	if !i.beginEnd() {
		<-i.done
		return i.err
	}
	i.load.stop()
	i.cancel()
	i.srv.close()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	i.mu.Lock()
	if i.txn != nil {
		_ = i.txn.Rollback(ctx) // Shutdown would do it
	}
	i.mu.Unlock()
	err := i.db.Shutdown(ctx)
	i.log("Practice instance %s stopped", i.s.Name)
	i.end(errors.Join(err, removeSocket(i.l.dir)))
	return i.err
}

// Crash ends the instance as kill -9 would. Nothing is written any more.
func (i *Instance) Crash() {
	if i.opts.Kill != nil {
		i.opts.Kill()
	}
	if !i.beginEnd() {
		<-i.done
		return
	}
	i.db.Crash()
	i.cancel()
	i.load.stop()
	i.srv.close()
	i.end(nil)
}

func (i *Instance) end(err error) {
	i.err = errors.Join(err, i.lock.Close())
	close(i.done)
}

// crashNow crashes the instance from within a session, which must end after it.
func (i *Instance) crashNow() error {
	i.cancel()
	go i.Crash()
	return errGone
}

// crashWriting is asked by the write daemon in the middle of each cycle.
func (i *Instance) crashWriting() bool {
	if !i.up.Load() || i.arms.take("crash-writing", nil) == nil {
		return false
	}
	go i.Crash() // it waits for the write daemon
	return true
}

// errGone is what a statement meets when its instance ends under it.
var errGone = errors.New("the instance has ended")
