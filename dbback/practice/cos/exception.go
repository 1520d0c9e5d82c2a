package cos

import "context"

// An exception is what CATCH gives: of an error of the system, or one of the
// class %Exception.General that the line has made. Its properties and the meaning
// they have for a system exception are documented (class reference,
// %Exception.SystemException).
type exception struct {
	class string
	err   *Error // of the properties; Name, Code, Location, Data
	cause *Error // the system's error, nil for %Exception.General
}

const (
	classGeneral = "%Exception.General"
	classSystem  = "%Exception.SystemException"
)

func isExceptionClass(name string) bool { return name == classGeneral || name == classSystem }

// newException is %New(Name,Code,Location,Data).
func newException(c *Call) (Value, error) {
	switch {
	case c.Name != "%New":
		return Value{}, NoMethod(c.Name, c.Of)
	case c.Of == classSystem: // only the system makes one
		return Value{}, Unsupported("%s.%%New", classSystem)
	}
	return Ref(&exception{class: classGeneral, err: &Error{
		Name: c.Arg(0).String(), Code: c.Arg(1).String(), Location: c.Arg(2).String(), Data: c.Arg(3).String(),
	}}), nil
}

// exceptionOf is what CATCH is given for an error: what was thrown, or an
// exception of the system.
func exceptionOf(e *Error) Value {
	if e.thrown.Object() != nil {
		return e.thrown
	}
	c := *e
	return Ref(&exception{class: classSystem, err: &c, cause: e})
}

// thrown is the error of THROW: an exception of the system's own is raised
// again; uncaught, another is <THROW> with the exception's text.
func thrown(v Value) error {
	x, ok := v.Object().(*exception)
	switch {
	case v.Object() == nil:
		return newError("<INVALID OREF>", "")
	case !ok:
		return Unsupported("THROW of an object of %s", v.Object().Class())
	case x.cause != nil:
		return x.cause
	}
	e := newError("<THROW>", "*"+x.class+" "+x.display())
	e.thrown = v
	return e
}

func (x *exception) Class() string { return x.class }

// display is DisplayString(): the properties that are not empty.
func (x *exception) display() string {
	s := ""
	for _, part := range []string{x.err.Name, x.err.Code, x.err.Location, x.err.Data} {
		if s != "" && part != "" {
			s += " "
		}
		s += part
	}
	return s
}

func (x *exception) field(name string) *string {
	switch name {
	case "Name":
		return &x.err.Name
	case "Code":
		return &x.err.Code
	case "Location":
		return &x.err.Location
	case "Data":
		return &x.err.Data
	}
	return nil
}

func (x *exception) Get(_ context.Context, name string) (Value, error) {
	if f := x.field(name); f != nil {
		return String(*f), nil
	}
	return Value{}, NoProperty(name, x.class)
}

func (x *exception) Set(_ context.Context, name string, v Value) error {
	f := x.field(name)
	if f == nil {
		return NoProperty(name, x.class)
	}
	*f = v.String()
	return nil
}

func (x *exception) Method(_ context.Context, c *Call) (Value, error) {
	switch c.Name {
	case "DisplayString":
		return String(x.display()), nil
	case "AsSystemError":
		return String(x.err.Error()), nil
	case "%ClassName":
		return String(x.class), nil
	case "AsStatus", "AsSQLCODE", "AsSQLMessage", "Log", "OutputToDevice":
		return Value{}, Unsupported("method %s of %s", c.Name, x.class)
	}
	return Value{}, NoMethod(c.Name, x.class)
}

// Properties are the names for ZWRITE.
func (x *exception) Properties() []string { return []string{"Code", "Data", "Location", "Name"} }
