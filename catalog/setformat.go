package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"datfs/catalog/pack"
)

// The format of a .set file, version 1: a set on its own. Integers are
// little-endian, reserved bytes are zero, and "sum" is XXH64 with seed 0. The
// header, and the footer's last 24 bytes, keep their layout in all versions.
//
//	+-------------+---------------------------+-------------+
//	| header (64) | records, one after another | footer (64) |
//	+-------------+---------------------------+-------------+
//
// While a set is written, its file is called NAME.partial and has no footer; a
// reader takes its records up to the first that is not whole. A sealed set is
// NAME.set and is read from its end.
//
//	header  offset  size  field
//	             0     8  magic "DATFSSET"
//	             8     4  version, 1
//	            12     4  flags, 0
//	            16    16  set ID, random
//	            32    16  key ID; zero means that nothing is encrypted
//	            48     8  reserved
//	            56     8  sum of bytes 0 to 55
//
//	record  offset  size  field
//	             0     1  kind, see below
//	             1     1  codec of the payload, as in packs
//	             2     2  reserved
//	             4     4  stored length n of the payload
//	             8     4  raw length of the payload
//	            12     4  file: index in the set's list of files
//	            16     4  number, by kind
//	            20     4  reserved
//	            24     8  sum of bytes 0 to 23 and of the stored payload
//	            32     n  payload
//
//	kind         number       payload
//	1 begin                   JSON of SetInfo as known at the start
//	2 packs      first index  pack IDs, 16 bytes each: the next entries of the
//	                          set's table of packs, which pages refer to
//	3 file                    JSON of FileInfo: the pages that follow are of it
//	4 page       page number  extent page, see page.go. Of a page's records the
//	                          last counts: at a checkpoint the page that is being
//	                          filled is written as far as it is
//	5 index      group        places of 256 pages of the file: offset (8) and
//	                          length (4) of each page's record. 0 and 0 is a
//	                          page of zero blocks only, which has no record
//	6 end of file             JSON of FileInfo, final
//	7 drop                    none: the file was given up, its pages are void
//	8 state                   JSON of Problem: why the set ends here
//	9 table                   all pack IDs again, in one piece
//	10 meta                   JSON of metaRecord: SetInfo, final, and where each
//	                          file's first index record is
//	11 step                   JSON of Step: the backup is about to take it
//
// Index records of a file follow each other, all but the last of equal length,
// so that a page is found by division, an index record and a page record.
//
//	footer  offset  size  field
//	             0     8  offset of the meta record
//	             8     8  offset of the table record
//	            16    16  set ID
//	            32     8  reserved
//	            40     4  version, 1
//	            44     4  reserved
//	            48     8  sum of bytes 0 to 47
//	            56     8  magic "DATFSSND"
const (
	setHeaderSize    = 64
	setFooterSize    = 64
	recordHeaderSize = 32

	setHeaderMagic = "DATFSSET"
	setFooterMagic = "DATFSSND"

	// indexGroup is the number of pages whose places an index record has.
	indexGroup     = 256
	indexEntrySize = 12

	// maxRecord is the longest payload that a reader accepts: a table of 16
	// million packs (a petabyte) or the metadata of some 100,000 files.
	maxRecord = 256 << 20
)

// The kinds of records.
const (
	kindBegin = 1 + iota
	kindPacks
	kindFile
	kindPage
	kindIndex
	kindFileEnd
	kindDrop
	kindState
	kindTable
	kindMeta
	kindStep
)

// errSetFile is wrapped by every error about bytes that are not a set file.
var errSetFile = errors.New("invalid set file")

// setHeader and setFooter are as the format has them.
type setHeader struct{ id [16]byte }

type setFooter struct {
	meta, table int64
	id          [16]byte
}

// metaRecord is the payload of the meta record.
type metaRecord struct {
	Set   *SetInfo `json:"set"`
	Index []int64  `json:"index"` // offset of each file's first index record
}

func (h setHeader) append(b []byte) []byte {
	start := len(b)
	b = append(b, setHeaderMagic...)
	b = binary.LittleEndian.AppendUint32(b, FormatVersion)
	b = binary.LittleEndian.AppendUint32(b, 0) // flags
	b = append(b, h.id[:]...)
	b = append(b, make([]byte, 16+8)...) // key ID, reserved
	return binary.LittleEndian.AppendUint64(b, pack.Sum64(b[start:]))
}

func parseSetHeader(b []byte) (setHeader, error) {
	if len(b) < setHeaderSize || string(b[:8]) != setHeaderMagic {
		return setHeader{}, fmt.Errorf("%w: not a header", errSetFile)
	}
	if pack.Sum64(b[:56]) != binary.LittleEndian.Uint64(b[56:]) {
		return setHeader{}, fmt.Errorf("%w: header sum mismatch", errSetFile)
	}
	if err := checkSetVersion(binary.LittleEndian.Uint32(b[8:])); err != nil {
		return setHeader{}, err
	}
	if binary.LittleEndian.Uint32(b[12:]) != 0 || !pack.IsZero(b[32:56]) {
		return setHeader{}, fmt.Errorf("%w: encrypted, or reserved bytes are set: %w", errSetFile, ErrNewerFormat)
	}
	return setHeader{id: [16]byte(b[16:32])}, nil
}

