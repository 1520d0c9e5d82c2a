package pack

import (
	"bytes"
	"errors"
	"testing"
)

// id returns a block ID that is not zero.
func id(n byte) BlockID { return BlockID{n, 15: 1} }

// segmentEnd is where the test segments lie: after their frames.
const segmentEnd = 5000

// testSegment is a segment of nine ordinals from 100 on: absent, a raw frame of
// two blocks, two absent, a zstd frame of three, absent.
func testSegment() *segmentBuilder {
	b := &segmentBuilder{first: 100}
	b.frames = []Frame{
		{Offset: 64, Stored: 30, Raw: 30, First: 101, Count: 2, Codec: CodecRaw, Sum: 11},
		{Offset: 94, Stored: 500, Raw: 30_000, First: 105, Count: 3, Codec: CodecZstd, Sum: 12},
	}
	b.add(BlockID{}, 0)
	b.add(id(1), 10)
	b.add(id(2), 20)
	b.add(BlockID{}, 0)
	b.add(BlockID{}, 0)
	b.add(id(5), 10_000)
	b.add(id(6), 10_000)
	b.add(id(7), 10_000)
	b.add(BlockID{}, 0)
	return b
}

// parseSegment parses b with an index entry that fits it.
func parseSegment(b []byte, first, ordinals uint32) (*Segment, error) {
	return ParseSegment(b, SegmentRef{First: first, Ordinals: ordinals, Offset: segmentEnd, Length: uint32(len(b)), Sum: Sum64(b)})
}

func TestParseSegment(t *testing.T) {
	build := testSegment()
	s, err := parseSegment(build.encode(nil), 100, 9)
	if err != nil {
		t.Fatal(err)
	}
	if s.Ordinals() != 9 || s.Contains(99) || !s.Contains(100) || !s.Contains(108) || s.Contains(109) {
		t.Errorf("the segment covers %d ordinals from %d", s.Ordinals(), s.First)
	}
	tests := []struct {
		ordinal    uint32
		id         BlockID
		frame      int // -1: absent
		start, end uint32
	}{
		{100, BlockID{}, -1, 0, 0},
		{101, id(1), 0, 0, 10},
		{102, id(2), 0, 10, 30},
		{103, BlockID{}, -1, 0, 0},
		{104, BlockID{}, -1, 0, 0},
		{105, id(5), 1, 0, 10_000},
		{106, id(6), 1, 10_000, 20_000},
		{107, id(7), 1, 20_000, 30_000},
		{108, BlockID{}, -1, 0, 0},
	}
	for _, tt := range tests {
		f, start, end, ok := s.Find(tt.ordinal)
		if ok != (tt.frame >= 0) || start != tt.start || end != tt.end || ok && f != build.frames[tt.frame] {
			t.Errorf("Find(%d) = %+v, %d, %d, %v", tt.ordinal, f, start, end, ok)
		}
		if s.ID(tt.ordinal) != tt.id {
			t.Errorf("ID(%d) = %v, want %v", tt.ordinal, s.ID(tt.ordinal), tt.id)
		}
	}
}

// Offsets in the encoding of testSegment.
const (
	atFrame0 = segmentHeaderSize
	atFrame1 = atFrame0 + frameEntrySize
	atRuns   = atFrame1 + frameEntrySize // 1x0, 1x10, 1x20, 2x0, 3x10000, 1x0
	atIDs    = atRuns + 6*lengthRunSize
)

