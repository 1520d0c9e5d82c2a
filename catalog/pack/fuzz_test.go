package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// The fuzz targets give decoders arbitrary bytes, with their sums put right:
// what a sum refuses tells nothing of the checks behind it. Whatever comes,
// nothing panics, errors are ErrInvalid, and what parses encodes to the same
// bytes.

func FuzzParseHeader(f *testing.F) {
	f.Add(goldenHeader.Append(nil))
	f.Add(Header{}.Append(nil))
	f.Add([]byte(headerMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) >= HeaderSize {
			binary.LittleEndian.PutUint64(b[56:], Sum64(b[:56]))
		}
		h, err := ParseHeader(b)
		if err != nil {
			checkInvalid(t, err)
		} else if !bytes.Equal(h.Append(nil), b[:HeaderSize]) {
			t.Errorf("%x parses as %+v", b, h)
		}
	})
}

func FuzzParseFooter(f *testing.F) {
	f.Add(Footer{IndexOffset: 1000, Segments: 1, Ordinals: 5, Present: 4, RawBytes: 8000}.Append(nil), int64(1000+32+64))
	f.Add(Footer{IndexOffset: 64}.Append(nil), int64(128))
	f.Add([]byte(footerMagic), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		b = bytes.Clone(b)
		if len(b) == FooterSize {
			binary.LittleEndian.PutUint64(b[48:], Sum64(b[:48]))
		}
		footer, err := ParseFooter(b, size)
		if err != nil {
			checkInvalid(t, err)
		} else if !bytes.Equal(footer.Append(nil), b) {
			t.Errorf("%x parses as %+v", b, footer)
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	b := SegmentRef{Ordinals: 1024, Offset: 64, Length: 16_400, Sum: 1}.Append(nil)
	f.Add(SegmentRef{First: 1024, Ordinals: 3, Offset: 20_000, Length: 100, Sum: 2}.Append(b), uint32(1027), int64(20_100))
	f.Add([]byte{}, uint32(0), int64(64))
	f.Fuzz(func(t *testing.T, b []byte, ordinals uint32, offset int64) {
		footer := Footer{IndexOffset: offset, Segments: uint32(len(b) / segmentRefSize), Ordinals: ordinals, IndexSum: Sum64(b)}
		refs, err := ParseIndex(b, footer)
		if err != nil {
			checkInvalid(t, err)
			return
		}
		var again []byte
		for _, ref := range refs {
			again = ref.Append(again)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x parses as %+v", b, refs)
		}
	})
}

func FuzzParseSegment(f *testing.F) {
	f.Add(testSegment().encode(nil), uint32(100), int64(segmentEnd))
	f.Add((&segmentBuilder{ids: make([]byte, 16), lengths: []lengthRun{{1, 0}}}).encode(nil), uint32(0), int64(64))
	f.Add([]byte(segmentMagic), uint32(0), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, first uint32, offset int64) {
		ref := SegmentRef{First: first % MaxOrdinals, Offset: offset, Length: uint32(len(b)), Sum: Sum64(b)}
		if len(b) >= segmentHeaderSize {
			ref.Ordinals = binary.LittleEndian.Uint32(b[8:])
		}
		s, err := ParseSegment(b, ref)
		if err != nil {
			checkInvalid(t, err)
		} else {
			checkSegment(t, s, b)
		}
	})
}

func FuzzDecode(f *testing.F) {
	comp := newCompressor(f, CodecZstd)
	for _, raw := range [][]byte{{1}, make([]byte, MaxFrame), noise(500, 1), bytes.Repeat([]byte("text"), 500)} {
		stored, codec := comp.Compress(nil, raw)
		f.Add(bytes.Clone(stored), uint8(codec), uint32(len(raw)), true)
	}
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd}, uint8(CodecZstd), uint32(100), false)
	dec := newDecompressor(f)
	f.Fuzz(func(t *testing.T, stored []byte, codec uint8, raw uint32, sum bool) {
		frame := Frame{Offset: 64, Stored: uint32(len(stored)), Raw: raw, Count: 1, Codec: Codec(codec)}
		if sum {
			frame.Sum = Sum64(stored)
		}
		got, err := dec.Decode(frame, stored, nil)
		if err != nil {
			checkError(t, err)
		} else if len(got) != int(raw) || frame.Sum != Sum64(stored) {
			t.Errorf("Decode returned %d bytes of %+v", len(got), frame)
		}
	})
}

