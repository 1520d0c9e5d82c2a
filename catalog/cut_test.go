package catalog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"datfs/catalog/pack"
)

// A piece is what a source yields at once: so many bytes, or a hole.
type piece struct {
	n    int
	hole bool
}

// A pieceSource yields data in the given pieces, whose holes must be zeros, and
// then fails with err or, if that is nil, yields the rest. It calls before, if
// it is not nil, at each call.
type pieceSource struct {
	data   []byte
	pieces []piece
	err    error
	before func()
}

func (s *pieceSource) Next(buf []byte) (int, int64, error) {
	if s.before != nil {
		s.before()
	}
	if len(s.pieces) == 0 && s.err != nil {
		return 0, 0, s.err
	}
	if len(s.data) == 0 {
		return 0, 0, io.EOF
	}
	p := piece{n: len(buf)}
	if len(s.pieces) > 0 {
		p, s.pieces = s.pieces[0], s.pieces[1:]
	}
	n := min(p.n, len(s.data))
	var b []byte
	b, s.data = s.data[:n], s.data[n:]
	if p.hole {
		return 0, int64(n), nil
	}
	return copy(buf, b), 0, nil
}

// cutBlocks cuts what src yields. It returns the blocks and the source's last
// word.
func cutBlocks(t *testing.T, ws *workers, src Source, blockSize int) ([]block, error) {
	t.Helper()
	c := &cutter{src: src, blockSize: blockSize, workers: ws, free: make(chan []byte, 2), out: make(chan *stroke, 1)}
	for range cap(c.free) {
		c.free <- alignedBuffer()
	}
	go c.run(t.Context())
	var out []block
	var last error
	for ch := range c.out {
		<-ch.done
		for _, b := range ch.blocks {
			b.data = bytes.Clone(b.data) // the buffer is used again
			out = append(out, b)
		}
		for range ch.holes {
			out = append(out, block{data: make([]byte, blockSize), zero: true})
		}
		last = ch.err
		clear(ch.buf) // as if it were
		c.free <- ch.buf
	}
	if len(c.free) != cap(c.free) {
		t.Errorf("%d of %d buffers came back", len(c.free), cap(c.free))
	}
	return out, last
}

// checkBlocks checks that data was cut right.
func checkBlocks(t *testing.T, got []block, data []byte, blockSize int) {
	t.Helper()
	hasher := pack.NewHasher(pack.Key{1})
	i := 0
	for want := range slices.Chunk(data, blockSize) {
		if i == len(got) {
			t.Fatalf("%d blocks of %d bytes", i, len(data))
		}
		b := got[i]
		if !bytes.Equal(b.data, want) || b.zero != pack.IsZero(want) || !b.zero && b.id != hasher.BlockID(want) {
			t.Fatalf("block %d: %d bytes, zero %v, ID %v; want %d bytes", i, len(b.data), b.zero, b.id, len(want))
		}
		i++
	}
	if i != len(got) {
		t.Errorf("%d blocks of %d bytes, want %d", len(got), len(data), i)
	}
}

func cutWorkers(tb testing.TB) *workers {
	tb.Helper()
	ws, err := startWorkers(pack.Key{1}, pack.CodecRaw)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(ws.stop)
	return ws
}

