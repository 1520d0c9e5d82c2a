package practice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"datfs/dbback/practice/cos"
)

// A session is one process at a terminal. It ends when its client goes: what a
// statement was doing then ends with it, a BACKUP too, because on a real instance
// the terminal's process is the one that does the work.
type session struct {
	inst *Instance
	out  output
	in   *input
	req  request

	mu        sync.Mutex
	interrupt context.CancelCauseFunc // of the statement that runs, nil if none
}

var (
	errInterrupt  = errors.New("interrupted") // ^C at the terminal
	errClientGone = errors.New("the terminal has gone")
)

// serveSession runs a session to its end.
func (i *Instance) serveSession(conn net.Conn, w *frameWriter, req request) {
	ctx, cancel := context.WithCancelCause(i.ctx)
	defer cancel(nil)
	s := &session{inst: i, out: output{w}, in: newInput(), req: req}
	go s.receive(conn, cancel)
	i.sessions.Add(1)
	defer i.sessions.Add(-1)
	code := s.run(ctx)
	if i.ctx.Err() == nil {
		_ = w.writeJSON(frameExit, exit{code}) // a client that has gone needs none
	}
}

// receive takes what the client sends until it goes.
func (s *session) receive(conn net.Conn, cancel context.CancelCauseFunc) {
	for {
		kind, payload, err := readFrame(conn)
		if err != nil {
			cancel(errClientGone)
			return
		}
		switch kind {
		case frameInput:
			if err := s.in.add(payload); err != nil {
				cancel(err)
				return
			}
		case frameEnd:
			s.in.end()
		case frameInterrupt:
			s.mu.Lock()
			if s.interrupt != nil {
				s.interrupt(errInterrupt)
			}
			s.mu.Unlock()
		}
	}
}

// run returns the exit code.
func (s *session) run(ctx context.Context) int {
	code, err := s.signOn(ctx)
	if err != nil || code != 0 {
		return max(code, 1)
	}
	h := &host{inst: s.inst, pid: 4000 + s.inst.lastPID.Add(1)}
	namespace, ok := s.startNamespace()
	if !ok {
		// What a real session does with a namespace that is not there is not
		// documented.
		fmt.Fprintf(s.out, "<NAMESPACE> *%s\n", s.req.Namespace)
		return 1
	}
	terminal := cos.NewSession(cos.Options{Host: h, Out: s.out, Namespace: namespace, Read: s.in.line})
	if s.req.Command != "" {
		return s.runCommand(ctx, terminal)
	}
	// InterSystems manual, Controlling InterSystems IRIS Instances.
	fmt.Fprintf(s.out, "\nNode: %s, Instance: %s\n", hostname(), s.inst.s.Name)
	if s.inst.arms.has("welcome") {
		fmt.Fprint(s.out, "\n@@@ Welcome to %SYS> @@READY| *** production *** @@@\n")
	}
	for {
		fmt.Fprint(s.out, "\n"+terminal.Prompt())
		line, err := s.in.line(ctx)
		if err != nil {
			// Input has ended without a halt, which is not documented: the session
			// ends. Or the line was too long, or the client has gone.
			if !errors.Is(err, io.EOF) {
				fmt.Fprintf(s.out, "%v\n", err)
				return 1
			}
			return 0
		}
		if code, ended, _ := s.execute(ctx, terminal, line); ended {
			return code
		}
	}
}

// startNamespace returns the namespace that the session begins in; without -U it
// is USER, as the manual has it for users without a Startup Namespace.
func (s *session) startNamespace() (string, bool) {
	name := s.req.Namespace
	if f := s.inst.arms.peek("wrong-namespace", nil); f != nil {
		name = "USER"
		if len(f.Args) > 0 {
			name = f.Args[0]
		}
	}
	if name != "" {
		return s.inst.namespace(name)
	}
	if ns, ok := s.inst.namespace("USER"); ok {
		return ns, true
	}
	return s.inst.namespace("%SYS")
}

