package pack

import (
	"encoding/binary"
	"sort"
)

// A Frame says where the stored bytes of a run of blocks are.
type Frame struct {
	Offset int64  // of the stored bytes, in the pack
	Stored uint32 // length of the stored bytes
	Raw    uint32 // length of the blocks
	First  uint32 // ordinal of the first block
	Count  uint32 // number of blocks
	Codec  Codec
	Sum    uint64 // of the stored bytes
}

// sound reports whether the frame's lengths are within the limits and what its
// codec makes: stored raw they are equal, and zstd is used where it is shorter.
func (f *Frame) sound() bool {
	switch f.Codec {
	case CodecRaw:
		return f.Raw > 0 && f.Raw <= MaxFrame && f.Stored == f.Raw
	case CodecZstd:
		return f.Raw <= MaxFrame && f.Stored > 0 && f.Stored < f.Raw
	}
	return false
}

// A Segment is a stretch of a pack's directory: what is known of up to
// MaxSegment consecutive ordinals.
type Segment struct {
	First  uint32 // first ordinal
	frames []Frame
	ids    []byte   // 16 bytes an ordinal
	starts []uint32 // of each ordinal's block within its frame
}

// Ordinals returns the number of ordinals that the segment covers.
func (s *Segment) Ordinals() int { return len(s.ids) / 16 }

// Contains reports whether the segment covers the ordinal.
func (s *Segment) Contains(ordinal uint32) bool {
	return ordinal >= s.First && int(ordinal-s.First) < s.Ordinals()
}

// ID returns the ID of the block of an ordinal that the segment covers, zero if
// it is absent.
func (s *Segment) ID(ordinal uint32) BlockID {
	i := int(ordinal-s.First) * 16
	return BlockID(s.ids[i : i+16])
}

// Frames returns the frames of the segment, by first ordinal.
func (s *Segment) Frames() []Frame { return s.frames }

// Find returns the frame that holds the block of an ordinal that the segment
// covers, and the block's place in the decoded frame. It returns false if the
// ordinal is absent.
func (s *Segment) Find(ordinal uint32) (f Frame, start, end uint32, ok bool) {
	i := sort.Search(len(s.frames), func(i int) bool { return s.frames[i].First > ordinal }) - 1
	if i < 0 {
		return Frame{}, 0, 0, false
	}
	f = s.frames[i]
	if ordinal-f.First >= f.Count {
		return Frame{}, 0, 0, false
	}
	start = s.starts[ordinal-s.First]
	end = f.Raw
	if ordinal-f.First < f.Count-1 {
		end = s.starts[ordinal-s.First+1]
	}
	return f, start, end, true
}

// segmentBuilder collects the directory entries of the frames of one segment.
type segmentBuilder struct {
	first   uint32
	frames  []Frame
	ids     []byte
	lengths []lengthRun
}

type lengthRun struct{ count, length uint32 }

func (b *segmentBuilder) ordinals() uint32 { return uint32(len(b.ids) / 16) }

func (b *segmentBuilder) add(id BlockID, length uint32) {
	b.ids = append(b.ids, id[:]...)
	if n := len(b.lengths); n > 0 && b.lengths[n-1].length == length {
		b.lengths[n-1].count++
		return
	}
	b.lengths = append(b.lengths, lengthRun{1, length})
}

// encode appends the encoded segment to out.
func (b *segmentBuilder) encode(out []byte) []byte {
	out = append(out, segmentMagic...)
	out = binary.LittleEndian.AppendUint32(out, b.first)
	out = binary.LittleEndian.AppendUint32(out, b.ordinals())
	out = binary.LittleEndian.AppendUint16(out, uint16(len(b.frames)))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(b.lengths)))
	for _, f := range b.frames {
		out = binary.LittleEndian.AppendUint64(out, uint64(f.Offset))
		out = binary.LittleEndian.AppendUint32(out, f.Stored)
		out = binary.LittleEndian.AppendUint32(out, f.Raw)
		out = binary.LittleEndian.AppendUint16(out, uint16(f.First-b.first))
		out = binary.LittleEndian.AppendUint16(out, uint16(f.Count))
		out = append(out, byte(f.Codec), 0, 0, 0)
		out = binary.LittleEndian.AppendUint64(out, f.Sum)
	}
	for _, r := range b.lengths {
		out = binary.LittleEndian.AppendUint32(out, r.count)
		out = binary.LittleEndian.AppendUint32(out, r.length)
	}
	return append(out, b.ids...)
}

