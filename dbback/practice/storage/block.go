package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// BlockSize is the size of a block in bytes, the default of InterSystems
// databases and the only one here.
const BlockSize = 8192

// Numbers of the blocks at the start of a file, counted from 0, as they are in
// files of InterSystems that were looked at.
const (
	blockLabel      = 0
	blockMap        = 1 // which blocks are free
	blockDirectory  = 2 // the globals
	blockChanged    = 4 // changed since the last backup
	blockCumulative = 5 // changed since the last full backup
	firstDataBlock  = 15
)

// Types of blocks: byte 4, as seen in files of InterSystems.
const (
	typeData    = 0x08
	typeGlobals = 0x09
	typeMap     = 0x10
)

// Places in every block but the label, little endian. The first four were seen
// in files of InterSystems; the rest is the practice instance's own.
const (
	offUsed      = 0  // u32, bytes used after the header
	offType      = 4  // u8
	offCollation = 5  // u8
	offRight     = 8  // u32, the next block of the chain, 0: none
	offLeft      = 12 // u32, the block before
	offNumber    = 16 // u32, this block
	offSum       = 20 // u32, CRC-32C of the block with this field zero
	offUSN       = 24 // u64, update sequence number of the database when it was changed last
	offOwner     = 32 // u32, sum of the global's name; data blocks only
	offRows      = 36 // u16, rows in a data block
	headerSize   = 40 // of data blocks and of the directory of globals

	collation = 5
)

var (
	le         = binary.LittleEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	noSum      [4]byte
)

// sumOffset returns where the checksum of block n is.
func sumOffset(n uint32) int {
	if n == blockLabel {
		return labelSum
	}
	return offSum
}

func blockSum(b []byte, n uint32) uint32 {
	at := sumOffset(n)
	sum := crc32.Update(0, castagnoli, b[:at])
	sum = crc32.Update(sum, castagnoli, noSum[:])
	return crc32.Update(sum, castagnoli, b[at+4:])
}

// seal writes the checksum into block n.
func seal(b []byte, n uint32) {
	le.PutUint32(b[sumOffset(n):], blockSum(b, n))
}

// verify returns what is wrong with block n as such, or nil. typ is what it must
// be, 0 for the label.
func verify(b []byte, n uint32, typ byte) error {
	if got, want := le.Uint32(b[sumOffset(n):]), blockSum(b, n); got != want {
		return fmt.Errorf("block %d: checksum is %08x, content gives %08x (torn or never written)", n, got, want)
	}
	if n == blockLabel {
		return nil
	}
	if got := le.Uint32(b[offNumber:]); got != n {
		return fmt.Errorf("block %d: says that it is block %d", n, got)
	}
	if b[offType] != typ {
		return fmt.Errorf("block %d: is of type %#02x, not %#02x", n, b[offType], typ)
	}
	return nil
}

// initBlock makes b an empty block of a type.
func initBlock(b []byte, n uint32, typ byte) {
	clear(b)
	b[offType] = typ
	le.PutUint32(b[offNumber:], n)
	if typ == typeData || typ == typeGlobals {
		b[offCollation] = collation
	}
}
