package pack

import (
	"errors"
	"fmt"
	"io"
)

// Errors of a Writer's caller.
var (
	errState = errors.New("pack writer is finished or has failed")
	errFull  = errors.New("pack has no ordinals left")
)

// A Writer writes one pack: frames by Append, then Finish. It refuses calls in
// another order, and everything after an error. It writes to its end of the
// file only, in the order of the format. Syncing is the caller's.
type Writer struct {
	w      io.Writer
	offset int64
	footer Footer
	cur    segmentBuilder
	dir    []byte       // encoded segments
	refs   []SegmentRef // their offsets are from the start of dir until Finish
	done   bool
}

// NewWriter writes the header of a pack to w.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	pw := &Writer{w: w}
	return pw, pw.write(h.Append(nil))
}

func (w *Writer) write(b []byte) error {
	n, err := w.w.Write(b)
	w.offset += int64(n)
	if err != nil {
		return w.fail(fmt.Errorf("write pack: %w", err))
	}
	return nil
}

// fail makes the writer refuse everything from now on.
func (w *Writer) fail(err error) error {
	w.done = true
	return err
}

// Size returns the bytes written so far.
func (w *Writer) Size() int64 { return w.offset }

// Ordinals returns the number of ordinals given out so far.
func (w *Writer) Ordinals() uint32 { return w.footer.Ordinals }

// Append writes a frame: stored bytes as Compress made them of the blocks with
// the given IDs and lengths, which get the next ordinals.
func (w *Writer) Append(stored []byte, codec Codec, ids []BlockID, lengths []uint32) error {
	if w.done {
		return errState
	}
	f := Frame{
		Offset: w.offset, Stored: uint32(len(stored)), First: w.footer.Ordinals,
		Count: uint32(len(ids)), Codec: codec, Sum: Sum64(stored),
	}
	if err := f.measure(ids, lengths); err != nil {
		return w.fail(err)
	}
	n := f.Count
	if n > MaxOrdinals-w.footer.Ordinals {
		return w.fail(errFull)
	}
	if w.cur.ordinals()+n > MaxSegment {
		w.endSegment()
	}
	for i, id := range ids {
		w.cur.add(id, lengths[i])
	}
	w.cur.frames = append(w.cur.frames, f)
	w.footer.Ordinals += n
	w.footer.Present += n
	w.footer.RawBytes += int64(f.Raw)
	return w.write(stored)
}

// measure fills in the raw length of a frame of blocks with these IDs and
// lengths. It refuses what no reader would take: a pack that cannot be read
// must not come to be.
func (f *Frame) measure(ids []BlockID, lengths []uint32) error {
	if len(ids) == 0 || len(ids) > MaxSegment || len(lengths) != len(ids) {
		return fmt.Errorf("frame of %d blocks with %d lengths", len(ids), len(lengths))
	}
	for i, n := range lengths {
		if n == 0 || n > MaxFrame || ids[i].IsZero() {
			return fmt.Errorf("block %v of %d bytes", ids[i], n)
		}
		f.Raw += n
	}
	if !f.sound() {
		return fmt.Errorf("frame of %d bytes is stored in %d with codec %d", f.Raw, f.Stored, f.Codec)
	}
	return nil
}

// Skip gives out n ordinals as absent, for a compaction that keeps the
// addresses of the blocks after them.
func (w *Writer) Skip(n uint32) error {
	if w.done {
		return errState
	}
	if n > MaxOrdinals-w.footer.Ordinals {
		return w.fail(errFull)
	}
	for range n {
		if w.cur.ordinals() == MaxSegment {
			w.endSegment()
		}
		w.cur.add(BlockID{}, 0)
		w.footer.Ordinals++
	}
	return nil
}

func (w *Writer) endSegment() {
	start := len(w.dir)
	w.dir = w.cur.encode(w.dir)
	w.refs = append(w.refs, SegmentRef{
		First: w.cur.first, Ordinals: w.cur.ordinals(),
		Offset: int64(start), Length: uint32(len(w.dir) - start), Sum: Sum64(w.dir[start:]),
	})
	w.cur = segmentBuilder{first: w.footer.Ordinals, frames: w.cur.frames[:0], ids: w.cur.ids[:0], lengths: w.cur.lengths[:0]}
}

// Finish writes directory and footer. The pack is then complete, but not yet
// synced.
func (w *Writer) Finish() (Footer, error) {
	if w.done {
		return Footer{}, errState
	}
	if w.cur.ordinals() > 0 {
		w.endSegment()
	}
	dirOffset := w.offset
	if err := w.write(w.dir); err != nil {
		return Footer{}, err
	}
	var index []byte
	for _, ref := range w.refs {
		ref.Offset += dirOffset
		index = ref.Append(index)
	}
	w.footer.IndexOffset = w.offset
	w.footer.Segments = uint32(len(w.refs))
	w.footer.IndexSum = Sum64(index)
	err := w.write(w.footer.Append(index))
	w.done = true
	return w.footer, err
}
