package catalog

import (
	"fmt"

	"datfs/catalog/pack"
)

// A Range is a stretch of a file in which it differs from what a target holds.
type Range struct {
	Off, Len int64
	Hole     bool // the file has a hole there
}

// Diff compares have, which is what a target holds at off, with the file, and
// returns the stretches that differ, in order, neighbours joined. It compares
// block IDs: blocks that are equal are not read from their packs.
//
// off is a multiple of the block size. have ends at a multiple of the block
// size too, or where the target or the file ends; of what lies past either end
// nothing is said. Where the target ends within a block, that block differs.
func (f *File) Diff(have []byte, off int64) ([]Range, error) {
	if off%f.blockSize() != 0 || off < 0 {
		return nil, fmt.Errorf("compare %s: offset %d is not a multiple of the block size %d", f.info.Path, off, f.blockSize())
	}
	have = have[:max(0, min(int64(len(have)), f.info.Size-off))]
	hasher := pack.NewHasher(f.set.repo.key)
	var out []Range
	for len(have) > 0 {
		s, err := f.at(off / f.blockSize())
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", f.info.Path, err)
		}
		n := min(f.stretchBytes(s), int64(len(have)))
		if out, err = f.diffStretch(out, hasher, s, have[:n]); err != nil {
			return nil, fmt.Errorf("compare %s: %w", f.info.Path, err)
		}
		have, off = have[n:], off+n
	}
	return out, nil
}

// diffStretch appends to out where have differs from the stretch, which is at
// least as long.
func (f *File) diffStretch(out []Range, hasher *pack.Hasher, s stretch, have []byte) ([]Range, error) {
	for i := uint32(0); len(have) > 0; i++ {
		block := have[:min(f.blockSize(), int64(len(have)))]
		have = have[len(block):]
		same, err := f.sameBlock(hasher, s, i, block)
		if err != nil {
			return nil, err
		}
		if same {
			continue
		}
		r := Range{Off: (s.block + int64(i)) * f.blockSize(), Len: int64(len(block)), Hole: s.pack == hole}
		if k := len(out) - 1; k >= 0 && out[k].Off+out[k].Len == r.Off && out[k].Hole == r.Hole {
			out[k].Len += r.Len
			continue
		}
		out = append(out, r)
	}
	return out, nil
}

// sameBlock reports whether the i-th block of a stretch is equal to b.
func (f *File) sameBlock(hasher *pack.Hasher, s stretch, i uint32, b []byte) (bool, error) {
	if s.pack == hole {
		return pack.IsZero(b), nil
	}
	id, err := f.set.repo.packs.blockID(f.set.file.packs[s.pack], s.ordinal+i)
	if err != nil {
		return false, err
	}
	return hasher.BlockID(b) == id, nil
}

// blockID returns the ID of the block at an address.
func (s *packStore) blockID(id pack.ID, ordinal uint32) (pack.BlockID, error) {
	seg, err := s.segmentAt(id, ordinal)
	if err != nil {
		return pack.BlockID{}, err
	}
	b := seg.ID(ordinal)
	if b.IsZero() {
		return b, noOrdinal(id, ordinal)
	}
	return b, nil
}