func checkSetVersion(v uint32) error {
	switch {
	case v > FormatVersion:
		return fmt.Errorf("%w: version %d: %w", errSetFile, v, ErrNewerFormat)
	case v < FormatVersion:
		return fmt.Errorf("%w: version %d", errSetFile, v) // there never was one
	}
	return nil
}

func (f setFooter) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.meta))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.table))
	b = append(b, f.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, 0) // reserved
	b = binary.LittleEndian.AppendUint32(b, FormatVersion)
	b = binary.LittleEndian.AppendUint32(b, 0) // reserved
	b = binary.LittleEndian.AppendUint64(b, pack.Sum64(b[start:]))
	return append(b, setFooterMagic...)
}

func parseSetFooter(b []byte, size int64) (setFooter, error) {
	if len(b) != setFooterSize || string(b[56:]) != setFooterMagic {
		return setFooter{}, fmt.Errorf("%w: not a footer", errSetFile)
	}
	if pack.Sum64(b[:48]) != binary.LittleEndian.Uint64(b[48:]) {
		return setFooter{}, fmt.Errorf("%w: footer sum mismatch", errSetFile)
	}
	if err := checkSetVersion(binary.LittleEndian.Uint32(b[40:])); err != nil {
		return setFooter{}, err
	}
	f := setFooter{
		meta:  int64(binary.LittleEndian.Uint64(b)),
		table: int64(binary.LittleEndian.Uint64(b[8:])),
		id:    [16]byte(b[16:32]),
	}
	last := size - setFooterSize - recordHeaderSize
	if !pack.IsZero(b[32:40]) || !pack.IsZero(b[44:48]) ||
		f.meta < setHeaderSize || f.meta > last || f.table < setHeaderSize || f.table > last {
		return setFooter{}, fmt.Errorf("%w: footer %x", errSetFile, b)
	}
	return f, nil
}

// A record is a record's header, decoded. Its payload is kept apart.
type record struct {
	kind, codec byte
	stored, raw uint32 // lengths of the payload
	file        uint32
	number      uint32
	sum         uint64
}

// size returns the length of the whole record.
func (r record) size() int64 { return recordHeaderSize + int64(r.stored) }

// appendRecord appends a record whose payload is stored as it is given.
func appendRecord(b []byte, r record, payload []byte) []byte {
	start := len(b)
	b = append(b, r.kind, r.codec, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, r.raw)
	b = binary.LittleEndian.AppendUint32(b, r.file)
	b = binary.LittleEndian.AppendUint32(b, r.number)
	b = binary.LittleEndian.AppendUint32(b, 0) // reserved
	b = binary.LittleEndian.AppendUint64(b, recordSum(b[start:], payload))
	return append(b, payload...)
}

func recordSum(header, payload []byte) uint64 {
	d := pack.NewDigest()
	_, _ = d.Write(header[:24]) // a Digest never fails
	_, _ = d.Write(payload)
	return d.Sum64()
}

// parseRecordHeader decodes a record's header without its sum, which covers the
// payload too: see checkRecord.
func parseRecordHeader(b []byte) (record, error) {
	if len(b) < recordHeaderSize {
		return record{}, fmt.Errorf("%w: record header of %d bytes", errSetFile, len(b))
	}
	r := record{
		kind:   b[0],
		codec:  b[1],
		stored: binary.LittleEndian.Uint32(b[4:]),
		raw:    binary.LittleEndian.Uint32(b[8:]),
		file:   binary.LittleEndian.Uint32(b[12:]),
		number: binary.LittleEndian.Uint32(b[16:]),
		sum:    binary.LittleEndian.Uint64(b[24:]),
	}
	ok := r.kind >= kindBegin && r.kind <= kindStep && r.codec <= byte(pack.CodecZstd) &&
		b[2]|b[3] == 0 && binary.LittleEndian.Uint32(b[20:]) == 0 &&
		r.stored <= maxRecord && r.stored <= r.raw &&
		(r.codec == byte(pack.CodecRaw)) == (r.stored == r.raw)
	if !ok {
		return record{}, fmt.Errorf("%w: record header %x", errSetFile, b[:recordHeaderSize])
	}
	return r, nil
}

// checkRecord parses a whole record and checks its sum. It returns the stored
// payload.
func checkRecord(b []byte) (record, []byte, error) {
	r, err := parseRecordHeader(b)
	if err != nil {
		return record{}, nil, err
	}
	if int64(len(b)) != r.size() {
		return record{}, nil, fmt.Errorf("%w: record of %d bytes, not %d", errSetFile, len(b), r.size())
	}
	payload := b[recordHeaderSize:]
	if recordSum(b, payload) != r.sum {
		return record{}, nil, fmt.Errorf("%w: record sum mismatch", errSetFile)
	}
	return r, payload, nil
}