// FuzzReader reads whole packs to their last block.
func FuzzReader(f *testing.F) {
	f.Add(smallPack(f), true)
	f.Add(smallPack(f), false)
	dec := newDecompressor(f)
	f.Fuzz(func(t *testing.T, b []byte, resum bool) {
		if resum {
			b = bytes.Clone(b)
			sumPack(b)
		}
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			checkError(t, err)
			return
		}
		for i := range r.Segments() {
			s, err := r.ReadSegment(i)
			if err != nil {
				checkError(t, err)
				continue
			}
			ref := r.index[i]
			checkSegment(t, s, b[ref.Offset:][:ref.Length])
			for _, frame := range s.Frames() {
				stored, err := r.ReadStored(frame, nil)
				if err != nil { // it lies in the file, or ParseSegment would have said so
					t.Error(err)
				}
				raw, err := dec.Decode(frame, stored, nil)
				if err != nil {
					checkError(t, err)
				} else if len(raw) != int(frame.Raw) {
					t.Errorf("%+v has %d bytes", frame, len(raw))
				}
			}
		}
	})
}

func checkInvalid(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("%v is not ErrInvalid", err)
	}
}

// checkError checks that err says where in the pack it is, as well.
func checkError(t *testing.T, err error) {
	t.Helper()
	checkInvalid(t, err)
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("%v has no offset", err)
	}
}

// checkSegment checks that a segment encodes to the bytes it was parsed from,
// and that each of its blocks lies in its frame.
func checkSegment(t *testing.T, s *Segment, b []byte) {
	t.Helper()
	again := segmentBuilder{first: s.First, frames: s.Frames()}
	for o := s.First; s.Contains(o); o++ {
		f, start, end, ok := s.Find(o)
		if ok == s.ID(o).IsZero() || ok && (start >= end || end > f.Raw || o < f.First || o >= f.First+f.Count) {
			t.Errorf("Find(%d) = %+v, %d, %d, %v", o, f, start, end, ok)
		}
		again.add(s.ID(o), end-start)
	}
	if !bytes.Equal(again.encode(nil), b) {
		t.Errorf("segment of %d ordinals from %d encodes to other bytes", s.Ordinals(), s.First)
	}
}

// smallPack returns a pack of few bytes: in a large one, such as the golden pack,
// fuzzing does not get around.
func smallPack(tb testing.TB) []byte {
	tb.Helper()
	var file bytes.Buffer
	w := newWriter(tb, &file)
	comp := newCompressor(tb, CodecZstd)
	for _, raw := range [][]byte{make([]byte, 60), noise(60, 5)} {
		stored, codec := comp.Compress(nil, raw)
		if err := w.Append(stored, codec, []BlockID{id(1), id(2)}, []uint32{40, 20}); err != nil {
			tb.Fatal(err)
		}
		if err := w.Skip(2); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// sumPack puts the sums in b right, as far as there are parts to sum: frames,
// segments, index, footer, header.
func sumPack(b []byte) {
	if len(b) < HeaderSize+FooterSize {
		return
	}
	le := binary.LittleEndian
	foot := b[len(b)-FooterSize:]
	for _, seg := range parts(b, le.Uint64(foot), uint64(le.Uint32(foot[8:]))*segmentRefSize, segmentRefSize) {
		length := uint64(le.Uint32(seg[16:]))
		for _, body := range parts(b, le.Uint64(seg[8:]), length, length) {
			if len(body) < segmentHeaderSize {
				continue
			}
			for _, fr := range parts(body, segmentHeaderSize, uint64(le.Uint16(body[12:]))*frameEntrySize, frameEntrySize) {
				n := uint64(le.Uint32(fr[8:]))
				for _, stored := range parts(b, le.Uint64(fr), n, n) {
					le.PutUint64(fr[24:], Sum64(stored))
				}
			}
			le.PutUint64(seg[24:], Sum64(body))
		}
	}
	for _, index := range parts(b, le.Uint64(foot), uint64(le.Uint32(foot[8:]))*segmentRefSize, 0) {
		le.PutUint64(foot[24:], Sum64(index))
	}
	le.PutUint64(foot[48:], Sum64(foot[:48]))
	le.PutUint64(b[56:], Sum64(b[:56]))
}

// parts divides n bytes of b into parts of the given size, 0 being all of them.
// It returns nothing if they are not all in b.
func parts(b []byte, offset, n, size uint64) [][]byte {
	if offset > uint64(len(b)) || n > uint64(len(b))-offset {
		return nil
	}
	b = b[offset:][:n]
	if size == 0 {
		return [][]byte{b}
	}
	var out [][]byte
	for ; uint64(len(b)) >= size; b = b[size:] {
		out = append(out, b[:size])
	}
	return out
}
