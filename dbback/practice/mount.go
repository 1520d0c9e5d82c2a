package practice

import (
	"context"
	"errors"

	"datfs/dbback/practice/storage"
)

// errArmed is in the status of what an armed failure lets fail.
var errArmed = errors.New("an armed failure wants it so")

// mountMethod is Mount of an object of SYS.Database, and MountDatabase of a
// directory, which need not be in the configuration. It returns 1, as seen by
// InterSystems staff, or an error status. Beside an iris.lck of another node the
// database is read-only (seen in public reports), which is no error here.
func (i *Instance) mountMethod(c *call, dir string) (value, error) {
	dir = slashed(dir)
	switch {
	case i.strikes("mount-fails", dir):
		return statusError(&storage.DatabaseError{Op: "mount", Directory: dir, Err: errArmed}), nil
	case i.strikes("mount-does-nothing", dir):
		return statusOK, nil
	case i.strikes("mount-read-only", dir):
		if err := storage.LeaveLock(dir); err != nil {
			return statusError(err), nil
		}
	}
	return statusError(i.mount(c, dir)), nil
}

// dismountMethod is Dismount and DismountDatabase. The trap of a mirrored database
// was seen in a public report.
func (i *Instance) dismountMethod(c *call, dir string) (value, error) {
	dir = slashed(dir)
	switch {
	case i.flagged("mirrored", dir) != nil:
		return nil, &trapError{name: "<PROTECT>", location: "Dismount+6^SYS.Database.1"}
	case i.strikes("dismount-fails", dir):
		return statusError(&storage.DatabaseError{Op: "dismount", Directory: dir, Err: errArmed}), nil
	case i.strikes("dismount-does-nothing", dir):
		return statusOK, nil
	}
	err := i.dismount(c, dir)
	if err == nil && i.strikes("dismount-leaves-lock", dir) {
		err = storage.LeaveLock(dir)
	}
	return statusError(err), nil
}

// beginStaleLock is the state stale-lock.
func (i *Instance) beginStaleLock(a Armed) error {
	dir, err := i.placed(a)
	if err != nil {
		return err
	}
	return storage.LeaveLock(dir)
}

// endStaleLock takes the lock away, if it is still there, and with it what it has
// made of the database.
func (i *Instance) endStaleLock(ctx context.Context, a Armed) error {
	dir, err := i.placed(a)
	if err != nil {
		return err
	}
	there, err := storage.RemoveLeftLock(dir)
	if err != nil || !there {
		return err
	}
	info, err := i.db.Database(dir)
	if err != nil || !info.Mounted {
		return err
	}
	if err := i.dismount(ctx, dir); err != nil {
		return err
	}
	return i.mount(ctx, dir)
}

// placed returns the directory of the database that a failure names, by its name
// or its directory.
func (i *Instance) placed(a Armed) (string, error) {
	if i.exists(a.Args[0]) {
		return slashed(a.Args[0]), nil
	}
	db, err := i.named(a)
	return db.Directory, err
}
