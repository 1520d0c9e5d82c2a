package gtm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"datfs/catalog"
	"datfs/dbback"
)

// Size returns how long the database file is at the end TN, in bytes.
func (s *Bytestream) Size() (int64, error) {
	h, err := s.Header()
	if err != nil {
		return 0, err
	}
	return h.FileSize(), nil
}

// Changes yields what the incremental changes in a copy of the database file, in
// ascending order and without overlaps: laid over the copy, which is first cut or
// grown with zeros to Size bytes, they make the database as it was at the end TN.
// had is how many blocks the database had at the mark.
//
// That is what MUPIP RESTORE makes of the copy, byte for byte but for what nobody
// reads in a local map that was never used. No engine needs to be there for it,
// and where the copy was read while a block was written does not matter: every
// such block is in the incremental.
func (s *Bytestream) Changes(had int64) iter.Seq2[catalog.Change, error] {
	return func(yield func(catalog.Change, error) bool) {
		h, err := s.Header()
		if err != nil {
			yield(catalog.Change{}, err)
			return
		}
		if !yield(catalog.Change{Offset: 0, Data: s.restoredHeader()}, nil) {
			return
		}
		offset := int64(HeaderSize)
		for _, p := range s.mapAt {
			b := make([]byte, p.length)
			if err := s.read(b, p.at); err != nil {
				yield(catalog.Change{}, err)
				return
			}
			if !yield(catalog.Change{Offset: offset, Data: b}, nil) {
				return
			}
			offset += p.length
		}
		for b, err := range s.withNewMaps(h, had) {
			if !yield(catalog.Change{Offset: h.BlockOffset(b.Block), Data: b.Data}, err) || err != nil {
				return
			}
		}
	}
}

// withNewMaps yields what Blocks does and, in order with it, the local maps of
// the blocks that the database got since the mark, as far as they are not in the
// incremental.
//
// A local map that is changed for the first time while the backup is taken is in
// none: as it was before it has no TN, which is less than the mark, and as it is
// afterwards it is too new. It was seen, rarely. RESTORE makes all maps of new
// blocks anew for the same reason, it seems.
func (s *Bytestream) withNewMaps(h *Header, had int64) iter.Seq2[BlockChange, error] {
	return func(yield func(BlockChange, error) bool) {
		next := (max(had, 0) + mapBlocks - 1) / mapBlocks * mapBlocks
		maps := func(upTo int64) bool {
			for ; next < upTo; next += mapBlocks {
				if !yield(BlockChange{next, s.newMap(h)}, nil) {
					return false
				}
			}
			return true
		}
		for b, err := range s.Blocks() {
			if err == nil && !maps(b.Block) || !yield(b, err) || err != nil {
				return
			}
			if b.Block == next {
				next += mapBlocks
			}
		}
		maps(s.TotalBlocks)
	}
}

// newMap returns a local map of blocks that are all free and were never used, but
// for the first, which is the map itself.
func (s *Bytestream) newMap(h *Header) []byte {
	b := make([]byte, s.BlockSize)
	version := uint16(4)
	if h.Format == FormatV6 {
		version = 1
	}
	binary.LittleEndian.PutUint16(b, version)
	b[3] = 0xff // the level of local maps
	binary.LittleEndian.PutUint32(b[blockUsed:], mapUsed)
	binary.LittleEndian.PutUint64(b[blockTN:], s.StartTN)
	for i := 16; i < mapUsed; i++ {
		b[i] = 0x55
	}
	b[16] = 0x54
	return b
}

// restoredHeader returns the file header for the restored database: that of the
// incremental, which names no running engine.
func (s *Bytestream) restoredHeader() []byte {
	b := slices.Clone(s.header)
	clearIDs(b)
	return b
}

// An incremental is one that the engine took in this run, open for reading.
type incremental struct {
	*Bytestream
	f *os.File
}

// openIncremental opens an incremental and reads where everything is in it.
func openIncremental(path string) (*incremental, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s, err := OpenBytestream(f, st.Size(), filepath.Dir(path))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s %w", path, err), f.Close())
	}
	return &incremental{s, f}, nil
}

// Close closes the file too.
func (i *incremental) Close() error { return errors.Join(i.Bytestream.Close(), i.f.Close()) }

var _ dbback.Overlayer = (*Engine)(nil)

// Overlay implements [dbback.Overlayer].
func (e *Engine) Overlay(_ context.Context, db catalog.Database, copied catalog.FileInfo) (*dbback.Overlay, error) {
	if copied.Format != FormatV6 && copied.Format != FormatV7 {
		return nil, fmt.Errorf("the copy of region %s is not recognised as a database", db.Name)
	}
	inc := e.incs[db.Name]
	if inc == nil {
		return freshOverlay(e.fresh[db.Name])
	}
	size, err := inc.Size()
	if err != nil {
		return nil, err
	}
	return &dbback.Overlay{Size: size, Changes: inc.Changes(e.blocks[db.Name])}, nil
}

// freshOverlay returns what makes a database of the copy of one that never was
// written to, of which there is no incremental: a header that names no running
// engine and no journal of the original.
func freshOverlay(header []byte) (*dbback.Overlay, error) {
	h, err := ParseHeader(header)
	if err != nil {
		return nil, err
	}
	b := slices.Clone(header)
	setTN(b, h.Format, newTN)
	clearIDs(b)
	disableJournal(b)
	return &dbback.Overlay{Size: h.FileSize(), Changes: func(yield func(catalog.Change, error) bool) {
		yield(catalog.Change{Data: b}, nil)
	}}, nil
}
