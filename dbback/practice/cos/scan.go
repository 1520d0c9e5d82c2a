package cos

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A parser reads one line. After the first error it stands at the end of the
// line, so that every loop ends; what it has made is then thrown away.
type parser struct {
	src   string
	pos   int
	tight int // above 0, a space ends an expression
	depth int
	err   *Error
	errAt int
}

// maxDepth bounds parentheses in parentheses and blocks in blocks.
const maxDepth = 200

func (p *parser) fail(err *Error) {
	if p.err == nil {
		p.err, p.errAt = err, p.pos
	}
	p.pos = len(p.src)
}

func (p *parser) syntax() { p.fail(newError("<SYNTAX>", "")) }

func (p *parser) unsupported(what string) { p.fail(Unsupported("%s", what)) }

// enter goes one level down; the caller leaves it by p.depth--.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.unsupported("nesting as deep as this")
	}
}

func (p *parser) rest() string { return p.src[p.pos:] }

func (p *parser) atEnd() bool { return p.pos >= len(p.src) }

// peek is the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.atEnd() {
		return 0
	}
	return p.src[p.pos]
}

func (p *parser) sees(s string) bool { return strings.HasPrefix(p.rest(), s) }

// seesWord reports whether s comes next in upper or lower case.
func (p *parser) seesWord(s string) bool {
	r := p.rest()
	return len(r) >= len(s) && strings.EqualFold(r[:len(s)], s)
}

func (p *parser) accept(s string) bool {
	if !p.sees(s) {
		return false
	}
	p.pos += len(s)
	return true
}

func (p *parser) expect(s string) {
	if !p.accept(s) {
		p.syntax()
	}
}

// spaces skips white space and /* comments */ and returns how many there were.
func (p *parser) spaces() int {
	n := 0
	for {
		switch {
		case p.peek() == ' ' || p.peek() == '\t':
			p.pos++
		case p.sees("/*"):
			end := strings.Index(p.rest()[2:], "*/")
			if end < 0 {
				p.syntax() // a comment of several lines
				return n
			}
			p.pos += 2 + end + 2
		default:
			return n
		}
		n++
	}
}

// seesComment reports whether the rest of the line is a comment.
func (p *parser) seesComment() bool {
	return p.peek() == ';' || p.sees("//") || p.sees("#;") || p.sees("##;")
}

// seesEnd reports whether the statement ends here: at the end of the line, a
// comment or a closing brace.
func (p *parser) seesEnd() bool { return p.atEnd() || p.peek() == '}' || p.seesComment() }

func isLetter(r rune) bool { return unicode.IsLetter(r) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// seesName reports whether a name begins here: with a letter or %.
func (p *parser) seesName() bool {
	r, _ := utf8.DecodeRuneInString(p.rest())
	return r == '%' || isLetter(r)
}

// name takes the name of a variable, property or method: letters and digits,
// after a first % too.
func (p *parser) name() string {
	if !p.seesName() {
		p.syntax()
		return ""
	}
	return p.word(func(rune) bool { return false })
}

// dotted takes a name with periods in it: of a class, a routine or a global. It
// does not end in a period.
func (p *parser) dotted() string {
	if !p.seesName() {
		p.syntax()
		return ""
	}
	s := p.word(func(r rune) bool { return r == '.' || r == '%' })
	for strings.HasSuffix(s, ".") {
		s, p.pos = s[:len(s)-1], p.pos-1
	}
	return s
}

// word takes the first character, and letters, digits and what more allows.
func (p *parser) word(more func(rune) bool) string {
	start := p.pos
	for i, r := range p.rest() {
		if i > 0 && !isLetter(r) && !unicode.IsDigit(r) && !more(r) {
			break
		}
		p.pos = start + i + utf8.RuneLen(r)
	}
	return p.src[start:p.pos]
}

// command takes the letters of a command.
func (p *parser) command() string {
	start := p.pos
	for c := p.peek(); 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'; c = p.peek() {
		p.pos++
	}
	return p.src[start:p.pos]
}

// stringLiteral takes a string in quotes; a quote in it is doubled.
func (p *parser) stringLiteral() string {
	var b strings.Builder
	p.expect(`"`)
	for {
		end := strings.IndexByte(p.rest(), '"')
		if end < 0 {
			p.syntax()
			return ""
		}
		b.WriteString(p.rest()[:end])
		p.pos += end + 1
		if !p.accept(`"`) {
			return b.String()
		}
		b.WriteByte('"')
	}
}

// numberLiteral takes a number and returns it in canonical form.
func (p *parser) numberLiteral() string {
	start := p.pos
	_, rest := takeDigits(p.rest())
	if strings.HasPrefix(rest, ".") {
		_, rest = takeDigits(rest[1:])
	}
	if len(rest) > 1 && (rest[0] == 'E' || rest[0] == 'e') {
		exp := strings.TrimLeft(rest[1:], "+-")
		if d, after := takeDigits(exp); d != "" && len(rest)-1-len(exp) <= 1 {
			rest = after
		}
	}
	p.pos = len(p.src) - len(rest)
	n, err := scanNumber(p.src[start:p.pos])
	if err != nil {
		p.fail(newError("<MAXNUMBER>", ""))
	}
	return n.String()
}
