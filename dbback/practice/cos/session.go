package cos

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

// Options are what a session is made of.
type Options struct {
	Host      Host
	Out       io.Writer // of WRITE and of the terminal's error texts
	Namespace string    // default %SYS

	// Read returns the next line of the session's input without its end, for READ
	// and ReadLine; the last one is followed by io.EOF. nil is an input that has ended.
	Read func(ctx context.Context) (string, error)

	Now    func() time.Time // default time.Now
	Limits Limits
}

// Limits bound what one line may take; the zero value of each means its default.
type Limits struct {
	// Steps are statements, calls, operators and kilobytes gone through, by default
	// 10,000,000. Beyond them the line ends with <PRACTICE LIMIT>, which no CATCH catches.
	Steps int

	// Storage is bytes of all variables of the session, by default 64 MiB. Beyond them
	// SET is <STORE>.
	Storage int
}

// A Session is a terminal: variables, a namespace, and a prompt that tells of
// errors. It is not safe for use by two goroutines at once.
type Session struct {
	opts      Options
	out       *bufio.Writer
	outErr    error
	column    int // $X
	row       int // $Y
	namespace string
	vars      map[string]*Array
	private   map[string]*Array // ^||name
	storage   int               // bytes of vars and private
	orefs     int               // objects seen
	test      bool              // $TEST
	zerror    string            // $ZERROR
	started   time.Time         // for $ZHOROLOG
	stack     []frame
}

// NewSession returns a session with no variables.
func NewSession(o Options) *Session {
	o.Namespace = cmp.Or(o.Namespace, "%SYS")
	o.Limits.Steps = cmp.Or(o.Limits.Steps, 10_000_000)
	o.Limits.Storage = cmp.Or(o.Limits.Storage, 64<<20)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return &Session{
		opts: o, out: bufio.NewWriter(o.Out), namespace: o.Namespace, started: o.Now(),
		vars: make(map[string]*Array), private: make(map[string]*Array),
	}
}

// Execute runs one line as the terminal does: all of it is parsed before any of
// it is run.
//
// The result is nil; an *[Error], which was printed already and is told of by
// the prompt, after which the session goes on; a *[HaltError], after which it has
// ended; or the cause of ctx's end or the error of the output, of which nothing was
// printed.
func (s *Session) Execute(ctx context.Context, line string) error {
	s.column = 0 // the line was ended to be run
	err := s.execute(ctx, line)
	if flushed := s.flush(); flushed != nil {
		return flushed
	}
	return err
}

func (s *Session) execute(ctx context.Context, line string) error {
	body, bad, at := parseLine(line)
	if bad != nil {
		s.complain(bad, line, at)
		return bad
	}
	m := &machine{ctx: ctx, s: s}
	how, err := body.exec(m)
	if err == nil {
		if how == flowQuit {
			s.unwind(m.left)
		}
		return nil
	}
	if halt, ok := errors.AsType[*HaltError](err); ok {
		return halt
	}
	if stop, ok := errors.AsType[*stopError](err); ok {
		err = stop.err
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	if e.Location != "" { // in a routine, which stays on the stack
		s.push(m.failed)
	}
	s.complain(e, line, m.pos)
	return e
}

// Namespace is the session's namespace.
func (s *Session) Namespace() string { return s.namespace }

// Write writes to the session's output as WRITE does: $X follows it. A line feed
// begins a line. What a Host writes is passed on at once.
func (s *Session) Write(p []byte) (int, error) {
	if err := s.put(string(p)); err != nil {
		return 0, err
	}
	return len(p), s.flush()
}

// put writes to the buffer in front of the output.
func (s *Session) put(text string) error {
	if s.outErr == nil {
		_, s.outErr = s.out.WriteString(text)
	}
	if s.outErr != nil {
		return &stopError{s.outErr}
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		switch r {
		case '\n':
			s.column, s.row = 0, s.row+1
		case '\r':
			s.column = 0
		case '\f':
			s.column, s.row = 0, 0
		case '\b':
			s.column = max(0, s.column-1)
		default:
			s.column++
		}
	}
	return nil
}

func (s *Session) flush() error {
	if s.outErr == nil {
		s.outErr = s.out.Flush()
	}
	if s.outErr != nil {
		return &stopError{s.outErr}
	}
	return nil
}

// ReadLine reads a line of the session's input, as a routine that prompts does.
// After the last line the error is <ENDOFFILE>.
func (s *Session) ReadLine(ctx context.Context) (string, error) {
	if err := s.flush(); err != nil {
		return "", err
	}
	line, err := "", io.EOF
	if s.opts.Read != nil {
		line, err = s.opts.Read(ctx)
	}
	if err == io.EOF { //nolint:errorlint // Read returns it as it is
		return "", newError("<ENDOFFILE>", "")
	}
	s.column = 0
	return line, err
}

// Variable is the local variable of that name, to be read or set; it is made
// if there is none. A routine that does not NEW its variables works on it.
func (s *Session) Variable(name string) *Array { return s.newArray(s.vars, name) }

func (s *Session) newArray(in map[string]*Array, name string) *Array {
	a := in[name]
	if a == nil {
		a = &Array{meter: &s.storage}
		in[name] = a
		s.storage += nodeSize
	}
	return a
}
