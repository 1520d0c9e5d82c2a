package catalog

import (
	"maps"

	"datfs/catalog/pack"
)

// A dedup decides where each block of a set is: in which pack it was found, or
// that it is new and goes to the open pack. It is used by one goroutine.
type dedup struct {
	repo   *Repository
	packer *packer
	recent *recent
	slots  []pack.ID           // packs by slot
	slotOf map[pack.ID]uint32  //
	open   map[uint32]*newPack // packs of this set that cannot be read yet, by slot
	loaded map[segmentKey]bool // segments that recent has, lately
}

// maxLoaded bounds dedup.loaded; the segments are then taken for unknown again.
const maxLoaded = 4096

func newDedup(r *Repository, p *packer) *dedup {
	return &dedup{
		repo: r, packer: p, recent: newRecent(), slotOf: map[pack.ID]uint32{},
		open: map[uint32]*newPack{}, loaded: map[segmentKey]bool{},
	}
}

// slot returns the number that is short for a pack in this dedup.
func (d *dedup) slot(id pack.ID) uint32 {
	s, ok := d.slotOf[id]
	if !ok {
		s = uint32(len(d.slots))
		d.slots = append(d.slots, id)
		d.slotOf[id] = s
	}
	return s
}

// has reports whether the block at the address has the ID. An address that
// leads nowhere, or whose directory is damaged, has not: the block is stored
// anew then.
func (d *dedup) has(a address, id pack.BlockID) bool {
	if p, ok := d.open[a.slot]; ok {
		if !p.published.Load() {
			return int(a.ordinal) < len(p.ids) && p.ids[a.ordinal] == id
		}
		delete(d.open, a.slot)
	}
	seg, err := d.repo.packs.segmentAt(d.slots[a.slot], a.ordinal)
	return err == nil && seg.ID(a.ordinal) == id
}

// A placer places the blocks of one file, in order.
type placer struct {
	d           *dedup
	file        int
	bases       []*base
	next        int64   // number of the next block
	last        address // of the last block that was found
	lastOK      bool
	known       []address // of the current stroke's blocks, from the first pass
	found       []bool
	zero, fresh int64 // bytes
}

// place calls put with the address of each block of the stroke, or with isHole.
// It goes through them twice: the second time with what the catalog says of the
// hooks among those that are not where the base has them, so that catalog.db is
// opened once a stroke at most.
func (p *placer) place(blocks []block, put func(a address, isHole bool)) error {
	p.known, p.found = grow(p.known, len(blocks)), grow(p.found, len(blocks))
	var hooks []pack.BlockID
	for i := range blocks {
		b := &blocks[i]
		if b.zero { // (1) a hole
			continue
		}
		if p.known[i], p.found[i] = p.fromBase(p.next+int64(i), b.id); p.found[i] { // (2) the same place
			continue
		}
		if b.id.IsHook() {
			hooks = append(hooks, b.id)
		}
	}
	if err := p.d.learn(hooks); err != nil {
		return err
	}
	for i := range blocks {
		b := &blocks[i]
		if b.zero {
			p.zero += int64(len(b.data))
			p.lastOK = false
			put(address{}, true)
			continue
		}
		a := p.known[i]
		if !p.found[i] {
			var err error
			if a, err = p.find(b); err != nil {
				return err
			}
		}
		p.last, p.lastOK = a, true
		put(a, false)
	}
	p.next += int64(len(blocks))
	return nil
}

// grow returns s with length n, all zero.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (p *placer) fromBase(n int64, id pack.BlockID) (address, bool) {
	for _, b := range p.bases {
		if packID, ordinal, have, ok := b.at(n); ok && have == id {
			return address{p.d.slot(packID), ordinal}, true
		}
	}
	return address{}, false
}

// find looks for a block that is not where the base has it, and stores it if it
// is not to be found.
func (p *placer) find(b *block) (address, error) {
	if next := (address{p.last.slot, p.last.ordinal + 1}); p.lastOK && p.d.has(next, b.id) { // (3) after the last one
		return next, nil
	}
	if a, ok := p.d.recent.get(b.id); ok && p.d.has(a, b.id) { // (4), (5) seen lately, or around a hook
		return a, nil
	}
	p.fresh += int64(len(b.data))
	return p.d.store(b, p.file) // (6) new
}

// learn looks up hooks in the catalog, and has the recent table take in what
// lies around those that are known. Blocks that were stored together mostly
// come together again, so that one hook in 64 blocks finds nearly all.
func (d *dedup) learn(hooks []pack.BlockID) error {
	type hit struct {
		id      pack.ID
		ordinal uint32
	}
	var hits []hit
	var unknown []pack.BlockID
	for _, h := range hooks {
		if a, ok := d.recent.get(h); !ok || !d.has(a, h) {
			unknown = append(unknown, h)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	err := d.repo.db.view(func(t txn) error {
		for _, h := range unknown {
			if id, ordinal, ok := t.hook(h); ok {
				hits = append(hits, hit{id, ordinal})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, h := range hits {
		d.load(h.id, h.ordinal)
	}
	return nil
}

// load has the recent table take in the directory segment that covers an
// ordinal, and its neighbours. What cannot be read is left out.
func (d *dedup) load(id pack.ID, ordinal uint32) {
	p, err := d.repo.packs.acquire(id)
	if err != nil {
		return
	}
	defer d.repo.packs.release(p)
	at, ok := p.SegmentOf(ordinal)
	if !ok {
		return
	}
	slot := d.slot(id)
	for i := max(at-1, 0); i <= min(at+1, p.Segments()-1); i++ {
		key := segmentKey{id, i}
		if d.loaded[key] {
			continue
		}
		seg, err := d.repo.packs.segment(p, i)
		if err != nil {
			continue
		}
		if len(d.loaded) >= maxLoaded {
			clear(d.loaded)
		}
		d.loaded[key] = true
		for o := seg.First; seg.Contains(o); o++ {
			if b := seg.ID(o); !b.IsZero() {
				d.recent.put(b, address{slot, o})
			}
		}
	}
}

// store hands a new block to the packer.
func (d *dedup) store(b *block, file int) (address, error) {
	p, ordinal, err := d.packer.add(b.data, b.id, file)
	if err != nil {
		return address{}, err
	}
	a := address{d.slot(p.id), ordinal}
	if d.open[a.slot] == nil {
		maps.DeleteFunc(d.open, func(_ uint32, p *newPack) bool { return p.published.Load() })
		d.open[a.slot] = p
	}
	d.recent.put(b.id, a)
	return a, nil
}