// ParseSegment decodes the segment that ref points to. The bytes are kept: the
// caller must not change them afterwards.
func ParseSegment(b []byte, ref SegmentRef) (*Segment, error) {
	if len(b) != int(ref.Length) || len(b) < segmentHeaderSize {
		return nil, invalidf("segment of %d bytes, not %d", len(b), ref.Length)
	}
	if Sum64(b) != ref.Sum {
		return nil, invalidf("segment sum mismatch")
	}
	first, n := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	nf, nr := int(binary.LittleEndian.Uint16(b[12:])), int(binary.LittleEndian.Uint16(b[14:]))
	if string(b[:4]) != segmentMagic || first != ref.First || n != ref.Ordinals || n == 0 || n > MaxSegment {
		return nil, invalidf("segment header %x", b[:segmentHeaderSize])
	}
	if len(b) != segmentHeaderSize+nf*frameEntrySize+nr*lengthRunSize+int(n)*16 {
		return nil, invalidf("segment of %d bytes for %d frames, %d lengths, %d ordinals", len(b), nf, nr, n)
	}
	frames := b[segmentHeaderSize:][:nf*frameEntrySize]
	runs := b[segmentHeaderSize+len(frames):][:nr*lengthRunSize]
	lengths, err := parseLengths(runs, n)
	if err != nil {
		return nil, err
	}
	s := &Segment{First: first, ids: b[len(b)-int(n)*16:], frames: make([]Frame, nf), starts: make([]uint32, n)}
	if err := s.parseFrames(frames, lengths, ref.Offset); err != nil {
		return nil, err
	}
	return s, nil
}

// parseLengths expands the length runs to one length an ordinal.
func parseLengths(b []byte, n uint32) ([]uint32, error) {
	lengths := make([]uint32, 0, n)
	prev := uint32(1<<32 - 1)
	for ; len(b) > 0; b = b[lengthRunSize:] {
		count, length := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if count == 0 || count > n-uint32(len(lengths)) || length > MaxFrame || length == prev {
			return nil, invalidf("length run of %d blocks of %d bytes", count, length)
		}
		for range count {
			lengths = append(lengths, length)
		}
		prev = length
	}
	if uint32(len(lengths)) != n {
		return nil, invalidf("%d lengths for %d ordinals", len(lengths), n)
	}
	return lengths, nil
}

// parseFrames decodes the frame entries and checks them against the lengths:
// each ordinal is in one frame, but absent ones, which are in none. Frames lie
// before limit.
func (s *Segment) parseFrames(b []byte, lengths []uint32, limit int64) error {
	next := uint32(0) // ordinal after the last frame, from the segment's first
	for i := range s.frames {
		e := b[i*frameEntrySize:]
		rel, count := uint32(binary.LittleEndian.Uint16(e[16:])), uint32(binary.LittleEndian.Uint16(e[18:]))
		f := Frame{
			Offset: int64(binary.LittleEndian.Uint64(e)),
			Stored: binary.LittleEndian.Uint32(e[8:]),
			Raw:    binary.LittleEndian.Uint32(e[12:]),
			First:  s.First + rel,
			Count:  count,
			Codec:  Codec(e[20]),
			Sum:    binary.LittleEndian.Uint64(e[24:]),
		}
		switch {
		case e[21]|e[22]|e[23] != 0:
			return invalidf("reserved bytes of frame %d are set", i)
		case rel < next || count == 0 || rel+count > uint32(len(lengths)):
			return invalidf("frame %d covers %d ordinals from %d", i, count, f.First)
		case !f.sound():
			return invalidf("frame %d of %d bytes is stored in %d with codec %d", i, f.Raw, f.Stored, f.Codec)
		case f.Offset < HeaderSize || f.Offset > limit-int64(f.Stored):
			return invalidf("frame %d lies at %d", i, f.Offset)
		}
		if err := s.checkAbsent(lengths[next:rel], s.First+next); err != nil {
			return err
		}
		var raw uint32
		for k := rel; k < rel+count; k++ {
			if lengths[k] == 0 || s.ID(s.First+k).IsZero() {
				return invalidf("frame %d covers the absent ordinal %d", i, s.First+k)
			}
			s.starts[k] = raw
			raw += lengths[k]
		}
		if raw != f.Raw {
			return invalidf("frame %d has blocks of %d bytes together, not %d", i, raw, f.Raw)
		}
		next = rel + count
		s.frames[i] = f
	}
	return s.checkAbsent(lengths[next:], s.First+next)
}

// checkAbsent checks that the ordinals from first on, which no frame covers,
// are marked absent.
func (s *Segment) checkAbsent(lengths []uint32, first uint32) error {
	for i, n := range lengths {
		if ordinal := first + uint32(i); n != 0 || !s.ID(ordinal).IsZero() {
			return invalidf("ordinal %d is in no frame", ordinal)
		}
	}
	return nil
}
