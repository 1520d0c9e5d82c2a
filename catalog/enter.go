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

// enterPacks enters published packs (I1) into the catalog, in one transaction.
// All hooks are put in the order of their IDs: bbolt is several times faster
// with sorted keys.
func (r *Repository) enterPacks(entries ...packEntry) error {
	type numbered struct {
		hook
		number uint32
	}
	err := r.db.update(func(t txn) error {
		var hooks []numbered
		for _, e := range entries {
			number, isNew, err := t.addPack(e.id, e.rec)
			if err != nil {
				return err
			}
			for _, h := range e.hooks {
				if isNew {
					hooks = append(hooks, numbered{h, number})
				}
			}
		}
		slices.SortFunc(hooks, func(a, b numbered) int { return bytes.Compare(a.id[:], b.id[:]) })
		for _, h := range hooks {
			if err := t.putHook(h.hook, h.number); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range entries {
		r.disk.did("catalog", packPath(e.id))
	}
	return nil
}
