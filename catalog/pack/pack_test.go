package pack

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestRoundTrip writes a pack of frames of odd shapes and reads every block of
// it back through the directory.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	hasher := NewHasher(NewKey())
	comp, err := NewCompressor(CodecZstd)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := NewDecompressor()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w, err := NewWriter(&file, Header{ID: NewID()})
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte // by ordinal, nil is absent
	for i := range 600 {
		if i%50 == 7 {
			if err := w.Skip(3); err != nil {
				t.Fatal(err)
			}
			want = append(want, nil, nil, nil)
		}
		var raw []byte
		var ids []BlockID
		var lengths []uint32
		for n := 1 + rng.IntN(8); n > 0; n-- {
			b := make([]byte, 1+rng.IntN(8192))
			for k := range b {
				b[k] = byte(rng.IntN(1 + i%256))
			}
			raw = append(raw, b...)
			ids = append(ids, hasher.BlockID(b))
			lengths = append(lengths, uint32(len(b)))
			want = append(want, b)
		}
		stored, codec := comp.Compress(nil, raw)
		if err := w.Append(stored, codec, ids, lengths); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := w.Append([]byte{1}, CodecRaw, make([]BlockID, 1), []uint32{1}); err == nil {
		t.Error("Append after Finish succeeded")
	}

	r, err := NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for ordinal, block := range want {
		i, ok := r.SegmentOf(uint32(ordinal))
		if !ok {
			t.Fatalf("no segment for ordinal %d", ordinal)
		}
		s, err := r.ReadSegment(i)
		if err != nil {
			t.Fatal(err)
		}
		f, start, end, ok := s.Find(uint32(ordinal))
		if ok != (block != nil) {
			t.Fatalf("ordinal %d: found %v", ordinal, ok)
		}
		if block == nil {
			continue
		}
		stored, err := r.ReadStored(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := dec.Decode(f, stored, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw[start:end], block) || s.ID(uint32(ordinal)) != hasher.BlockID(block) {
			t.Fatalf("ordinal %d came back different", ordinal)
		}
	}
	if _, ok := r.SegmentOf(uint32(len(want))); ok {
		t.Error("there is a segment past the end")
	}
}
