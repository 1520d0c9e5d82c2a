package fs

import (
	"container/list"
	"fmt"
	"slices"
	"sync"

	"datfs/catalog"
)

// maxIdle is how many sets a mount keeps open that nobody reads just now.
const maxIdle = 64

// openSets opens sets when a file of them is opened, and shares them. Some stay
// open afterwards, for a program that opens one file after the other.
type openSets struct {
	limit int                                         // of idle ones
	open  func(catalog.SetName) (*catalog.Set, error) // catalog.Repository.OpenSet

	mu   sync.Mutex
	all  map[*openSet]bool // that are or may be open
	idle list.List         // of *openSet without users, the longest idle first
}

// An openSet is a set that is open, or being opened. It stays readable until
// its last user has released it, also if the set is removed meanwhile.
type openSet struct {
	of   *set
	wait func() (*catalog.Set, error) // opens it or waits for who does

	// Guarded by openSets.mu.
	users int
	idle  *list.Element // in openSets.idle, nil while there are users
}

// acquire returns s, open. The caller must release it.
func (o *openSets) acquire(s *set) (*openSet, *catalog.Set, error) {
	o.mu.Lock()
	if s.open == nil {
		s.open = &openSet{of: s}
		s.open.wait = sync.OnceValues(func() (*catalog.Set, error) { return o.open(s.info.SetName()) })
		if o.all == nil {
			o.all = make(map[*openSet]bool)
		}
		o.all[s.open] = true
	}
	u := s.open
	u.users++
	if u.idle != nil {
		o.idle.Remove(u.idle)
		u.idle = nil
	}
	o.mu.Unlock()

	opened, err := u.wait() // not under the lock: this reads from disk
	if err != nil {
		o.release(u)
		return nil, nil, err
	}
	return u, opened, nil
}

// release undoes one acquire.
func (o *openSets) release(u *openSet) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if u.users--; u.users > 0 {
		return
	}
	if _, err := u.wait(); err != nil || u.of.gone {
		o.drop(u)
		return
	}
	u.idle = o.idle.PushBack(u)
	if o.idle.Len() > o.limit {
		o.drop(o.idle.Front().Value.(*openSet))
	}
}

// forget is called when the set is replaced or removed: nobody acquires it any
// more, and its last user closes it.
func (o *openSets) forget(s *set) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.gone = true
	if s.open != nil && s.open.users == 0 {
		o.drop(s.open)
	}
}

// closeAll closes every set. Nobody may be reading.
func (o *openSets) closeAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for u := range o.all {
		o.drop(u)
	}
}

// drop closes a set without users. The error of closing what was only read
// tells nothing.
func (o *openSets) drop(u *openSet) {
	if opened, err := u.wait(); err == nil {
		_ = opened.Close()
	}
	if u.idle != nil {
		o.idle.Remove(u.idle)
		u.idle = nil
	}
	u.of.open = nil
	delete(o.all, u)
}

// fileAt returns the i-th file of s from opened, which is s as it is now: while
// it is still being written the order may have changed, so the path decides.
func fileAt(opened *catalog.Set, s *set, i int) (*catalog.File, error) {
	want, now := &s.info.Files[i], opened.Info().Files
	is := func(f catalog.FileInfo) bool { return f.Path == want.Path && f.Section == want.Section }
	if i >= len(now) || !is(now[i]) {
		i = slices.IndexFunc(now, is)
	}
	if i < 0 {
		return nil, fmt.Errorf("%s in set %s: %w", want.Path, s.info.SetName(), catalog.ErrNotFound)
	}
	return opened.File(i), nil
}
