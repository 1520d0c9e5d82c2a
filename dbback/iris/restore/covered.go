package restore

import (
	"errors"
	"fmt"
	"slices"

	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// removeLeft removes the directory of another restore. Whoever owns the instance can
// have it found, through a link, anywhere: it goes only if it is the owner's, who could
// remove it himself, and still has the state for which it is removed; and nothing goes
// that is put in its place meanwhile.
func (r *restoration) removeLeft(u session.Unfinished) (err error) {
	dir, err := r.findLeft(u.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.close()) }()
	lock, err := dbback.LockDir(dir.at(".")) // of one that is at work
	if err != nil {
		return dir.said(err)
	}
	defer func() { _ = lock.Close() }()
	var now session.Unfinished
	ok, err := session.ReadState(dir.at(session.StateName), &now, &now)
	if err != nil {
		return dir.said(err)
	}
	if !ok || now.Key != u.Key || !slices.Equal(now.Dirs, u.Dirs) {
		return fmt.Errorf("%s was changed just now: look what it is", dir.path)
	}
	return dir.remove()
}

// findLeft opens that directory: it is that of the instance with the sessions, or of
// the one that got its databases back.
func (r *restoration) findLeft(path string) (*ownedDir, error) {
	owners := []*dbback.Owner{r.plan.opts.owner}
	if r.plan.Way == WayEverything {
		owners = append(owners, ownerOf(r.plan.manager()))
	}
	var dir *ownedDir
	var err error
	for _, owner := range owners {
		if dir, err = findOwned(path, owner); err == nil {
			return dir, nil
		}
	}
	return nil, err
}
