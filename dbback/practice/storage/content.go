package storage

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// live returns the blocks of a mounted database as they are in memory. They stay
// the same only while updates are held.
func (in *Instance) live(db *database) source {
	return source{
		read:   func(n uint32, b []byte) error { return in.copyBlock(db, n, b) },
		blocks: int64(db.label.blocks),
	}
}

// Check checks the integrity of a database, mounted or not. Updates are held
// meanwhile if it is mounted. No findings means that it is sound.
func (in *Instance) Check(ctx context.Context, dir string) ([]Finding, error) {
	hold := in.Hold()
	defer hold.Release()
	in.mu.Lock()
	db, err := in.mounted("check", dir)
	in.mu.Unlock()
	if err != nil {
		if in.dead.Load() {
			return nil, ErrCrashed
		}
		return CheckFile(ctx, filepath.Join(dir, datName))
	}
	src := in.live(db)
	if st, err := os.Stat(db.file()); err == nil {
		src.blocks = st.Size() / BlockSize
	}
	return check(ctx, src)
}

// A Moment is the content of databases at a place in the journal.
type Moment struct {
	Journal string // absolute
	Offset  int64
	Digests map[string]Digest // by directory; with what open transactions did
}

// Moment returns the content of the mounted databases at this moment. Updates are
// held meanwhile.
func (in *Instance) Moment(ctx context.Context) (*Moment, error) {
	hold := in.Hold()
	defer hold.Release()
	in.mu.Lock()
	if in.dead.Load() {
		in.mu.Unlock()
		return nil, ErrCrashed
	}
	m := &Moment{Journal: in.jrn.current(), Offset: in.jrn.end, Digests: map[string]Digest{}}
	var dbs []*database
	for _, dir := range slices.Sorted(maps.Keys(in.dbs)) {
		if db := in.dbs[dir]; db.mounted && !db.leaving {
			dbs = append(dbs, db)
		}
	}
	in.mu.Unlock()
	for _, db := range dbs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := digest(in.live(db))
		if err != nil {
			return nil, db.fail("read", err)
		}
		m.Digests[db.dir] = d
	}
	return m, nil
}
