package catalog

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A LockMode says what else may use the repository meanwhile.
type LockMode int

// Shared is for whoever reads or adds: backup, mount, restore, listing.
// Exclusive is for whoever takes away or makes anew: rebuild, prune.
const (
	Shared LockMode = iota
	Exclusive
)

// A fileLock is a lock on a file of the repository. It belongs to the open file
// and ends with the process that holds it, however that ends: there are no
// stale locks to remove. (An open file description lock rather than flock: it
// can be asked for without being taken, which is how a listing tells a running
// backup from one that was killed.)
type fileLock struct{ f *os.File }

// lockFile takes the lock on path without waiting. It returns ErrLocked if
// another open file has it.
func lockFile(path string, mode LockMode) (*fileLock, error) {
	how, flags := int16(unix.F_RDLCK), os.O_RDONLY|os.O_CREATE
	if mode == Exclusive {
		how, flags = unix.F_WRLCK, os.O_RDWR|os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	l := unix.Flock_t{Type: how}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
	if err == nil {
		return &fileLock{f}, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("lock %s: %w", path, ErrLocked)
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// waitForLock takes the exclusive lock on path when whoever has it is done. It is
// for what takes a moment only.
func waitForLock(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		l := unix.Flock_t{Type: unix.F_WRLCK}
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &l)
		if err == nil {
			return &fileLock{f}, nil
		}
		if !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// release gives the lock back.
func (l *fileLock) release() error { return l.f.Close() }

// isLocked reports whether somebody holds the exclusive lock on path.
func isLocked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	l := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false
	}
	return l.Type != unix.F_UNLCK
}
