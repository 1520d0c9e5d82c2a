package dbback

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// makeDirs makes dir and what is missing above it. Owner and mode are set at
// once, so that they are right even after a kill, but the restoring user keeps
// the right to write until finishDirs.
func (r *restorer) makeDirs(dir string) error {
	st, err := os.Stat(dir)
	if err == nil && !st.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: unix.ENOTDIR}
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	d, known := r.dirs[dir]
	mode := fs.FileMode(0o755) // of the directory restored to; less the umask
	if known {
		mode = 0o700
	}
	if err := os.Mkdir(dir, mode); err != nil {
		return err
	}
	r.made = append(r.made, dir)
	if !known {
		return nil
	}
	r.tryOwner(dir, os.Lchown(dir, int(d.UID), int(d.GID)))
	return os.Chmod(dir, d.FileMode()|0o700)
}

// finishDirs gives the directories made their final mode and time, and syncs
// them and the directories that name them. The innermost come first: below one
// that the restoring user may not search, nothing can be done any more.
func (r *restorer) finishDirs() error {
	var failed []error
	for _, dir := range slices.Backward(r.made) {
		if d, known := r.dirs[dir]; known {
			failed = append(failed, os.Chmod(dir, d.FileMode()), setModTime(dir, d.ModTime))
		}
		failed = append(failed, syncDir(dir), syncDir(filepath.Dir(dir)))
	}
	return errors.Join(failed...)
}

// tryOwner takes the result of setting an owner. Not being allowed to, or a user
// that does not exist here, is a warning: the content is worth having all the
// same.
func (r *restorer) tryOwner(path string, err error) {
	if err != nil {
		r.notOwned = append(r.notOwned, path)
		r.ownerErr = err
	}
}

// setModTime sets the modification time of a path, and leaves the access time.
func setModTime(path string, t time.Time) error {
	mtime := unix.NsecToTimespec(t.UnixNano())
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "set time of", Path: path, Err: err}
	}
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
