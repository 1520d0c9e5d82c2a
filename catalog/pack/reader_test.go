package pack

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// readAll returns all blocks of a pack by ordinal, or the first error.
func readAll(dec *Decompressor, b []byte) ([][]byte, error) {
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for i := range r.Segments() {
		s, err := r.ReadSegment(i)
		if err != nil {
			return nil, err
		}
		for o := s.First; s.Contains(o); o++ {
			f, start, end, ok := s.Find(o)
			if !ok {
				out = append(out, nil)
				continue
			}
			stored, err := r.ReadStored(f, nil)
			if err != nil {
				return nil, err
			}
			raw, err := dec.Decode(f, stored, nil)
			if err != nil {
				return nil, err
			}
			out = append(out, raw[start:end])
		}
	}
	return out, nil
}

// A pack has no byte that is not guarded by a sum: whichever is flipped, reading
// all of it fails, and says where.
func TestReaderFlips(t *testing.T) {
	dec, b := newDecompressor(t), smallPack(t)
	if _, err := readAll(dec, b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			b[i] ^= flip
			_, err := readAll(dec, b)
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, ErrInvalid) || e.Offset < 0 || e.Offset > int64(i) {
				t.Errorf("byte %d flipped: %v", i, err)
			}
			b[i] ^= flip
		}
	}
}

// A pack that was cut off anywhere, or has grown, is not a pack.
func TestReaderLength(t *testing.T) {
	dec, b := newDecompressor(t), smallPack(t)
	for n := range len(b) {
		if _, err := readAll(dec, b[:n]); !errors.Is(err, ErrInvalid) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := readAll(dec, append(bytes.Clone(b), 0)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a byte more: %v", err)
	}
	// The file may become shorter after its size was asked for.
	for n := range len(b) {
		_, err := NewReader(bytes.NewReader(b[:n]), int64(len(b)))
		if _, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrInvalid) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

// A pack of the next version says that it is newer, whatever its parts are like.
func TestReaderVersion(t *testing.T) {
	b := smallPack(t)
	copy(b[64:], bytes.Repeat([]byte{0xee}, len(b)-128))
	b = summed(56, put32(8, Version+1))(b)
	if _, err := NewReader(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrVersion) || !errors.Is(err, ErrInvalid) {
		t.Errorf("error is %v", err)
	}
}

// A failing disk is not damage.
func TestReaderReadError(t *testing.T) {
	b := smallPack(t)
	for fail := range 3 { // header, footer, index
		ra := &failingReader{bytes.NewReader(b), fail}
		if _, err := NewReader(ra, int64(len(b))); !errors.Is(err, errDisk) || errors.Is(err, ErrInvalid) {
			t.Errorf("read %d: %v", fail, err)
		}
	}
	ra := &failingReader{bytes.NewReader(b), 4}
	r, err := NewReader(ra, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.ReadSegment(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadStored(s.Frames()[0], nil); !errors.Is(err, errDisk) || errors.Is(err, ErrInvalid) {
		t.Errorf("stored bytes: %v", err)
	}
}

// A failingReader fails from the n-th read on.
type failingReader struct {
	r io.ReaderAt
	n int
}

func (f *failingReader) ReadAt(b []byte, off int64) (int, error) {
	if f.n == 0 {
		return 0, errDisk
	}
	f.n--
	return f.r.ReadAt(b, off)
}
