package cos

import (
	"strings"
	"unicode/utf8"
)

// An expr is an expression that was parsed.
type expr interface {
	eval(m *machine) (Value, error)
}

type constant struct{ v Value }

func (c constant) eval(*machine) (Value, error) { return c.v, nil }

// A unary is a value with the signs and nots before it.
type unary struct {
	signs string
	x     expr
}

func (u *unary) eval(m *machine) (Value, error) {
	v, err := u.x.eval(m)
	for i := len(u.signs) - 1; i >= 0 && err == nil; i-- {
		var n number
		if n, err = v.number(); err != nil {
			break
		}
		switch u.signs[i] {
		case '-':
			v = String(n.negate().String())
		case '+':
			v = String(n.String())
		default:
			v = Bool(n.m == 0)
		}
	}
	return v, err
}

// An operation is a first operand and the operators that follow it, each with
// its operand; they are applied from left to right.
type operation struct {
	first expr
	rest  []term
}

type term struct {
	op      string
	right   expr
	pattern pattern // for ?
}

func (o *operation) eval(m *machine) (Value, error) {
	v, err := o.first.eval(m)
	for i := range o.rest {
		if err != nil {
			return Value{}, err
		}
		if err = m.step(1); err == nil {
			v, err = o.rest[i].apply(m, v)
		}
	}
	return v, err
}

// apply applies an operator to what is at its left.
func (t *term) apply(m *machine, left Value) (Value, error) {
	op, not := t.op, false
	if op != "'" && strings.HasPrefix(op, "'") {
		op, not = op[1:], true
	}
	switch { // those that need not look at what is at their right
	case op == "?":
		ok, err := t.pattern.match(m, left.String())
		return Bool(ok != not), err
	case op == "&&" && !left.Bool():
		return Bool(false), nil
	case op == "||" && left.Bool():
		return Bool(true), nil
	}
	right, err := t.right.eval(m)
	if err != nil {
		return Value{}, err
	}
	if err := m.work(len(left.s) + len(right.s)); err != nil {
		return Value{}, err
	}
	if op == "_" {
		return joined(left.String(), right.String())
	}
	if v, ok := relation(op, left.String(), right.String()); ok {
		return Bool(v != not), nil
	}
	l, err := left.number()
	if err != nil {
		return Value{}, err
	}
	r, err := right.number()
	if err != nil {
		return Value{}, err
	}
	if v, ok := comparison(op, l, r); ok {
		return Bool(v != not), nil
	}
	return numberValue(arithmetic(op, l, r))
}

// relation compares strings.
func relation(op, l, r string) (result, ok bool) {
	switch op {
	case "=":
		return l == r, true
	case "[":
		return strings.Contains(l, r), true
	case "]":
		return l > r, true
	case "]]":
		return collate(l, r) > 0, true
	}
	return false, false
}

// comparison compares numbers and truth values.
func comparison(op string, l, r number) (result, ok bool) {
	switch op {
	case "<":
		return l.compare(r) < 0, true
	case ">":
		return l.compare(r) > 0, true
	case "<=":
		return l.compare(r) <= 0, true
	case ">=":
		return l.compare(r) >= 0, true
	case "&", "&&":
		return l.m != 0 && r.m != 0, true
	case "!", "||":
		return l.m != 0 || r.m != 0, true
	}
	return false, false
}

func arithmetic(op string, l, r number) (number, error) {
	switch op {
	case "+":
		return l.add(r)
	case "-":
		return l.add(r.negate())
	case "*":
		return l.multiply(r)
	case "/":
		return l.divide(r)
	case `\`:
		return l.quotient(r)
	case "#":
		return l.modulo(r)
	case "**":
		return l.power(r)
	}
	return number{}, Unsupported("operator %s", op)
}

// A fromEnd is a position counted from the end: * or *-1. Functions that take
// positions look into it.
type fromEnd struct{ minus expr }

func (f *fromEnd) eval(*machine) (Value, error) { return Value{}, newError("<SYNTAX>", "") }

// position evaluates a position in something of that length.
func (m *machine) position(x expr, length func() int) (int, error) {
	end, ok := x.(*fromEnd)
	if ok {
		x = end.minus
	}
	v, err := x.eval(m)
	if err != nil {
		return 0, err
	}
	n := int(min(max(v.Int(), -maxString), 2*maxString))
	if ok {
		n = length() - n
	}
	return n, nil
}

type pair struct{ when, then expr }

// A selectCall is $select.
type selectCall struct{ pairs []pair }

func (s *selectCall) eval(m *machine) (Value, error) {
	for _, p := range s.pairs {
		v, err := p.when.eval(m)
		if err != nil {
			return Value{}, err
		}
		if v.Bool() {
			return p.then.eval(m)
		}
	}
	return Value{}, newError("<SELECT>", "")
}

// A caseCall is $case.
type caseCall struct {
	target   expr
	pairs    []pair
	fallback expr
}

func (c *caseCall) eval(m *machine) (Value, error) {
	target, err := c.target.eval(m)
	if err != nil {
		return Value{}, err
	}
	for _, p := range c.pairs {
		v, err := p.when.eval(m)
		if err != nil {
			return Value{}, err
		}
		if v.String() == target.String() {
			return p.then.eval(m)
		}
	}
	if c.fallback == nil {
		return Value{}, newError("<ILLEGAL VALUE>", "")
	}
	return c.fallback.eval(m)
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
