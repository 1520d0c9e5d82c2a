package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// RestoreOptions says what to restore.
type RestoreOptions struct {
	Path     string
	All      bool // everything to where it was; Targets is ignored
	Targets  []RestoreTarget
	Progress func(ev RestoreProgress) // called in order, from one goroutine; may be nil
}

// A RestoreTarget is a database to restore.
type RestoreTarget struct {
	Source string
	Target string // "": the same
	Create bool   // make the target's directory if missing
}

// RestoreEvent says what a [RestoreProgress] is about.
type RestoreEvent string

// Events of a restore, in the order they come. Passes of the backup file follow
// each other; each has a begin and an end, or a skip, for every database.
const (
	Expanding     RestoreEvent = "expanding" // Target, FromBytes, ToBytes
	RestoreBegins RestoreEvent = "restoring" // Source, Target
	RestoreEnds   RestoreEvent = "restored"  // Source, Target, Blocks, Total, Elapsed
	SkipEnds      RestoreEvent = "skipped"   // Source, Blocks, Elapsed
	Mounted       RestoreEvent = "mounted"   // Target, Err
)

// RestoreProgress is one event of a restore.
type RestoreProgress struct {
	Event              RestoreEvent
	Time               time.Time
	Source, Target     string
	Blocks, Total      int64
	Elapsed            time.Duration
	FromBytes, ToBytes int64
	Err                error
}

// RestoreResult is what a restore did.
type RestoreResult struct {
	Info     *BackupInfo
	Blocks   map[string]int64 // by target directory
	Degraded map[string]error // targets whose structure is damaged afterwards
}

// flushBlocks is how many restored blocks are in memory before they are written.
const flushBlocks = 1024

// A restore is one in progress.
type restore struct {
	in    *Instance
	opts  RestoreOptions
	info  *BackupInfo
	dbs   []*database // by number in the backup file; nil: skipped
	total []int64
	res   *RestoreResult
}

// RestoreBackup applies a backup file to databases. The whole file is checked
// before anything is written (InterSystems: unknown). A target must be mounted
// read-write or mountable so; if it does not exist it is made, in its existing
// directory (documented) or, with Create, in a new one. A target that is too small
// grows (documented). Updates by others are held meanwhile. If the restore fails
// half-way, its targets are damaged, as the file they came from is not to blame:
// repeat it.
func (in *Instance) RestoreBackup(ctx context.Context, opts RestoreOptions) (*RestoreResult, error) {
	if !in.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	defer in.busy.Store(false)
	info, err := ReadBackup(ctx, opts.Path)
	if err != nil {
		return nil, err
	}
	hold := in.Hold()
	defer hold.Release()
	r := &restore{
		in: in, opts: opts, info: info, total: make([]int64, len(info.Databases)),
		res: &RestoreResult{Info: info, Blocks: map[string]int64{}, Degraded: map[string]error{}},
	}
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("restore %s: %w", opts.Path, err)
	}
	err = r.copyAll(ctx)
	err = errors.Join(err, in.Flush(ctx), r.reload())
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", opts.Path, err)
	}
	return r.res, nil
}

func (r *restore) tell(ev RestoreProgress) {
	if r.opts.Progress != nil {
		ev.Time = r.in.cfg.Now()
		r.opts.Progress(ev)
	}
}

// prepare finds, makes and mounts the targets, and makes them large enough.
func (r *restore) prepare(ctx context.Context) error {
	r.dbs = make([]*database, len(r.info.Databases))
	number := map[string]int{}
	for i, d := range r.info.Databases {
		number[d.Directory] = i
	}
	targets := r.opts.Targets
	if r.opts.All {
		targets = nil
		for _, d := range r.info.Databases {
			targets = append(targets, RestoreTarget{Source: d.Directory})
		}
	}
	for _, t := range targets {
		i, ok := number[cleanDir(t.Source)]
		if !ok {
			return &DatabaseError{Op: "restore", Directory: cleanDir(t.Source), Err: ErrNotInBackup}
		}
		if t.Target == "" {
			t.Target = t.Source
		}
		db, err := r.open(ctx, cleanDir(t.Target), r.info.Databases[i], t.Create)
		if err != nil {
			return err
		}
		r.dbs[i] = db
	}
	for i, db := range r.dbs {
		if db != nil {
			if err := r.grow(db, r.info.Databases[i].FileSize); err != nil {
				return err
			}
		}
	}
	return nil
}

// ErrNotInBackup is returned when a database is to be restored that the backup
// file does not have.
var ErrNotInBackup = errors.New("database is not in the backup file")

