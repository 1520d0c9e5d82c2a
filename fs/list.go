package fs

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"datfs/catalog"
)

// A listing keeps the tree of the repository as it was when last looked at.
type listing struct {
	sets  func() ([]*catalog.SetInfo, error) // catalog.Repository.Sets
	build func([]*set, unreadable) *entry    // the tree of these sets
	gone  func(*set)                         // called with each set that is replaced or removed
	with  extras                             // what directories of sets are made with
	log   *slog.Logger

	mu      sync.Mutex
	root    *entry
	known   map[catalog.SetName]*set
	broken  unreadable
	checked time.Time // when the repository was asked last
	logged  string    // the error that was logged last
}

// An unreadable says, for each instance, which is the newest sealed set whose
// file cannot be read.
type unreadable map[string]catalog.SetName

// tree returns the tree, which is at most changingFor old.
func (l *listing) tree() (*entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.root != nil && time.Since(l.checked) < changingFor {
		return l.root, nil
	}
	infos, err := l.sets()
	l.checked = time.Now()
	l.note(err)
	switch {
	case err == nil || len(infos) > 0 || l.root == nil && errors.Is(err, catalog.ErrCorrupt):
		l.take(l.keep(infos, catalog.SetErrors(err)))
	case l.root == nil:
		return nil, fmt.Errorf("list sets: %w", err)
	default: // nothing could be listed: what was known stays
	}
	return l.root, nil
}

// note logs an error of the listing when it is a new one. A damaged set file
// gives the same error each second until it is repaired or removed.
func (l *listing) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != l.logged {
		l.log.Error("cannot list all sets", slog.Any("err", err))
	}
	l.logged = text
}

// keep adds to infos the sealed sets that cannot be read just now, but could be
// before: they have not changed since (I2). The others are in the result.
func (l *listing) keep(infos []*catalog.SetInfo, errs []*catalog.SetError) ([]*catalog.SetInfo, unreadable) {
	broken := unreadable{}
	for _, e := range errs {
		if s := l.known[e.Name]; s != nil && s.sealed() {
			infos = append(infos, s.now())
			continue
		}
		if newest := broken[e.Name.Instance]; e.Sealed && e.Name.Compare(newest) > 0 {
			broken[e.Name.Instance] = e.Name
		}
	}
	slices.SortFunc(infos, func(a, b *catalog.SetInfo) int { return a.SetName().Compare(b.SetName()) })
	return infos, broken
}

// take makes a new tree if the repository has changed. Sets that have not are
// carried over with all that was made of them.
func (l *listing) take(infos []*catalog.SetInfo, broken unreadable) {
	next := make(map[catalog.SetName]*set, len(infos))
	sets := make([]*set, 0, len(infos))
	changed := l.root == nil || len(infos) != len(l.known) || !maps.Equal(broken, l.broken)
	for _, info := range infos {
		name := info.SetName()
		s := l.known[name]
		if s == nil || !s.sameAs(info) {
			s, changed = newSet(info, l.with), true
		}
		s.take(info)
		next[name] = s
		sets = append(sets, s)
	}
	if !changed {
		return
	}
	for name, s := range l.known {
		if next[name] != s {
			l.gone(s)
		}
	}
	l.known = next
	l.broken = broken
	l.root = l.build(sets, broken)
}
