package practice

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"datfs/dbback/practice/cos"
)

// A value is what a statement can hold: a string, an integer, a list ($LIST) or an
// object; what a statement passes is a value of the interpreter.
type value any

// A list is a $LIST.
type list []value

// An object is an instance of a class.
type object interface {
	// class returns the class's name.
	class() string
	// get returns a property; ok is false if there is none of that name.
	get(name string) (v value, ok bool)
	// set changes a property; ok is false if there is none that can be.
	set(name string, v value) (ok bool)
	// call calls a method; ok is false if there is none of that name.
	call(c *call, method string) (v value, ok bool, err error)
}

// A call is one call of a routine or method by a statement.
type call struct {
	context.Context
	inst *Instance
	term console
	what string  // as failures name it: "CLRINC^DBACK"
	args []value // what a statement passes; an array by reference is a map of its first level
	// ref sets a node of the variable passed by reference as argument n, from 0:
	// nothing happens if it was passed by value.
	ref func(n int, subscript string, v string)
	// report is where the session keeps what its last integrity check found.
	report **integrity
}

// str returns argument n, counted from 1 as manuals count, as a string; "" if it
// is not given.
func (c *call) str(n int) string {
	if n > len(c.args) {
		return ""
	}
	return toString(c.args[n-1])
}

// strs returns argument n as strings: the elements of a list, or a single one.
func (c *call) strs(n int) []string {
	if n > len(c.args) {
		return nil
	}
	if v, ok := c.args[n-1].(cos.Value); ok {
		if items, err := v.Items(); err == nil {
			out := make([]string, len(items))
			for i, item := range items {
				out[i] = item.String()
			}
			return out
		}
	}
	if s := c.str(n); s != "" {
		return []string{s}
	}
	return nil
}

func toString(v value) string {
	switch v := v.(type) {
	case cos.Value:
		return v.String()
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		if v {
			return "1"
		}
		return "0"
	case object:
		return "1@" + v.class()
	}
	return ""
}

// A trapError is an error trap of a statement: <NAME>location data.
type trapError struct {
	name     string // with its angle brackets
	location string // label+n^routine
	data     string
}

func (e *trapError) Error() string { return e.name + e.location + " " + e.data }

// trap makes an error trap. A location that is not given is that of what was
// called; the lines of a real routine are not known.
func (c *call) trap(name, data string) error {
	return &trapError{name: name, location: locationOf(c.what), data: data}
}

// locationOf makes a plausible place of what was called.
func locationOf(what string) string {
	what, _, _ = strings.Cut(what, ":")
	if label, routine, ok := strings.Cut(what, "^"); ok {
		if label == "" {
			label = routine
		}
		return label + "+1^" + routine
	}
	if i := strings.LastIndexByte(what, '.'); i > 0 {
		return fmt.Sprintf("%s+1^%s.1", what[i+1:], what[:i])
	}
	return ""
}

// A %Status is "1", or "0 " and the text of an error. The product's own encoding
// is a list; scripts look at one only through $SYSTEM.Status.
const statusOK = "1"

func statusError(err error) string {
	if err == nil {
		return statusOK
	}
	return "0 " + err.Error()
}

func isOK(status string) bool { return strings.HasPrefix(status, "1") }

// statusText returns what $SYSTEM.Status.GetErrorText gives: 5001 is the general
// error.
func statusText(status string) string {
	text, isError := strings.CutPrefix(status, "0 ")
	if !isError {
		return ""
	}
	return "ERROR #5001: " + text
}
