package cos

// set reads target=value, …; a target may be several in parentheses.
func (p *parser) set() action {
	var s set
	p.commas(func() {
		var a assignment
		if p.peek() == '(' {
			p.list(func() { a.targets = append(a.targets, p.target()) })
		} else {
			a.targets = append(a.targets, p.target())
		}
		p.spaces()
		p.expect("=")
		p.spaces()
		a.value = p.expr()
		s = append(s, a)
	})
	return s
}

// target reads what a value can be assigned to.
func (p *parser) target() target {
	x := p.primary()
	switch x := x.(type) {
	case *variable:
		return x
	case *member:
		if !x.call {
			return x
		}
	case special:
		return x
	case *funcCall:
		if t := newPart(x); t != nil {
			return t
		}
	}
	p.syntax()
	return &variable{}
}

func (p *parser) do(args bool) action {
	if !args {
		if p.peek() != '{' {
			p.unsupported("DO without an argument")
			return nil
		}
		body := p.braces()
		if p.follower("WHILE") == "" {
			p.syntax()
		}
		p.spaces()
		return doWhile{body, p.exprs()}
	}
	var d do
	p.commas(func() {
		c := callee{x: p.called()}
		if p.accept(":") {
			c.cond = p.postConditional()
		}
		d = append(d, c)
	})
	return d
}

// called reads a routine or method that is called for what it does.
func (p *parser) called() expr {
	start := p.pos
	if p.peek() == '@' {
		p.unsupported("indirection")
		return nil
	}
	if p.peek() != '$' && p.peek() != '#' {
		if p.seesName() { // an object's method, or a label?
			p.name()
			if p.peek() == '.' {
				p.pos = start
				return p.objectMethod()
			}
			p.subscripts()
			if p.peek() == '.' { // x(1).Method()
				p.pos = start
				return p.objectMethod()
			}
			p.pos = start
		}
		return p.routine(false)
	}
	return p.objectMethod()
}

func (p *parser) objectMethod() expr {
	start := p.pos
	x := p.primary()
	switch x := x.(type) {
	case *classCall:
		return x
	case *member:
		if x.call {
			return x
		}
	}
	p.pos = start
	p.syntax()
	return nil
}

func (p *parser) kill(args bool) action {
	if !args {
		return kill{all: true}
	}
	k := kill{}
	if p.peek() == '(' {
		k.all = true
		k.except = p.names()
		return k
	}
	p.commas(func() {
		if v, ok := p.primary().(*variable); ok {
			k.vars = append(k.vars, v)
		} else {
			p.syntax()
		}
	})
	return k
}

// names reads (name,name,…).
func (p *parser) names() []string {
	var names []string
	p.list(func() { names = append(names, p.name()) })
	return names
}

func (p *parser) new(args bool) action {
	if !args {
		return newVars{all: true}
	}
	n := newVars{}
	if p.peek() == '(' {
		n.all = true
		n.names = p.names()
		return n
	}
	p.commas(func() {
		switch {
		case p.seesWord("$namespace"):
			p.pos += len("$namespace")
			n.namespace = true
		case p.peek() == '$':
			p.unsupported("NEW of a special variable")
		default:
			n.names = append(n.names, p.name())
		}
	})
	return n
}

// format reads the controls of WRITE and READ: !, #, ?column.
func (p *parser) format() (items []output) {
	for p.err == nil {
		switch {
		case p.accept("!"):
			items = append(items, output{kind: outLine})
		case p.seesComment():
			return items
		case !p.seesWord("##class(") && p.accept("#"):
			items = append(items, output{kind: outPage})
		case p.accept("?"):
			return append(items, output{outTab, p.expr()})
		default:
			return items
		}
	}
	return items
}

func (p *parser) write(args bool) action {
	if !args {
		p.unsupported("WRITE without an argument (use ZWRITE)")
		return nil
	}
	var w write
	p.commas(func() {
		switch items := p.format(); {
		case items != nil:
			w = append(w, items...)
		case p.accept("*"):
			w = append(w, output{outChar, p.expr()})
		case p.peek() == '/':
			p.unsupported("device control by WRITE /")
		default:
			w = append(w, output{outText, p.expr()})
		}
	})
	return w
}

func (p *parser) read() action {
	var r read
	p.commas(func() {
		switch items := p.format(); {
		case items != nil:
			for _, out := range items {
				r = append(r, input{prompt: out})
			}
		case p.peek() == '"':
			r = append(r, input{prompt: output{outText, constant{String(p.stringLiteral())}}})
		case p.peek() == '*':
			p.unsupported("READ of a single character")
		default:
			r = append(r, p.readTarget())
		}
	})
	return r
}

func (p *parser) readTarget() input {
	in := input{target: p.target()}
	if p.peek() == '#' {
		p.unsupported("READ of a fixed length")
	}
	if p.accept(":") {
		in.timeout = p.expr()
	}
	return in
}

func (p *parser) zwrite(args bool) action {
	if !args {
		return zwrite{}
	}
	return zwrite{p.exprs()}
}
