package catalog

import (
	"context"
	"errors"
	"io"
	"unsafe"

	"datfs/catalog/pack"
)

// strokeSize is how much is asked of a source at a time, in bytes. Large, so
// that a disk is read in long strokes; four of them are in memory.
const (
	strokeSize  = 4 << 20
	strokeCount = 4
)

// A Source yields the bytes of a file, from its start.
type Source interface {
	// Next reads the next bytes into buf, or skips a hole: one of n and hole is
	// positive, or err is not nil. buf has 4 MiB and its memory is aligned to
	// 4 KiB, as direct I/O asks for. n may be less than len(buf) anywhere. hole
	// is a number of zero bytes and need not be a multiple of anything. At the
	// end err is io.EOF, with n and hole 0.
	Next(buf []byte) (n int, hole int64, err error)
}

// FromReader makes a Source without holes of a reader.
func FromReader(r io.Reader) Source { return readerSource{r} }

type readerSource struct{ r io.Reader }

func (s readerSource) Next(buf []byte) (int, int64, error) {
	n, err := io.ReadFull(s.r, buf)
	if n > 0 && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) {
		return n, 0, nil // the end, if this is it, comes up again
	}
	return n, 0, err
}

// alignedBuffer returns a buffer of a stroke whose memory is aligned to 4 KiB.
func alignedBuffer() []byte {
	const align = 4096
	b := make([]byte, strokeSize+align)
	skip := align - int(uintptr(unsafe.Pointer(&b[0]))%align)
	return b[skip:][:strokeSize]
}

// A block is a block of a stroke with what the workers found out.
type block struct {
	data []byte
	zero bool
	id   pack.BlockID // unless zero
}

// A stroke is a stretch of a file, cut into blocks: some with bytes, then a
// number of zero blocks that the source skipped.
type stroke struct {
	buf    []byte
	blocks []block
	holes  int64         // zero blocks after the blocks
	err    error         // what the source said after them
	done   chan struct{} // closed when all blocks have their IDs
}

// size returns the bytes of the stroke, holes included.
func (s *stroke) size(blockSize int64) int64 {
	n := s.holes * blockSize
	for i := range s.blocks {
		n += int64(len(s.blocks[i].data))
	}
	return n
}

// A cutter reads a source, cuts it into blocks and hands the strokes, in order,
// to whoever reads out. The IDs are computed by the workers meanwhile.
type cutter struct {
	src       Source
	blockSize int
	workers   *workers
	free      chan []byte
	out       chan *stroke
	carry     []byte // the beginning of a block whose rest is still to come
}

// run cuts until the source ends or fails, or ctx does; then it closes out. The
// last stroke has the reason.
func (c *cutter) run(ctx context.Context) {
	defer close(c.out)
	for {
		s := &stroke{done: make(chan struct{})}
		select {
		case s.buf = <-c.free:
		case <-ctx.Done():
			return
		}
		c.fill(s)
		last := s.err != nil // s is the reader's once it is sent
		c.workers.do(func(w *worker) {
			w.identify(s.blocks)
			close(s.done)
		})
		select {
		case c.out <- s:
		case <-ctx.Done():
			<-s.done
			c.free <- s.buf
			return
		}
		if last {
			return
		}
	}
}

// fill reads a stroke and cuts it.
func (c *cutter) fill(s *stroke) {
	n, skipped, err := c.src.Next(s.buf)
	c.cut(s, s.buf[:n])
	if skipped > 0 && len(c.carry) > 0 {
		k := min(skipped, int64(c.blockSize-len(c.carry)))
		c.cut(s, make([]byte, k))
		skipped -= k
	}
	if skipped > 0 {
		s.holes = skipped / int64(c.blockSize)
		c.carry = make([]byte, skipped%int64(c.blockSize), c.blockSize)
	}
	if errors.Is(err, io.EOF) && len(c.carry) > 0 {
		s.blocks = append(s.blocks, block{data: c.carry}) // the file's short last block
		c.carry = nil
	}
	s.err = err
}

// cut cuts data, which goes on where the last data ended.
func (c *cutter) cut(s *stroke, data []byte) {
	if len(c.carry) > 0 {
		k := min(len(data), c.blockSize-len(c.carry))
		c.carry = append(c.carry, data[:k]...)
		data = data[k:]
		if len(c.carry) < c.blockSize {
			return
		}
		s.blocks = append(s.blocks, block{data: c.carry})
		c.carry = nil
	}
	if s.blocks == nil {
		s.blocks = make([]block, 0, len(data)/c.blockSize+2)
	}
	for len(data) >= c.blockSize {
		s.blocks = append(s.blocks, block{data: data[:c.blockSize]})
		data = data[c.blockSize:]
	}
	if len(data) > 0 { // the buffer is used again before the rest comes
		c.carry = append(make([]byte, 0, c.blockSize), data...)
	}
}
