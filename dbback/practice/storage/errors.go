package storage

import (
	"errors"
	"fmt"
)

// Errors that callers decide by. They come wrapped, with the object they are
// about.
var (
	// ErrCrashed is returned by everything that is asked of an instance that was
	// crashed or shut down.
	ErrCrashed = errors.New("the instance is not running")

	// ErrNotMounted is returned for a database that is not mounted.
	ErrNotMounted = errors.New("database is not mounted")

	// ErrMounted is returned when a database that is mounted must not be.
	ErrMounted = errors.New("database is mounted already")

	// ErrReadOnly is returned when a database that is mounted read-only is to be
	// changed.
	ErrReadOnly = errors.New("database is mounted read-only")

	// ErrNotDatabase is returned for a file that is not a database of the practice
	// instance.
	ErrNotDatabase = errors.New("not a database of the practice instance")

	// ErrDegraded is returned for logical access to a database whose structure is
	// damaged. It can still be restored onto.
	ErrDegraded = errors.New("database is damaged: run an integrity check")

	// ErrFull is returned when a database has reached its largest size, or its
	// directory of globals is full.
	ErrFull = errors.New("database is full")

	// ErrTooLong is returned for names, keys and values beyond the limits.
	ErrTooLong = errors.New("name, key or value is empty or too long")

	// ErrLocked is returned when a key was changed by a transaction of somebody
	// else that is still open.
	ErrLocked = errors.New("key is locked by an open transaction")

	// ErrBusy is returned when a backup or restore is in progress and another is
	// asked for.
	ErrBusy = errors.New("a backup or restore is in progress")

	// ErrNoFull is returned for an incremental or cumulative backup when no full
	// one is in the history.
	ErrNoFull = errors.New("no full backup is recorded")

	// ErrNotBackup is returned for a file that is not a backup of the practice
	// instance.
	ErrNotBackup = errors.New("not a backup file of the practice instance")

	// ErrBadBackup is returned for a backup file that is cut short or damaged.
	ErrBadBackup = errors.New("backup file is cut short or damaged")

	// ErrNotJournal is returned for a file that is not a journal of the practice
	// instance.
	ErrNotJournal = errors.New("not a journal file of the practice instance")

	// ErrJournalMissing is returned when a journal file that is needed is not
	// where it is looked for.
	ErrJournalMissing = errors.New("journal file is missing")

	// ErrBadJournal is returned for a journal file that is cut short or damaged.
	ErrBadJournal = errors.New("journal file is cut short or damaged")

	// ErrDone is returned when a finished transaction is used.
	ErrDone = errors.New("transaction is finished")
)

// A DatabaseError says which database an error is about.
type DatabaseError struct {
	Op        string // what was tried: "mount", "set", …
	Directory string // of the database, with a trailing slash
	Err       error
}

func (e *DatabaseError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Op, e.Directory, e.Err)
}

// Unwrap returns the cause.
func (e *DatabaseError) Unwrap() error { return e.Err }
