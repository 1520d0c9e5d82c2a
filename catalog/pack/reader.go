package pack

import (
	"errors"
	"fmt"
	"io"
	"sort"
)

// A Reader reads a pack. It holds the index only, 32 bytes for 1,024 blocks,
// and is safe for concurrent use.
type Reader struct {
	ra     io.ReaderAt
	header Header
	footer Footer
	index  []SegmentRef
}

// NewReader reads and checks header, footer and index of the pack in ra.
// Errors about its bytes are an *Error.
func NewReader(ra io.ReaderAt, size int64) (*Reader, error) {
	if size < HeaderSize+FooterSize {
		return nil, &Error{0, invalidf("pack of %d bytes", size)}
	}
	r := &Reader{ra: ra}
	buf := make([]byte, HeaderSize)
	if err := r.readAt(buf, 0); err != nil {
		return nil, err
	}
	var err error
	if r.header, err = ParseHeader(buf); err != nil {
		return nil, &Error{0, err}
	}
	if err := r.readAt(buf, size-FooterSize); err != nil {
		return nil, err
	}
	if r.footer, err = ParseFooter(buf, size); err != nil {
		return nil, &Error{size - FooterSize, err}
	}
	index := make([]byte, size-FooterSize-r.footer.IndexOffset)
	if err := r.readAt(index, r.footer.IndexOffset); err != nil {
		return nil, err
	}
	if r.index, err = ParseIndex(index, r.footer); err != nil {
		return nil, &Error{r.footer.IndexOffset, err}
	}
	return r, nil
}

// readAt fills b; a pack that ends before that is invalid, not at its end.
func (r *Reader) readAt(b []byte, offset int64) error {
	n, err := r.ra.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return &Error{offset, invalidf("pack ends after %d of %d bytes", n, len(b))}
	default:
		return fmt.Errorf("read pack at offset %d: %w", offset, err)
	}
}

// Header returns the pack's header.
func (r *Reader) Header() Header { return r.header }

// Footer returns the pack's footer.
func (r *Reader) Footer() Footer { return r.footer }

// Segments returns the number of directory segments.
func (r *Reader) Segments() int { return len(r.index) }

// SegmentOf returns the number of the segment that covers the ordinal, or
// false if the pack has no such ordinal.
func (r *Reader) SegmentOf(ordinal uint32) (int, bool) {
	if ordinal >= r.footer.Ordinals {
		return 0, false
	}
	return sort.Search(len(r.index), func(i int) bool { return r.index[i].First > ordinal }) - 1, true
}

// ReadSegment reads and checks the i-th directory segment.
func (r *Reader) ReadSegment(i int) (*Segment, error) {
	ref := r.index[i]
	b := make([]byte, ref.Length)
	if err := r.readAt(b, ref.Offset); err != nil {
		return nil, err
	}
	s, err := ParseSegment(b, ref)
	if err != nil {
		return nil, &Error{ref.Offset, err}
	}
	return s, nil
}

// ReadStored reads the stored bytes of a frame into buf[:0] without checking
// them: Decode does.
func (r *Reader) ReadStored(f Frame, buf []byte) ([]byte, error) {
	if cap(buf) < int(f.Stored) {
		buf = make([]byte, f.Stored)
	}
	buf = buf[:f.Stored]
	return buf, r.readAt(buf, f.Offset)
}
