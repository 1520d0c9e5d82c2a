package cos

import "context"

// A Host is the world that a session reaches: routines, classes, globals and
// what the process knows of itself. Names come as they were typed; the language
// tells upper from lower case in the names of routines, labels, classes, methods,
// properties and globals.
//
// A Host reports an error of the language as an *[Error], with the location that
// the routine would have; any other error becomes <SYSTEM>. It ends the session
// with a *[HaltError].
type Host interface {
	// Routine runs LABEL^ROUTINE(arguments): c.Of is the routine, c.Name the label,
	// "" for ^ROUTINE alone. Its value is taken if c.Function, that is after $$. What
	// is not there is [NoRoutine] or [NoLine].
	Routine(ctx context.Context, c *Call) (Value, error)

	// ClassMethod runs ##class(c.Of).c.Name(arguments), and $SYSTEM.X.Name(…) with the
	// class %SYSTEM.X, which is what the language takes it for. %New, %OpenId and the
	// like are class methods too and return Ref of an Object. What is not there is
	// [NoClass] or [NoMethod]. The class of exceptions %Exception.General is the
	// interpreter's own and does not come here.
	ClassMethod(ctx context.Context, c *Call) (Value, error)

	// Special is the value of a special variable, whose name comes in capitals and
	// in full: $JOB, $ZVERSION, $USERNAME, $ROLES, $IO, $SYSTEM and others. ok is
	// false if the host does not know it. The interpreter itself knows $HOROLOG, $ZHOROLOG,
	// $ZTIMESTAMP, $NAMESPACE, $ZNSPACE, $STORAGE, $TEST, $X, $Y and $ZERROR.
	Special(ctx context.Context, name string) (v Value, ok bool, err error)

	// Global is the global of that name, without its caret, as it is now; nil if
	// there is none. What is set or killed in it is changed in this Array unless it
	// is read-only or nil, which gives <PROTECT>.
	Global(ctx context.Context, name string) (*Array, error)

	// Namespace checks a namespace that is about to become the session's own and
	// returns its name as the instance spells it. What is not there is [NoNamespace].
	Namespace(ctx context.Context, name string) (string, error)
}

// An Object is what an object reference refers to.
type Object interface {
	// Class is the name of its class, for error texts, zwrite and the value of the
	// reference as a string (1@Class).
	Class() string

	// Get returns a property; what is not there is [NoProperty].
	Get(ctx context.Context, name string) (Value, error)

	// Set sets a property; what is not there is [NoProperty], what may not be set an
	// error of the host's choice.
	Set(ctx context.Context, name string, v Value) error

	// Method runs a method: c.Of is the class, c.Name the method. What is not there is
	// [NoMethod].
	Method(ctx context.Context, c *Call) (Value, error)
}

// A Multidimensional is an Object with properties that are arrays, for $order,
// $data and $get of obj.Property(subscripts).
type Multidimensional interface {
	Object

	// Array returns the property as an array, nil if it is none.
	Array(name string) *Array
}

// A Call is a call of a routine or a method.
type Call struct {
	Session  *Session // of the caller: its output, input and variables
	Of       string   // routine or class
	Name     string   // label or method
	Function bool     // the value is wanted
	Args     []Arg
}

// Arg returns the argument at index n, counted from 0, or "" if it was left out.
func (c *Call) Arg(n int) Value {
	if n < 0 || n >= len(c.Args) {
		return Value{}
	}
	return c.Args[n].Value()
}

// Has reports whether the argument at index n, counted from 0, was given. One
// that was given as "" was.
func (c *Call) Has(n int) bool { return n >= 0 && n < len(c.Args) && c.Args[n].given }

// Ref is the variable that was passed by reference (.x) at index n, nil if
// none was. What the host sets in it the caller sees.
func (c *Call) Ref(n int) *Array {
	if n < 0 || n >= len(c.Args) {
		return nil
	}
	return c.Args[n].ref
}

// An Arg is an argument of a call: left out, a value, or a reference to a
// variable.
type Arg struct {
	given bool
	value Value
	ref   *Array
}

// Value is the argument's value; "" if it was left out or if the variable that was passed
// has none.
func (a Arg) Value() Value {
	if a.ref != nil {
		v, _ := a.ref.Get()
		return v
	}
	return a.value
}
