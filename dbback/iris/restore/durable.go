package restore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// syncDir makes the names in a directory durable. A variable for tests.
var syncDir = func(dir string) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0) // not a pipe in its place
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// madeAbove is how many directories above that of a restore may have been made for
// it: datfs, and Backup, in the manager directory.
const madeAbove = 3

// syncDirs makes the name of the state durable; at the first time also those of the
// directories that it is in.
func (r *restoration) syncDirs() error {
	dir := r.plan.Work
	if err := syncDir(dir); err != nil || r.synced {
		return err
	}
	for range madeAbove {
		dir = filepath.Dir(dir)
		// One that cannot be read was not made by this process.
		if err := syncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	r.synced = true
	return nil
}