// open returns a target, mounted read-write.
func (r *restore) open(ctx context.Context, dir string, d BackupDatabase, create bool) (*database, error) {
	r.in.mu.Lock()
	_, err := r.in.mounted("restore", dir)
	r.in.mu.Unlock()
	if err != nil {
		there, err := exists(dir)
		if err == nil && !there && !create {
			_, err = os.Stat(dir)
		}
		if err == nil && !there {
			err = r.in.CreateDatabase(ctx, DatabaseSpec{Directory: dir, Resource: d.Resource, DoNotMount: true})
		}
		if err == nil {
			err = r.in.Mount(ctx, dir, false)
		}
		if err != nil {
			return nil, err
		}
	}
	r.in.mu.Lock()
	defer r.in.mu.Unlock()
	db, err := r.in.mounted("restore", dir)
	if err == nil && db.readOnly {
		err = db.fail("restore", ErrReadOnly)
	}
	return db, err
}

// grow makes the file of a target as large as the database that was backed up.
func (r *restore) grow(db *database, size int64) error {
	r.in.mu.Lock()
	st, err := db.f.Stat()
	if err == nil && st.Size() < size {
		err = db.f.Truncate(size)
	}
	r.in.mu.Unlock()
	if err != nil {
		return db.fail("expand", err)
	}
	if st.Size() < size {
		r.tell(RestoreProgress{Event: Expanding, Target: db.dir, FromBytes: st.Size(), ToBytes: size})
	}
	return nil
}

// copyAll applies the parts of the file in their order.
func (r *restore) copyAll(ctx context.Context) error {
	var (
		cur   = -1
		began time.Time
		count int64
	)
	end := func() {
		if cur >= 0 {
			r.passEnds(cur, count, r.in.cfg.Now().Sub(began))
		}
	}
	return readParts(ctx, r.opts.Path, func(typ byte, p []byte) error {
		switch typ {
		case partCopy:
			end()
			cur, count, began = int(le.Uint16(p[2:])), 0, r.in.cfg.Now()
			if db := r.dbs[cur]; db != nil {
				r.tell(RestoreProgress{Event: RestoreBegins, Source: r.info.Databases[cur].Directory, Target: db.dir})
			}
		case partBlock:
			count++
			if db := r.dbs[cur]; db != nil {
				return r.block(ctx, db, le.Uint32(p), p[4:])
			}
		case partTrailer:
			end()
		}
		return nil
	})
}

// passEnds tells how a pass over one database went.
func (r *restore) passEnds(i int, count int64, took time.Duration) {
	source, db := r.info.Databases[i].Directory, r.dbs[i]
	if db == nil {
		r.tell(RestoreProgress{Event: SkipEnds, Source: source, Blocks: count, Elapsed: took})
		return
	}
	r.total[i] += count
	r.res.Blocks[db.dir] = r.total[i]
	r.tell(RestoreProgress{
		Event: RestoreEnds, Source: source, Target: db.dir, Blocks: count, Total: r.total[i], Elapsed: took,
	})
}

// block puts a block in the place of what the target has there.
func (r *restore) block(ctx context.Context, db *database, n uint32, b []byte) error {
	r.in.mu.Lock()
	err := r.in.alive()
	if err == nil {
		err = db.replace(n, b)
	}
	full := db.dirty >= flushBlocks
	r.in.mu.Unlock()
	if err != nil {
		return db.fail("restore", err)
	}
	if full {
		return r.in.Flush(ctx)
	}
	return nil
}

// replace puts a block from a backup into the database. The label goes on naming
// the directory that this database is in.
func (db *database) replace(n uint32, b []byte) error {
	p := db.fresh(n)
	copy(p.b, b)
	if n == blockLabel {
		l, err := parseLabel(p.b)
		if err != nil {
			return err
		}
		l.directory = db.dir
		l.put(p.b)
		db.label = l
	}
	db.touch(p)
	return db.changed(n)
}

// reload makes the restored databases usable again.
func (r *restore) reload() error {
	for _, db := range r.dbs {
		if db == nil {
			continue
		}
		r.in.mu.Lock()
		err := r.in.alive()
		if err == nil {
			db.load()
			if db.degraded != nil {
				r.res.Degraded[db.dir] = db.degraded
			}
		}
		r.in.mu.Unlock()
		if err != nil {
			return err
		}
		r.tell(RestoreProgress{Event: Mounted, Target: db.dir})
	}
	return nil
}
