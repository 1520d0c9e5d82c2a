package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// The work directory belongs to the instance's owner, who must be able to read and
// to remove what is in it, and so can put anything in the place of any of it. A
// restore may run as root. So what root writes there, and gives to the owner, it
// writes in directories that it holds open and that are the owner's: whatever a
// path leads to meanwhile, nothing of anybody else's is reached.

// ownerOf returns who an instance's files belong to: the owner of its manager
// directory.
func ownerOf(mgr string) *dbback.Owner {
	var st syscall.Stat_t
	if err := syscall.Stat(mgr, &st); err != nil {
		return &dbback.Owner{UID: os.Getuid(), GID: os.Getgid()}
	}
	return &dbback.Owner{UID: int(st.Uid), GID: int(st.Gid)}
}

// ownDir makes a directory that the instance can write to, and those above it
// that are missing.
func ownDir(dir string, owner *dbback.Owner) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := ownDir(filepath.Dir(dir), owner); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o770); err != nil {
		return err
	}
	return session.GiveDir(dir, owner.UID, owner.GID)
}

// An ownedDir is a directory of the instance's owner that is held open.
type ownedDir struct {
	root  *os.Root
	self  *os.File // the directory itself
	path  string
	owner *dbback.Owner
}

// openOwned opens a directory in or below the work directory, and makes it if it is
// missing. A symbolic link, and a directory of somebody else's, are refused.
func (r *restoration) openOwned(dir string) (*ownedDir, error) {
	if err := ownDir(filepath.Clean(dir), r.plan.opts.owner); err != nil {
		return nil, err
	}
	return findOwned(dir, r.plan.opts.owner)
}

// findOwned opens a directory of the owner that is there.
func findOwned(dir string, owner *dbback.Owner) (*ownedDir, error) {
	dir = filepath.Clean(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &ownedDir{root: root, path: dir, owner: owner}
	if d.self, err = root.Open("."); err == nil {
		err = d.check()
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// A foreignError means that a directory belongs to somebody else than the instance's
// owner: no restore of datfs goes on with what is in it.
type foreignError struct{ text string }

func (e *foreignError) Error() string { return e.text }

// checkWork makes sure that the work directory is there, and the owner's.
func (r *restoration) checkWork() error {
	work, err := r.openOwned(r.plan.Work)
	if err != nil {
		return err
	}
	return work.close()
}

func (d *ownedDir) close() error {
	var err error
	if d.self != nil {
		err = d.self.Close()
	}
	return errors.Join(err, d.root.Close())
}

// check refuses what is not the directory of that name, or not the owner's. Who is
// not root makes directories of his own, and can do no harm with others.
func (d *ownedDir) check() error {
	named, err := os.Lstat(d.path)
	if err != nil {
		return err
	}
	opened, err := d.self.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(named, opened) {
		return fmt.Errorf("%s is a symbolic link, or was replaced just now: nothing is read or written through it; remove it", d.path)
	}
	st, ok := opened.Sys().(*syscall.Stat_t)
	if ok && os.Geteuid() == 0 && int(st.Uid) != d.owner.UID {
		return &foreignError{fmt.Sprintf("%s belongs to the user %d, not to the instance's owner %d: nothing is read or written in it; look what it is, and move it away", d.path, st.Uid, d.owner.UID)}
	}
	return nil
}

// at returns a path of a file in the directory that leads there whatever becomes of
// the directory's own.
func (d *ownedDir) at(name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.self.Fd(), name)
}

// said gives an error the name of the directory back, in place of at's.
func (d *ownedDir) said(err error) error {
	if err == nil {
		return nil
	}
	return &saidError{err, strings.TrimSuffix(d.at(""), "/"), d.path}
}

type saidError struct {
	error
	from, to string
}

func (e *saidError) Error() string { return strings.ReplaceAll(e.error.Error(), e.from, e.to) }
func (e *saidError) Unwrap() error { return e.error }

// write writes a file that the instance can read and remove, in place of whatever
// has its name.
func (d *ownedDir) write(name string, content []byte) error {
	f, err := d.create(name)
	if err != nil {
		return err
	}
	_ = f.Chown(d.owner.UID, d.owner.GID) // only root may; anybody else is the owner
	err = f.Chmod(0o660)
	if err == nil {
		_, err = f.Write(content)
	}
	return errors.Join(err, f.Close())
}

// create makes a file anew, in place of whatever has its name.
func (d *ownedDir) create(name string) (*os.File, error) {
	if err := d.root.RemoveAll(name); err != nil {
		return nil, err
	}
	return d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// replace writes a file that the owner alone can read, durably but for its name: the
// old one is there until the new one is.
func (d *ownedDir) replace(name string, content []byte) error {
	f, err := d.create(name + ".tmp")
	if err != nil {
		return err
	}
	_ = f.Chown(d.owner.UID, d.owner.GID) // only root may; anybody else is the owner
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return d.root.Rename(name+".tmp", name)
}

// remove removes the directory and what is in it, and nothing that has come to be in
// its place.
func (d *ownedDir) remove() error {
	entries, err := d.self.ReadDir(-1)
	for _, e := range entries {
		err = errors.Join(err, d.root.RemoveAll(e.Name()))
	}
	if err != nil {
		return err
	}
	if err := syscall.Rmdir(d.path); err != nil {
		return &fs.PathError{Op: "rmdir", Path: d.path, Err: err}
	}
	return nil
}

// mine removes what has one of the names and is not a file of its own: a symbolic
// link, or a file that has another name too, which may be anybody's.
func (d *ownedDir) mine(name string) error {
	info, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !session.Alone(info) {
		err = d.root.Remove(name)
	}
	return err
}

// share lets the instance read and write a file, whatever its mode was in the set.
func (d *ownedDir) share(name string) error {
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !session.Alone(info) {
		err = fmt.Errorf("%s was replaced just now", filepath.Join(d.path, name))
	}
	if err == nil {
		err = f.Chmod(0o660)
	}
	return errors.Join(err, f.Close())
}

// readAlone reads a file of the instance to give its content to the instance's
// owner: not through a link, behind which could be what he may not read, nor more of
// it than a list of journal files has.
func readAlone(path string) ([]byte, error) {
	text, err := session.ReadAlone(path, dbback.MaxJournalLog+1)
	if len(text) > dbback.MaxJournalLog {
		return nil, fmt.Errorf("%s has more than %d MiB: it is not read; move it aside, and the list of the set is used", path, dbback.MaxJournalLog>>20)
	}
	return text, err
}

// extract copies files of a set, by their indexes, to names in a directory that the
// instance reads.
func (r *restoration) extract(ctx context.Context, dir *ownedDir, set catalog.SetName, files map[int]string) error {
	place := make(map[int]string)
	for i, name := range files {
		if err := dir.mine(name); err != nil {
			return err
		}
		place[i] = dir.at(name)
	}
	opts := dbback.RestoreOptions{Set: set, Place: place, Owner: dir.owner, Progress: r.opts.Progress}
	if _, err := dbback.Restore(ctx, r.repo, opts); err != nil {
		return dir.said(err)
	}
	for _, name := range files {
		if err := dir.share(name); err != nil {
			return err
		}
	}
	return nil
}
