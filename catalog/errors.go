package catalog

import (
	"errors"
	"fmt"
)

// Errors that callers act on. Test for them with errors.Is: they are nearly
// always wrapped.
var (
	// ErrNotRepository means that a directory holds no repository.
	ErrNotRepository = errors.New("not a datfs repository")

	// ErrNewerFormat means that a repository, pack or set file was written in a
	// format that this program does not know yet.
	ErrNewerFormat = errors.New("written in a newer format than this datfs knows")

	// ErrNotEmpty means that a directory that should become a repository holds
	// something else.
	ErrNotEmpty = errors.New("directory is not empty")

	// ErrNotFound means that the repository holds nothing of that name.
	ErrNotFound = errors.New("not found")

	// ErrAmbiguous means that a name is short for more than one set.
	ErrAmbiguous = errors.New("ambiguous")

	// ErrSealed means that a set is final and can no longer change (I2).
	ErrSealed = errors.New("set is sealed")

	// ErrLocked means that another process holds the lock that is needed.
	ErrLocked = errors.New("locked by another process")

	// ErrCorrupt means that stored bytes are not what was written.
	ErrCorrupt = errors.New("damaged")

	// ErrShrank means that a file became shorter while it was read.
	ErrShrank = errors.New("shrank while it was read")
)

// A SetError says of which set an error is.
type SetError struct {
	Name   SetName
	Sealed bool // the set is final; otherwise it was cut off, or is still written
	Err    error
}

func (e *SetError) Error() string { return fmt.Sprintf("set %v: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *SetError) Unwrap() error { return e.Err }

// SetErrors returns the errors of single sets in what Repository.Sets returned.
func SetErrors(err error) []*SetError {
	joined, ok := err.(interface{ Unwrap() []error }) // as Sets returns it
	if !ok {
		return nil
	}
	var out []*SetError
	for _, e := range joined.Unwrap() {
		if s, ok := errors.AsType[*SetError](e); ok {
			out = append(out, s)
		}
	}
	return out
}

// A CorruptError says where the damage is. It matches ErrCorrupt.
type CorruptError struct {
	Path   string // of the damaged file, relative to the repository
	Offset int64  // of the damaged part, in bytes
	Err    error  // what was wrong
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s at offset %d: %v", e.Path, e.Offset, e.Err)
}

// Unwrap makes both ErrCorrupt and the cause visible to errors.Is.
func (e *CorruptError) Unwrap() []error { return []error{ErrCorrupt, e.Err} }
