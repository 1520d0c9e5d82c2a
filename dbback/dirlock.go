package dbback

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// errInUse means that whoever works in a directory is still there.
var errInUse = fmt.Errorf("somebody is still at work in it, maybe a session or a command that outlived its datfs: %w", catalog.ErrLocked)

// LockDir locks a directory as long as the returned handle is open in any process.
// An engine locks the directory of a run and hands the lock on to all that works in
// it: so what outlives a datfs that was killed keeps the next one from removing the
// directory under it. The error is of the directory, or that somebody has it.
func LockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errInUse
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: dir, Err: err}, f.Close())
	}
	return f, nil
}

// RemoveUnused removes a directory with all that is in it, unless somebody has it
// locked; or a file.
func RemoveUnused(path string) error {
	lock, err := LockDir(path)
	if errors.Is(err, unix.ENOTDIR) {
		return os.RemoveAll(path)
	}
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return errors.Join(os.RemoveAll(path), lock.Close())
}
