package cos

import (
	"strconv"
	"unicode/utf8"
)

// maxString is how many characters a string may have: InterSystems documents
// 3,641,144, beyond which it is <MAXSTRING>. Here they are counted in bytes.
const maxString = 3_641_144

// A Value is a value of the language: a string, which is also a number if it is
// used as one, or a reference to an object. The zero Value is the empty string.
//
// A string is UTF-8; its characters are what $length counts. A byte that is not
// UTF-8 counts as one. A list is a string too.
type Value struct {
	s   string
	ref *reference
}

type reference struct {
	object Object
	id     int // 0 until a session has seen it
}

// String makes a Value of a string.
func String(s string) Value { return Value{s: s} }

// Int makes a Value of a number.
func Int(n int64) Value { return Value{s: strconv.FormatInt(n, 10)} }

// Bool makes 1 or 0.
func Bool(b bool) Value {
	if b {
		return Value{s: "1"}
	}
	return Value{s: "0"}
}

// Ref makes a Value that refers to an object. Each Ref is a reference of its
// own: a Host that returns the same object twice and wants them to be equal in the
// language keeps the Value.
func Ref(o Object) Value { return Value{ref: &reference{object: o}} }

// String is the value as a string; a reference to an object is 1@Class.
func (v Value) String() string {
	if v.ref != nil {
		return strconv.Itoa(v.ref.id) + "@" + v.ref.object.Class()
	}
	return v.s
}

// Int is the value as a whole number, as the language reads one: the number that
// the string begins with, cut to its whole part and held to 64 bits.
func (v Value) Int() int64 {
	n, err := v.number()
	if err != nil {
		return 0
	}
	return n.int()
}

// Bool is the value as a truth value: whether it is a number other than 0.
func (v Value) Bool() bool {
	n, err := v.number()
	return err != nil || n.m != 0 // <MAXNUMBER> is not 0
}

// Object is the object that the value refers to, nil if it refers to none.
func (v Value) Object() Object {
	if v.ref == nil {
		return nil
	}
	return v.ref.object
}

func (v Value) number() (number, error) { return parseNumber(v.String()) }

func numberValue(n number, err error) (Value, error) {
	if err != nil {
		return Value{}, err
	}
	return Value{s: n.String()}, nil
}

// size is what a value takes of a session's storage, in bytes.
func (v Value) size() int { return len(v.s) + 16 }

// joined is the concatenation of strings, if it is not too long.
func joined(parts ...string) (Value, error) {
	n := 0
	for _, s := range parts {
		if n += len(s); n > maxString {
			return Value{}, newError("<MAXSTRING>", "")
		}
	}
	b := make([]byte, 0, n)
	for _, s := range parts {
		b = append(b, s...)
	}
	return Value{s: string(b)}, nil
}

// charCount is the number of characters of s.
func charCount(s string) int { return utf8.RuneCountInString(s) }

// cut returns the characters from to to of s, counted from 1, as far as s has them.
func cut(s string, from, to int) string {
	from = max(from, 1)
	if to < from {
		return ""
	}
	start := byteAt(s, from)
	if to-from >= len(s) {
		return s[start:]
	}
	return s[start : start+byteAt(s[start:], to-from+2)]
}

// byteAt is where the character at position n begins, counted from 1, len(s) if
// there are fewer.
func byteAt(s string, n int) int {
	i := 0
	for ; n > 1 && i < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}
