package gtm

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestRecords sorts more records than are in memory at once, and as many as just
// are.
func TestRecords(t *testing.T) {
	for _, n := range []int{0, 1, keepRecords, keepRecords + 1, sortRecords - 1, sortRecords, sortRecords + 1, 3*sortRecords + 7} {
		rnd := rand.New(rand.NewPCG(uint64(n), 1))
		dir := t.TempDir()
		r := records{dir: dir}
		var want []record
		for i := range n {
			rec := record{rnd.Int64N(int64(n)/2 + 1), int64(i)}
			want = append(want, rec)
			if err := r.add(rec); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, record.compare)
		if err := r.done(); err != nil {
			t.Fatal(err)
		}
		if cap(r.buf) > 2*keepRecords {
			t.Errorf("%d records: room for %d is kept in memory", n, cap(r.buf))
		}
		for range 2 { // more than once
			var got []record
			for rec, err := range r.all() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, rec)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d records: not in order, or not all", n)
			}
		}
		for range r.all() { // not to the end
			break
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%d records: left %v, %v", n, left, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRecords_Lost holds that a file that is shorter than it was is an error, not
// fewer blocks.
func TestRecords_Lost(t *testing.T) {
	r := records{dir: t.TempDir()}
	for i := range int64(sortRecords + 5) {
		if err := r.add(record{i, i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.done(), r.file.Truncate(r.end-recordSize-1)); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range r.all() {
		last = err
	}
	if !errors.Is(last, io.ErrUnexpectedEOF) {
		t.Errorf("%v", last)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := (&records{dir: "/nowhere", buf: make([]record, 1)}).spill(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A manyChanges is an incremental of n changed blocks of 512 bytes, the last of
// which comes first, and a master map of 8 MiB in pieces of a byte.
type manyChanges struct {
	n    int64
	head []byte
	tail []byte // up to the master map
}

func newManyChanges(n int64) *manyChanges {
	b := bytestream(512, n, nil)
	const tail = incHeaderSize + recHeaderSize + 512
	maps := tail + 4 + len(endOfBlocks) + 4 + HeaderSize + 4 + len(endOfHeader)
	return &manyChanges{n: n, head: b[:incHeaderSize], tail: b[tail:maps]}
}

// end returns where the records end.
func (m *manyChanges) end() int64 { return incHeaderSize + (m.n+1)*(recHeaderSize+512) }

func (m *manyChanges) size() int64 { return m.end() + 8<<20 }

// ReadAt implements [io.ReaderAt] for reads of whole fields.
func (m *manyChanges) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	switch i, at := (off-incHeaderSize)/(recHeaderSize+512), off-m.end(); {
	case off == 0:
		copy(b, m.head)
	case at >= int64(len(m.tail)):
		b[0] = 5 // a piece's length includes itself
	case at >= 0:
		copy(b, m.tail[at:])
	case i < m.n:
		binary.LittleEndian.PutUint64(b[recBlock:], uint64(m.n-1-i))
		binary.LittleEndian.PutUint32(b[recValid:], 1)
	}
	return len(b), nil
}

// allocated returns how many bytes are allocated while f runs.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestBytestream_Memory holds that what is allocated in all does not grow with the
// number of changed blocks, nor with what a damaged file says of its master map.
func TestBytestream_Memory(t *testing.T) {
	const n = 8 * sortRecords
	m := newManyChanges(n)
	s := &Bytestream{r: m, size: m.size(), records: records{dir: t.TempDir()}}
	read := allocated(func() {
		if err := s.readHeader(); err != nil {
			t.Fatal(err)
		}
		if at, err := s.readRecords(); err != nil || at != m.end() {
			t.Fatalf("%d, %v", at, err)
		}
	})
	next := int64(0)
	gone := allocated(func() {
		for c, err := range s.Blocks() {
			if err != nil || c.Block != next {
				t.Fatalf("block %d, want %d: %v", c.Block, next, err)
			}
			next++
		}
	})
	if next != n || s.Records != n {
		t.Errorf("%d and %d blocks, want %d", next, s.Records, n)
	}
	// The buffer grows to sortRecords, in steps.
	if per := read / n; per > 16 {
		t.Errorf("%d bytes a block were allocated to read them", per)
	}
	if per := gone / n; per > 1 {
		t.Errorf("%d bytes a block were allocated to go through them", per)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	small := newManyChanges(10)
	maps := allocated(func() {
		if _, err := OpenBytestream(small, small.size(), ""); !errors.Is(err, errBytestream) || !strings.Contains(err.Error(), "in more pieces") {
			t.Errorf("%v", err)
		}
	})
	if maps > 2<<20 {
		t.Errorf("%d MiB were allocated for a master map", maps>>20)
	}
}
