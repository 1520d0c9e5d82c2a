package catalog

import (
	"context"
	"errors"
	"io"
	"unsafe"

	"datfs/catalog/pack"
)

// chunkSize is how much is asked of a source at a time, in bytes. Large, so
// that a disk is read in long strokes; four of them are in memory.
const (
	chunkSize  = 4 << 20
	chunkCount = 4
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

// alignedBuffer returns a buffer of a chunk whose memory is aligned to 4 KiB.
func alignedBuffer() []byte {
	const align = 4096
	b := make([]byte, chunkSize+align)
	skip := align - int(uintptr(unsafe.Pointer(&b[0]))%align)
	return b[skip:][:chunkSize]
}

// A block is a block of a chunk with what the workers found out.
type block struct {
	data []byte
	zero bool
	id   pack.BlockID // unless zero
}

// A chunk is a stretch of a file, cut into blocks: some with bytes, then a
// number of zero blocks that the source skipped.
type chunk struct {
	buf    []byte
	blocks []block
	holes  int64         // zero blocks after the blocks
	err    error         // what the source said after them
	done   chan struct{} // closed when all blocks have their IDs
}

// A cutter reads a source, cuts it into blocks and hands the chunks, in order,
// to whoever reads out. The IDs are computed by the workers meanwhile.
type cutter struct {
	src       Source
	blockSize int
	workers   *workers
	free      chan []byte
	out       chan *chunk
	carry     []byte // the beginning of a block whose rest is still to come
}

// run cuts until the source ends or fails, or ctx does; then it closes out. The
// last chunk has the reason.
func (c *cutter) run(ctx context.Context) {
	defer close(c.out)
	for {
		ch := &chunk{done: make(chan struct{})}
		select {
		case ch.buf = <-c.free:
		case <-ctx.Done():
			return
		}
		c.fill(ch)
		last := ch.err != nil // ch is the reader's once it is sent
		c.workers.do(func(w *worker) {
			w.identify(ch.blocks)
			close(ch.done)
		})
		select {
		case c.out <- ch:
		case <-ctx.Done():
			<-ch.done
			c.free <- ch.buf
			return
		}
		if last {
			return
		}
	}
}

// fill reads a chunk and cuts it.
func (c *cutter) fill(ch *chunk) {
	n, skipped, err := c.src.Next(ch.buf)
	c.cut(ch, ch.buf[:n])
	if skipped > 0 && len(c.carry) > 0 {
		k := min(skipped, int64(c.blockSize-len(c.carry)))
		c.cut(ch, make([]byte, k))
		skipped -= k
	}
	if skipped > 0 {
		ch.holes = skipped / int64(c.blockSize)
		c.carry = make([]byte, skipped%int64(c.blockSize), c.blockSize)
	}
	if errors.Is(err, io.EOF) && len(c.carry) > 0 {
		ch.blocks = append(ch.blocks, block{data: c.carry}) // the file's short last block
		c.carry = nil
	}
	ch.err = err
}

// cut cuts data, which goes on where the last data ended.
func (c *cutter) cut(ch *chunk, data []byte) {
	if len(c.carry) > 0 {
		k := min(len(data), c.blockSize-len(c.carry))
		c.carry = append(c.carry, data[:k]...)
		data = data[k:]
		if len(c.carry) < c.blockSize {
			return
		}
		ch.blocks = append(ch.blocks, block{data: c.carry})
		c.carry = nil
	}
	if ch.blocks == nil {
		ch.blocks = make([]block, 0, len(data)/c.blockSize+2)
	}
	for len(data) >= c.blockSize {
		ch.blocks = append(ch.blocks, block{data: data[:c.blockSize]})
		data = data[c.blockSize:]
	}
	if len(data) > 0 { // the buffer is used again before the rest comes
		c.carry = append(make([]byte, 0, c.blockSize), data...)
	}
}
