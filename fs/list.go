package fs

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"datfs/catalog"
)

// A listing keeps the tree of the repository as it was when last looked at.
type listing struct {
	sets  func() ([]*catalog.SetInfo, error) // catalog.Repository.Sets
	build func([]*set) *entry                // the tree of these sets
	gone  func(*set)                         // called with each set that is replaced or removed
	log   *slog.Logger

	mu      sync.Mutex
	root    *entry
	known   map[catalog.SetName]*set
	checked time.Time // when the repository was asked last
	logged  string    // the error that was logged last
}

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
		l.take(infos)
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

// take makes a new tree if the repository has changed. Sets that have not are
// carried over with all that was made of them.
func (l *listing) take(infos []*catalog.SetInfo) {
	next := make(map[catalog.SetName]*set, len(infos))
	sets := make([]*set, 0, len(infos))
	changed := l.root == nil || len(infos) != len(l.known)
	for _, info := range infos {
		name := info.SetName()
		s := l.known[name]
		if s == nil || !s.sameAs(info) {
			s, changed = newSet(info), true
		}
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
	l.root = l.build(sets)
}
