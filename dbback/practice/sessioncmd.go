package practice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// sessionArgs are the arguments of "iris session".
type sessionArgs struct {
	namespace, command string
	bypass             bool // -B: also of an instance that did not come fully up
}

// parseSession reads [-U NS | -UNS] [-B] ["label^routine(…)"] behind the
// instance's name.
func parseSession(args []string) (s sessionArgs, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "-U" || arg == "-u":
			if i++; i == len(args) {
				return s, errors.New("-U needs a namespace")
			}
			s.namespace = args[i]
		case strings.HasPrefix(arg, "-U"):
			s.namespace = arg[2:]
		case arg == "-B":
			s.bypass = true
		case s.command == "" && !strings.HasPrefix(arg, "-"):
			s.command = arg
		default:
			return s, fmt.Errorf("unexpected argument %q", arg)
		}
	}
	return s, nil
}

// sessionCommand runs a session and returns its exit code.
func (r *Remote) sessionCommand(ctx context.Context, args []string, io Streams) int {
	r = r.named(args)
	if code := r.known(args, io); code != 0 {
		return code
	}
	s, err := parseSession(args[1:])
	if err != nil {
		fmt.Fprintf(io.Err, "iris session: %v\n", err)
		return 1
	}
	conn, err := dial(r.l.dir)
	if errors.Is(err, ErrDown) {
		// What the product says then is not documented.
		fmt.Fprintf(io.Err, "Instance '%s' is not running\n", r.s.Name)
		return 1
	}
	if err != nil {
		fmt.Fprintf(io.Err, "iris session: %v\n", err)
		return 1
	}
	defer func() { _ = conn.Close() }()
	code, err := runSession(ctx, conn, s, io)
	if err != nil {
		fmt.Fprintf(io.Err, "iris session: %v\n", err)
	}
	return code
}

// runSession carries a session's input and output. If the connection breaks,
// which is what a crash of the instance looks like, the exit code is 1; after a
// signal it is 128 and the signal.
func runSession(ctx context.Context, conn net.Conn, s sessionArgs, streams Streams) (int, error) {
	w := &frameWriter{w: conn}
	dir, _ := os.Getwd() // "" makes the instance take its own
	if err := w.writeJSON(frameRequest, request{Ask: askSession, Namespace: s.namespace, Command: s.command, Dir: dir, Bypass: s.bypass}); err != nil {
		return 1, err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	ended := make(chan sessionEnd, 1)
	go func() { ended <- receive(conn, streams.Out) }()
	go send(w, streams.In)
	done := ctx.Done()
	for {
		select {
		case end := <-ended:
			return end.code, end.err
		case sig := <-signals:
			if sig == os.Interrupt && streams.Terminal {
				_ = w.write(frameInterrupt, nil) // if it cannot be sent, receive knows
				done = nil                       // the same ^C ended ctx
				continue
			}
			return 128 + int(sig.(syscall.Signal)), nil
		case <-done:
			select { // by a signal?
			case sig := <-signals:
				signals <- sig
				done = nil
			default:
				return 1, ctx.Err()
			}
		}
	}
}

type sessionEnd struct {
	code int
	err  error
}

// receive copies the session's output until it ends. Once nobody reads it any more
// it is thrown away and the session goes on, as one does whose reader was killed
// while it had nothing to say. What the product does is not documented; this is the
// worse case for whoever has to know that a session is still at work.
func receive(conn net.Conn, out io.Writer) sessionEnd {
	for {
		kind, payload, err := readFrame(conn)
		if err != nil {
			return sessionEnd{1, fmt.Errorf("the instance has gone: %w", err)}
		}
		switch kind {
		case frameOutput:
			if _, err := out.Write(payload); err != nil {
				out = io.Discard
			}
		case frameExit:
			var e exit
			if err := json.Unmarshal(payload, &e); err != nil {
				return sessionEnd{1, err}
			}
			return sessionEnd{code: e.Code}
		}
	}
}

// send copies standard input to the session. It is left behind in a read when
// the session ends first.
func send(w *frameWriter, in io.Reader) {
	buf := make([]byte, 32<<10)
	for in != nil {
		n, err := in.Read(buf)
		if n > 0 && w.write(frameInput, buf[:n]) != nil {
			return
		}
		if err != nil {
			break
		}
	}
	_ = w.write(frameEnd, nil)
}
