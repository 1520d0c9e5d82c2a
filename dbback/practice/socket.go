package practice

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	socketName = "practice.sock"
	lockName   = "practice.lock"

	// maxSocketPath is what fits into a socket's address on Linux, with the zero
	// that ends it.
	maxSocketPath = 107
)

// withSocketPath calls fn with a path of the socket in dir that fits into a
// socket's address. A directory whose own path is too long is gone through by
// way of a file descriptor.
func withSocketPath(dir string, fn func(path string) error) error {
	if path := filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return fn(path)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return fn(filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), socketName))
}

// listen makes the socket of the instance in dir, for its owner alone. The
// caller holds the instance's lock, so a socket that is there is a dead one.
func listen(dir string) (l *net.UnixListener, err error) {
	if err := removeSocket(dir); err != nil {
		return nil, err
	}
	err = withSocketPath(dir, func(path string) error {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false) // its path may be good only for now; removeSocket does it
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		if l != nil {
			_ = l.Close()
		}
		return nil, fmt.Errorf("listen in %s: %w", dir, err)
	}
	return l, nil
}

func removeSocket(dir string) error {
	err := os.Remove(filepath.Join(dir, socketName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// dial connects to the instance in dir. The error is ErrDown if none is running.
func dial(dir string) (conn *net.UnixConn, err error) {
	err = withSocketPath(dir, func(path string) error {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", dir, ErrDown)
	}
	return nil, fmt.Errorf("connect to the instance in %s: %w", dir, err)
}

// takeLock takes the lock that a running instance holds. It ends with the
// process, however that ends. The error is ErrRunning if another one has it.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, ErrRunning)
		}
		return nil, fmt.Errorf("lock %s: %w", filepath.Join(dir, lockName), err)
	}
	return f, nil
}
