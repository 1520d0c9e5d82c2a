package practice

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// What goes over the instance's socket: frames of a kind (1 byte), a length
// (4 bytes, big endian) and a payload. A conversation begins with one request
// from the client. For a session, input and output follow, and one exit frame
// ends it; every other request has one reply.
const (
	frameRequest   = 'Q' // client: a request as JSON
	frameInput     = 'I' // client: bytes of standard input
	frameEnd       = 'E' // client: standard input has ended
	frameInterrupt = 'C' // client: ^C at the terminal
	frameOutput    = 'O' // server: bytes of standard output
	frameExit      = 'X' // server: the session has ended, an exit as JSON
	frameReply     = 'R' // server: a reply as JSON

	maxFrame = 1 << 20
)

// What a request can ask for.
const (
	askSession = "session"
	askStatus  = "status"
	askFail    = "fail"
	askClear   = "clear"
	askStop    = "stop"
	askCrash   = "crash"
	askLoad    = "load"
)

// A request is what a client wants.
type request struct {
	Ask       string   `json:"ask"`
	Namespace string   `json:"namespace,omitempty"` // -U of a session
	Command   string   `json:"command,omitempty"`   // "label^routine(…)" of a session
	Dir       string   `json:"dir,omitempty"`       // where the client works
	Bypass    bool     `json:"bypass,omitempty"`    // -B of a session
	Args      []string `json:"args,omitempty"`      // of askFail, askLoad
}

// A reply is what became of a request.
type reply struct {
	Error  string  `json:"error,omitempty"`
	Usage  bool    `json:"usage,omitempty"` // the request was a mistake of the caller
	Status *Status `json:"status,omitempty"`
}

// An exit is the end of a session.
type exit struct {
	Code int `json:"code"`
}

// readFrame returns the next frame. Its error is io.EOF only between frames.
func readFrame(r io.Reader) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return 0, nil, err
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return 0, nil, unexpected(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("frame of %d bytes, more than %d", n, maxFrame)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, unexpected(err)
	}
	return head[0], payload, nil
}

func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // io.ReadFull returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}

// A frameWriter writes frames for several goroutines.
type frameWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// write sends one frame; a payload longer than a frame may be goes in several.
func (f *frameWriter) write(kind byte, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		n := min(len(payload), maxFrame)
		frame := append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(n)), payload[:n]...)
		if _, err := f.w.Write(frame); err != nil {
			return err
		}
		if payload = payload[n:]; len(payload) == 0 {
			return nil
		}
	}
}

// writeJSON sends v in one frame.
func (f *frameWriter) writeJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > maxFrame {
		return fmt.Errorf("message of %d bytes, more than %d", len(b), maxFrame)
	}
	return f.write(kind, b)
}

// output is the writer of a session's standard output.
type output struct{ *frameWriter }

func (o output) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := o.write(frameOutput, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
