package practice

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

// Bounds on what a client may send.
const (
	maxPending = 16 << 20 // bytes of input that nobody has read yet
	maxLine    = 64 << 10 // bytes of one line; what the product allows is not documented
)

var (
	errFlooded = errors.New("too much input")
	errLine    = errors.New("line is too long")
)

// An input is the standard input of a session: lines for the terminal and for
// READ. It does not keep the connection from being read, so that an interrupt is
// seen while a statement runs.
type input struct {
	mu      sync.Mutex
	buf     []byte
	ended   bool
	changed chan struct{} // has room for one, is sent to when there is news
}

func newInput() *input { return &input{changed: make(chan struct{}, 1)} }

func (in *input) signal() {
	select {
	case in.changed <- struct{}{}:
	default:
	}
}

// add appends what has come.
func (in *input) add(p []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.buf)+len(p) > maxPending {
		return errFlooded
	}
	in.buf = append(in.buf, p...)
	in.signal()
	return nil
}

// end says that no more will come.
func (in *input) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended = true
	in.signal()
}

// line returns the next line without its end, waiting for it. The last one needs
// no line feed; after it comes io.EOF.
func (in *input) line(ctx context.Context) (string, error) {
	for {
		line, done, err := in.take()
		if done {
			return line, err
		}
		select {
		case <-in.changed:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

func (in *input) take() (line string, done bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := bytes.IndexByte(in.buf, '\n')
	switch {
	case n > maxLine || n < 0 && len(in.buf) > maxLine:
		return "", true, errLine
	case n >= 0:
		line = string(bytes.TrimSuffix(in.buf[:n], []byte("\r")))
		in.buf = in.buf[n+1:]
		return line, true, nil
	case !in.ended:
		return "", false, nil
	case len(in.buf) > 0:
		line, in.buf = string(in.buf), nil
		return line, true, nil
	}
	return "", true, io.EOF
}
