package pack

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// update writes the golden pack anew instead of comparing with it. A golden test
// that fails means that packs which users have can no longer be read, or that
// other programs can no longer read what this one writes: a bug, unless the
// format's version was raised in the same change. Then the old file stays,
// beside a new one, and must go on being read.
var update = flag.Bool("update", false, "write golden files anew")

const goldenPack = "testdata/pack_v1.golden"

// A goldenFrame is a frame of the golden pack, or a run of absent ordinals.
type goldenFrame struct {
	absent uint32
	blocks [][]byte
}

var (
	goldenHeader = Header{ID: ID([]byte("golden pack v1\x00\xff"))}
	goldenKey    = Key([]byte("a key for golden packs, 32 bytes"))
)

// goldenFrames is what the golden pack holds: frames of both codecs, blocks of
// several lengths, the largest frame, and absent ordinals within a segment, at
// the end of one and as a whole one.
func goldenFrames() []goldenFrame {
	text := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog. "), 2000)
	seed := uint32(1)
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			seed = seed*1664525 + 1013904223
			b[i] = byte(seed >> 24)
		}
		return b
	}
	return []goldenFrame{
		{blocks: [][]byte{text[:8192], text[1:8193], text[2:8194], text[3:3003]}},
		{absent: 3},
		{blocks: [][]byte{random(512), random(512), random(1)}},
		{blocks: [][]byte{text[:MaxFrame]}},
		{absent: 2500},
		{blocks: [][]byte{random(100)}},
		{absent: 1},
	}
}

