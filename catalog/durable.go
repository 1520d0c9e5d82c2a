package catalog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// A disk does the durable steps of a repository. This is the only file of the
// package that syncs, renames or removes, and every such step goes to trace, so
// that a test can hold their order against a golden file. Names are relative to
// the repository.
type disk struct {
	dir   string
	trace func(step, name string) // nil outside tests
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *disk) did(step, name string) {
	if d.trace != nil {
		d.trace(step, name)
	}
}

// mkdir makes the directory name, if there is none, and makes that durable.
func (d *disk) mkdir(name string) error {
	err := os.Mkdir(d.path(name), 0o700)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err == nil {
		d.did("mkdir", name)
	}
	d.giveToOwner(name)
	// Also if it was there: who made it may have been killed before this.
	return d.syncDir(filepath.Dir(name))
}

// create makes a new file for writing.
func (d *disk) create(name string) (*os.File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		d.did("create", name)
		d.giveToOwner(name)
	}
	return f, err
}

// lock takes the lock on the file name, see lockFile.
func (d *disk) lock(name string, mode LockMode) (*fileLock, error) {
	l, err := lockFile(d.path(name), mode)
	d.giveToOwner(name)
	return l, err
}

// waitForLock takes the lock on the file name, see waitForLock.
func (d *disk) waitForLock(name string) (*fileLock, error) {
	l, err := waitForLock(d.path(name))
	d.giveToOwner(name)
	return l, err
}

// giveToOwner gives what root has made to the owner of the repository's directory:
// a backup or a restore may need root, and the next one of the repository's owner
// has to read, lock and remove what it left. What else was root's and was put in
// the name's place, by a link, is not given. Where a disk refuses all this, things
// are as they are for all that root makes there.
func (d *disk) giveToOwner(name string) {
	if os.Geteuid() != 0 {
		return
	}
	f, err := os.OpenFile(d.path(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	var it, dir syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &it) != nil || syscall.Stat(d.dir, &dir) != nil {
		return
	}
	linked := it.Mode&syscall.S_IFMT == syscall.S_IFREG && it.Nlink > 1
	if it.Uid == 0 && dir.Uid != 0 && !linked {
		_ = f.Chown(int(dir.Uid), int(dir.Gid))
	}
}

// sync makes what was written to f survive a power cut.
func (d *disk) sync(f *os.File, name string) error {
	if err := f.Sync(); err != nil {
		return err
	}
	d.did("sync", name)
	return nil
}

// syncDir makes the entries of a directory survive a power cut.
func (d *disk) syncDir(name string) error {
	f, err := os.Open(d.path(name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	d.did("sync", filepath.Clean(name))
	return nil
}

// publish makes the synced file f, so far called temp, final under the name
// final: read-only, renamed, and its directory synced. It closes f.
func (d *disk) publish(f *os.File, temp, final string) error {
	err := d.sync(f, temp)
	if err == nil {
		err = f.Chmod(0o400)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(d.path(temp), d.path(final)); err != nil {
		return err
	}
	d.did("rename", final)
	return d.syncDir(filepath.Dir(final))
}

// replace makes the file name hold data: after a crash at any moment it is
// either as it was or as it should be.
func (d *disk) replace(name string, data []byte) error {
	temp := name + ".tmp"
	if err := d.remove(temp); err != nil {
		return err
	}
	f, err := d.create(temp)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close(), d.remove(temp))
	}
	return d.publish(f, temp, name)
}

// swap makes the file temp take the place of name, durably.
func (d *disk) swap(temp, name string) error {
	d.giveToOwner(temp)
	if err := os.Rename(d.path(temp), d.path(name)); err != nil {
		return err
	}
	d.did("rename", name)
	return d.syncDir(filepath.Dir(name))
}

// remove removes a file, if it is there.
func (d *disk) remove(name string) error {
	err := os.Remove(d.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		d.did("remove", name)
	}
	return err
}

// emptyDir reports whether a directory holds nothing but what keep allows.
func emptyDir(dir string, keep func(name string) bool) (bool, error) {
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	for {
		names, err := f.Readdirnames(256)
		for _, name := range names {
			if !keep(name) {
				return false, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}
