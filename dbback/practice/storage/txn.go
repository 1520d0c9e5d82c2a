package storage

import (
	"context"
	"errors"
	"slices"
)

// A Txn is a transaction. Keys that it changed or read are locked for others until
// its end. It is for one goroutine at a time.
type Txn struct {
	in     *Instance
	id     uint64
	first  int // number of the journal file it began in
	undo   []undo
	locked []lockKey
	done   bool
	given  bool // up: to be rolled back when updates are no longer held
}

// Begin begins a transaction.
func (in *Instance) Begin(ctx context.Context) (*Txn, error) {
	if err := in.enter(ctx); err != nil {
		return nil, err
	}
	defer in.mu.Unlock()
	t := &Txn{in: in, id: in.nextTxn, first: in.jrn.seq()}
	if err := in.log(&record{Type: recBegin, Txn: t.id}); err != nil {
		return nil, err
	}
	if err := in.oplog.end(recBegin, t.id); err != nil {
		return nil, err
	}
	in.nextTxn++
	in.txns[t.id] = t
	return t, nil
}

// enter locks the instance for the transaction.
func (t *Txn) enter(ctx context.Context) error {
	if err := t.in.enter(ctx); err != nil {
		return err
	}
	if t.done {
		t.in.mu.Unlock()
		return ErrDone
	}
	return nil
}

// Set sets a key.
func (t *Txn) Set(ctx context.Context, dir, global, key string, value []byte) error {
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.in.mu.Unlock()
	return t.in.set(t, cleanDir(dir), global, key, value)
}

// Kill removes a key, or the whole global if key is empty.
func (t *Txn) Kill(ctx context.Context, dir, global, key string) error {
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.in.mu.Unlock()
	return t.in.kill(t, cleanDir(dir), global, key)
}

// Get returns the value of a key, and whether it has one, and locks the key.
func (t *Txn) Get(ctx context.Context, dir, global, key string) (value []byte, found bool, err error) {
	if err := t.enter(ctx); err != nil {
		return nil, false, err
	}
	defer t.in.mu.Unlock()
	db, err := t.in.readable("get", dir)
	if err != nil {
		return nil, false, err
	}
	k := lockKey{db.dir, global, key}
	if err := t.in.lockedBy(t, k); err != nil {
		return nil, false, db.fail("get", err)
	}
	value, found, err = db.lookup(global, key)
	if err != nil {
		return nil, false, db.spoil("get", err)
	}
	t.in.locks[k] = t.id
	t.locked = append(t.locked, k)
	return slices.Clone(value), found, nil
}

// Commit ends the transaction.
func (t *Txn) Commit(ctx context.Context) error {
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.in.mu.Unlock()
	if err := t.in.log(&record{Type: recCommit, Txn: t.id}); err != nil {
		return err
	}
	t.finish()
	return t.in.oplog.end(recCommit, t.id)
}

// Rollback undoes the transaction. Nothing happens if it is finished. If ctx ends
// while updates are held, it is rolled back when they no longer are.
func (t *Txn) Rollback(ctx context.Context) error {
	err := t.enter(ctx)
	if err == nil {
		defer t.in.mu.Unlock()
		return t.in.rollback(t)
	}
	if errors.Is(err, ErrDone) {
		return nil
	}
	t.in.mu.Lock()
	defer t.in.mu.Unlock()
	if !t.done && len(t.in.holds) == 0 && !t.in.dead.Load() {
		return t.in.rollback(t)
	}
	t.given = true
	return err
}

// rollback undoes a transaction, with the mutex held: the updates that take its
// own back are journaled, then its end. A database that cannot be changed by now
// is left as it is.
func (in *Instance) rollback(t *Txn) error {
	var errs []error
	for _, u := range slices.Backward(t.undo) {
		db, err := in.writable("roll back", u.dir)
		if err == nil {
			err = in.update(t, db, u.record())
		}
		errs = append(errs, err)
	}
	if err := in.log(&record{Type: recRollback, Txn: t.id}); err != nil {
		return errors.Join(append(errs, err)...)
	}
	t.finish()
	return errors.Join(append(errs, in.oplog.end(recRollback, t.id))...)
}

// finish lets go of the transaction's locks.
func (t *Txn) finish() {
	t.done = true
	for _, k := range t.locked {
		delete(t.in.locks, k)
	}
	delete(t.in.txns, t.id)
}

// required returns the oldest journal file that has records of an open
// transaction, else the current one.
func (in *Instance) required() string {
	first := in.jrn.seq()
	for _, t := range in.txns {
		first = min(first, t.first)
	}
	return in.jrn.list[first]
}
