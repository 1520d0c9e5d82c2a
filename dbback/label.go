package dbback

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode"

	"datfs/catalog"
)

// HeadSize is how many bytes from the start of a file [Recognise] looks at: the
// largest block and the start of the block after it.
const HeadSize = 64<<10 + 16

// What a file that is not a known database is cut into, and the formats known.
const (
	otherBlockSize = 64 << 10

	formatIRIS  = "iris"
	formatGTMv6 = "gtm-v6"
	formatGTMv7 = "gtm-v7"
)

// Recognise tells what kind of database file begins with head, in a file of so
// many bytes. It returns the format as in [catalog.FileInfo], the block size to
// deduplicate with, and the file's label.
//
// Recognition is never a condition of anything: what is not recognised, however
// short or damaged, is format "", 64 KiB, and no label.
func Recognise(head []byte, size int64) (format string, blockSize int32, label *catalog.Label) {
	if l := irisLabel(head, size); l != nil {
		return formatIRIS, l.BlockSize, l
	}
	if format, l := gtmLabel(head); l != nil {
		return format, gtmUnit(l.BlockSize), l
	}
	return "", otherBlockSize, nil
}

// Offsets in the label block of an InterSystems database, little endian. They
// are not documented by the vendor: they were read off real files.
const (
	irisBlocks    = 0x458 // u32, blocks in the file
	irisMagic     = 0x5F4 // "Cache DB", in IRIS too
	irisDirectory = 0x5FC // u16 length, then the path
	irisResource  = 0x700 // u16 length, then the name
	irisMinSize   = 0x800

	irisMapType      = 0x10 // byte 4 of a map block, which follows the label block
	irisDefaultBlock = 8192
)

// irisLabel returns the label of an InterSystems database, or nil.
func irisLabel(head []byte, size int64) *catalog.Label {
	if len(head) < irisMinSize || !bytes.HasPrefix(head[irisMagic:], []byte("Cache DB")) {
		return nil
	}
	blocks := int64(binary.LittleEndian.Uint32(head[irisBlocks:]))
	return &catalog.Label{
		Directory: counted(head[irisDirectory:irisResource]),
		Resource:  counted(head[irisResource:irisMinSize]),
		Blocks:    blocks,
		BlockSize: irisBlockSize(head, size, blocks),
	}
}

// irisBlockSize finds the block size, which the label does not state: from the
// place of the first map block, the one after the label block; the size of a file
// that was cut off, or has something behind its end, says another one. In an
// encrypted database that block is encrypted, and what looks like a map further on
// is chance: then the size counts, if a block begins where it says so. Behind the
// label, its block has zeros in all files that were looked at.
func irisBlockSize(head []byte, size, blocks int64) int32 {
	var mapped, divided int
	for bs := 64 << 10; bs >= 2048; bs /= 2 {
		if len(head) > bs+4 && head[bs+4] == irisMapType {
			mapped = bs // the first
		}
		if blocks > 0 && size%blocks == 0 && size/blocks == int64(bs) {
			divided = bs
		}
	}
	switch {
	case mapped == 0 && divided == 0:
		return irisDefaultBlock
	case mapped == 0, divided > 0 && divided < mapped && !allZero(head[divided:min(divided+16, len(head))]):
		return int32(divided)
	}
	return int32(mapped)
}

func allZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// counted returns the string in a field that begins with its length. A length
// that does not fit is no string. The label is shown to people, on terminals:
// what cannot be printed is replaced.
func counted(field []byte) string {
	n := int(binary.LittleEndian.Uint16(field))
	if n > len(field)-2 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(string(field[2:2+n]), string(unicode.ReplacementChar)))
}

// Offsets in the file header of a GT.M database, little endian.
const (
	gtmBlockSize   = 12   // i32
	gtmStartVBNv7  = 4824 // i64, where block 0 is, in units of 512 bytes from 1
	gtmTotalBlocks = 4960 // i64, V7
	gtmHeadV7      = gtmTotalBlocks + 8

	gtmMaxBlock = 65024
	maxBlocks   = 1 << 44 // more than this is garbage, and safe to multiply
)

// gtmLabel returns format and label of a GT.M or YottaDB database, or nil. The
// number of blocks is only known of a V7 file.
func gtmLabel(head []byte) (string, *catalog.Label) {
	if len(head) < gtmBlockSize+4 {
		return "", nil
	}
	var format string
	switch string(head[:12]) {
	case "GDSDYNUNX03\x00":
		format = formatGTMv6
	case "GDSDYNUNX04\x00":
		format = formatGTMv7
	default:
		return "", nil
	}
	bs := int32(binary.LittleEndian.Uint32(head[gtmBlockSize:]))
	if bs < 512 || bs > gtmMaxBlock || bs%512 != 0 {
		return "", nil
	}
	l := &catalog.Label{BlockSize: bs}
	if format == formatGTMv7 && len(head) >= gtmHeadV7 {
		if n := int64(binary.LittleEndian.Uint64(head[gtmTotalBlocks:])); n > 0 && n < maxBlocks {
			l.Blocks = n
		}
	}
	return format, l
}

// gtmUnit returns the size to deduplicate a GT.M database with, whose blocks
// have bs bytes.
//
// Blocks begin 256 KiB (V6) or 4 MiB (V7) into the file, while the catalog cuts
// at multiples of the unit from the start of the file. A power of two lines up
// with both. So a block size that is one is the unit; of any other the largest
// power of two in it is, as long as that leaves no crumbs: 12 KiB blocks are
// three units of 4 KiB, but 32,256-byte ones would be 63 units of 512 bytes, and
// their IDs alone 3 % of the data. Those are cut at 4 KiB: a changed block then
// costs at most one unit more than its own length (a tenth for 32,256), where a
// unit of the block's own size would never line up and cost twice the block.
func gtmUnit(bs int32) int32 {
	unit := int32(1) << bits.TrailingZeros32(uint32(bs))
	if bs > 4096 {
		unit = max(unit, 4096)
	}
	return unit
}

// sizeSaid returns how many bytes the file must have by its own account, or 0 if
// it gives none.
func sizeSaid(head []byte, format string, l *catalog.Label) int64 {
	if l == nil || l.Blocks == 0 {
		return 0
	}
	switch format {
	case formatIRIS:
		return l.Blocks * int64(l.BlockSize)
	case formatGTMv7:
		start := int64(binary.LittleEndian.Uint64(head[gtmStartVBNv7:])) - 1
		if start < 0 || start > maxBlocks {
			return 0
		}
		// One block of zeros ends the file.
		return start*512 + (l.Blocks+1)*int64(l.BlockSize)
	}
	return 0
}
