package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// A placeAct takes the directories that databases are restored to, elsewhere, for
// this run: two that restore to one place, through different instances, would write
// and remove each other's files. What has come to be there since the look is not
// overwritten.
type placeAct struct{ p *Plan }

func (c *placeAct) show(*book) {}

func (c *placeAct) run(_ context.Context, r *restoration) error {
	if err := r.holdPlaces(); err != nil {
		return err
	}
	if err := r.isFree(); err != nil {
		return err
	}
	for _, path := range c.p.Existing() {
		if !slices.Contains(r.there, path) && !r.opts.Drill {
			return refuse("%s has come to be there since this restore looked: another one may have made it", path)
		}
	}
	r.state.Copied = true
	return r.save()
}

// holdPlaces takes the directories that are restored to.
func (r *restoration) holdPlaces() error {
	dirs := r.plan.dirs()
	slices.Sort(dirs) // two take them in the same order
	for _, dir := range dirs {
		if err := r.hold(filepath.Clean(dir)); err != nil {
			return err
		}
	}
	return nil
}

// A heldDir is a directory that databases are restored to, locked.
type heldDir struct {
	path string
	lock *os.File
}

// hold makes a directory and locks it, until the run ends.
func (r *restoration) hold(dir string) error {
	if slices.ContainsFunc(r.holding, func(h heldDir) bool { return h.path == dir }) {
		return nil
	}
	const tries = 100 // that many others may have removed it again, as drills do
	for range tries {
		err := ownDir(dir, r.plan.opts.owner)
		at := dir
		if err == nil {
			at, err = filepath.EvalSymlinks(dir) // it may be a link, if somebody said so
		}
		var lock *os.File
		if err == nil {
			lock, err = lockDir(at)
		}
		switch {
		case errors.Is(err, catalog.ErrLocked):
			return fmt.Errorf("another restore or drill is at work in %s: %w", dir, catalog.ErrLocked)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist): // another one made or removed it meanwhile
		case err != nil:
			return err
		default:
			r.holding = append(r.holding, heldDir{dir, lock})
			return nil
		}
	}
	return fmt.Errorf("lock %s: it is removed again and again", dir)
}

// lockDir locks a directory that is there: the error is fs.ErrNotExist too if it was
// removed while it was locked. A file system without locks is no reason not to restore.
func lockDir(dir string) (*os.File, error) {
	f, err := dbback.LockDir(dir)
	if failed, ok := errors.AsType[*fs.PathError](err); ok && failed.Op == "lock" && !errors.Is(err, catalog.ErrLocked) {
		f, err = os.Open(dir)
	}
	if err != nil {
		return nil, err
	}
	locked, err := f.Stat()
	var now fs.FileInfo
	if err == nil {
		now, err = os.Lstat(dir)
	}
	if err == nil && !os.SameFile(locked, now) {
		err = &fs.PathError{Op: "lock", Path: dir, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// letGo ends the locks.
func (r *restoration) letGo() {
	for _, h := range r.holding {
		_ = h.lock.Close()
	}
	r.holding = nil
}

// lockWork makes sure that the work directory is there and the owner's, and locks it,
// until the run ends: another run, through another instance, can mean the same one.
// Sessions have the lock too: what outlives a datfs that was killed is still at work.
func (r *restoration) lockWork() error {
	if err := r.checkWork(); err != nil || r.working {
		return err
	}
	lock, err := lockDir(r.plan.Work)
	if err != nil {
		return fmt.Errorf("work directory %s: %w", r.plan.Work, err)
	}
	r.working = true
	r.instance.Hold(lock)
	return nil
}

// lockOldWork locks the work directory if runs before this one have left one.
func (r *restoration) lockOldWork() error {
	if _, err := os.Lstat(r.plan.Work); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return r.lockWork()
}

// lockNewWork is lockWork of a run that takes its first step.
func (r *restoration) lockNewWork() error {
	had := r.working
	if err := r.lockWork(); err != nil || had {
		return err
	}
	if _, err := os.Lstat(r.stateFile()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("another restore has begun in %s since this one looked: run it again", r.plan.Work)
	}
	return nil
}

// atWork returns an error if somebody is at work with a restore that has not ended.
func atWork(u *session.Unfinished) error {
	lock, err := lockDir(u.Dir)
	if errors.Is(err, catalog.ErrLocked) {
		return fmt.Errorf("the restore of %s is at work in %s: %w", u.Set, u.Dir, err)
	}
	if err == nil {
		_ = lock.Close()
	}
	return nil // of what else is wrong others tell
}

// mayRemove returns whether what lies in the places of a drill is its own: it has begun
// to write there, now or in a run before this one, and this run has them locked.
func (r *restoration) mayRemove() bool { return r.state.Copied && len(r.holding) > 0 }

// existing returns those of the files that there are.
func existing(paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}
