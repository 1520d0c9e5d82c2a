package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// A page is a block in memory.
type page struct {
	b     []byte // BlockSize; the checksum in it is stale while dirty
	dirty bool   // changed since the write daemon last took a copy
}

// A cache holds blocks of a mounted database. Blocks that are not yet in the file
// are always in memory; others as far as there is room. The instance's mutex
// guards it.
type cache struct {
	f        *os.File
	pages    map[uint32]*page
	dirty    int
	flushing map[uint32]struct{} // copies that the write daemon has not yet written to the file
}

func newCache(f *os.File) cache { return cache{f: f, pages: map[uint32]*page{}} }

// get returns a block, from memory or from the file. A block beyond the end of
// the file is zeros: the file has yet to grow. What is read is not verified.
func (c *cache) get(n uint32) (*page, error) {
	if p := c.pages[n]; p != nil {
		return p, nil
	}
	p := &page{b: make([]byte, BlockSize)}
	if err := readBlock(c.f, n, p.b); err != nil {
		return nil, err
	}
	c.pages[n] = p
	return p, nil
}

// fresh returns a block to be filled, whatever was in it before.
func (c *cache) fresh(n uint32) *page {
	p := &page{b: make([]byte, BlockSize)}
	if old := c.pages[n]; old != nil {
		p.dirty = old.dirty
	}
	c.pages[n] = p
	return p
}

// touch makes a page dirty.
func (c *cache) touch(p *page) {
	if !p.dirty {
		p.dirty = true
		c.dirty++
	}
}

// sealed copies a block as it would be in the file into b.
func (c *cache) sealed(n uint32, b []byte) error {
	p := c.pages[n]
	if p == nil {
		return readBlock(c.f, n, b)
	}
	copy(b, p.b)
	if p.dirty {
		seal(b, n)
	}
	return nil
}

// unwritten returns the blocks of which the file may have an older version than
// the memory.
func (c *cache) unwritten() bitmap {
	m := newBitmap()
	for n := range c.flushing {
		m.set(n)
	}
	for n, p := range c.pages {
		if p.dirty {
			m.set(n)
		}
	}
	return m
}

// trim forgets blocks that are also in the file until at most limit are left.
func (c *cache) trim(limit int) {
	for n, p := range c.pages {
		if len(c.pages) <= limit {
			return
		}
		if _, ok := c.flushing[n]; !ok && !p.dirty {
			delete(c.pages, n)
		}
	}
}

// readBlock reads a block of a file. What is beyond its end is zeros.
func readBlock(f io.ReaderAt, n uint32, b []byte) error {
	got, err := f.ReadAt(b[:BlockSize], int64(n)*BlockSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read block %d: %w", n, err)
	}
	clear(b[got:BlockSize])
	return nil
}
