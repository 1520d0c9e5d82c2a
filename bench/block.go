package bench

import (
	"encoding/binary"
	"math/rand/v2"
)

// Places in the label, the first block of an InterSystems database file, as
// they were found in real files. All numbers are little-endian.
const (
	offBlocks    = 0x458 // u32, number of blocks; 0x45C holds it again
	offMagic     = 0x5F4 // "Cache DB"
	offDirectory = 0x5FC // u16 length, then the directory with a trailing slash
	offResource  = 0x700 // u16 length, then the resource's name
)

// Block types, the byte at offset 4 of every block but the label.
const (
	typeData    = 0x08
	typeGlobals = 0x09 // directory of globals
	typeMap     = 0x10 // which blocks are free
	typeBottom  = 0x46 // lowest pointer level
	typePointer = 0x66
)

// Layout of other blocks.
const (
	headerSize   = 28    // used length u32, type, collation, …, right link u32 at 8
	collation    = 5     // byte at 5
	offBitmap    = 0x180 // of a map block
	blocksPerMap = (BlockSize - offBitmap) * 8
)

// A generator makes the blocks of one database.
type generator struct {
	seed      uint64
	stream    uint64 // keeps apart generators of one seed
	blocks    int64
	directory string
	full      bool // fill the unused tenth, too
}

// fill makes block n in b, which is BlockSize long.
func (g *generator) fill(b []byte, n int64) {
	clear(b)
	pcg := rand.NewPCG(g.seed, g.stream|uint64(n))
	switch {
	case n == 0:
		g.fillLabel(b, pcg)
	case n >= g.blocks-g.blocks/zeroShare && !g.full:
		// expanded, never used
	case n == 3 && !g.full:
		// empty in every real file that was looked at
	case n == 1, n >= 4 && n < firstDataBlock, n%blocksPerMap == 1:
		fillMap(b, pcg)
	case n == 2:
		fillRows(b, n, typeGlobals, pcg)
	case n%1024 == 17:
		fillRows(b, n, typePointer, pcg)
	case n%256 == 16:
		fillRows(b, n, typeBottom, pcg)
	default:
		fillRows(b, n, typeData, pcg)
	}
}

// fillLabel writes what identifies the database and nothing else.
func (g *generator) fillLabel(b []byte, pcg *rand.PCG) {
	le := binary.LittleEndian
	le.PutUint32(b[0x410:], 16)
	le.PutUint32(b[0x41C:], 50)
	copy(b[0x420:], "\x40\x01\x80\x10")
	le.PutUint32(b[0x44C:], 2)
	le.PutUint32(b[offBlocks:], uint32(g.blocks))
	le.PutUint32(b[offBlocks+4:], uint32(g.blocks))
	le.PutUint32(b[0x468:], uint32(pcg.Uint64())) // differs from file to file
	copy(b[offMagic:], "Cache DB")
	putString(b[offDirectory:offResource], g.directory)
	putString(b[offResource:], "%DB_%DEFAULT")
}

// putString writes s after its length in two bytes, cut to what b holds.
func putString(b []byte, s string) {
	n := copy(b[2:], s)
	binary.LittleEndian.PutUint16(b, uint16(n))
}

// fillMap makes a map block: nearly all blocks in use, some freed.
func fillMap(b []byte, pcg *rand.PCG) {
	b[4] = typeMap
	copy(b[0x20:], "CacheMapm")
	binary.LittleEndian.PutUint64(b[0x34:], pcg.Uint64())
	for i := offBitmap; i < len(b); i++ {
		b[i] = 0xFF
	}
	for range 40 {
		v := pcg.Uint64()
		b[offBitmap+v%(BlockSize-offBitmap)] = byte(v >> 56)
	}
}

// fillRows makes a block of a balanced tree: a header, then nodes in the order
// of their keys. Real blocks keep stale bytes after the used length; so do three
// out of four of these, the others were never full.
func fillRows(b []byte, n int64, kind byte, pcg *rand.PCG) {
	le := binary.LittleEndian
	room := len(b)
	used := room - int(pcg.Uint64()%2048)
	if pcg.Uint64()%4 == 0 {
		room = used
	}
	row := newRows(n, kind, pcg)
	at := headerSize
	for {
		next := row.put(b[at:room])
		if next == 0 {
			break
		}
		at += next
	}
	le.PutUint32(b, uint32(min(at, used)-headerSize))
	b[4], b[5] = kind, collation
	le.PutUint32(b[8:], uint32(n+1))
}
