package storage

import (
	"errors"
	"fmt"
	"slices"
)

// A globalEntry is what the directory of globals, block 2, says of a global. The
// counters are redundant: they tell whether the data blocks and the directory
// are of the same moment.
type globalEntry struct {
	name   string
	first  uint32 // first data block
	last   uint32 // last data block
	blocks uint32
	rows   uint64
	sum    uint64 // of all rows
}

const entrySize = 1 + 4 + 4 + 4 + 8 + 8 // and the name

var errDirectory = errors.New("directory of globals cannot be read")

// parseDirectory returns the entries of a directory block.
func parseDirectory(b []byte) ([]globalEntry, error) {
	used := int(le.Uint32(b[offUsed:]))
	if used > blockRoom {
		return nil, errDirectory
	}
	var entries []globalEntry
	for rest := b[headerSize : headerSize+used]; len(rest) > 0; {
		n := int(rest[0])
		if n == 0 || n > MaxName || len(rest) < entrySize+n {
			return nil, errDirectory
		}
		e := globalEntry{name: string(rest[1 : 1+n])}
		rest = rest[1+n:]
		e.first, e.last, e.blocks = le.Uint32(rest), le.Uint32(rest[4:]), le.Uint32(rest[8:])
		e.rows, e.sum = le.Uint64(rest[12:]), le.Uint64(rest[20:])
		rest = rest[entrySize-1:]
		if k := len(entries); k > 0 && entries[k-1].name >= e.name {
			return nil, fmt.Errorf("%w: %q is not after %q", errDirectory, e.name, entries[k-1].name)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// putDirectory writes entries, which are in order and fit, into a directory block.
func putDirectory(b []byte, entries []globalEntry) {
	at := headerSize
	for _, e := range entries {
		b[at] = byte(len(e.name))
		at += 1 + copy(b[at+1:], e.name)
		le.PutUint32(b[at:], e.first)
		le.PutUint32(b[at+4:], e.last)
		le.PutUint32(b[at+8:], e.blocks)
		le.PutUint64(b[at+12:], e.rows)
		le.PutUint64(b[at+20:], e.sum)
		at += entrySize - 1
	}
	le.PutUint32(b[offUsed:], uint32(at-headerSize))
}

// A global is an entry with an index of its data blocks, which is in memory only.
type global struct {
	globalEntry
	index []indexEntry // in the order of the chain
}

// An indexEntry says that a block holds keys from low on. The low of the first
// block is "".
type indexEntry struct {
	low   string
	block uint32
}

// find returns the place in the index of the block that holds key or would.
func (g *global) find(key string) int {
	i, found := slices.BinarySearchFunc(g.index, key, func(e indexEntry, key string) int {
		switch {
		case e.low < key:
			return -1
		case e.low > key:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return max(i, 0)
}
