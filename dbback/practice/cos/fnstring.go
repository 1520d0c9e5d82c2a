package cos

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func fnASCII(_ *machine, a []Value) (Value, error) {
	n := 1
	if len(a) > 1 {
		n = clamp(a[1].Int())
	}
	c := cut(a[0].String(), n, n)
	if n < 1 || c == "" {
		return Int(-1), nil
	}
	return Int(int64(firstRune(c))), nil
}

func clamp(n int64) int { return int(min(max(n, -maxString), 2*maxString)) }

// character is the character of a code, "" if there is none.
func character(code int64) string {
	if code < 0 || code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
		return ""
	}
	return string(rune(code))
}

func fnChar(_ *machine, a []Value) (Value, error) {
	var b strings.Builder
	for _, v := range a {
		b.WriteString(character(v.Int()))
	}
	return String(b.String()), nil
}

func fnExtract(m *machine, a []argument) (Value, error) {
	s, err := m.text(a[0])
	if err != nil {
		return Value{}, err
	}
	from, to, err := m.bounds(a[1:], func() int { return charCount(s) })
	return String(cut(s, from, to)), err
}

// fnFind is the position behind the substring, 0 if there is none.
func fnFind(_ *machine, a []Value) (Value, error) {
	s, sub := a[0].String(), a[1].String()
	start := 1
	if len(a) > 2 {
		start = max(1, clamp(a[2].Int()))
	}
	from := byteAt(s, start)
	if sub == "" {
		return Int(int64(start)), nil
	}
	i := strings.Index(s[from:], sub)
	if i < 0 {
		return Int(0), nil
	}
	return Int(int64(charCount(s[:from+i+len(sub)]) + 1)), nil
}

// maxWidth bounds what $justify pads to.
const maxWidth = maxString

func fnJustify(_ *machine, a []Value) (Value, error) {
	s := a[0].String()
	if len(a) > 2 {
		n, err := a[0].number()
		if err != nil {
			return Value{}, err
		}
		if s, err = n.fixed(decimals(a[2])); err != nil {
			return Value{}, err
		}
	}
	return joined(strings.Repeat(" ", max(0, min(clamp(a[1].Int()), maxWidth)-charCount(s))), s)
}

func decimals(v Value) int { return int(min(max(v.Int(), 0), -minExponent)) }

// fnFnumber knows the format "" and "," (with commas between thousands).
func fnFnumber(_ *machine, a []Value) (Value, error) {
	n, err := a[0].number()
	if err != nil {
		return Value{}, err
	}
	s := n.String()
	if len(a) > 2 {
		if s, err = n.fixed(decimals(a[2])); err != nil {
			return Value{}, err
		}
	}
	if len(a) < 2 || a[1].String() == "" {
		return String(s), nil
	}
	if a[1].String() != "," {
		return Value{}, Unsupported("format %s of $FNUMBER", quoted(a[1].String()))
	}
	whole, fraction, point := strings.Cut(s, ".")
	first := 0
	if strings.HasPrefix(whole, "-") {
		first = 1
	}
	for i := len(whole) - 3; i > first; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + fraction
	}
	return String(whole), nil
}

// fnLength is the number of characters or, with a delimiter, of pieces.
func fnLength(_ *machine, a []Value) (Value, error) {
	s := a[0].String()
	if len(a) == 1 {
		return Int(int64(charCount(s))), nil
	}
	if a[1].String() == "" {
		return Int(0), nil
	}
	return Int(int64(strings.Count(s, a[1].String()) + 1)), nil
}

func fnPiece(m *machine, a []argument) (Value, error) {
	s, err := m.text(a[0])
	if err != nil {
		return Value{}, err
	}
	by, err := m.text(a[1])
	if err != nil {
		return Value{}, err
	}
	from, to, err := m.bounds(a[2:], func() int { return pieceCount(s, by) })
	if err != nil || by == "" {
		return Value{}, err
	}
	start, end, ok := pieceBounds(s, by, from, to)
	if !ok {
		return Value{}, nil
	}
	return String(s[start:end]), nil
}

func pieceCount(s, by string) int {
	if by == "" {
		return 0
	}
	return strings.Count(s, by) + 1
}

