package catalog

import (
	"bytes"
	"slices"

	"datfs/catalog/pack"
)

// A hook is a block whose ID the catalog indexes.
type hook struct {
	id      pack.BlockID
	ordinal uint32
}

// A packEntry is what is entered into the catalog of a pack.
type packEntry struct {
	id    pack.ID
	rec   packRecord
	hooks []hook
}

func newPackEntry(id pack.ID, size int64, footer pack.Footer) packEntry {
	return packEntry{id: id, rec: packRecord{size: size, raw: footer.RawBytes, ordinals: footer.Ordinals, present: footer.Present}}
}

// enterSlice is how many hooks are put in one transaction.
const enterSlice = 32 << 10

// A numberedHook is a hook with the number of its pack.
type numberedHook struct {
	hook
	number uint32
}

// enterPacks enters published packs (I1) into the catalog, then their hooks in
// the order of their IDs: bbolt is several times faster with sorted keys, and a
// transaction then touches neighbouring pages only, which bounds its memory.
func (r *Repository) enterPacks(entries ...packEntry) error {
	var hooks []numberedHook
	err := r.db.update(func(t txn) error {
		for _, e := range entries {
			number, isNew, err := t.addPack(e.id, e.rec)
			if err != nil {
				return err
			}
			for _, h := range e.hooks {
				if isNew {
					hooks = append(hooks, numberedHook{h, number})
				}
			}
		}
		if len(hooks) > enterSlice {
			return nil
		}
		return t.putHooks(hooks)
	})
	if err == nil && len(hooks) > enterSlice { // of packs that are not entered, no hook is
		err = r.enterHooks(hooks)
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		r.disk.did("catalog", packPath(e.id))
	}
	return nil
}

// enterHooks puts many hooks, a slice a transaction. A kill between two of them
// leaves packs without all their hooks: some of their blocks may be stored once
// more.
func (r *Repository) enterHooks(hooks []numberedHook) error {
	sortHooks(hooks)
	for part := range slices.Chunk(hooks, enterSlice) {
		if err := r.db.update(func(t txn) error { return t.putHooks(part) }); err != nil {
			return err
		}
	}
	return nil
}

func sortHooks(hooks []numberedHook) {
	slices.SortFunc(hooks, func(a, b numberedHook) int { return bytes.Compare(a.id[:], b.id[:]) })
}

// putHooks records where hooks were stored last.
func (t txn) putHooks(hooks []numberedHook) error {
	sortHooks(hooks)
	for _, h := range hooks {
		if err := t.putHook(h.hook, h.number); err != nil {
			return err
		}
	}
	return nil
}
