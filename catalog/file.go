package catalog

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"datfs/catalog/pack"
)

// maxPages bounds the decoded extent pages kept in memory: 16 bytes each where
// a file is stored in one piece, 64 KiB where each block is an extent.
const maxPages = 384

// A pageCache keeps decoded extent pages of all open set files.
type pageCache struct {
	mu    sync.Mutex
	pages *simplelru.LRU[pageKey, page]
}

type pageKey struct {
	set    uint64
	file   int
	number int64
}

func newPageCache() (*pageCache, error) {
	pages, err := simplelru.NewLRU[pageKey, page](maxPages, nil)
	return &pageCache{pages: pages}, err
}

func (c *pageCache) get(s *setFile, file int, number int64, blocks uint32) (page, error) {
	key := pageKey{s.num, file, number}
	c.mu.Lock()
	p, ok := c.pages.Get(key)
	c.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := s.page(file, number, blocks)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.pages.Add(key, p)
	c.mu.Unlock()
	return p, nil
}

// A File is one file of an open set. It is safe for concurrent use.
type File struct {
	set    *Set
	number int // in the set
	info   *FileInfo
}

// Info describes the file. It must not be modified.
func (f *File) Info() *FileInfo { return f.info }

// blockSize returns the file's block size in bytes.
func (f *File) blockSize() int64 { return int64(f.info.BlockSize) }

// page returns the extents of the page that has a block.
func (f *File) page(block int64) (page, error) {
	number := block / PageBlocks
	blocks := min(PageBlocks, blocksOf(f.info.Size, f.info.BlockSize)-number*PageBlocks)
	return f.set.repo.pages.get(f.set.file, f.number, number, uint32(blocks))
}

// A stretch is a run of a file's blocks with what their page says of them.
type stretch struct {
	block int64 // first block in the file
	extent
}

// at returns the rest of the extent that has a block, from that block on.
func (f *File) at(block int64) (stretch, error) {
	p, err := f.page(block)
	if err != nil {
		return stretch{}, err
	}
	e := p[p.find(uint32(block%PageBlocks))]
	skip := uint32(block%PageBlocks) - e.first
	e.first += skip
	e.count -= skip
	if e.pack != hole {
		e.ordinal += skip
	}
	return stretch{block, e}, nil
}

// stretchBytes returns the length of a stretch, whose last block may be the
// file's short last one.
func (f *File) stretchBytes(s stretch) int64 {
	return min(int64(s.count)*f.blockSize(), f.info.Size-s.block*f.blockSize())
}

// ReadAt implements io.ReaderAt. Every byte has passed its checksum (I3); where
// one did not, the error is a *CorruptError with pack and offset.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: negative offset", f.info.Path)
	}
	n := 0
	for n < len(p) && off+int64(n) < f.info.Size {
		c, err := f.readSome(p[n:], off+int64(n))
		n += c
		if err != nil {
			return n, fmt.Errorf("read %s: %w", f.info.Path, err)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readSome reads what one frame or one hole has at off, before the file's end.
func (f *File) readSome(p []byte, off int64) (int, error) {
	bs := f.blockSize()
	s, err := f.at(off / bs)
	if err != nil {
		return 0, err
	}
	skip := off % bs
	if s.pack == hole {
		n := int(min(int64(len(p)), f.stretchBytes(s)-skip))
		clear(p[:n])
		return n, nil
	}
	raw, err := f.frameBytes(s)
	if err != nil {
		return 0, err
	}
	return copy(p, raw[skip:]), nil
}

// frameBytes returns the bytes of a stretch's blocks as far as they lie in the
// frame of its first.
func (f *File) frameBytes(s stretch) ([]byte, error) {
	id, packs := f.set.file.packs[s.pack], f.set.repo.packs
	fr, start, n, err := f.locate(s)
	if err != nil {
		return nil, err
	}
	raw, err := packs.frame(id, fr)
	if err != nil {
		return nil, err
	}
	return raw[start:][:n], nil
}

// locate returns the frame of a stretch's first block, where in it that block
// begins, and how many of the file's bytes it has from there on.
func (f *File) locate(s stretch) (fr pack.Frame, start, n int64, err error) {
	id := f.set.file.packs[s.pack]
	seg, err := f.set.repo.packs.segmentAt(id, s.ordinal)
	if err != nil {
		return pack.Frame{}, 0, 0, err
	}
	fr, begin, _, ok := seg.Find(s.ordinal)
	if !ok {
		return pack.Frame{}, 0, 0, noOrdinal(id, s.ordinal)
	}
	last := min(s.ordinal+s.count, fr.First+fr.Count) - 1
	_, _, end, _ := seg.Find(last)
	s.count = last - s.ordinal + 1
	if want := f.stretchBytes(s); int64(end)-int64(begin) != want {
		return pack.Frame{}, 0, 0, &CorruptError{
			Path: packPath(id), Offset: fr.Offset,
			Err: fmt.Errorf("blocks %d to %d have %d bytes, not %d", s.ordinal, last, end-begin, want),
		}
	}
	return fr, int64(begin), int64(end) - int64(begin), nil
}

// SeekData returns the first offset at or after off that is not in a hole, or
// io.EOF if there is none.
func (f *File) SeekData(off int64) (int64, error) { return f.seek(off, false) }

// SeekHole returns the first offset at or after off that is in a hole; the end
// of the file counts as one. It returns io.EOF if off is not within the file.
func (f *File) SeekHole(off int64) (int64, error) {
	at, err := f.seek(off, true)
	if errors.Is(err, io.EOF) && off >= 0 && off < f.info.Size {
		return f.info.Size, nil
	}
	return at, err
}

func (f *File) seek(off int64, wantHole bool) (int64, error) {
	if off < 0 {
		return 0, io.EOF
	}
	for off < f.info.Size {
		s, err := f.at(off / f.blockSize())
		if err != nil {
			return 0, fmt.Errorf("seek in %s: %w", f.info.Path, err)
		}
		if (s.pack == hole) == wantHole {
			return off, nil
		}
		off = s.block*f.blockSize() + f.stretchBytes(s)
	}
	return 0, io.EOF
}
