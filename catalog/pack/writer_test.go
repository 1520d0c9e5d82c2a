package pack

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// repeat returns n times v.
func repeat[T any](n int, v T) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func newWriter(tb testing.TB, w io.Writer) *Writer {
	tb.Helper()
	pw, err := NewWriter(w, Header{ID: ID{1}})
	if err != nil {
		tb.Fatal(err)
	}
	return pw
}

// appendRaw appends a raw frame of n blocks of a byte each.
func appendRaw(w *Writer, n int) error {
	return w.Append(make([]byte, n), CodecRaw, repeat(n, id(1)), repeat(n, uint32(1)))
}

// checkEnded checks that the writer refuses everything.
func checkEnded(t *testing.T, w *Writer) {
	t.Helper()
	size := w.Size()
	if err := appendRaw(w, 1); !errors.Is(err, errState) {
		t.Errorf("Append = %v", err)
	}
	if err := w.Skip(1); !errors.Is(err, errState) {
		t.Errorf("Skip = %v", err)
	}
	if f, err := w.Finish(); !errors.Is(err, errState) || f != (Footer{}) {
		t.Errorf("Finish = %v, %v", f, err)
	}
	if w.Size() != size {
		t.Errorf("%d bytes were written", w.Size()-size)
	}
}

func TestWriterEnds(t *testing.T) {
	w := newWriter(t, io.Discard)
	if err := appendRaw(w, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	checkEnded(t, w)
}

// What no reader would take is refused, and then everything.
func TestWriterLimits(t *testing.T) {
	tests := []struct {
		name    string
		stored  []byte
		codec   Codec
		ids     []BlockID
		lengths []uint32
		ok      bool
	}{
		{"OneByte", []byte{1}, CodecRaw, repeat(1, id(1)), []uint32{1}, true},
		{"LargestBlock", make([]byte, MaxFrame), CodecRaw, repeat(1, id(1)), []uint32{MaxFrame}, true},
		{"MostBlocks", make([]byte, MaxSegment), CodecRaw, repeat(MaxSegment, id(1)), repeat(MaxSegment, uint32(1)), true},
		{"Zstd", make([]byte, 99), CodecZstd, repeat(2, id(1)), []uint32{50, 50}, true},
		{"ZstdOneByte", make([]byte, 1), CodecZstd, repeat(1, id(1)), []uint32{2}, true},
		{"NoBlocks", nil, CodecRaw, nil, nil, false},
		{"TooManyBlocks", make([]byte, 1025), CodecRaw, repeat(1025, id(1)), repeat(1025, uint32(1)), false},
		{"LengthMissing", []byte{1, 1}, CodecRaw, repeat(2, id(1)), []uint32{2}, false},
		{"EmptyBlock", []byte{1}, CodecRaw, repeat(2, id(1)), []uint32{1, 0}, false},
		{"BlockTooLong", make([]byte, 10), CodecZstd, repeat(1, id(1)), []uint32{MaxFrame + 1}, false},
		{"FrameTooLong", make([]byte, 10), CodecZstd, repeat(2, id(1)), []uint32{MaxFrame, 1}, false},
		{"ZeroID", []byte{1}, CodecRaw, make([]BlockID, 1), []uint32{1}, false},
		{"RawLength", []byte{1, 2}, CodecRaw, repeat(1, id(1)), []uint32{3}, false},
		{"ZstdNotShorter", []byte{1, 2}, CodecZstd, repeat(1, id(1)), []uint32{2}, false},
		{"NothingStored", nil, CodecZstd, repeat(1, id(1)), []uint32{2}, false},
		{"Codec", []byte{1}, 2, repeat(1, id(1)), []uint32{2}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var file bytes.Buffer
			w := newWriter(t, &file)
			if err := w.Append(tt.stored, tt.codec, tt.ids, tt.lengths); (err == nil) != tt.ok {
				t.Fatalf("Append = %v", err)
			}
			if !tt.ok {
				checkEnded(t, w)
				return
			}
			if _, err := w.Finish(); err != nil {
				t.Fatal(err)
			}
			r, err := NewReader(bytes.NewReader(file.Bytes()), w.Size())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.ReadSegment(0); err != nil {
				t.Error(err)
			}
		})
	}
	calls := []struct {
		name string
		call func(w *Writer) error
	}{
		{"Append", func(w *Writer) error { return appendRaw(w, 3) }},
		{"Skip", func(w *Writer) error { return w.Skip(3) }},
		{"SkipMany", func(w *Writer) error { return w.Skip(1<<32 - 1) }},
	}
	for _, tt := range calls {
		t.Run("MaxOrdinals"+tt.name, func(t *testing.T) {
			w := newWriter(t, io.Discard)
			w.footer.Ordinals = MaxOrdinals - 3
			if err := tt.call(w); err != nil && tt.name != "SkipMany" {
				t.Errorf("the last three ordinals: %v", err)
			}
			w = newWriter(t, io.Discard)
			w.footer.Ordinals = MaxOrdinals - 2
			if err := tt.call(w); !errors.Is(err, errFull) {
				t.Errorf("error is %v", err)
			}
			checkEnded(t, w)
		})
	}
}

