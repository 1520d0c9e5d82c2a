package practice

import (
	"context"
	"errors"
	"fmt"
	"os"

	"datfs/dbback/practice/storage"
)

// Fail arms a failure by its name in [Failures]; see [Remote.Fail].
func (i *Instance) Fail(name string, args ...string) error {
	a, err := parseArmed(name, args)
	if err != nil {
		return err
	}
	if err := i.beginState(i.ctx, a); err != nil {
		return fmt.Errorf("failure %s: %w", a, err)
	}
	return i.arms.add(a)
}

// ClearFailures disarms all failures, and takes back those that are a state of
// the instance.
func (i *Instance) ClearFailures() error {
	old, err := i.arms.clear()
	errs := []error{err}
	for _, a := range old {
		if err := i.endState(i.ctx, a); err != nil {
			errs = append(errs, fmt.Errorf("failure %s: %w", a, err))
		}
	}
	return errors.Join(errs...)
}

// beginState brings about what the failure a is a state of, if it is one.
func (i *Instance) beginState(ctx context.Context, a Armed) error {
	switch a.Name {
	case "open-transaction":
		return i.beginTransaction(ctx)
	case "stale-lock":
		return i.beginStaleLock(a)
	case "mirrored", "encrypted", "not-journaled", "wrong-blocks", "wrong-directory":
		_, err := i.named(a)
		return err
	case "dismounted", "read-only", "extension-volume", "unlisted":
		db, err := i.named(a)
		if err != nil {
			return err
		}
		return i.beginDatabaseState(ctx, a.Name, db)
	}
	return nil
}

// named returns the database that a failure names.
func (i *Instance) named(a Armed) (cpfDatabase, error) {
	db, ok := i.byName(a.Args[0])
	if !ok {
		return db, &UsageError{fmt.Errorf("there is no database %s", a.Args[0])}
	}
	return db, nil
}

func (i *Instance) beginDatabaseState(ctx context.Context, name string, db cpfDatabase) error {
	switch name {
	case "dismounted":
		return i.dismountEarly(ctx, db.Directory)
	case "read-only":
		if err := i.dismountEarly(ctx, db.Directory); err != nil {
			return err
		}
		return i.db.Mount(ctx, db.Directory, true)
	case "extension-volume":
		// What is in a further volume is not documented.
		return os.WriteFile(db.Directory+volumeName, make([]byte, 1<<20), 0o660)
	}
	return i.unlist(db.Name)
}

// dismountEarly is dismount also before the load exists.
func (i *Instance) dismountEarly(ctx context.Context, dir string) error {
	if i.load != nil {
		return i.dismount(ctx, dir)
	}
	err := i.db.Dismount(ctx, dir)
	if errors.Is(err, storage.ErrNotMounted) {
		return nil
	}
	return err
}

// unlist takes a database from the backup list, which becomes an explicit one if
// it is empty.
func (i *Instance) unlist(name string) error {
	if len(i.backups.list()) == 0 {
		for _, db := range i.backupSet() {
			if err := i.backups.include(db.Name); err != nil {
				return err
			}
		}
	}
	_, err := i.backups.exclude(name)
	return err
}

// endState takes back what beginState did.
func (i *Instance) endState(ctx context.Context, a Armed) error {
	switch a.Name {
	case "open-transaction":
		i.mu.Lock()
		txn := i.txn
		i.txn = nil
		i.mu.Unlock()
		if txn != nil {
			return txn.Rollback(ctx)
		}
		return nil
	case "stale-lock":
		return i.endStaleLock(ctx, a)
	case "dismounted", "read-only", "extension-volume", "unlisted":
	default:
		return nil
	}
	db, err := i.named(a)
	if err != nil {
		return err
	}
	switch a.Name {
	case "unlisted":
		return i.backups.include(db.Name)
	case "extension-volume":
		return os.Remove(db.Directory + volumeName)
	}
	if err := i.dismount(ctx, db.Directory); err != nil {
		return err
	}
	return i.mount(ctx, db.Directory)
}

// beginTransaction leaves a transaction open and switches the journal.
func (i *Instance) beginTransaction(ctx context.Context) error {
	dbs := i.databases()
	dir := ""
	for _, db := range dbs {
		if info, err := i.db.Database(db.Directory); err == nil && info.Mounted && !info.ReadOnly && !info.NoJournal && !isSystem(db.Name) {
			dir = db.Directory
			break
		}
	}
	if dir == "" {
		return errors.New("no database of the user's is mounted read-write")
	}
	txn, err := i.db.Begin(ctx)
	if err != nil {
		return err
	}
	if err := txn.Set(ctx, dir, "OPEN", "left", []byte("open")); err != nil {
		return errors.Join(err, txn.Rollback(ctx))
	}
	i.mu.Lock()
	old := i.txn
	i.txn = txn
	i.mu.Unlock()
	if old != nil {
		_ = old.Rollback(ctx) // only one is held
	}
	_, _, err = i.db.SwitchJournal(ctx)
	return err
}
