package cos

import "strings"

// expr reads an expression: operands with operators between them, which are
// applied from left to right, none before another.
func (p *parser) expr() expr {
	p.enter()
	defer func() { p.depth-- }()
	first := p.operand()
	var rest []term
	for p.err == nil {
		t, ok := p.term()
		if !ok {
			break
		}
		rest = append(rest, t)
	}
	if len(rest) == 0 {
		return first
	}
	return &operation{first, rest}
}

// term reads an operator and what is at its right, if an operator comes next.
func (p *parser) term() (t term, ok bool) {
	start := p.pos
	if p.tight == 0 {
		p.spaces()
	}
	t.op = p.operator()
	if t.op == "" {
		p.pos = start
		return t, false
	}
	if p.tight == 0 {
		p.spaces()
	}
	if strings.TrimPrefix(t.op, "'") == "?" {
		t.pattern = p.pattern()
	} else {
		t.right = p.operand()
	}
	return t, true
}

// operators in the order in which they are looked for: the longer first.
var operators = []string{
	"']]", "]]", "']", "'[", "'=", "'<", "'>", "'&", "'!", "'?", "<=", ">=", "&&", "||", "**",
	"+", "-", "*", "/", `\`, "#", "_", "=", "<", ">", "[", "]", "&", "!", "?",
}

func (p *parser) operator() string {
	if p.seesComment() {
		return ""
	}
	for _, op := range operators {
		if p.accept(op) {
			return op
		}
	}
	return ""
}

// operand reads a value with the signs and nots before it.
func (p *parser) operand() expr {
	var signs []byte
	for c := p.peek(); c == '+' || c == '-' || c == '\''; c = p.peek() {
		signs = append(signs, c)
		p.pos++
	}
	x := p.primary()
	if len(signs) > 0 {
		return &unary{string(signs), x}
	}
	return x
}

func (p *parser) primary() expr {
	c := p.peek()
	switch {
	case c == '(':
		return p.parenthesized()
	case c == '"':
		return constant{String(p.stringLiteral())}
	case isDigit(c) || c == '.' && len(p.rest()) > 1 && isDigit(p.rest()[1]):
		return constant{String(p.numberLiteral())}
	case p.sees("$$$"):
		p.syntax() // no macros in direct mode
	case p.sees("$$"):
		p.pos += 2
		return p.chain(p.routine(true))
	case c == '$':
		return p.dollar()
	case p.seesWord("##class("):
		return p.chain(p.classMethod())
	case c == '^':
		return p.global()
	case p.seesName():
		return p.chain(&variable{name: p.name(), subs: p.subscripts()})
	case c == '@':
		p.unsupported("indirection")
	case p.sees(".."):
		p.unsupported("relative reference (..)")
	case c == '{' || c == '[':
		p.unsupported("JSON literal")
	default:
		p.syntax()
	}
	return constant{}
}

// loosen reads something in which spaces do not end an expression.
func (p *parser) loosen(read func()) {
	tight := p.tight
	p.tight = 0
	read()
	p.tight = tight
}

func (p *parser) parenthesized() (x expr) {
	p.expect("(")
	p.loosen(func() {
		p.spaces()
		x = p.expr()
		p.spaces()
	})
	p.expect(")")
	return x
}

// list reads parts with commas between them and parentheses around; the opening
// one has been seen.
func (p *parser) list(part func()) {
	p.expect("(")
	p.loosen(func() {
		for p.err == nil {
			p.spaces()
			part()
			p.spaces()
			if !p.accept(",") {
				break
			}
		}
	})
	p.expect(")")
}

func (p *parser) subscripts() []expr {
	if p.peek() != '(' {
		return nil
	}
	var subs []expr
	p.list(func() { subs = append(subs, p.expr()) })
	return subs
}

// args reads the arguments of a call: left out, by reference or by value.
func (p *parser) args() []argument {
	args := []argument{}
	if p.accept("()") {
		return args
	}
	p.list(func() {
		switch {
		case p.peek() == ',' || p.peek() == ')':
			args = append(args, argument{})
		case p.peek() == '.' && len(p.rest()) > 1 && !isDigit(p.rest()[1]) && !p.sees(".."):
			p.pos++
			args = append(args, argument{ref: &variable{name: p.name(), subs: p.subscripts()}})
		default:
			args = append(args, argument{x: p.expr()})
		}
	})
	if len(args) == 1 && args[0] == (argument{}) { // ( )
		args = args[:0]
	}
	return args
}

// chain reads the properties and methods that follow an object.
func (p *parser) chain(x expr) expr {
	for p.err == nil && p.peek() == '.' {
		p.pos++
		m := &member{base: x}
		switch {
		case p.peek() == '"':
			m.name = p.stringLiteral()
		case p.peek() == '#':
			p.unsupported("class parameter")
		default:
			m.name = p.name()
		}
		if p.peek() == '(' {
			m.call, m.args = true, p.args()
		}
		x = m
	}
	return x
}

// classMethod reads ##class(Name).Method(arguments).
func (p *parser) classMethod() expr {
	p.pos += len("##class")
	class := ""
	p.list(func() {
		if p.peek() == '"' {
			class = p.stringLiteral()
		} else {
			class = p.dotted()
		}
	})
	if p.sees(".#") {
		p.unsupported("class parameter")
	}
	p.expect(".")
	return p.method(class)
}

func (p *parser) method(class string) expr {
	m := &classCall{class: class, name: p.name()}
	if p.peek() != '(' {
		p.syntax()
		return m
	}
	m.args = p.args()
	return m
}

// system reads what follows $SYSTEM: .Class.Method(arguments).
func (p *parser) system() expr {
	if !p.accept(".") {
		return special{"$SYSTEM"}
	}
	class := p.name()
	p.expect(".")
	return p.chain(p.method("%SYSTEM." + class))
}

// routine reads LABEL^ROUTINE(arguments), of which label, routine or arguments
// may be missing.
func (p *parser) routine(function bool) expr {
	r := &routineCall{function: function}
	if isDigit(p.peek()) || p.seesName() {
		r.label = p.word(func(rune) bool { return false })
	}
	if p.accept("^") {
		if p.peek() == '|' || p.peek() == '[' {
			p.unsupported("routine of another namespace")
		}
		r.routine = p.dotted()
	} else if r.label == "" {
		p.syntax()
	}
	if p.peek() == '+' && !function {
		p.unsupported("offset from a label")
	}
	if p.peek() == '(' {
		r.args = p.args()
	}
	return r
}

// global reads ^NAME(subscripts) or ^||NAME(subscripts), which is the session's own.
func (p *parser) global() expr {
	p.expect("^")
	v := &variable{kind: kindGlobal}
	switch {
	case p.accept("||"):
		v.kind = kindPrivate
	case p.peek() == '|' || p.peek() == '[':
		p.unsupported("extended global reference")
	case p.peek() == '$':
		p.unsupported("structured system variable")
	case p.peek() == '(':
		p.unsupported("naked global reference")
	}
	v.name = p.dotted()
	v.subs = p.subscripts()
	return v
}
