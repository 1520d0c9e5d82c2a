package cos

import "strings"

// dollar reads a function $NAME(arguments) or a special variable $NAME.
func (p *parser) dollar() expr {
	p.expect("$")
	name := "$" + strings.ToUpper(p.command())
	if name == "$" {
		p.syntax()
		return constant{}
	}
	if name == "$SYSTEM" || name == "$SY" {
		return p.system()
	}
	if p.peek() != '(' {
		return special{specialName(name)}
	}
	fn := functionOf(name)
	if fn == nil {
		p.unsupported("function " + name)
		return constant{}
	}
	switch fn.name {
	case "$SELECT":
		return p.selection()
	case "$CASE":
		return p.caseOf()
	}
	call := &funcCall{fn: fn}
	p.list(func() { call.args = append(call.args, p.funcArg(fn)) })
	if len(call.args) > fn.most {
		p.unsupported(fn.name + " with as many arguments")
	}
	if len(call.args) < fn.least {
		p.syntax()
	}
	return call
}

// funcArg reads an argument of a function; $listbuild has some that are left
// out, and a position may be counted from the end: *, *-1.
func (p *parser) funcArg(fn *function) argument {
	switch {
	case (p.peek() == ',' || p.peek() == ')') && fn.name == "$LISTBUILD":
		return argument{}
	case p.peek() == '*' && fn.positions:
		p.pos++
		if p.accept("-") {
			return argument{x: &fromEnd{p.expr()}}
		}
		return argument{x: &fromEnd{constant{String("0")}}}
	}
	return argument{x: p.expr()}
}

// selection reads the arguments of $select: condition:value, …
func (p *parser) selection() expr {
	s := &selectCall{}
	p.list(func() {
		c := p.expr()
		p.expect(":")
		p.spaces()
		s.pairs = append(s.pairs, pair{c, p.expr()})
	})
	return s
}

// caseOf reads the arguments of $case: target, value:result, …, :default
func (p *parser) caseOf() expr {
	c := &caseCall{}
	p.list(func() {
		switch {
		case c.target == nil:
			c.target = p.expr()
		case p.accept(":"):
			c.fallback = p.expr()
		case c.fallback != nil:
			p.syntax()
		default:
			v := p.expr()
			p.expect(":")
			p.spaces()
			c.pairs = append(c.pairs, pair{v, p.expr()})
		}
	})
	if c.pairs == nil && c.fallback == nil {
		p.syntax()
	}
	return c
}
