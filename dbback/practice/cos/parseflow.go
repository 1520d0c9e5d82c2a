package cos

import (
	"slices"
	"strings"
)

// control reads a command with a block: in braces, or all the rest of the line
// (or of the block around it) as in the older form of IF, ELSE and FOR.
func (p *parser) control(name string, args bool) action {
	switch name {
	case "IF":
		return p.ifs(args)
	case "ELSE":
		if args || p.peek() == '{' && p.err == nil {
			p.syntax() // an ELSE block without IF
		}
		return legacyElse{p.statements()}
	case "FOR":
		return p.loop(args)
	case "WHILE":
		if !args {
			p.syntax()
		}
		return while{conds: p.exprs(), body: p.braces()}
	}
	return p.try(args)
}

func (p *parser) ifs(args bool) action {
	if !args {
		if p.peek() == '{' {
			p.syntax()
		}
		return legacyIf{body: p.statements()}
	}
	conds := p.exprs()
	p.spaces()
	if p.peek() != '{' {
		return legacyIf{conds, p.statements()}
	}
	s := ifs{branches: []branch{{conds, p.braces()}}}
	for p.err == nil {
		switch p.follower("ELSEIF", "ELSE") {
		case "ELSEIF":
			p.spaces()
			conds := p.exprs()
			s.branches = append(s.branches, branch{conds, p.braces()})
		case "ELSE":
			s.fallback = p.braces()
			return s
		default:
			return s
		}
	}
	return s
}

// follower takes a word that belongs to the block before it, "" if none of them
// comes next.
func (p *parser) follower(words ...string) string {
	start := p.pos
	p.spaces()
	got := strings.ToUpper(p.command())
	if slices.Contains(words, got) {
		return got
	}
	p.pos = start
	return ""
}

func (p *parser) loop(args bool) action {
	f := &loop{}
	if args {
		f.target = p.variable()
		p.spaces()
		p.expect("=")
		p.spaces()
		p.commas(func() { f.ranges = append(f.ranges, p.span()) })
	}
	p.spaces()
	if p.peek() == '{' {
		f.body = p.braces()
	} else {
		f.body = p.statements()
	}
	return f
}

// span reads a value, or start:increment or start:increment:limit.
func (p *parser) span() span {
	s := span{start: p.expr()}
	if p.accept(":") {
		s.step = p.expr()
		if p.accept(":") {
			s.limit = p.expr()
		}
	}
	return s
}

// variable reads a local variable, which may have subscripts.
func (p *parser) variable() *variable {
	return &variable{name: p.name(), subs: p.subscripts()}
}

func (p *parser) try(args bool) action {
	if args {
		p.syntax()
	}
	t := try{body: p.braces()}
	if p.follower("CATCH") == "" {
		p.syntax()
		return t
	}
	p.spaces()
	switch {
	case p.accept("("):
		t.name = p.name()
		p.expect(")")
	case p.peek() != '{':
		t.name = p.name()
	}
	t.handler = p.braces()
	return t
}