// writeGolden makes the golden pack. store says how a frame is stored.
func writeGolden(t *testing.T, store func(raw []byte, n int) ([]byte, Codec)) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, goldenHeader)
	if err != nil {
		t.Fatal(err)
	}
	hasher := NewHasher(goldenKey)
	for i, f := range goldenFrames() {
		if err := w.Skip(f.absent); err != nil {
			t.Fatal(err)
		}
		if f.blocks == nil {
			continue
		}
		var ids []BlockID
		var lengths []uint32
		for _, b := range f.blocks {
			ids = append(ids, hasher.BlockID(b))
			lengths = append(lengths, uint32(len(b)))
		}
		stored, codec := store(bytes.Join(f.blocks, nil), i)
		if err := w.Append(stored, codec, ids, lengths); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func readGolden(t *testing.T) []byte {
	t.Helper()
	if *update {
		comp := newCompressor(t, CodecZstd)
		file := writeGolden(t, func(raw []byte, _ int) ([]byte, Codec) { return comp.Compress(nil, raw) })
		if err := os.WriteFile(goldenPack, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(goldenPack)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// The stored golden pack gives its blocks back.
func TestGoldenRead(t *testing.T) {
	file := readGolden(t)
	r, err := NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Header() != goldenHeader {
		t.Errorf("header is %v", r.Header())
	}
	dec, hasher := newDecompressor(t), NewHasher(goldenKey)
	ordinal := uint32(0)
	for _, want := range goldenFrames() {
		for range want.absent {
			if b := readBlock(t, r, dec, ordinal); b != nil {
				t.Errorf("ordinal %d is not absent", ordinal)
			}
			ordinal++
		}
		for _, block := range want.blocks {
			if got := readBlock(t, r, dec, ordinal); !bytes.Equal(got, block) {
				t.Errorf("ordinal %d has %d bytes that differ from the %d stored", ordinal, len(got), len(block))
			}
			s, err := r.ReadSegment(int(ordinal / MaxSegment))
			if err != nil {
				t.Fatal(err)
			}
			if s.ID(ordinal) != hasher.BlockID(block) {
				t.Errorf("ordinal %d has the ID %v", ordinal, s.ID(ordinal))
			}
			ordinal++
		}
	}
	if r.Footer().Ordinals != ordinal {
		t.Errorf("the pack has %d ordinals, want %d", r.Footer().Ordinals, ordinal)
	}
}

// readBlock reads the block of an ordinal, nil if it is absent.
func readBlock(t *testing.T, r *Reader, dec *Decompressor, ordinal uint32) []byte {
	t.Helper()
	i, ok := r.SegmentOf(ordinal)
	if !ok {
		t.Fatalf("no segment for ordinal %d", ordinal)
	}
	s, err := r.ReadSegment(i)
	if err != nil {
		t.Fatal(err)
	}
	f, start, end, ok := s.Find(ordinal)
	if !ok {
		return nil
	}
	stored, err := r.ReadStored(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := dec.Decode(f, stored, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw[start:end]
}

// The golden pack's blocks are written to the same bytes again, but for what
// zstd makes of them: another release of the library may compress better, so
// the stored bytes of frames are taken from the golden pack.
func TestGoldenWrite(t *testing.T) {
	golden := readGolden(t)
	r, err := NewReader(bytes.NewReader(golden), int64(len(golden)))
	if err != nil {
		t.Fatal(err)
	}
	var frames []Frame
	for i := range r.Segments() {
		s, err := r.ReadSegment(i)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, s.Frames()...)
	}
	got := writeGolden(t, func([]byte, int) ([]byte, Codec) {
		f := frames[0]
		frames = frames[1:]
		return golden[f.Offset:][:f.Stored], f.Codec
	})
	if bytes.Equal(got, golden) {
		return
	}
	at := 0
	for at < min(len(got), len(golden)) && got[at] == golden[at] {
		at++
	}
	t.Errorf("the pack differs from %s from byte %d on:\ngot\n%s\nwant\n%s", goldenPack, at,
		hex.Dump(got[at:min(at+64, len(got))]), hex.Dump(golden[at:min(at+64, len(golden))]))
}

// The specification is enough: a reader that was written from the package
// comment alone, and shares nothing with the code but the sum, reads the golden
// pack. It has the numbers of the comment where the code has names.
func TestGoldenSpecification(t *testing.T) {
	b := readGolden(t)
	le := binary.LittleEndian
	check := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Error(what)
		}
	}
	check(string(b[:8]) == "DATFSPAK" && le.Uint32(b[8:]) == 1 && le.Uint32(b[12:]) == 0, "header")
	check(bytes.Equal(b[16:32], goldenHeader.ID[:]) && bytes.Equal(b[32:56], make([]byte, 24)), "pack ID, key ID, reserved")
	check(le.Uint64(b[56:]) == Sum64(b[:56]), "sum of the header")

	foot := b[len(b)-64:]
	check(string(foot[56:]) == "DATFSEND" && le.Uint64(foot[48:]) == Sum64(foot[:48]), "footer")
	check(le.Uint32(foot[32:]) == 1 && le.Uint64(foot[40:]) == 0, "version, reserved")
	index := b[le.Uint64(foot) : len(b)-64]
	check(len(index) == 32*int(le.Uint32(foot[8:])) && Sum64(index) == le.Uint64(foot[24:]), "index")

	zr, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint32][]byte{} // by ordinal
	var ordinals, present uint32
	var rawBytes uint64
	for ; len(index) > 0; index = index[32:] {
		first, n := le.Uint32(index), le.Uint32(index[4:])
		check(first == ordinals && le.Uint32(index[20:]) == 0, "index entry")
		ordinals += n
		seg := b[le.Uint64(index[8:]):][:le.Uint32(index[16:])]
		check(Sum64(seg) == le.Uint64(index[24:]), "sum of the segment")
		check(string(seg[:4]) == "DSEG" && le.Uint32(seg[4:]) == first && le.Uint32(seg[8:]) == n, "segment")
		f, r := int(le.Uint16(seg[12:])), int(le.Uint16(seg[14:]))
		var lengths []uint32
		for runs := seg[16+f*32:][:r*8]; len(runs) > 0; runs = runs[8:] {
			for range le.Uint32(runs) {
				lengths = append(lengths, le.Uint32(runs[4:]))
			}
		}
		check(len(lengths) == int(n) && len(seg) == 16+f*32+r*8+int(n)*16, "length of the segment")
		for frames := seg[16:][:f*32]; len(frames) > 0; frames = frames[32:] {
			raw := b[le.Uint64(frames):][:le.Uint32(frames[8:])]
			check(Sum64(raw) == le.Uint64(frames[24:]), "sum of the frame")
			if frames[20] == 1 {
				if raw, err = zr.DecodeAll(raw, nil); err != nil {
					t.Error(err)
				}
			}
			check(len(raw) == int(le.Uint32(frames[12:])), "raw length of the frame")
			from := uint32(le.Uint16(frames[16:]))
			for k := from; k < from+uint32(le.Uint16(frames[18:])); k++ {
				got[first+k], raw = raw[:lengths[k]], raw[lengths[k]:]
				present++
				rawBytes += uint64(lengths[k])
			}
		}
	}
	check(le.Uint32(foot[12:]) == ordinals && le.Uint32(foot[36:]) == present && le.Uint64(foot[16:]) == rawBytes, "figures of the footer")

	ordinal := uint32(0)
	for _, f := range goldenFrames() {
		ordinal += f.absent
		for _, block := range f.blocks {
			if !bytes.Equal(got[ordinal], block) {
				t.Errorf("ordinal %d has %d bytes that differ from the %d stored", ordinal, len(got[ordinal]), len(block))
			}
			delete(got, ordinal)
			ordinal++
		}
	}
	check(len(got) == 0, "ordinals that should be absent")
}
