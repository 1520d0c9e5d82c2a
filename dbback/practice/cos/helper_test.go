package cos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fakeHost answers calls by name and records them.
type fakeHost struct {
	calls   []string
	answers map[string]func(c *Call) (Value, error) // LABEL^ROUTINE, Class.Method
	globals map[string]*Array
}

func newFakeHost() *fakeHost {
	h := &fakeHost{answers: make(map[string]func(*Call) (Value, error)), globals: make(map[string]*Array)}
	h.answers["F^R"] = func(c *Call) (Value, error) { return String(fmt.Sprintf("F%d", len(c.Args))), nil }
	h.answers["ERR^R"] = func(*Call) (Value, error) { return Value{}, Protect("zERR+3^R", "^SYS") }
	h.answers["REF^R"] = func(c *Call) (Value, error) {
		c.Ref(0).Set(String("out"))
		c.Ref(0).Set(String("Directory"), String("dir"))
		return Int(1), nil
	}
	h.answers["VARS^R"] = func(c *Call) (Value, error) { // as a routine that does not NEW
		c.Session.Variable("x").Set(String("overwritten"))
		return Int(1), nil
	}
	h.answers["PRINT^R"] = func(c *Call) (Value, error) {
		_, err := fmt.Fprintf(c.Session, "\nprinted\n")
		return Value{}, err
	}
	h.answers["ASK^R"] = func(c *Call) (Value, error) {
		_, _ = fmt.Fprint(c.Session, "Name? ")
		s, err := c.Session.ReadLine(context.Background())
		return String("<" + s + ">"), err
	}
	h.answers["BROKEN^R"] = func(*Call) (Value, error) { return Value{}, errors.New("no such device") }
	h.answers["%SYSTEM.Process.Terminate"] = func(c *Call) (Value, error) {
		return Value{}, &HaltError{Code: int(c.Arg(1).Int())}
	}
	h.answers["Obj.%New"] = func(c *Call) (Value, error) {
		o := &fakeObject{host: h, class: "Obj", props: map[string]Value{"Name": c.Arg(0), "Size": Int(8192)}}
		o.array.Set(String("a"), String("one"))
		o.array.Set(String("b"), String("two"))
		return Ref(o), nil
	}
	h.answers["Obj.Rows"] = func(*Call) (Value, error) { return Ref(&fakeRows{rows: []string{"a", "b", "c"}}), nil }
	sys := &Array{ReadOnly: true}
	sys.Set(String("E"), String("BUHISTORY"), Int(67000000100), String("TYPE"))
	sys.Set(String("I"), String("BUHISTORY"), Int(67000000200), String("TYPE"))
	h.globals["SYS"], h.globals["T.Out"] = sys, &Array{}
	return h
}

func (h *fakeHost) Routine(_ context.Context, c *Call) (Value, error) {
	key := c.Name + "^" + c.Of
	h.calls = append(h.calls, key+spellArgs(c.Args))
	if f := h.answers[key]; f != nil {
		return f(c)
	}
	if c.Of == "R" {
		return Value{}, NoLine(c.Name, c.Of)
	}
	return Value{}, NoRoutine(c.Of)
}

func (h *fakeHost) ClassMethod(_ context.Context, c *Call) (Value, error) {
	key := c.Of + "." + c.Name
	h.calls = append(h.calls, key+spellArgs(c.Args))
	if f := h.answers[key]; f != nil {
		return f(c)
	}
	if c.Of == "Obj" {
		return Value{}, NoMethod(c.Name, c.Of)
	}
	return Value{}, NoClass(c.Of)
}

func spellArgs(args []Arg) string {
	parts := make([]string, len(args))
	for i, a := range args {
		switch {
		case a.ref != nil:
			parts[i] = "."
		case a.given:
			parts[i] = quoted(a.value.String())
		}
	}
	return "(" + strings.Join(parts, ",") + ")"
}

func (h *fakeHost) Special(_ context.Context, name string) (Value, bool, error) {
	switch name {
	case "$JOB":
		return Int(4711), true, nil
	case "$ZVERSION":
		return String("IRIS for UNIX (practice) 2024.1"), true, nil
	}
	return Value{}, false, nil
}

func (h *fakeHost) Global(_ context.Context, name string) (*Array, error) {
	return h.globals[name], nil
}

func (h *fakeHost) Namespace(_ context.Context, name string) (string, error) {
	name = strings.ToUpper(name)
	if !slices.Contains([]string{"%SYS", "USER"}, name) {
		return "", NoNamespace(name)
	}
	return name, nil
}

type fakeObject struct {
	host  *fakeHost
	class string
	props map[string]Value
	array Array
}

func (o *fakeObject) Class() string { return o.class }

func (o *fakeObject) Get(_ context.Context, name string) (Value, error) {
	if v, ok := o.props[name]; ok {
		return v, nil
	}
	return Value{}, NoProperty(name, o.class)
}

func (o *fakeObject) Set(_ context.Context, name string, v Value) error {
	if _, ok := o.props[name]; !ok {
		return NoProperty(name, o.class)
	}
	o.props[name] = v
	return nil
}

func (o *fakeObject) Array(name string) *Array {
	if name == "Sources" {
		return &o.array
	}
	return nil
}

func (o *fakeObject) Properties() []string { return []string{"Name", "Size"} }

func (o *fakeObject) Method(_ context.Context, c *Call) (Value, error) {
	o.host.calls = append(o.host.calls, c.Of+"->"+c.Name+spellArgs(c.Args))
	switch c.Name {
	case "Self":
		return Ref(o), nil
	case "Sum":
		return Int(c.Arg(0).Int() + c.Arg(1).Int()), nil
	}
	return Value{}, NoMethod(c.Name, c.Of)
}

// fakeRows is a result set.
type fakeRows struct {
	rows []string
	at   int
}

func (r *fakeRows) Class() string { return "Rows" }

func (r *fakeRows) Get(_ context.Context, name string) (Value, error) {
	return Value{}, NoProperty(name, "Rows")
}

func (r *fakeRows) Set(_ context.Context, name string, _ Value) error {
	return NoProperty(name, "Rows")
}

func (r *fakeRows) Method(_ context.Context, c *Call) (Value, error) {
	switch c.Name {
	case "Next":
		r.at++
		return Bool(r.at <= len(r.rows)), nil
	case "Get":
		return String(r.rows[r.at-1]), nil
	}
	return Value{}, NoMethod(c.Name, c.Of)
}

// A terminal is a session with its host and output.
type terminal struct {
	*Session
	host *fakeHost
	out  *strings.Builder
}

// testTime is day 67533 of $HOROLOG, a second after three.
var testTime = time.Date(2025, time.November, 23, 3, 0, 1, 250_000_000, time.UTC)

func newTerminal(t *testing.T, input ...string) *terminal {
	t.Helper()
	tt := &terminal{host: newFakeHost(), out: &strings.Builder{}}
	tt.Session = NewSession(Options{
		Host: tt.host, Out: tt.out, Now: func() time.Time { return testTime },
		Read: func(context.Context) (string, error) {
			if len(input) == 0 {
				return "", io.EOF
			}
			line := input[0]
			input = input[1:]
			return line, nil
		},
	})
	return tt
}

// run runs lines and returns what they have written, and the last line's error.
func (tt *terminal) run(t *testing.T, lines ...string) (string, error) {
	t.Helper()
	tt.out.Reset()
	var err error
	for _, line := range lines {
		err = tt.Execute(t.Context(), line)
	}
	return tt.out.String(), err
}
