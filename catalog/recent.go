package catalog

import (
	"encoding/binary"

	"datfs/catalog/pack"
)

// An address says where a block is stored. slot is short for a pack, see
// dedup.slots.
type address struct{ slot, ordinal uint32 }

// recentSize is the number of blocks that a recent table remembers, 16 bytes
// each: 8 GiB of 8 KiB blocks.
const (
	recentSize = 1 << 20
	recentWays = 4
)

// A recent table remembers where the blocks are that were stored or looked up
// last, in memory that does not grow: a new entry may push an old one out. It
// knows only a part of each ID, so that an answer is a hint to be checked.
type recent struct {
	entries []recentEntry
	turn    uint32
}

type recentEntry struct {
	tag  uint64 // 0: empty
	addr address
}

func newRecent() *recent { return &recent{entries: make([]recentEntry, recentSize)} }

// bucket returns the entries that id may be in, and its tag.
func (r *recent) bucket(id pack.BlockID) ([]recentEntry, uint64) {
	i := binary.LittleEndian.Uint64(id[:]) % (recentSize / recentWays) * recentWays
	return r.entries[i : i+recentWays], binary.LittleEndian.Uint64(id[8:]) | 1
}

func (r *recent) put(id pack.BlockID, a address) {
	bucket, tag := r.bucket(id)
	for i := range bucket {
		if bucket[i].tag == tag || bucket[i].tag == 0 {
			bucket[i] = recentEntry{tag, a}
			return
		}
	}
	r.turn++
	bucket[r.turn%recentWays] = recentEntry{tag, a}
}

// get returns where a block with the ID probably is.
func (r *recent) get(id pack.BlockID) (address, bool) {
	bucket, tag := r.bucket(id)
	for _, e := range bucket {
		if e.tag == tag {
			return e.addr, true
		}
	}
	return address{}, false
}