func TestCut(t *testing.T) {
	const bs = 512
	dense := blocks(20, bs, 1)
	sparse := bytes.Clone(dense)
	clear(sparse[1000:7000]) // the end of block 1 to the middle of block 13
	hole := func(n int) piece { return piece{n, true} }
	data := func(n int) piece { return piece{n, false} }
	tests := []struct {
		name   string
		data   []byte
		pieces []piece
	}{
		{"Empty", nil, nil},
		{"OneByte", dense[:1], nil},
		{"OneBlock", dense[:bs], nil},
		{"BlockAndAByte", dense[:bs+1], nil},
		{"Whole", dense, nil},
		{"ByteByByte", dense[:3*bs+5], slices.Repeat([]piece{data(1)}, 3*bs+4)},
		{"BlockByBlock", dense, slices.Repeat([]piece{data(bs)}, 20)},
		{"OddPieces", dense, []piece{data(511), data(2), data(513), data(1), data(1500), data(36), data(1024)}},
		{"LongPieceAfterShort", dense, []piece{data(1), data(5000)}},
		{"ZerosAsData", sparse, nil},
		{"Hole", sparse, []piece{data(1000), hole(6000)}},
		{"HoleInPieces", sparse, []piece{data(1000), hole(1), hole(23), hole(1), hole(511), hole(512), hole(2000), hole(100)}},
		{"HoleThenZeros", sparse, []piece{data(1000), hole(3000), data(3000)}},
		{"ZerosThenHole", sparse, []piece{data(3000), hole(3000)}},
		{"HoleThatFillsABlock", sparse, []piece{data(1000), hole(24)}},
		{"HoleWithinABlock", sparse, []piece{data(1030), hole(10)}},
		{"HoleOfWholeBlocks", sparse, []piece{data(1024), hole(11 * bs)}},
		{"OnlyHole", make([]byte, 5*bs), []piece{hole(5 * bs)}},
		{"OnlyHoleAndAByte", make([]byte, 5*bs+1), []piece{hole(5*bs + 1)}},
		{"OnlyShortHole", make([]byte, 10), []piece{hole(10)}},
		{"HoleAtTheEnd", append(bytes.Clone(dense[:700]), make([]byte, 1000)...), []piece{data(700), hole(1000)}},
		{"HoleAtTheStart", append(make([]byte, 1000), dense[:700]...), []piece{hole(1000), data(700)}},
		{"HoleLongerThanABuffer", append(make([]byte, 3*strokeSize+10), dense...), []piece{hole(3*strokeSize + 10)}},
		{"DataLongerThanABuffer", blocks(3*strokeSize/bs, bs, 2)[:3*strokeSize-77], []piece{data(77)}},
	}
	ws := cutWorkers(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := cutBlocks(t, ws, &pieceSource{data: tt.data, pieces: tt.pieces}, bs)
			if !errors.Is(err, io.EOF) {
				t.Errorf("the last piece has %v", err)
			}
			checkBlocks(t, got, tt.data, bs)
		})
	}
}

// FuzzCut cuts data with zeros in arbitrary places, which come as zeros or as
// holes, in pieces of arbitrary lengths.
func FuzzCut(f *testing.F) {
	f.Add([]byte{10, 1, 200, 2, 3, 0, 255, 2, 255, 2, 40, 3, 7, 1}, uint8(100))
	f.Add([]byte{255, 2, 255, 2, 255, 2, 1, 0}, uint8(0))
	f.Add([]byte{1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 3, 1, 2}, uint8(1))
	ws := cutWorkers(f)
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		blockSize := 1 + int(size)
		src := &pieceSource{}
		for i := 0; i+1 < min(len(b), 2000); i += 2 {
			n, kind := int(b[i]), b[i+1]%4
			if n == 0 {
				continue // a source always yields something
			}
			piece := piece{n, kind == 2}
			if kind < 2 { // else zeros, as a hole or as they are
				src.data = append(src.data, bytes.Repeat([]byte{b[i] | 1}, n)...)
			} else {
				src.data = append(src.data, make([]byte, n)...)
			}
			src.pieces = append(src.pieces, piece)
		}
		data := src.data
		got, err := cutBlocks(t, ws, src, blockSize)
		if !errors.Is(err, io.EOF) {
			t.Errorf("the last piece has %v", err)
		}
		checkBlocks(t, got, data, blockSize)
	})
}

