package practice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// requestTimeout is how long a client may take to say what it wants.
const requestTimeout = 10 * time.Second

// A server answers on the instance's socket.
type server struct {
	inst *Instance
	l    *net.UnixListener
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // of sessions and requests
}

func newServer(inst *Instance, l *net.UnixListener) *server {
	s := &server{inst: inst, l: l, conns: make(map[net.Conn]bool)}
	s.wg.Go(s.accept)
	return s
}

func (s *server) accept() {
	for {
		conn, err := s.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files: who comes next may have luck
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if !s.enter(conn) {
			_ = conn.Close()
			return
		}
		s.wg.Go(func() {
			defer s.leave(conn)
			s.serve(conn)
		})
	}
}

// enter reports whether the server still takes connections.
func (s *server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *server) leave(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// close ends all connections at once and waits for those who serve them. It is
// not called from a connection's own goroutine.
func (s *server) close() {
	_ = s.l.Close()
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *server) serve(conn net.Conn) {
	if err := conn.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
		return
	}
	kind, payload, err := readFrame(conn)
	if err != nil || kind != frameRequest {
		return
	}
	var req request
	w := &frameWriter{w: conn}
	if err := json.Unmarshal(payload, &req); err != nil {
		_ = w.writeJSON(frameReply, reply{Error: err.Error()})
		return
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	if req.Ask == askSession {
		s.inst.serveSession(conn, w, req)
		return
	}
	rep, after := s.inst.handle(s.inst.ctx, req)
	_ = w.writeJSON(frameReply, rep) // a client that has gone wants no answer
	if after != nil {
		go after() // it waits for this goroutine to end
	}
}

// handle answers a request other than a session. What it returns beside the reply
// is done once that is sent.
func (i *Instance) handle(ctx context.Context, req request) (rep reply, after func()) {
	var err error
	switch req.Ask {
	case askStatus:
		rep.Status, err = i.Status()
	case askFail:
		if len(req.Args) == 0 {
			err = &UsageError{errors.New("the name of a failure is missing")}
			break
		}
		err = i.Fail(req.Args[0], req.Args[1:]...)
	case askClear:
		err = i.ClearFailures()
	case askLoad:
		if len(req.Args) != 1 {
			err = &UsageError{errors.New("a load is missing")}
			break
		}
		err = i.SetLoad(ctx, req.Args[0])
	case askStop:
		after = func() { _ = i.Stop() } // Err has it
	case askCrash:
		after = i.Crash
	default:
		err = &UsageError{fmt.Errorf("unknown request %q", req.Ask)}
	}
	if err != nil {
		_, rep.Usage = errors.AsType[*UsageError](err)
		rep.Error = err.Error()
	}
	return rep, after
}
