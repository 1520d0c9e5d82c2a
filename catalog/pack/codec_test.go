package pack

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// noise returns n bytes that do not compress.
func noise(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func newCompressor(tb testing.TB, codec Codec) *Compressor {
	tb.Helper()
	c, err := NewCompressor(codec)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func newDecompressor(tb testing.TB) *Decompressor {
	tb.Helper()
	d, err := NewDecompressor()
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// frameOf returns the frame that a directory would have for stored.
func frameOf(stored []byte, codec Codec, raw int) Frame {
	return Frame{Offset: 64, Stored: uint32(len(stored)), Raw: uint32(raw), Count: 1, Codec: codec, Sum: Sum64(stored)}
}

func TestCompress(t *testing.T) {
	halves := append(make([]byte, MaxFrame/2), noise(MaxFrame/2, 3)...)
	tests := []struct {
		name string
		with Codec
		raw  []byte
		want Codec
	}{
		{"OneByte", CodecZstd, []byte{7}, CodecRaw},
		{"Short", CodecZstd, []byte("0123456789"), CodecRaw},
		{"Zeros", CodecZstd, make([]byte, 100), CodecZstd},
		{"Full", CodecZstd, bytes.Repeat([]byte("block of text "), MaxFrame)[:MaxFrame], CodecZstd},
		{"FullHalfNoise", CodecZstd, halves, CodecZstd},
		{"FullNoise", CodecZstd, noise(MaxFrame, 1), CodecRaw},
		{"Noise", CodecZstd, noise(8192, 2), CodecRaw},
		{"ZerosRaw", CodecRaw, make([]byte, 100), CodecRaw},
		{"FullRaw", CodecRaw, make([]byte, MaxFrame), CodecRaw},
	}
	dec := newDecompressor(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			comp := newCompressor(t, tt.with)
			for _, dst := range [][]byte{nil, bytes.Repeat([]byte{1}, 50), make([]byte, 0, 2*MaxFrame)} {
				before := bytes.Clone(tt.raw)
				stored, codec := comp.Compress(dst, tt.raw)
				f := frameOf(stored, codec, len(tt.raw))
				if codec != tt.want || !f.sound() || !bytes.Equal(before, tt.raw) {
					t.Fatalf("%d bytes are stored in %d with codec %d", len(tt.raw), len(stored), codec)
				}
				got, err := dec.Decode(f, stored, make([]byte, 3))
				if err != nil || !bytes.Equal(got, tt.raw) {
					t.Fatalf("Decode returned %d bytes, %v", len(got), err)
				}
			}
		})
	}
}

// Zstd that saves nothing is not worth decoding.
func TestCompressEqualLength(t *testing.T) {
	comp := newCompressor(t, CodecZstd)
	for n := range 200 {
		raw := append(noise(20, 1), make([]byte, n)...)
		if len(comp.enc.EncodeAll(raw, nil)) != len(raw) {
			continue
		}
		if _, codec := comp.Compress(nil, raw); codec != CodecRaw {
			t.Errorf("%d bytes that zstd stores in as many have codec %d", len(raw), codec)
		}
		return
	}
	t.Error("there is nothing that zstd stores in as many bytes")
}

// What does not decode to the same again is stored raw.
func TestCompressChecks(t *testing.T) {
	comp := newCompressor(t, CodecZstd)
	var err error
	if comp.dec, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(10)); err != nil { // refuses all that is longer
		t.Fatal(err)
	}
	stored, codec := comp.Compress(nil, make([]byte, 100))
	if codec != CodecRaw || !bytes.Equal(stored, make([]byte, 100)) {
		t.Errorf("codec %d, %d bytes", codec, len(stored))
	}
}

func TestDecodeRejects(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 1000)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zipped, bomb := enc.EncodeAll(text, nil), enc.EncodeAll(make([]byte, 16<<20), nil)
	if len(bomb) > MaxFrame {
		t.Fatalf("16 MiB of zeros became %d bytes", len(bomb))
	}
	with := func(f Frame, edit func(*Frame)) Frame { edit(&f); return f }
	tests := []struct {
		name   string
		frame  Frame
		stored []byte
	}{
		{"Truncated", frameOf(zipped, CodecZstd, len(text)), zipped[:len(zipped)-1]},
		{"Empty", frameOf(zipped, CodecZstd, len(text)), nil},
		{"TooLong", frameOf(zipped, CodecZstd, len(text)), append(bytes.Clone(zipped), 0)},
		{"Sum", with(frameOf(text, CodecRaw, len(text)), func(f *Frame) { f.Sum++ }), text},
		{"RawLengthOfRaw", frameOf(text, CodecRaw, len(text)+1), text},
		{"RawLengthLess", frameOf(zipped, CodecZstd, len(text)-1), zipped},
		{"RawLengthMore", frameOf(zipped, CodecZstd, len(text)+1), zipped},
		{"NotZstd", frameOf(text, CodecZstd, MaxFrame), text},
		{"TruncatedZstd", frameOf(zipped[:len(zipped)-1], CodecZstd, len(text)), zipped[:len(zipped)-1]},
		{"LargerThanAFrame", frameOf(bomb, CodecZstd, MaxFrame), bomb},
		{"Codec", frameOf(text, 2, len(text)), text},
	}
	dec := newDecompressor(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := dec.Decode(tt.frame, tt.stored, nil)
			runtime.ReadMemStats(&after)
			e, ok := errors.AsType[*Error](err)
			if got != nil || !errors.Is(err, ErrInvalid) || !ok || e.Offset != 64 {
				t.Errorf("Decode returned %d bytes, %v", len(got), err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
				t.Errorf("Decode took %d bytes of memory for a frame of at most %d", n, MaxFrame)
			}
		})
	}
}

// No flipped bit comes through, in either codec.
func TestDecodeFlips(t *testing.T) {
	dec := newDecompressor(t)
	for name, raw := range map[string][]byte{"zstd": bytes.Repeat([]byte("abc"), 200), "raw": noise(200, 4)} {
		stored, codec := newCompressor(t, CodecZstd).Compress(nil, raw)
		f := frameOf(stored, codec, len(raw))
		for i := range 8 * len(stored) {
			stored[i/8] ^= 1 << (i % 8)
			if _, err := dec.Decode(f, stored, nil); !errors.Is(err, ErrInvalid) {
				t.Fatalf("%s: bit %d of the stored bytes flipped: %v", name, i, err)
			}
			stored[i/8] ^= 1 << (i % 8)
		}
	}
}
