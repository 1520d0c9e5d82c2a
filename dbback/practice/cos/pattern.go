package cos

import (
	"strings"
	"unicode/utf8"
)

// A pattern is what stands behind the operator ?: 1.3N1"-"2A and the like.
type pattern []atom

// An atom is a part of a pattern: how often, and what.
type atom struct {
	least, most int
	classes     string // of characters; "" if it is the literal
	literal     string
}

// pattern reads a pattern. Those of alternatives, (…,…), are not known here.
func (p *parser) pattern() pattern {
	var pat pattern
	for p.err == nil {
		c := p.peek()
		if !isDigit(c) && c != '.' {
			if pat == nil {
				if c == '@' {
					p.unsupported("indirection")
				}
				p.syntax()
			}
			return pat
		}
		pat = append(pat, p.atom())
	}
	return pat
}

func (p *parser) atom() atom {
	a := atom{least: p.count(0)}
	a.most = a.least
	if p.accept(".") {
		a.most = p.count(maxString)
	}
	switch {
	case p.peek() == '"':
		a.literal = p.stringLiteral()
	case p.peek() == '(':
		p.unsupported("alternatives in a pattern")
	default:
		a.classes = strings.ToUpper(p.command())
		if a.classes == "" || strings.Trim(a.classes, "ALUNPCE") != "" {
			p.syntax()
		}
	}
	return a
}

// count takes a number, or what stands for none.
func (p *parser) count(none int) int {
	d, _ := takeDigits(p.rest())
	p.pos += len(d)
	if d == "" {
		return none
	}
	return int(min(String(d).Int(), maxString))
}

// match reports whether all of s is as the pattern says. It keeps the set of the
// places that the atoms so far may end at, so that no pattern takes longer than the
// product of the lengths.
func (pat pattern) match(m *machine, s string) (bool, error) {
	ends := map[int]bool{0: true}
	for _, a := range pat {
		next := make(map[int]bool)
		for from := range ends {
			if err := a.reach(m, s, from, next); err != nil {
				return false, err
			}
		}
		ends = next
	}
	return ends[len(s)], nil
}

// reach enters the places that the atom may end at if it begins at from.
func (a atom) reach(m *machine, s string, from int, ends map[int]bool) error {
	for n := 0; ; n++ {
		if n >= a.least {
			ends[from] = true
		}
		if n == a.most {
			return nil
		}
		size := a.once(s[from:])
		if size == 0 {
			if a.classes == "" && a.literal == "" {
				ends[from] = true // the empty string, as often as you like
			}
			return nil
		}
		from += size
		if err := m.step(1); err != nil {
			return err
		}
	}
}

// once is the length of the atom at the beginning of s, 0 if it is not there.
func (a atom) once(s string) int {
	if a.classes == "" {
		if strings.HasPrefix(s, a.literal) {
			return len(a.literal)
		}
		return 0
	}
	r, size := utf8.DecodeRuneInString(s)
	for _, class := range a.classes {
		if size > 0 && inClass(r, class) {
			return size
		}
	}
	return 0
}
