package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A backup copies at least two passes while updates go on (logs of InterSystems
// show three passes in all), and more, up to maxPasses, as long as many blocks are
// left.
const (
	minPasses = 2
	maxPasses = 6
	fewBlocks = 256
)

// A backup is one in progress.
type backup struct {
	in    *Instance
	opts  BackupOptions
	dbs   []*database
	todo  []bitmap // what the next pass copies, by database
	w     *partWriter
	info  BackupInfo
	res   BackupResult
	block []byte
}

// Backup makes a backup file. Databases are copied in passes while updates go on;
// updates are held for the last pass. If it fails or ctx ends, what was marked as
// changed stays marked, and the file is left as it is (what InterSystems does to
// the bitmaps then is unknown).
func (in *Instance) Backup(ctx context.Context, opts BackupOptions) (*BackupResult, error) {
	if !in.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	defer in.busy.Store(false)
	b := &backup{in: in, opts: opts, block: make([]byte, BlockSize)}
	b.res.Began = in.cfg.Now()
	if err := b.prepare(); err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	defer b.forget()
	if err := b.run(ctx); err != nil {
		return nil, fmt.Errorf("back up to %s: %w", opts.Path, err)
	}
	return &b.res, nil
}

// prepare looks whether the backup may be, and begins to note what changes.
func (b *backup) prepare() (err error) {
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	if b.opts.Type != Full && b.opts.Type != Incremental && b.opts.Type != Cumulative {
		return fmt.Errorf("%q is not a type of backup", b.opts.Type)
	}
	if b.dbs, err = b.in.marked("back up", b.opts.Databases); err != nil {
		return err
	}
	history, err := b.in.readHistory()
	if err != nil {
		return err
	}
	b.info = BackupInfo{Type: b.opts.Type, Time: b.res.Began, Description: b.opts.Description, Node: b.in.cfg.Node}
	b.info.Previous, b.info.LastFull = lastBackups(history)
	if b.opts.Type != Full && b.info.LastFull == nil {
		return ErrNoFull
	}
	for _, db := range b.dbs {
		todo, err := db.toCopy(b.opts.Type)
		if err != nil {
			return db.fail("back up", err)
		}
		b.todo = append(b.todo, todo)
		b.info.Databases = append(b.info.Databases, BackupDatabase{Directory: db.dir, Resource: db.label.resource})
		db.since = newBitmap()
	}
	return nil
}

// toCopy returns the blocks that a backup of a type must have. The maps of changed
// blocks are about this file, not about its content: they are in no backup.
func (db *database) toCopy(t BackupType) (bitmap, error) {
	from := map[BackupType]uint32{Full: blockMap, Incremental: blockChanged, Cumulative: blockCumulative}[t]
	bits, err := db.bits(from)
	if err != nil {
		return nil, err
	}
	todo := slices.Clone(bits)
	for n := range uint32(blocksPerMap) {
		switch {
		case n >= db.label.blocks, n > blockDirectory && n < firstDataBlock:
			todo.unset(n)
		case t != Full:
		case todo.has(n):
			todo.unset(n)
		default:
			todo.set(n)
		}
	}
	return todo, nil
}

// forget ends the noting of what changes.
func (b *backup) forget() {
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	for _, db := range b.dbs {
		db.since = nil
	}
}

func (b *backup) tell(ev BackupProgress) {
	if b.opts.Progress != nil {
		ev.Time = b.in.cfg.Now()
		b.opts.Progress(ev)
	}
}

func (b *backup) run(ctx context.Context) (err error) {
	if b.opts.SwitchJournal {
		if _, b.res.Switched, err = b.in.SwitchJournal(ctx); err != nil {
			return err
		}
		b.tell(BackupProgress{Event: BackupSwitched, Journal: b.res.Switched})
	}
	if b.w, err = createBackup(b.opts.Path, b.opts.Limit); err != nil {
		return err
	}
	if err := b.copyAll(ctx); err != nil {
		return errors.Join(err, b.w.abandon())
	}
	return nil
}

// copyAll does the passes.
func (b *backup) copyAll(ctx context.Context) error {
	if err := b.w.json(partLabel, b.info); err != nil {
		return err
	}
	pass := 1
	for ; pass <= minPasses || pass < maxPasses && b.left() > fewBlocks; pass++ {
		b.tell(BackupProgress{Event: PassBegins, Pass: pass})
		if err := b.copyPass(ctx, pass, b.opts.BlockPause); err != nil {
			return err
		}
	}
	b.tell(BackupProgress{Event: PassBegins, Pass: pass, Last: true})
	hold := b.in.Hold()
	defer hold.Release()
	if err := b.mark(); err != nil {
		return err
	}
	b.tell(BackupProgress{Event: MarkerSet, Pass: pass, Journal: b.res.Marker, Offset: b.res.Offset, Required: b.res.Required})
	if err := b.copyPass(ctx, pass, 0); err != nil {
		return err
	}
	return b.finish()
}

// left returns how many blocks the next pass would copy.
func (b *backup) left() (n int64) {
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	for _, db := range b.dbs {
		n += db.since.count()
	}
	return n
}

// mark sets the marker in the journal. Updates are held.
func (b *backup) mark() (err error) {
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	if b.in.dead.Load() {
		return ErrCrashed
	}
	text := b.res.Began.Format("Jan 02 2006;03:04PM") + ";" + string(b.opts.Type)
	if b.res.Offset, err = b.in.jrn.append(&record{Type: recMarker, Key: text}); err != nil {
		return err
	}
	b.res.Marker, b.res.Required = b.in.jrn.current(), b.in.required()
	b.info.Marker, b.info.Offset, b.info.Required = b.res.Marker, b.res.Offset, b.res.Required
	return b.w.json(partMarker, backupMarker{b.res.Marker, b.res.Offset, b.res.Required})
}

// backupMarker is what a backup file says of the journal before its last pass.
type backupMarker struct {
	Journal  string `json:"journal"`
	Offset   int64  `json:"offset"`
	Required string `json:"required"`
}

// copyPass copies what the pass before left.
func (b *backup) copyPass(ctx context.Context, pass int, pause time.Duration) error {
	done := BackupPass{}
	for i, db := range b.dbs {
		if err := ctx.Err(); err != nil {
			return err
		}
		todo := b.todo[i]
		if pass > 1 {
			b.in.mu.Lock()
			if db.since != nil {
				todo, db.since = db.since, newBitmap()
			}
			b.in.mu.Unlock()
		}
		began := b.in.cfg.Now()
		b.tell(BackupProgress{Event: CopyBegins, Pass: pass, Directory: db.dir})
		n, err := b.copyBlocks(ctx, pass, i, todo, pause)
		if err != nil {
			return err
		}
		took := b.in.cfg.Now().Sub(began)
		b.info.Databases[i].Blocks += n
		b.info.Blocks += n
		done.Databases = append(done.Databases, PassDatabase{Directory: db.dir, Began: began, Blocks: n, Elapsed: took})
		b.tell(BackupProgress{Event: CopyEnds, Pass: pass, Directory: db.dir, Blocks: n, Elapsed: took})
	}
	done.Ended = b.in.cfg.Now()
	b.res.Passes = append(b.res.Passes, done)
	b.tell(BackupProgress{Event: PassEnds, Pass: pass})
	return nil
}

// copyBlocks copies blocks of one database, as they are in memory.
func (b *backup) copyBlocks(ctx context.Context, pass, i int, todo bitmap, pause time.Duration) (count int64, err error) {
	db := b.dbs[i]
	var head [4]byte
	le.PutUint16(head[:], uint16(pass))
	le.PutUint16(head[2:], uint16(i))
	if err := b.w.part(partCopy, head[:]); err != nil {
		return 0, err
	}
	for n, ok := todo.next(0); ok; n, ok = todo.next(n + 1) {
		if err := b.in.rest(ctx, pause); err != nil {
			return count, err
		}
		if err := b.in.copyBlock(db, n, b.block); err != nil {
			return count, err
		}
		le.PutUint32(head[:], n)
		if err := b.w.part(partBlock, head[:], b.block); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// copyBlock copies a block as it is at this moment.
func (in *Instance) copyBlock(db *database, n uint32, b []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.dead.Load():
		return ErrCrashed
	case !db.mounted || db.leaving:
		return db.fail("read", ErrNotMounted)
	}
	if err := db.sealed(n, b); err != nil {
		return db.fail("read", err)
	}
	return nil
}

// finish writes the trailer; when the file is whole, and while updates are still
// held, what it holds is no longer marked as changed.
func (b *backup) finish() error {
	for i, db := range b.dbs {
		b.info.Databases[i].FileSize = int64(db.label.blocks) * BlockSize
	}
	if b.opts.Digests {
		b.res.Digests = map[string]Digest{}
		for _, db := range b.dbs {
			d, err := digest(b.in.live(db))
			if err != nil {
				return db.fail("read", err)
			}
			b.res.Digests[db.dir] = d
		}
	}
	if err := b.w.json(partTrailer, b.info); err != nil {
		return err
	}
	if err := b.w.close(); err != nil {
		return err
	}
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	if b.in.dead.Load() {
		return ErrCrashed
	}
	b.res.Ended, b.res.Blocks, b.res.Bytes = b.in.cfg.Now(), b.info.Blocks, b.w.n
	err := b.in.record(HistoryEntry{
		Time: b.res.Began, Type: b.opts.Type, Complete: true, Description: b.opts.Description,
		Device: b.opts.Path, Log: b.opts.Log, Databases: b.opts.Databases,
	})
	if err != nil {
		return err
	}
	for _, db := range b.dbs {
		if err := db.unmark(b.opts.Type); err != nil {
			return err
		}
	}
	return nil
}

// unmark clears the bitmaps that a backup of a type is the end of. Its blocks came
// from memory, so nothing that is only there can be missed.
func (db *database) unmark(t BackupType) error {
	maps := []uint32{blockChanged}
	if t == Full {
		maps = append(maps, blockCumulative)
	}
	if db.readOnly {
		return nil
	}
	for _, m := range maps {
		p, err := db.get(m)
		if err != nil {
			return err
		}
		clear(p.b[offBitmap:])
		db.touch(p)
	}
	return nil
}
