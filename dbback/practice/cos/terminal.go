package cos

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A frame is a level of the program stack that the prompt tells of: what put it
// there and how many NEWs and parameter lists it holds. The letters are documented
// (Terminal prompt, program stack): d for DO, e for a user-defined function, E for
// the state after an error, S for sign-on; so is that the prompt after an error in
// a routine is such as "SAMPLES 2d0>", that an error of the typed line itself
// leaves it alone, and that QUIT clears it ($ZERROR and the Program Stack).
type frame struct {
	kind  byte
	news  int
	undos []undo // of the NEWs, the last one first
}

// An undo is what a NEW has put away.
type undo struct {
	vars      map[string]*Array // nil for one that was not there
	all       bool              // all others go, too,
	except    []string          // but these
	namespace string            // "" if it was left alone
}

// Prompt is the prompt for the next line: %SYS> or, after an error in a routine,
// %SYS 2d1>. The terminal begins a new line before it, which is not in it.
func (s *Session) Prompt() string {
	if n := len(s.stack); n > 0 {
		top := s.stack[n-1]
		return s.namespace + " " + strconv.Itoa(n) + string(top.kind) + strconv.Itoa(top.news) + ">"
	}
	return s.namespace + ">"
}

// maxStack bounds the stack of a session that goes from error to error.
const maxStack = 1000

// base is the frame that lines are typed in: that of sign-on or, above a routine
// that has failed, that of the error.
func (s *Session) base() *frame {
	switch n := len(s.stack); {
	case n == 0:
		s.stack = append(s.stack, frame{kind: 'S'})
	case s.stack[n-1].kind != 'S' && s.stack[n-1].kind != 'E':
		s.stack = append(s.stack, frame{kind: 'E'})
	}
	return &s.stack[len(s.stack)-1]
}

func (s *Session) push(f frame) {
	if len(s.stack) >= maxStack {
		return
	}
	s.base()
	s.stack = append(s.stack, f)
}

// unwind is QUIT at the prompt: of all levels or, with an argument, of as many.
func (s *Session) unwind(levels *Value) {
	n := len(s.stack)
	if levels != nil {
		n = int(min(max(levels.Int(), 0), int64(n)))
	}
	for range n {
		top := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		for _, u := range slices.Backward(top.undos) {
			s.undo(u)
		}
	}
}

func (s *Session) undo(u undo) {
	if u.all {
		for name := range s.vars {
			if !slices.Contains(u.except, name) {
				s.drop(name)
			}
		}
	}
	for name, a := range u.vars {
		s.drop(name)
		if a != nil {
			s.vars[name] = a
		}
	}
	if u.namespace != "" {
		s.namespace = u.namespace
	}
}

// drop removes a variable and what it takes.
func (s *Session) drop(name string) {
	if a := s.vars[name]; a != nil {
		a.Kill()
		delete(s.vars, name)
		s.storage -= nodeSize
	}
}

// hide is NEW: the variables are put away until QUIT.
func (s *Session) hide(n newVars) error {
	f := s.base()
	if f.news >= maxStack {
		return newError("<MAXSCOPE>", "")
	}
	u := undo{vars: make(map[string]*Array)}
	names := n.names
	if n.all {
		u.all, u.except = true, n.names
		names = slices.DeleteFunc(slices.Collect(maps.Keys(s.vars)), func(name string) bool {
			return slices.Contains(n.names, name)
		})
	}
	for _, name := range names {
		u.vars[name] = s.vars[name]
		delete(s.vars, name)
	}
	if n.namespace {
		u.namespace = s.namespace
	}
	f.news++
	f.undos = append(f.undos, u)
	return nil
}

// complain prints an error as the terminal does: the line with a caret under the
// command (or, if it could not be parsed, under the place) and the error; of an
// error in a routine the error alone, since the product's routines have no source
// to show.
func (s *Session) complain(e *Error, line string, at int) {
	s.zerror = e.Error()
	var b strings.Builder
	b.WriteByte('\n')
	if e.Location == "" {
		b.WriteString(line + "\n")
		for _, r := range line[:at] {
			if r != '\t' {
				r = ' '
			}
			b.WriteRune(r)
		}
		b.WriteString("^\n")
	}
	b.WriteString(e.Error())
	_ = s.put(b.String()) // flush tells of it
}