// A file is stored the same however its source yields it.
func TestStorePieces(t *testing.T) {
	const bs = 8192
	data := blocks(1000, bs, 1)
	clear(data[300_000:2_000_000])
	clear(data[5_000_001:5_100_003])
	r := newRepo(t)
	want := storeSet(t, r, "PROD", testFile{"/a", bs, data})
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		src := &pieceSource{data: data}
		for at := 0; at < len(data); {
			zeros := 0
			for at+zeros < len(data) && data[at+zeros] == 0 {
				zeros++
			}
			p := piece{n: 1 + rng.IntN(200_000)}
			if zeros > 0 && rng.IntN(4) > 0 {
				p = piece{1 + rng.IntN(zeros), true}
			}
			src.pieces = append(src.pieces, p)
			at += p.n
		}
		w, err := r.Begin(BeginOptions{Instance: "PROD", Engine: "files"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Store(t.Context(), FileInfo{Path: "/a", Section: SectionDatabases, BlockSize: bs}, src, nil); err != nil {
			t.Fatal(err)
		}
		got, err := w.Seal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a, b := got.Files[0], want.Files[0]
		if a.Size != b.Size || a.XXH64 != b.XXH64 || a.ZeroBytes != b.ZeroBytes || a.NewBytes != 0 {
			t.Errorf("stored %+v, want %+v", a, b)
		}
		readBack(t, r, got.SetName(), testFile{"/a", bs, data})
	}
}

// A source that fails or a caller who gives up, at any moment: the file is not
// part of the set, and what the set needs for others has come back.
func TestStoreFails(t *testing.T) {
	const bs = 8192
	data := blocks(2000, bs, 1) // four pieces
	errDisk := errors.New("bad sector")
	good := testFile{"/good", bs, blocks(100, bs, 2)}
	tests := []struct {
		name   string
		pieces int // of 1 MiB, before it happens
		cancel bool
	}{
		{"FailAtOnce", 0, false},
		{"FailLater", 1, false},
		{"FailMuchLater", 9, false},
		{"CancelAtOnce", 0, true},
		{"CancelLater", 1, true},
		{"CancelMuchLater", 9, true},
	}
	r := newRepo(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, err := r.Begin(BeginOptions{Instance: "PROD", Engine: "files"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			src := &pieceSource{data: data, pieces: slices.Repeat([]piece{{n: 1 << 20}}, tt.pieces)}
			want := errDisk
			if tt.cancel {
				want = context.Canceled
				calls := 0
				src.before = func() {
					if calls++; calls > tt.pieces {
						cancel()
					}
				}
			} else {
				src.err = errDisk
			}
			_, err = w.Store(ctx, FileInfo{Path: "/bad", Section: SectionDatabases, BlockSize: bs}, src, nil)
			if !errors.Is(err, want) {
				t.Errorf("Store = %v, want %v", err, want)
			}
			if _, ok := errors.AsType[*RepositoryError](err); ok {
				t.Errorf("%v is not the repository's", err)
			}
			if len(w.free) != strokeCount {
				t.Errorf("%d of %d buffers came back", len(w.free), strokeCount)
			}
			info := FileInfo{Path: good.path, Section: SectionDatabases, BlockSize: bs}
			if _, err := w.Store(t.Context(), info, FromReader(bytes.NewReader(good.data)), nil); err != nil {
				t.Fatal(err)
			}
			set, err := w.Seal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			readBack(t, r, set.SetName(), good)
		})
	}
}

// FromReader yields all of a reader, and its error as it is.
func TestFromReader(t *testing.T) {
	errDisk := errors.New("bad sector")
	tests := []struct {
		name string
		r    io.Reader
		want string
		err  error
	}{
		{"Empty", bytes.NewReader(nil), "", io.EOF},
		{"Short", bytes.NewReader([]byte("abc")), "abc", io.EOF},
		{"Full", bytes.NewReader([]byte("abcdefgh")), "abcdefgh", io.EOF},
		{"OneMore", bytes.NewReader([]byte("abcdefghi")), "abcdefghi", io.EOF},
		{"Fails", io.MultiReader(bytes.NewReader([]byte("abcde")), failingReader{errDisk}), "", errDisk},
		{"EndsUnexpectedly", failingReader{io.ErrUnexpectedEOF}, "", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := FromReader(tt.r)
			var got []byte
			buf := make([]byte, 4)
			for {
				n, hole, err := src.Next(buf)
				if hole != 0 || n == 0 && err == nil {
					t.Fatalf("Next = %d, %d, %v", n, hole, err)
				}
				got = append(got, buf[:n]...)
				if err != nil {
					if !errors.Is(err, tt.err) {
						t.Errorf("error is %v, want %v", err, tt.err)
					}
					break
				}
			}
			if errors.Is(tt.err, io.EOF) && string(got) != tt.want {
				t.Errorf("read %q, want %q", got, tt.want)
			}
		})
	}
}

// Direct I/O needs the alignment that Source promises.
func TestAlignedBuffer(t *testing.T) {
	for range 10 {
		b := alignedBuffer()
		if len(b) != strokeSize || uintptr(unsafe.Pointer(&b[0]))%4096 != 0 {
			t.Errorf("%d bytes at %p", len(b), &b[0])
		}
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