// A diskful takes so many bytes and then no more.
type diskful int

var errDisk = errors.New("no space left")

func (d *diskful) Write(b []byte) (int, error) {
	n := min(len(b), int(*d))
	*d -= diskful(n)
	if n < len(b) {
		return n, errDisk
	}
	return n, nil
}

// A disk that is full at any byte is an error, and the last word.
func TestWriterWriteError(t *testing.T) {
	write := func(space int) (*Writer, error) {
		disk := diskful(space)
		w, err := NewWriter(&disk, Header{})
		if err == nil {
			err = appendRaw(w, 5)
		}
		if err == nil {
			_, err = w.Finish()
		}
		return w, err
	}
	w, err := write(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for space := range int(w.Size()) {
		w, err := write(space)
		if !errors.Is(err, errDisk) {
			t.Fatalf("%d bytes of space: %v", space, err)
		}
		checkEnded(t, w)
	}
}

// Segments hold as many ordinals as they can, without dividing a frame, and
// absent ordinals count everywhere.
func TestWriterSegments(t *testing.T) {
	tests := []struct {
		name   string
		frames []int // blocks; negative: that many absent ordinals
		want   []uint32
	}{
		{"Empty", nil, nil},
		{"One", []int{1}, []uint32{1}},
		{"Full", []int{512, 512}, []uint32{1024}},
		{"OneMore", []int{512, 512, 1}, []uint32{1024, 1}},
		{"FrameNotDivided", []int{600, 600}, []uint32{600, 600}},
		{"AbsentOnly", []int{-3}, []uint32{3}},
		{"AbsentRunDivided", []int{-2500}, []uint32{1024, 1024, 452}},
		{"AbsentAround", []int{-1000, 100, -1000}, []uint32{1000, 1024, 76}},
		{"SkipNothing", []int{1, -0, 1}, []uint32{2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var file bytes.Buffer
			w := newWriter(t, &file)
			var ordinals, present uint32
			for _, n := range tt.frames {
				var err error
				if n > 0 {
					err = appendRaw(w, n)
					present += uint32(n)
				} else {
					err = w.Skip(uint32(-n))
				}
				if err != nil && n != 0 {
					t.Fatal(err)
				}
				ordinals += uint32(max(n, -n))
			}
			footer, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if footer.Ordinals != ordinals || footer.Present != present || footer.RawBytes != int64(present) || w.Ordinals() != ordinals {
				t.Errorf("%+v, want %d ordinals, %d of them present", footer, ordinals, present)
			}
			if int64(file.Len()) != w.Size() {
				t.Errorf("Size is %d after %d bytes", w.Size(), file.Len())
			}
			checkSegments(t, file.Bytes(), footer, tt.want)
		})
	}
}

// checkSegments reads a pack and checks how many ordinals its segments have.
func checkSegments(t *testing.T, file []byte, footer Footer, want []uint32) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Footer() != footer || r.Segments() != len(want) || r.Header() != (Header{ID: ID{1}}) {
		t.Fatalf("read %+v with %d segments, want %+v with %d", r.Footer(), r.Segments(), footer, len(want))
	}
	next := uint32(0)
	for i, n := range want {
		s, err := r.ReadSegment(i)
		if err != nil {
			t.Fatal(err)
		}
		if s.First != next || s.Ordinals() != int(n) {
			t.Errorf("segment %d has %d ordinals from %d, want %d from %d", i, s.Ordinals(), s.First, n, next)
		}
		for o := next; o < next+n; o++ {
			if k, ok := r.SegmentOf(o); k != i || !ok {
				t.Fatalf("SegmentOf(%d) = %d, %v, want %d", o, k, ok, i)
			}
		}
		next += n
	}
	if _, ok := r.SegmentOf(next); ok {
		t.Errorf("there is a segment for ordinal %d", next)
	}
}
