package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// maxFindings is how many findings a check returns; more would tell nobody more.
const maxFindings = 200

// A Finding is something wrong with a database.
type Finding struct {
	Block int64 // number of the block, counted from 0 at the start of the file; -1: none
	Kind  string
	Text  string
}

// String returns the finding for people.
func (f Finding) String() string { return f.Kind + ": " + f.Text }

// A source gives the blocks of a database that does not change meanwhile.
type source struct {
	read   func(n uint32, b []byte) error
	blocks int64 // that can be read
}

// CheckFile checks the integrity of a database file that nobody writes to. It
// returns an error only if the file cannot be read; whatever is in it gives
// findings.
func CheckFile(ctx context.Context, path string) ([]Finding, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	src, err := fileSource(f)
	if err != nil {
		return nil, err
	}
	return check(ctx, src)
}

func fileSource(f *os.File) (source, error) {
	st, err := f.Stat()
	if err != nil {
		return source{}, err
	}
	return source{
		read:   func(n uint32, b []byte) error { return readBlock(f, n, b) },
		blocks: st.Size() / BlockSize,
	}, nil
}

// A checker gathers findings.
type checker struct {
	src      source
	label    label
	free     bitmap
	usn      uint64 // of the directory
	findings []Finding
	more     int
}

func (c *checker) add(block int64, kind, format string, args ...any) {
	if len(c.findings) >= maxFindings {
		c.more++
		return
	}
	c.findings = append(c.findings, Finding{Block: block, Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// check looks at everything that can be wrong with a database. It stops early at
// what makes the rest unreadable.
func check(ctx context.Context, src source) ([]Finding, error) {
	c := &checker{src: src}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	if c.more > 0 {
		c.findings = append(c.findings, Finding{-1, "more", fmt.Sprintf("%d findings more", c.more)})
	}
	return c.findings, nil
}

func (c *checker) run(ctx context.Context) error {
	b := make([]byte, BlockSize)
	if c.src.blocks <= firstDataBlock {
		c.add(-1, "size", "the file has %d blocks; no database has less than %d", c.src.blocks, firstDataBlock+1)
		return nil
	}
	if err := c.system(b); err != nil || c.free == nil {
		return err
	}
	if err := c.src.read(blockDirectory, b); err != nil {
		return err
	}
	if err := verify(b, blockDirectory, typeGlobals); err != nil {
		c.add(blockDirectory, "block", "%v", err)
	}
	c.usn = le.Uint64(b[offUSN:])
	entries, err := parseDirectory(b)
	if err != nil {
		c.add(blockDirectory, "directory", "%v", err)
		return nil
	}
	w := newWalker(c.src.read, c.label.blocks)
	complete := true
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := w.global(e, func(n uint32, _ []row) {
			if usn := le.Uint64(w.buf[offUSN:]); usn > c.usn {
				c.add(int64(n), "sequence", "block %d of ^%s has update %d, later than %d of the directory", n, e.name, usn, c.usn)
			}
		})
		if werr, ok := errors.AsType[*walkError](err); ok {
			complete = false
			c.add(int64(werr.block), werr.kind, "%v", werr)
		}
	}
	c.allocation(w.seen, complete)
	return nil
}

// system checks the label and the maps, and leaves the map of free blocks in c
// if there is one.
func (c *checker) system(b []byte) error {
	if err := c.src.read(blockLabel, b); err != nil {
		return err
	}
	l, err := parseLabel(b)
	if err != nil {
		c.add(blockLabel, "label", "%v", err)
		return nil
	}
	if err := verify(b, blockLabel, 0); err != nil {
		c.add(blockLabel, "label", "%v", err)
	}
	if int64(l.blocks) > c.src.blocks {
		c.add(blockLabel, "size", "the label says %d blocks, the file has %d", l.blocks, c.src.blocks)
	}
	c.label = l
	for _, m := range []uint32{blockChanged, blockCumulative} {
		if err := c.src.read(m, b); err != nil {
			return err
		}
		if err := verify(b, m, typeMap); err != nil {
			c.add(int64(m), "map", "%v", err)
		}
	}
	if err := c.src.read(blockMap, b); err != nil {
		return err
	}
	if err := verify(b, blockMap, typeMap); err != nil {
		c.add(blockMap, "map", "%v", err)
	}
	c.free = append(newBitmap()[:0], b[offBitmap:]...)
	return nil
}

// allocation compares the map of free blocks with the blocks that are reached.
// Blocks that are not free and not reached are only wrong if every chain was
// followed to its end.
func (c *checker) allocation(seen bitmap, complete bool) {
	for n := range uint32(blocksPerMap) {
		free := c.free.has(n)
		switch {
		case n < firstDataBlock && free:
			c.add(int64(n), "map", "block %d of the system is free by the map", n)
		case n >= c.label.blocks && free:
			c.add(int64(n), "map", "block %d is free by the map, but the database has %d blocks", n, c.label.blocks)
		case n < firstDataBlock || n >= c.label.blocks:
		case seen.has(n) && free:
			c.add(int64(n), "map", "block %d is in use and free by the map", n)
		case complete && !seen.has(n) && !free:
			c.add(int64(n), "map", "block %d belongs to no global and is not free by the map", n)
		}
	}
}
