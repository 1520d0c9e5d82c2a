package dbback

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// partialSuffix names the marker beside a target whose content is not whole.
const partialSuffix = ".datfs-partial"

// markerText is in every marker.
const markerText = " is being restored from "

// markerPath returns the name of the marker of a target. Names may have 255
// bytes: of a long one the end is left out.
func markerPath(target string) string {
	dir, base := filepath.Split(target)
	return dir + base[:min(len(base), 255-len(partialSuffix))] + partialSuffix
}

// RemoveTarget removes a file that a restore made, whole or not, with its marker.
func RemoveTarget(target string) error {
	var failed []error
	for _, path := range []string{target, markerPath(target)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// openMarker opens the marker, if it is one: a file of that name that somebody
// else has made is left alone.
func openMarker(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 1024)
	n, err := f.ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	st, serr := f.Stat()
	if err = errors.Join(err, serr); err == nil && (st.Sys().(*syscall.Stat_t).Nlink != 1 ||
		n > 0 && !strings.Contains(string(head[:n]), markerText)) {
		err = fmt.Errorf("%s is in the way: it is not the marker of an interrupted restore; move it away", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockTarget takes the target for this restore: two that write one file would
// leave a mixture. A file system without locks is no reason not to restore.
func lockTarget(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("another restore is writing it: %w", catalog.ErrLocked)
	}
	return nil
}
