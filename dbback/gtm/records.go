package gtm

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
)

// How many records of an incremental are in memory at once. One has millions of
// them after a busy night, and several incrementals are open together.
const (
	sortRecords = 1 << 18 // while they are read: 4 MiB
	keepRecords = 1 << 12 // afterwards, without a file: 64 KiB
	mergeBuffer = 4 << 10 // bytes for each sorted stretch while they are merged
)

// A record is the place of a block in the incremental.
type record struct{ block, at int64 }

func (r record) compare(other record) int {
	return cmp.Or(cmp.Compare(r.block, other.block), cmp.Compare(r.at, other.at))
}

// recordSize is how long a record is in a file: block and place, little endian.
const recordSize = 16

// records are those of an incremental, by block and then by place. Where there are
// many they are in a file that has no name, in stretches each of which is sorted,
// as it is done for what is larger than memory: 16 bytes a block on disk, and in
// memory 4 KiB for each 262,144 blocks while they are gone through.
type records struct {
	dir  string // for the file; "": the one for temporary files
	buf  []record
	file *os.File // nil while they fit into buf
	runs []piece  // the sorted stretches of file
	end  int64    // of file
}

// add takes a record. Those of one block come by place.
func (r *records) add(rec record) error {
	r.buf = append(r.buf, rec)
	if len(r.buf) < sortRecords {
		return nil
	}
	return r.spill()
}

// spill puts what is in memory into the file.
func (r *records) spill() error {
	if r.file == nil {
		f, err := unnamedFile(r.dir)
		if err != nil {
			return err
		}
		r.file = f
	}
	slices.SortFunc(r.buf, record.compare)
	w := bufio.NewWriter(r.file)
	var b [recordSize]byte
	for _, rec := range r.buf {
		binary.LittleEndian.PutUint64(b[:], uint64(rec.block))
		binary.LittleEndian.PutUint64(b[8:], uint64(rec.at))
		_, _ = w.Write(b[:]) // Flush says it
	}
	if err := w.Flush(); err != nil {
		return err
	}
	length := int64(len(r.buf)) * recordSize
	r.runs = append(r.runs, piece{r.end, length})
	r.end += length
	r.buf = r.buf[:0]
	return nil
}

// done ends adding.
func (r *records) done() error {
	var err error
	switch {
	case r.file == nil && len(r.buf) <= keepRecords:
		slices.SortFunc(r.buf, record.compare)
		r.buf = slices.Clone(r.buf) // the room for more is let go
		return nil
	case len(r.buf) > 0:
		err = r.spill()
	}
	r.buf = nil
	return err
}

// Close gives the file back.
func (r *records) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// all yields the records in order.
func (r *records) all() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		if r.file == nil {
			for _, rec := range r.buf {
				if !yield(rec, nil) {
					return
				}
			}
			return
		}
		var m merge
		for _, run := range r.runs {
			s := &stretch{r: bufio.NewReaderSize(io.NewSectionReader(r.file, run.at, run.length), mergeBuffer)}
			if err := s.next(); err != nil {
				yield(record{}, err)
				return
			}
			m = append(m, s)
		}
		heap.Init(&m)
		for len(m) > 0 {
			if !yield(m[0].rec, nil) {
				return
			}
			switch err := m[0].next(); {
			case err == nil:
				heap.Fix(&m, 0)
			case errors.Is(err, io.EOF):
				heap.Pop(&m)
			default:
				yield(record{}, err)
				return
			}
		}
	}
}

// A stretch is a sorted stretch of the file that is being read.
type stretch struct {
	r   *bufio.Reader
	rec record // the one that it is at
	b   [recordSize]byte
}

// next goes to the next record, and returns io.EOF after the last.
func (s *stretch) next() error {
	if _, err := io.ReadFull(s.r, s.b[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("list of changed blocks: %w", err)
		}
		return err
	}
	s.rec = record{int64(binary.LittleEndian.Uint64(s.b[:])), int64(binary.LittleEndian.Uint64(s.b[8:]))}
	return nil
}

// A merge is the stretches by what they are at: a [heap.Interface].
type merge []*stretch

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return m[i].rec.compare(m[j].rec) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }

// Push implements [heap.Interface].
func (m *merge) Push(x any) { *m = append(*m, x.(*stretch)) }

// Pop implements [heap.Interface].
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
