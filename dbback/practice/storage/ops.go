package storage

import (
	"context"
	"slices"
)

// Set sets a key of a global. It waits while updates are held.
func (in *Instance) Set(ctx context.Context, dir, global, key string, value []byte) error {
	if err := in.enter(ctx); err != nil {
		return err
	}
	defer in.mu.Unlock()
	return in.set(nil, cleanDir(dir), global, key, value)
}

// Kill removes a key of a global, or the whole global if key is empty: then every
// key of it has a record in the journal. To kill what is not there is no error.
func (in *Instance) Kill(ctx context.Context, dir, global, key string) error {
	if err := in.enter(ctx); err != nil {
		return err
	}
	defer in.mu.Unlock()
	return in.kill(nil, cleanDir(dir), global, key)
}

// Get returns the value of a key, and whether it has one.
func (in *Instance) Get(dir, global, key string) (value []byte, found bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	db, err := in.readable("get", dir)
	if err != nil {
		return nil, false, err
	}
	value, found, err = db.lookup(global, key)
	if err != nil {
		return nil, false, db.spoil("get", err)
	}
	return slices.Clone(value), found, nil
}

// Next returns the first key of a global after the given one, "" if there is none.
func (in *Instance) Next(dir, global, key string) (string, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	db, err := in.readable("order", dir)
	if err != nil {
		return "", err
	}
	next, err := db.after(global, key)
	if err != nil {
		return "", db.spoil("order", err)
	}
	return next, nil
}

// Globals returns the names of the globals of a database, in order.
func (in *Instance) Globals(dir string) ([]string, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	db, err := in.readable("list the globals of", dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range db.globals {
		names = append(names, g.name)
	}
	return names, nil
}

// readable returns a database to be read.
func (in *Instance) readable(op, dir string) (*database, error) {
	db, err := in.mounted(op, dir)
	if err != nil {
		return nil, err
	}
	if err := db.usable(false); err != nil {
		return nil, db.fail(op, err)
	}
	return db, nil
}

// spoil makes a database degraded by an error in the middle of something.
func (db *database) spoil(op string, err error) error {
	db.degraded = err
	return db.fail(op, err)
}

// writable returns a database to be changed.
func (in *Instance) writable(op, dir string) (*database, error) {
	db, err := in.mounted(op, dir)
	if err != nil {
		return nil, err
	}
	if err := db.usable(true); err != nil {
		return nil, db.fail(op, err)
	}
	return db, nil
}

// set is Set with the mutex held. t may be nil.
func (in *Instance) set(t *Txn, dir, global, key string, value []byte) error {
	db, err := in.writable("set", dir)
	if err != nil {
		return err
	}
	if global == "" || len(global) > MaxName || key == "" || len(key) > MaxKey || len(value) > MaxValue {
		return db.fail("set", ErrTooLong)
	}
	return in.update(t, db, &record{Type: recSet, Dir: dir, Global: global, Key: key, New: value})
}

// kill is Kill with the mutex held.
func (in *Instance) kill(t *Txn, dir, global, key string) error {
	db, err := in.writable("kill", dir)
	if err != nil {
		return err
	}
	if key != "" {
		return in.update(t, db, &record{Type: recKill, Dir: dir, Global: global, Key: key})
	}
	var keys []string
	for {
		if key, err = db.after(global, key); err != nil {
			return db.spoil("kill", err)
		}
		if key == "" {
			break
		}
		if err := in.lockedBy(t, lockKey{dir, global, key}); err != nil {
			return db.fail("kill", err)
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		if err := in.update(t, db, &record{Type: recKill, Dir: dir, Global: global, Key: key}); err != nil {
			return err
		}
	}
	return nil
}

// lockedBy returns ErrLocked if another transaction than t changed the key.
func (in *Instance) lockedBy(t *Txn, key lockKey) error {
	owner := in.locks[key]
	if owner == 0 || t != nil && owner == t.id {
		return nil
	}
	return ErrLocked
}

// update does one SET or KILL: the journal first, then the blocks, then the
// oplog. Room is made before, so that what is in the journal does not fail.
func (in *Instance) update(t *Txn, db *database, r *record) error {
	op := "set"
	if r.Type == recKill {
		op = "kill"
	}
	key := lockKey{r.Dir, r.Global, r.Key}
	if err := in.lockedBy(t, key); err != nil {
		return db.fail(op, err)
	}
	old, had, err := db.lookup(r.Global, r.Key)
	if err != nil {
		return db.spoil(op, err)
	}
	if r.Type == recKill && !had {
		return nil
	}
	if r.Type == recSet {
		if err := db.reserve(r.Global); err != nil {
			return db.fail(op, err)
		}
	}
	if had {
		r.Flags, r.Old = r.Flags|recHadOld, slices.Clone(old)
	}
	if err := in.journal(t, db, r); err != nil {
		return db.fail(op, err)
	}
	if err := db.apply(r); err != nil {
		return db.spoil(op, err)
	}
	if err := in.oplog.update(r); err != nil {
		return err
	}
	if t != nil {
		if r.Flags&recUndo == 0 && r.Txn != 0 {
			t.undo = append(t.undo, undoOf(r))
		}
		in.locks[key] = t.id
		t.locked = append(t.locked, key)
	}
	return nil
}

// journal writes the record of an update, unless the database is not journaled.
// What is not journaled is not part of its transaction either: InterSystems
// documents that it is not rolled back.
func (in *Instance) journal(t *Txn, db *database, r *record) error {
	if db.label.noJournal {
		return nil
	}
	if t != nil {
		r.Txn = t.id
	}
	return in.log(r)
}

// log writes a record, in a new file if the current one is full.
func (in *Instance) log(r *record) error {
	if in.jrn.end >= in.cfg.JournalSize {
		if err := in.rotate(); err != nil {
			return err
		}
	}
	_, err := in.jrn.append(r)
	return err
}

// apply changes the blocks as a SET or KILL says.
func (db *database) apply(r *record) error {
	if r.Type == recKill {
		return db.remove(r.Global, r.Key)
	}
	return db.put(r.Global, r.Key, r.New)
}

// An undo is what takes one update back.
type undo struct {
	dir, global, key string
	had              bool
	old              []byte
}

func undoOf(r *record) undo {
	return undo{r.Dir, r.Global, r.Key, r.Flags&recHadOld != 0, r.Old}
}

// record returns the update that takes it back.
func (u undo) record() *record {
	if u.had {
		return &record{Type: recSet, Flags: recUndo, Dir: u.dir, Global: u.global, Key: u.key, New: u.old}
	}
	return &record{Type: recKill, Flags: recUndo, Dir: u.dir, Global: u.global, Key: u.key}
}
