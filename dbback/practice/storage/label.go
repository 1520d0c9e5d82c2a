package storage

import (
	"fmt"
	"strings"
)

// Places in the label, block 0. The first group was read off files of
// InterSystems, which document none of it; the second is the practice instance's
// own and was zero in those files.
const (
	labelBlocks    = 0x458 // u32, blocks in the file; again at 0x45C
	labelMagic     = 0x5F4 // "Cache DB", in IRIS too
	labelDirectory = 0x5FC // u16 length, then the directory with a trailing slash
	labelResource  = 0x700 // u16 length, then the resource

	labelPractice  = 0x800 // practiceMagic
	labelSum       = 0x814 // u32
	labelUSN       = 0x818 // u64
	labelExpansion = 0x820 // u32, blocks to grow by
	labelMax       = 0x824 // u32, blocks at most
	labelFlags     = 0x828 // u32

	practiceMagic = "DATFS PRACTICE 1"
	flagNoJournal = 1
)

// A label is what block 0 says.
type label struct {
	directory string
	resource  string
	blocks    uint32
	expansion uint32
	max       uint32
	noJournal bool
}

// put writes the label into b without its checksum. Everything else in b stays.
func (l label) put(b []byte) {
	copy(b[0x400:], "\x00\x00\x01\x00\x00\x00\x01\x00")
	copy(b[0x40C:], "\x00\x03\x00\x00")
	le.PutUint32(b[0x410:], 16)
	le.PutUint32(b[0x41C:], 50)
	copy(b[0x420:], "\x40\x01\x80\x10")
	le.PutUint32(b[0x424:], blocksPerMap)
	le.PutUint32(b[0x44C:], 2)
	le.PutUint32(b[0x450:], blocksPerMap)
	le.PutUint32(b[labelBlocks:], l.blocks)
	le.PutUint32(b[labelBlocks+4:], l.blocks)
	copy(b[labelMagic:], "Cache DB")
	putCounted(b[labelDirectory:labelResource], l.directory)
	putCounted(b[labelResource:labelPractice], l.resource)
	copy(b[labelPractice:], practiceMagic)
	le.PutUint32(b[labelExpansion:], l.expansion)
	le.PutUint32(b[labelMax:], l.max)
	var flags uint32
	if l.noJournal {
		flags |= flagNoJournal
	}
	le.PutUint32(b[labelFlags:], flags)
}

// parseLabel reads a label. It returns [ErrNotDatabase] for what is none; the
// checksum is for the caller to look at.
func parseLabel(b []byte) (label, error) {
	if string(b[labelMagic:labelMagic+8]) != "Cache DB" || !strings.HasPrefix(string(b[labelPractice:labelSum]), practiceMagic) {
		return label{}, ErrNotDatabase
	}
	l := label{
		directory: counted(b[labelDirectory:labelResource]),
		resource:  counted(b[labelResource:labelPractice]),
		blocks:    le.Uint32(b[labelBlocks:]),
		expansion: le.Uint32(b[labelExpansion:]),
		max:       le.Uint32(b[labelMax:]),
		noJournal: le.Uint32(b[labelFlags:])&flagNoJournal != 0,
	}
	if again := le.Uint32(b[labelBlocks+4:]); again != l.blocks {
		return label{}, fmt.Errorf("%w: its label says %d and %d blocks", ErrNotDatabase, l.blocks, again)
	}
	if l.blocks <= firstDataBlock || l.blocks > blocksPerMap || l.expansion == 0 || l.max > blocksPerMap {
		return label{}, fmt.Errorf("%w: its label says %d blocks of at most %d, growing by %d", ErrNotDatabase, l.blocks, l.max, l.expansion)
	}
	return l, nil
}

// putCounted writes s after its length in two bytes, cut to what b holds, and
// zeros after it.
func putCounted(b []byte, s string) {
	clear(b)
	n := copy(b[2:], s)
	le.PutUint16(b, uint16(n))
}

// counted returns the string in a field that begins with its length, "" if it
// does not fit.
func counted(b []byte) string {
	n := int(le.Uint16(b))
	if n > len(b)-2 {
		return ""
	}
	return string(b[2 : 2+n])
}
