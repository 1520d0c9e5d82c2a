package cos

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A machine runs one line.
type machine struct {
	ctx    context.Context
	s      *Session
	steps  int
	pos    int    // of the command that runs, for the caret under it
	left   *Value // what QUIT or RETURN was given
	failed frame  // the last call that ended in an error
}

// A stopError ends a line whatever CATCH it runs in: the end of ctx or of the
// session's output, or too many steps.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

// ctxEvery is how many steps are run between looks at the context.
const ctxEvery = 256

// step counts work: a command, a call, a kilobyte that is gone through.
func (m *machine) step(n int) error {
	before := m.steps
	m.steps += n
	if m.steps > m.s.opts.Limits.Steps {
		return &stopError{newError(nameLimit, fmt.Sprintf("*the line took more than %d steps", m.s.opts.Limits.Steps))}
	}
	if before/ctxEvery == m.steps/ctxEvery {
		return nil
	}
	return m.ended()
}

// ended is the error of a context that has ended.
func (m *machine) ended() error {
	if m.ctx.Err() == nil {
		return nil
	}
	return &stopError{context.Cause(m.ctx)}
}

// work counts the steps of going through n bytes.
func (m *machine) work(n int) error { return m.step(n >> 10) }

// outside makes an error of the world one of the language. What ends the session
// or the line stays what it is.
func (m *machine) outside(err error) error {
	if err == nil {
		return m.ended()
	}
	if halt, ok := errors.AsType[*HaltError](err); ok {
		return halt
	}
	if stop, ok := errors.AsType[*stopError](err); ok {
		return stop
	}
	if ended := m.ended(); ended != nil {
		return ended
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Name: "<SYSTEM>", Data: "*" + err.Error(), Err: err}
}

// adopt gives a reference to an object its number.
func (m *machine) adopt(v Value) Value {
	if v.ref != nil && v.ref.id == 0 {
		m.s.orefs++
		v.ref.id = m.s.orefs
	}
	return v
}

// result is a value that came from the world.
func (m *machine) result(v Value, err error) (Value, error) {
	if err = m.outside(err); err != nil {
		return Value{}, err
	}
	if len(v.s) > maxString {
		return Value{}, newError("<MAXSTRING>", "")
	}
	return m.adopt(v), m.work(len(v.s))
}

// values evaluates expressions.
func (m *machine) values(xs []expr) ([]Value, error) {
	values := make([]Value, len(xs))
	for i, x := range xs {
		v, err := x.eval(m)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// maxSubscripts is the documented number of levels that a local array may have.
const maxSubscripts = 255

// subscripts evaluates subscripts; the empty string is none.
func (m *machine) subscripts(name string, xs []expr) ([]Value, error) {
	subs, err := m.values(xs)
	if err != nil || len(subs) == 0 {
		return nil, err
	}
	if len(subs) > maxSubscripts {
		return nil, newError("<SUBSCRIPT>", spell(name, nil))
	}
	return subs, nil
}

// spell writes a variable with its subscripts as error texts have it.
func spell(name string, subs []Value) string {
	if len(subs) == 0 {
		return name
	}
	parts := make([]string, len(subs))
	for i, s := range subs {
		parts[i] = quoted(s.String())
	}
	return name + "(" + strings.Join(parts, ",") + ")"
}

// quoted is a string as it would be typed: a number, or in quotes.
func quoted(s string) string {
	if isCanonical(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