// pieceBounds is where the pieces from to to are in s; ok is false if s has none of
// them.
func pieceBounds(s, by string, from, to int) (start, end int, ok bool) {
	from = max(from, 1)
	if to < from {
		return 0, 0, false
	}
	for n := 1; n < from; n++ {
		i := strings.Index(s[start:], by)
		if i < 0 {
			return 0, 0, false
		}
		start += i + len(by)
	}
	end = start
	for n := from; ; n++ {
		i := strings.Index(s[end:], by)
		if i < 0 {
			return start, len(s), true
		}
		if n == to {
			return start, end + i, true
		}
		end += i + len(by)
	}
}

func fnReplace(m *machine, a []Value) (Value, error) {
	s, old, with := a[0].String(), a[1].String(), a[2].String()
	if old == "" {
		return String(s), nil
	}
	n := strings.Count(s, old)
	if len(s)+n*(len(with)-len(old)) > maxString {
		return Value{}, newError("<MAXSTRING>", "")
	}
	return String(strings.ReplaceAll(s, old, with)), m.work(n * len(with))
}

func fnReverse(_ *machine, a []Value) (Value, error) {
	var parts []string
	for s := a[0].String(); s != ""; {
		_, size := utf8.DecodeRuneInString(s)
		parts, s = append(parts, s[:size]), s[size:]
	}
	slices.Reverse(parts)
	return String(strings.Join(parts, "")), nil
}

// fnTranslate replaces each character of the second argument by the one at the
// same place in the third; one that has none there is removed.
func fnTranslate(_ *machine, a []Value) (Value, error) {
	to := []rune{}
	if len(a) > 2 {
		to = []rune(a[2].String())
	}
	table := make(map[rune]rune)
	for i, r := range []rune(a[1].String()) {
		if _, seen := table[r]; seen {
			continue
		}
		table[r] = -1
		if i < len(to) {
			table[r] = to[i]
		}
	}
	return joined(strings.Map(func(r rune) rune {
		if with, ok := table[r]; ok {
			return with
		}
		return r
	}, a[0].String()))
}

func fnZconvert(_ *machine, a []Value) (Value, error) {
	switch mode := a[1].String(); mode {
	case "U", "u":
		return joined(strings.ToUpper(a[0].String()))
	case "L", "l":
		return joined(strings.ToLower(a[0].String()))
	default:
		return Value{}, Unsupported("mode %s of $ZCONVERT", quoted(mode))
	}
}

// fnZstrip removes characters: the action says where (* everywhere, < > at the
// ends, <> at both, = one of several in a row) and the mask which (A, L, U letters,
// N digits, P punctuation and white space, W white space, C control characters, E
// all); the third argument adds characters, the fourth keeps some.
func fnZstrip(_ *machine, a []Value) (Value, error) {
	s := a[0].String()
	action, mask := a[1].String(), ""
	if i := strings.IndexFunc(action, unicode.IsLetter); i >= 0 {
		action, mask = action[:i], strings.ToUpper(action[i:])
	}
	more, keep := "", ""
	if len(a) > 2 {
		more = a[2].String()
	}
	if len(a) > 3 {
		keep = a[3].String()
	}
	strip := func(r rune) bool {
		return !strings.ContainsRune(keep, r) && (strings.ContainsRune(more, r) || inMask(r, mask))
	}
	switch action {
	case "*":
		s = strings.Map(func(r rune) rune {
			if strip(r) {
				return -1
			}
			return r
		}, s)
	case "<":
		s = strings.TrimLeftFunc(s, strip)
	case ">":
		s = strings.TrimRightFunc(s, strip)
	case "<>", "><":
		s = strings.TrimFunc(s, strip)
	case "=":
		last := rune(-1)
		s = strings.Map(func(r rune) rune {
			if r == last && strip(r) {
				return -1
			}
			last = r
			return r
		}, s)
	default:
		return Value{}, Unsupported("action %s of $ZSTRIP", quoted(a[1].String()))
	}
	return String(s), nil
}

// inMask reports whether a character is of one of the classes; they are those of
// pattern match, and W for white space.
func inMask(r rune, mask string) bool {
	for _, class := range mask {
		if class == 'W' && unicode.IsSpace(r) || inClass(r, class) {
			return true
		}
	}
	return false
}

// inClass reports whether a character is of a class of pattern match.
func inClass(r, class rune) bool {
	switch class {
	case 'A':
		return unicode.IsLetter(r)
	case 'U':
		return unicode.IsUpper(r)
	case 'L':
		return unicode.IsLower(r)
	case 'N':
		return '0' <= r && r <= '9'
	case 'C':
		return unicode.IsControl(r)
	case 'P':
		return r == ' ' || unicode.IsPunct(r) || unicode.IsSymbol(r)
	case 'E':
		return true
	}
	return false
}
