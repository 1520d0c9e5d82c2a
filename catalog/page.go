package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// PageBlocks is the number of blocks that an extent page covers: an offset
// finds its page by division. 32 MiB of a file of 8 KiB blocks.
const PageBlocks = 4096

// hole is the pack of an extent of zero blocks, which are not stored.
const hole = ^uint32(0)

// An extent is a run of a page's blocks that lie in one pack under consecutive
// ordinals, or a hole.
type extent struct {
	first   uint32 // block, counted from the page's first
	count   uint32 // blocks
	pack    uint32 // number in the set's table of packs, or hole
	ordinal uint32 // of the first block
}

// A page is the extents of a stretch of a file, in order and without gaps. Its
// encoding, before compression, is by column, as the columns are much more
// alike than the extents are:
//
//	uvarint            number of extents e, 1 to 4,096
//	uvarint            number of packs p, 0 to e
//	p varint           packs, in the order of their first extents: the first as
//	                   it is, the others less the one before
//	e uvarint          counts, 1 to 4,096 together
//	e uvarint          packs: 0 is a hole, k is the k-th pack
//	(e-holes) varint   ordinals, less the one after the last extent of the same
//	                   pack in this page, or less 0
//
// uvarint and varint are those of Go's encoding/binary (LEB128, zigzag for
// varint). Ordinals of a pack mostly ascend along a file, so that even where
// every block is an extent of its own it takes less than two bytes.
type page []extent

// errPage is wrapped by every error about bytes that are not a page.
var errPage = errors.New("invalid extent page")

// blocks returns the number of blocks that the page covers.
func (p page) blocks() uint32 {
	if len(p) == 0 {
		return 0
	}
	last := p[len(p)-1]
	return last.first + last.count
}

// add appends n blocks, joining them to the last extent if they go on where it
// ends.
func (p page) add(n, pack, ordinal uint32) page {
	if len(p) > 0 {
		last := &p[len(p)-1]
		if last.pack == pack && (pack == hole || last.ordinal+last.count == ordinal) {
			last.count += n
			return p
		}
	}
	if pack == hole {
		ordinal = 0
	}
	return append(p, extent{first: p.blocks(), count: n, pack: pack, ordinal: ordinal})
}

// find returns the index of the extent that has the block.
func (p page) find(block uint32) int {
	return sort.Search(len(p), func(i int) bool { return p[i].first > block }) - 1
}

// allHole reports whether the page has no stored block.
func (p page) allHole() bool { return len(p) == 1 && p[0].pack == hole }

// encode appends the encoded page to b.
func (p page) encode(b []byte) []byte {
	slots := map[uint32]uint64{hole: 0}
	var packs []uint32
	for _, e := range p {
		if _, ok := slots[e.pack]; !ok {
			packs = append(packs, e.pack)
			slots[e.pack] = uint64(len(packs))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(p)))
	b = binary.AppendUvarint(b, uint64(len(packs)))
	var prev int64
	for _, k := range packs {
		b = binary.AppendVarint(b, int64(k)-prev)
		prev = int64(k)
	}
	for _, e := range p {
		b = binary.AppendUvarint(b, uint64(e.count))
	}
	for _, e := range p {
		b = binary.AppendUvarint(b, slots[e.pack])
	}
	next := make([]int64, len(packs)+1)
	for _, e := range p {
		if e.pack == hole {
			continue
		}
		slot := slots[e.pack]
		b = binary.AppendVarint(b, int64(e.ordinal)-next[slot])
		next[slot] = int64(e.ordinal) + int64(e.count)
	}
	return b
}

// parsePage decodes a page. packs is the size of the set's table of packs.
func parsePage(b []byte, packs int) (page, error) {
	d := varints{b: b}
	n, np := d.uvarint(PageBlocks), d.uvarint(PageBlocks)
	if d.bad || n == 0 || np > n {
		return nil, fmt.Errorf("%w: %d extents of %d packs", errPage, n, np)
	}
	table := make([]uint32, np+1)
	table[0] = hole
	var prev int64
	for i := range np {
		prev += d.varint()
		if prev < 0 || prev >= int64(packs) {
			return nil, fmt.Errorf("%w: pack %d of %d", errPage, prev, packs)
		}
		table[i+1] = uint32(prev)
	}
	p := make(page, n)
	var first uint64
	for i := range p {
		count := d.uvarint(PageBlocks - first)
		if count == 0 {
			return nil, fmt.Errorf("%w: extent of no blocks", errPage)
		}
		p[i] = extent{first: uint32(first), count: uint32(count)}
		first += count
	}
	next := make([]int64, np+1)
	slots := make([]uint64, n)
	for i := range p {
		slots[i] = d.uvarint(np)
		p[i].pack = table[slots[i]]
	}
	for i := range p {
		e := &p[i]
		if e.pack == hole {
			continue
		}
		ordinal := next[slots[i]] + d.varint()
		next[slots[i]] = ordinal + int64(e.count)
		if ordinal < 0 || next[slots[i]] > 1<<32-1 {
			return nil, fmt.Errorf("%w: ordinal %d", errPage, ordinal)
		}
		e.ordinal = uint32(ordinal)
	}
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("%w: torn, or %d bytes too many", errPage, len(d.b))
	}
	return p, nil
}

// varints reads numbers from b. After a number that is cut short or too large,
// bad is set and all further ones are 0.
type varints struct {
	b   []byte
	bad bool
}

func (v *varints) uvarint(most uint64) uint64 {
	n, size := binary.Uvarint(v.b)
	if v.bad || size <= 0 || n > most {
		v.bad = true
		return 0
	}
	v.b = v.b[size:]
	return n
}

func (v *varints) varint() int64 {
	n, size := binary.Varint(v.b)
	if v.bad || size <= 0 || n < -1<<33 || n > 1<<33 {
		v.bad = true
		return 0
	}
	v.b = v.b[size:]
	return n
}
