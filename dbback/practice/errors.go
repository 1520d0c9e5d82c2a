package practice

import "errors"

// Errors that callers decide by.
var (
	// ErrDown is returned when an instance that is not running is asked for
	// something that only a running one can do.
	ErrDown = errors.New("the practice instance is not running")

	// ErrRunning is returned when an instance is to be started that runs already.
	ErrRunning = errors.New("the practice instance is running already")

	// ErrNotInstance is returned for a directory that holds no practice instance.
	ErrNotInstance = errors.New("not a practice instance")

	// ErrNotEmpty is returned when an instance is to be made in a directory that
	// has something in it.
	ErrNotEmpty = errors.New("directory is not empty")
)

// A UsageError is a mistake in what was asked for: an unknown failure, an
// argument too many.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }
