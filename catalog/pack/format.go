package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes and limits of the format, version 1. doc.go is the specification.
const (
	Version    = 1
	HeaderSize = 64
	FooterSize = 64

	// MaxFrame is the largest raw length of a frame, and so of a block.
	MaxFrame = 64 << 10

	// MaxSegment is the largest number of ordinals of a directory segment, and
	// so of a frame.
	MaxSegment = 1024

	// MaxOrdinals is the largest number of ordinals of a pack.
	MaxOrdinals = 1 << 28

	segmentRefSize    = 32
	segmentHeaderSize = 16
	frameEntrySize    = 32
	lengthRunSize     = 8

	headerMagic  = "DATFSPAK"
	segmentMagic = "DSEG"
	footerMagic  = "DATFSEND"
)

// Errors about the bytes of a pack.
var (
	// ErrInvalid is wrapped by every error about bytes that are not what the
	// format asks for.
	ErrInvalid = errors.New("invalid pack data")

	// ErrVersion means that the bytes are of a later version of the format. It
	// comes with ErrInvalid.
	ErrVersion = errors.New("format version is newer than this program")
)

// An Error says at which offset of a pack invalid bytes were found.
type Error struct {
	Offset int64 // in bytes from the start of the pack
	Err    error // wraps ErrInvalid
}

func (e *Error) Error() string { return fmt.Sprintf("at offset %d: %v", e.Offset, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalidf(format string, a ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, a...))
}

func checkVersion(v uint32) error {
	switch {
	case v > Version:
		return invalidf("version %d: %w", v, ErrVersion)
	case v < Version:
		return invalidf("version %d", v) // there never was one
	}
	return nil
}

// A Header starts a pack.
type Header struct {
	ID    ID
	KeyID [16]byte // zero: nothing is encrypted
}

// Append appends the encoded header to b.
func (h Header) Append(b []byte) []byte {
	start := len(b)
	b = append(b, headerMagic...)
	b = binary.LittleEndian.AppendUint32(b, Version)
	b = binary.LittleEndian.AppendUint32(b, 0) // flags
	b = append(b, h.ID[:]...)
	b = append(b, h.KeyID[:]...)
	b = binary.LittleEndian.AppendUint64(b, 0) // reserved
	return binary.LittleEndian.AppendUint64(b, Sum64(b[start:]))
}

// ParseHeader decodes the first HeaderSize bytes of b.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, invalidf("header of %d bytes", len(b))
	}
	b = b[:HeaderSize]
	if string(b[:8]) != headerMagic {
		return Header{}, invalidf("header magic %q", b[:8])
	}
	if Sum64(b[:56]) != binary.LittleEndian.Uint64(b[56:]) {
		return Header{}, invalidf("header sum mismatch")
	}
	if err := checkVersion(binary.LittleEndian.Uint32(b[8:])); err != nil {
		return Header{}, err
	}
	if binary.LittleEndian.Uint32(b[12:]) != 0 || binary.LittleEndian.Uint64(b[48:]) != 0 {
		return Header{}, invalidf("reserved bytes of the header are set")
	}
	h := Header{ID: ID(b[16:32]), KeyID: [16]byte(b[32:48])}
	if h.KeyID != [16]byte{} {
		return Header{}, invalidf("encrypted with key %x: %w", h.KeyID, ErrVersion)
	}
	return h, nil
}

// A Footer ends a pack.
type Footer struct {
	IndexOffset int64
	Segments    uint32
	Ordinals    uint32
	Present     uint32 // ordinals that are not absent
	RawBytes    int64  // of these
	IndexSum    uint64
}

// Append appends the encoded footer to b.
func (f Footer) Append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.IndexOffset))
	b = binary.LittleEndian.AppendUint32(b, f.Segments)
	b = binary.LittleEndian.AppendUint32(b, f.Ordinals)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.RawBytes))
	b = binary.LittleEndian.AppendUint64(b, f.IndexSum)
	b = binary.LittleEndian.AppendUint32(b, Version)
	b = binary.LittleEndian.AppendUint32(b, f.Present)
	b = binary.LittleEndian.AppendUint64(b, 0) // reserved
	b = binary.LittleEndian.AppendUint64(b, Sum64(b[start:]))
	return append(b, footerMagic...)
}

// ParseFooter decodes the last FooterSize bytes of a pack of the given size.
func ParseFooter(b []byte, size int64) (Footer, error) {
	if len(b) != FooterSize {
		return Footer{}, invalidf("footer of %d bytes", len(b))
	}
	if string(b[56:]) != footerMagic {
		return Footer{}, invalidf("footer magic %q", b[56:])
	}
	if Sum64(b[:48]) != binary.LittleEndian.Uint64(b[48:]) {
		return Footer{}, invalidf("footer sum mismatch")
	}
	if err := checkVersion(binary.LittleEndian.Uint32(b[32:])); err != nil {
		return Footer{}, err
	}
	if binary.LittleEndian.Uint64(b[40:]) != 0 {
		return Footer{}, invalidf("reserved bytes of the footer are set")
	}
	f := Footer{
		IndexOffset: int64(binary.LittleEndian.Uint64(b)),
		Segments:    binary.LittleEndian.Uint32(b[8:]),
		Ordinals:    binary.LittleEndian.Uint32(b[12:]),
		RawBytes:    int64(binary.LittleEndian.Uint64(b[16:])),
		IndexSum:    binary.LittleEndian.Uint64(b[24:]),
		Present:     binary.LittleEndian.Uint32(b[36:]),
	}
	switch {
	case f.Ordinals > MaxOrdinals || f.Present > f.Ordinals || f.Segments > f.Ordinals:
		return Footer{}, invalidf("%d ordinals, %d present, in %d segments", f.Ordinals, f.Present, f.Segments)
	case f.RawBytes < int64(f.Present) || f.RawBytes > int64(f.Present)*MaxFrame:
		return Footer{}, invalidf("%d raw bytes in %d blocks", f.RawBytes, f.Present)
	case f.IndexOffset < HeaderSize || f.IndexOffset != size-FooterSize-int64(f.Segments)*segmentRefSize:
		return Footer{}, invalidf("index of %d segments at %d in a pack of %d bytes", f.Segments, f.IndexOffset, size)
	}
	return f, nil
}

// A SegmentRef is the index's entry for a directory segment.
type SegmentRef struct {
	First, Ordinals uint32
	Offset          int64
	Length          uint32
	Sum             uint64
}

// Append appends the encoded entry to b.
func (s SegmentRef) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, s.First)
	b = binary.LittleEndian.AppendUint32(b, s.Ordinals)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Offset))
	b = binary.LittleEndian.AppendUint32(b, s.Length)
	b = binary.LittleEndian.AppendUint32(b, 0) // reserved
	return binary.LittleEndian.AppendUint64(b, s.Sum)
}

// ParseIndex decodes the index of the pack that f ends.
func ParseIndex(b []byte, f Footer) ([]SegmentRef, error) {
	if int64(len(b)) != int64(f.Segments)*segmentRefSize {
		return nil, invalidf("index of %d bytes for %d segments", len(b), f.Segments)
	}
	if Sum64(b) != f.IndexSum {
		return nil, invalidf("index sum mismatch")
	}
	refs := make([]SegmentRef, f.Segments)
	var next uint32
	for i := range refs {
		e := b[i*segmentRefSize:]
		s := SegmentRef{
			First:    binary.LittleEndian.Uint32(e),
			Ordinals: binary.LittleEndian.Uint32(e[4:]),
			Offset:   int64(binary.LittleEndian.Uint64(e[8:])),
			Length:   binary.LittleEndian.Uint32(e[16:]),
			Sum:      binary.LittleEndian.Uint64(e[24:]),
		}
		switch {
		case binary.LittleEndian.Uint32(e[20:]) != 0:
			return nil, invalidf("reserved bytes of index entry %d are set", i)
		case s.First != next || s.Ordinals == 0 || s.Ordinals > MaxSegment || s.Ordinals > f.Ordinals-next:
			return nil, invalidf("segment %d covers %d ordinals from %d", i, s.Ordinals, s.First)
		case s.Length < segmentHeaderSize || s.Length > segmentHeaderSize+s.Ordinals*(frameEntrySize+lengthRunSize+16):
			return nil, invalidf("segment %d of %d ordinals has %d bytes", i, s.Ordinals, s.Length)
		case s.Offset < HeaderSize || s.Offset > f.IndexOffset-int64(s.Length):
			return nil, invalidf("segment %d of %d bytes lies at %d", i, s.Length, s.Offset)
		}
		next += s.Ordinals
		refs[i] = s
	}
	if next != f.Ordinals {
		return nil, invalidf("index covers %d of %d ordinals", next, f.Ordinals)
	}
	return refs, nil
}