// execute runs one line, and reports whether the session has ended with it, and
// else the error that the line met.
func (s *session) execute(ctx context.Context, terminal *cos.Session, line string) (code int, ended bool, met error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.setInterrupt(cancel)
	defer s.setInterrupt(nil)
	err := terminal.Execute(ctx, line)
	if halt, ok := errors.AsType[*cos.HaltError](err); ok {
		return halt.Code, true, nil
	}
	if errors.Is(context.Cause(ctx), errInterrupt) {
		fmt.Fprint(s.out, "\n<INTERRUPT>")
		return 0, false, errInterrupt
	}
	if _, ok := errors.AsType[*cos.Error](err); ok || err == nil {
		return 0, false, err
	}
	return 1, true, err
}

func (s *session) setInterrupt(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = cancel
}

// runCommand runs what stands behind the instance's name: "label^routine(…)" or
// "##class(…).method(…)" (InterSystems manual, Controlling InterSystems IRIS
// Instances). The exit code after an error is not documented.
func (s *session) runCommand(ctx context.Context, terminal *cos.Session) int {
	command := s.req.Command
	if len(command) > 7 && strings.EqualFold(command[:7], "##class") {
		command = "##class" + command[7:]
	}
	code, ended, err := s.execute(ctx, terminal, "do "+command)
	if !ended && err != nil {
		fmt.Fprintln(s.out)
		return 1
	}
	return code
}

// signOn is what comes before the banner. A code other than 0 ends the session.
func (s *session) signOn(ctx context.Context) (code int, err error) {
	c := &call{Context: ctx, inst: s.inst, term: signOnTerminal{s}, what: "session", report: new(*integrity)}
	if _, done, err := s.inst.before(c); done {
		if e, ok := errors.AsType[*exitError](err); ok {
			return e.code, err
		}
		if e, ok := errors.AsType[*trapError](err); ok {
			fmt.Fprintf(s.out, "%s\n", e.Error())
		}
		return 1, err
	}
	notUp := s.inst.mode() == ModeNotUp
	if notUp && s.req.Bypass {
		return 0, nil // documented; that nothing is asked is a guess
	}
	if notUp || s.inst.arms.has("signon-inhibited") {
		// Seen in a public report; that an instance which is not fully up says it is
		// a guess.
		fmt.Fprint(s.out, "<InterSystems IRIS Startup Error: Sign-on and JOB inhibited: Switch 12 is set (0)>\n")
		return 1, nil
	}
	if s.inst.arms.take("license-limit", nil) != nil {
		fmt.Fprint(s.out, "<LICENSE LIMIT EXCEEDED>\n")
		return 1, nil
	}
	if s.inst.arms.take("access-denied", nil) != nil {
		fmt.Fprint(s.out, "\nAccess Denied\n")
		return 1, nil
	}
	return s.login(ctx)
}

// login asks for user and password if the instance is one that does, or is in
// emergency mode. The prompts
// are documented; that there are three tries is a guess.
func (s *session) login(ctx context.Context) (code int, err error) {
	never := s.inst.arms.has("login-prompt")
	wantUser, wantPassword, asks := s.inst.credentials()
	if !asks && !never {
		return 0, nil
	}
	for range 3 {
		fmt.Fprint(s.out, "\nUsername: ")
		user, err := s.in.line(ctx)
		if err != nil {
			return 1, err
		}
		fmt.Fprint(s.out, "Password: ")
		password, err := s.in.line(ctx)
		if err != nil {
			return 1, err
		}
		if !never && strings.EqualFold(user, wantUser) && password == wantPassword {
			return 0, nil
		}
		fmt.Fprint(s.out, "\nAccess Denied\n")
	}
	return 1, nil
}

// A signOnTerminal is the terminal before there is an interpreter.
type signOnTerminal struct{ s *session }

func (t signOnTerminal) Write(p []byte) (int, error) { return t.s.out.Write(p) }

func (t signOnTerminal) ReadLine(ctx context.Context) (string, error) { return t.s.in.line(ctx) }
