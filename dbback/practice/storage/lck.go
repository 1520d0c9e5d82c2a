package storage

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// lckContent is what iris.lck holds: the length of the directory, the directory,
// five bytes whose meaning is unknown, the name of the node and a zero (seen in
// one file of InterSystems). The number of the session after it is the practice
// instance's own.
func lckContent(dir, node string, session int64) []byte {
	b := []byte{byte(min(len(dir), 255))}
	b = append(b, dir[:min(len(dir), 255)]...)
	b = append(b, 1, 8, 0, 0, 0x10)
	b = append(b, node...)
	b = append(b, 0)
	b = strconv.AppendInt(b, session, 10)
	return append(b, 0)
}

// takeLck makes iris.lck in the directory of a database. If one is there, it is
// taken over only if it is that of a run of this instance which crashed. Any other
// makes the database mount read-only (seen in the field), and free is false.
func takeLck(dir, node string, session int64, past []int64) (free bool, err error) {
	path := filepath.Join(dir, lckName)
	old, err := os.ReadFile(path)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		return false, err
	case !slices.ContainsFunc(past, func(s int64) bool { return bytes.Equal(old, lckContent(dir, node, s)) }):
		return false, nil
	}
	return true, os.WriteFile(path, lckContent(dir, node, session), 0o660)
}

// dropLck removes the lock of this run; another is left alone.
func dropLck(dir, node string, session int64) error {
	path := filepath.Join(dir, lckName)
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(b, lckContent(dir, node, session)) {
		return nil //nolint:nilerr // a lock that is gone need not be removed
	}
	return os.Remove(path)
}

// otherNode is the node in the iris.lck that [LeaveLock] makes.
const otherNode = "elsewhere:OTHER"

// LeaveLock makes an iris.lck in the directory of a database as a mount by another
// node leaves it, in the place of one that is there. Whoever mounts the database
// next gets it read-only, until the file is removed.
func LeaveLock(dir string) error {
	dir = cleanDir(dir)
	return os.WriteFile(filepath.Join(dir, lckName), lckContent(dir, otherNode, 1), 0o660)
}

// RemoveLeftLock removes the iris.lck that [LeaveLock] made, and reports whether
// it was still there. A lock of a mount is left alone.
func RemoveLeftLock(dir string) (bool, error) {
	dir = cleanDir(dir)
	path := filepath.Join(dir, lckName)
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) || err == nil && !bytes.Equal(b, lckContent(dir, otherNode, 1)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, os.Remove(path)
}
