package cos

import (
	"strings"
	"unicode/utf8"
)

// A list is a string: for each element its length and kind, then its characters.
// How the product encodes one is its own affair (programs must not look inside), so
// here it is only like it: a character for the length of all that follows it up to
// the next element, a character 1, and the element; from 254 characters on, a
// character 0 and two that make the length. An element without a value is the
// character 1 alone.
const (
	listShort = 253
	listDigit = 0x8000 // of a long length: below the surrogates, which are no characters
)

// List makes a list, as $listbuild does. An element that refers to an object
// becomes a string.
func List(items ...Value) Value {
	var b strings.Builder
	for _, v := range items {
		appendItem(&b, v.String())
	}
	return Value{s: b.String()}
}

func appendItem(b *strings.Builder, s string) {
	n := charCount(s)
	if n <= listShort-1 {
		b.WriteRune(rune(n + 2))
	} else {
		b.WriteRune(0)
		b.WriteRune(rune(n % listDigit))
		b.WriteRune(rune(n / listDigit))
	}
	b.WriteRune(1)
	b.WriteString(s)
}

// An item is an element of a list.
type item struct {
	s    string
	none bool // $listbuild was given no value for it
}

// Items are the elements of a list; the error is <LIST> if the value is none. An
// element that $listbuild was given no value for is "".
func (v Value) Items() ([]Value, error) {
	items, err := parseList(v.String())
	if err != nil {
		return nil, err
	}
	values := make([]Value, len(items))
	for i := range items {
		values[i] = String(items[i].s)
	}
	return values, nil
}

func parseList(s string) ([]item, error) {
	var items []item
	for s != "" {
		it, rest, ok := cutItem(s)
		if !ok {
			return nil, newError("<LIST>", "")
		}
		items, s = append(items, it), rest
	}
	return items, nil
}

// cutItem takes the first element of a list.
func cutItem(s string) (it item, rest string, ok bool) {
	n, s, ok := cutLength(s)
	if !ok {
		return item{}, "", false
	}
	if n < 0 {
		return item{none: true}, s, true
	}
	if s == "" || s[0] != 1 {
		return item{}, "", false
	}
	s = s[1:]
	end := byteAt(s, n+1)
	if n > len(s) || end == len(s) && charCount(s) != n {
		return item{}, "", false
	}
	return item{s: s[:end]}, s[end:], true
}

// cutLength takes the length of an element, -1 for one without a value.
func cutLength(s string) (n int, rest string, ok bool) {
	next := func() int {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || r == utf8.RuneError {
			return -1
		}
		s = s[size:]
		return int(r)
	}
	switch c := next(); {
	case c == 1:
		return -1, s, true
	case c > 1 && c <= listShort+1:
		return c - 2, s, true
	case c != 0:
		return 0, "", false
	}
	low, high := next(), next()
	if low < 0 || high < 0 || low >= listDigit || high >= listDigit {
		return 0, "", false
	}
	n = high*listDigit + low
	return n, s, n > listShort-1 && n <= maxString
}

func makeList(items []item) (Value, error) {
	var b strings.Builder
	for _, it := range items {
		if it.none {
			b.WriteRune(1)
		} else {
			appendItem(&b, it.s)
		}
		if b.Len() > maxString {
			return Value{}, newError("<MAXSTRING>", "")
		}
	}
	return Value{s: b.String()}, nil
}
