package cos

import "fmt"

// An Error is an error of the language. An uncaught one is printed and the
// session goes on with its next line.
type Error struct {
	Name     string // with its brackets: <UNDEFINED>
	Location string // label+offset^routine; "" for a line that was typed
	Data     string // what the error is about, as the product shows it: *x
	Code     string // the exception's Code; "" is not known
	Err      error  // the cause, may be nil

	thrown Value // the exception that was thrown, "" for an error of the system
}

// Error is the form of $ZERROR: <NAME>location data.
func (e *Error) Error() string {
	s := e.Name + e.Location
	if e.Data != "" {
		s += " " + e.Data
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// A HaltError ends a session: by HALT (code 0), or by a method of a Host such as
// $SYSTEM.Process.Terminate($job,code).
type HaltError struct {
	Code int // exit code of the process
}

func (e *HaltError) Error() string {
	return fmt.Sprintf("the session has ended with exit code %d", e.Code)
}

// NoRoutine is <NOROUTINE> for a routine that is not there.
func NoRoutine(name string) *Error { return newError("<NOROUTINE>", "*"+name) }

// NoLine is <NOLINE> for a label that is not in the routine.
func NoLine(label, routine string) *Error { return newError("<NOLINE>", "*"+label+"^"+routine) }

// NoClass is <CLASS DOES NOT EXIST>.
func NoClass(name string) *Error { return newError("<CLASS DOES NOT EXIST>", "*"+name) }

// NoMethod is <METHOD DOES NOT EXIST>.
func NoMethod(name, class string) *Error {
	return newError("<METHOD DOES NOT EXIST>", "*"+name+","+class)
}

// NoProperty is <PROPERTY DOES NOT EXIST>.
func NoProperty(name, class string) *Error {
	return newError("<PROPERTY DOES NOT EXIST>", "*"+name+","+class)
}

// NoNamespace is <NAMESPACE>.
func NoNamespace(name string) *Error { return newError("<NAMESPACE>", "*"+name) }

// Protect is <PROTECT> at a location, "" for none; data says what is protected.
func Protect(location, data string) *Error {
	e := newError("<PROTECT>", data)
	e.Location = location
	return e
}

// Unsupported is <UNIMPLEMENTED>, for what the language has and the practice
// instance does not; the text says what. InterSystems documents the name for
// functions and arguments that are not implemented.
func Unsupported(format string, args ...any) *Error {
	return newError("<UNIMPLEMENTED>", "*"+fmt.Sprintf(format, args...)+": not part of the practice instance")
}

// nameLimit is an error that the product does not have.
const nameLimit = "<PRACTICE LIMIT>"

func newError(name, data string) *Error { return &Error{Name: name, Data: data} }