func TestParseSegmentRejects(t *testing.T) {
	valid := testSegment().encode(nil)
	// edited makes an edit of the builder rather than of the bytes.
	edited := func(edit func(b *segmentBuilder)) func([]byte) []byte {
		return func([]byte) []byte {
			b := testSegment()
			edit(b)
			return b.encode(nil)
		}
	}
	tests := []rejection{
		{"Empty", cutTo(0), "0 bytes", false},
		{"Short", cutTo(15), "15 bytes", false},
		{"Magic", putByte(0, 'd'), "header", false},
		{"First", put32(4, 101), "header", false},
		{"Ordinals", put32(8, 10), "header", false},
		{"MoreFrames", put16(12, 3), "3 frames", false},
		{"FewerFrames", put16(12, 1), "1 frames", false},
		{"MoreRuns", put16(14, 7), "7 lengths", false},
		{"Truncated", cutTo(len(valid) - 16), "9 ordinals", false},
		{"TooLong", func(b []byte) []byte { return append(b, make([]byte, 16)...) }, "9 ordinals", false},

		{"RunOfNoBlocks", put32(atRuns, 0), "length run of 0", false},
		{"RunTooLong", put32(atRuns, 10), "length run of 10", false},
		{"RunMuchTooLong", put32(atRuns+8, 1<<32-1), "length run of", false},
		{"RunsTooShort", put32(atRuns+3*8, 1), "8 lengths for 9", false},
		{"BlockTooLong", put32(atRuns+8+4, MaxFrame+1), "of 65537 bytes", false},
		{"RunsOfEqualLength", put32(atRuns+2*8+4, 10), "length run of 1 blocks of 10", false}, // two encodings of the same

		{"Codec", putByte(atFrame0+20, 2), "codec 2", false},
		{"Reserved", putByte(atFrame1+23, 1), "reserved", false},
		{"FrameOfNoBlocks", put16(atFrame0+18, 0), "covers 0 ordinals", false},
		{"FrameTooLong", put16(atFrame1+18, 5), "covers 5 ordinals", false},
		{"FramesOverlap", put16(atFrame1+16, 2), "frame 1 covers", false},
		{"FramesOutOfOrder", func(b []byte) []byte {
			frame := bytes.Clone(b[atFrame0:atFrame1])
			copy(b[atFrame0:], b[atFrame1:atRuns])
			copy(b[atFrame1:], frame)
			return b
		}, "ordinal 101 is in no frame", false},
		{"NotStored", put32(atFrame1+8, 0), "stored in 0", false},
		{"StoredLongerThanRaw", put32(atFrame1+8, 30_001), "stored in 30001", false},
		{"ZstdThatDoesNotPay", put32(atFrame1+8, 30_000), "stored in 30000 with codec 1", false},
		{"RawThatIsShorter", put32(atFrame0+8, 29), "stored in 29 with codec 0", false},
		{"RawLength", put32(atFrame1+12, 30_001), "30000 bytes together, not 30001", false},
		{"FrameOverTheLimit", edited(func(b *segmentBuilder) {
			b.lengths[4].length, b.frames[1].Raw = 30_000, 90_000
		}), "frame 1 of 90000 bytes", false},

		{"InHeader", put64(atFrame0, 63), "frame 0 lies at 63", false},
		{"NegativeOffset", put64(atFrame0, -1<<40), "frame 0 lies at -", false},
		{"ReachesSegment", put64(atFrame1, segmentEnd-499), "frame 1 lies at", false},

		{"AbsentInFrame", put16(atFrame0+18, 3), "absent ordinal 103", false},
		{"AbsentWithID", putByte(atIDs, 1), "ordinal 100 is in no frame", false},
		{"AbsentWithIDBetween", putByte(atIDs+4*16+15, 1), "ordinal 104 is in no frame", false},
		{"AbsentWithIDAtEnd", putByte(atIDs+8*16, 1), "ordinal 108 is in no frame", false},
		{"PresentWithoutID", func(b []byte) []byte { clear(b[atIDs+16:][:16]); return b }, "absent ordinal 101", false},
		{"UncoveredFirst", edited(func(b *segmentBuilder) { b.frames[0].First, b.frames[0].Count = 102, 1 }), "ordinal 101 is in no frame", false},
		{"UncoveredLast", put16(atFrame1+18, 2), "20000 bytes together", false},
		{"NoFrames", edited(func(b *segmentBuilder) { b.frames = nil }), "ordinal 101 is in no frame", false},
		{"LastFrameMissing", edited(func(b *segmentBuilder) { b.frames = b.frames[:1] }), "ordinal 105 is in no frame", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.check(t, valid, func(b []byte) error { _, err := parseSegment(b, 100, 9); return err })
		})
	}
	refs := []struct {
		name string
		ref  SegmentRef
	}{
		{"Sum", SegmentRef{First: 100, Ordinals: 9, Offset: segmentEnd, Length: uint32(len(valid)), Sum: Sum64(valid) ^ 1}},
		{"Length", SegmentRef{First: 100, Ordinals: 9, Offset: segmentEnd, Length: uint32(len(valid)) + 1, Sum: Sum64(valid)}},
	}
	for _, tt := range refs {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ParseSegment(valid, tt.ref); !errors.Is(err, ErrInvalid) {
				t.Errorf("error is %v", err)
			}
		})
	}
	t.Run("NoOrdinals", func(t *testing.T) {
		if _, err := parseSegment((&segmentBuilder{}).encode(nil), 0, 0); !errors.Is(err, ErrInvalid) {
			t.Errorf("error is %v", err)
		}
	})
}

// The largest segment: as many ordinals as there may be, each in a frame and
// with a length of its own.
func TestParseSegmentLargest(t *testing.T) {
	var b segmentBuilder
	offset := int64(HeaderSize)
	for i := range uint32(MaxSegment) {
		n := 1 + i%2
		b.frames = append(b.frames, Frame{Offset: offset, Stored: n, Raw: n, First: i, Count: 1})
		b.add(id(byte(i)), n)
		offset += int64(n)
	}
	enc := b.encode(nil)
	if len(enc) != 16+1024*56 { // what ParseIndex takes for the longest
		t.Errorf("segment of %d bytes", len(enc))
	}
	if _, err := parseSegment(enc, 0, MaxSegment); err != nil {
		t.Error(err)
	}
	b.add(id(1), 1)
	if _, err := parseSegment(b.encode(nil), 0, MaxSegment+1); !errors.Is(err, ErrInvalid) {
		t.Errorf("one more ordinal: %v", err)
	}
}
