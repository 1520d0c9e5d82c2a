package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"datfs/catalog"
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

// hold makes a directory and locks it, until the run ends.
func (r *restoration) hold(dir string) error {
	if slices.ContainsFunc(r.holding, func(f *os.File) bool { return f.Name() == dir }) {
		return nil
	}
	const tries = 100 // that many others may have removed it again, as drills do
	for range tries {
		f, err := r.lockDir(dir)
		if err != nil {
			return err
		}
		if f != nil {
			r.holding = append(r.holding, f)
			return nil
		}
	}
	return fmt.Errorf("lock %s: it is removed again and again", dir)
}

// lockDir makes a directory and locks it. The file is nil if another one made or
// removed it meanwhile. A file system without locks is no reason not to restore.
func (r *restoration) lockDir(dir string) (*os.File, error) {
	f, err := (*os.File)(nil), ownDir(dir, r.plan.opts.owner)
	if err == nil {
		f, err = os.Open(dir)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("another restore or drill is at work in %s: %w", dir, catalog.ErrLocked), f.Close())
	}
	locked, err := f.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Stat(dir); err == nil && os.SameFile(locked, now) {
			return f, nil
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil, f.Close()
	}
	return nil, errors.Join(err, f.Close())
}

// letGo ends the locks.
func (r *restoration) letGo() {
	for _, f := range r.holding {
		_ = f.Close()
	}
	r.holding = nil
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
