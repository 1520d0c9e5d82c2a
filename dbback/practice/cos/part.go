package cos

import "strings"

// A part is what SET assigns to a part of: $piece(x,",",2), $extract(x,1,3) or
// $list(x,2).
type part struct {
	whole target
	read  *funcCall
}

// newPart is the target that a function stands for, nil if it stands for none.
func newPart(f *funcCall) target {
	switch f.fn.name {
	case "$PIECE", "$EXTRACT", "$LIST":
	default:
		return nil
	}
	switch x := f.args[0].x.(type) {
	case *variable:
		return &part{x, f}
	case *member:
		if !x.call {
			return &part{x, f}
		}
	}
	return nil
}

func (p *part) assign(m *machine, v Value) error {
	old, err := fnGet(m, p.read.args[:1])
	if err != nil {
		return err
	}
	args := p.read.args[1:]
	var now Value
	switch p.read.fn.name {
	case "$PIECE":
		now, err = setPiece(m, old.String(), args, v.String())
	case "$EXTRACT":
		now, err = setExtract(m, old.String(), args, v.String())
	default:
		now, err = setItem(m, old.String(), args, v.String())
	}
	if err != nil {
		return err
	}
	if err := m.work(len(now.s)); err != nil {
		return err
	}
	return p.whole.assign(m, now)
}

// setPiece replaces pieces; those that are missing before them are made.
func setPiece(m *machine, s string, args []argument, with string) (Value, error) {
	by, err := m.text(args[0])
	if err != nil {
		return Value{}, err
	}
	count := pieceCount(s, by)
	from, to, err := m.bounds(args[1:], func() int { return count })
	if from = max(from, 1); err != nil || by == "" || to < from {
		return String(s), err
	}
	if missing := from - count; missing > 0 {
		if len(s)+missing*len(by) > maxString {
			return Value{}, newError("<MAXSTRING>", "")
		}
		return joined(s, strings.Repeat(by, missing), with)
	}
	start, end, _ := pieceBounds(s, by, from, to)
	return joined(s[:start], with, s[end:])
}

// setExtract replaces characters; those that are missing before them are spaces.
func setExtract(m *machine, s string, args []argument, with string) (Value, error) {
	length := charCount(s)
	from, to, err := m.bounds(args, func() int { return length })
	if from = max(from, 1); err != nil || to < from {
		return String(s), err
	}
	if missing := from - 1 - length; missing > 0 {
		if missing > maxString {
			return Value{}, newError("<MAXSTRING>", "")
		}
		return joined(s, strings.Repeat(" ", missing), with)
	}
	start := byteAt(s, from)
	return joined(s[:start], with, s[start+byteAt(s[start:], to-from+2):])
}

// setItem replaces an element; those that are missing before it have no value.
func setItem(m *machine, s string, args []argument, with string) (Value, error) {
	items, err := parseList(s)
	if err != nil {
		return Value{}, err
	}
	if len(args) > 1 {
		return Value{}, Unsupported("SET of several elements of a list")
	}
	n, _, err := m.bounds(args, func() int { return len(items) })
	if err != nil {
		return Value{}, err
	}
	switch {
	case n < 1:
		return Value{}, newError("<FUNCTION>", "")
	case n > maxString: // of elements without a value, which take one character each
		return Value{}, newError("<MAXSTRING>", "")
	}
	if err := m.step(n); err != nil {
		return Value{}, err
	}
	for len(items) < n {
		items = append(items, item{none: true})
	}
	items[n-1] = item{s: with}
	return makeList(items)
}
