package dbback

import (
	"context"
	"errors"

	"datfs/catalog"
)

// BackupOptions says how [Backup] works.
type BackupOptions struct {
	Instance string // name that the set gets; see catalog.ValidInstance
	Program  string // version of datfs, for the set
	Progress *catalog.Progress

	IOLimit     int64 // bytes a second read from databases; 0: no limit
	NormalIO    bool  // read with normal I/O priority, not with the lowest
	Keep        bool  // leave the incremental and its log where the product wrote them
	IgnoreSpace bool  // go on where the space seems too small

	// Log is told of each step, and of each problem as it is recorded. nil is fine.
	Log func(format string, args ...any)
}

// Backup takes the concurrent external backup of an instance: one sealed set
// with the dirty copies, the incremental, and the journals. The steps and their
// order are in the package comment.
//
// Nothing is done to the instance if the survey found a failure: the error is
// then a *PreflightError. A step that fails is a *StepError; the set that was
// being written is then kept as interrupted, and says what it means. A database
// file that cannot be read makes the set incomplete and does not keep the others
// from being backed up.
func Backup(ctx context.Context, repo *catalog.Repository, e Engine, opts BackupOptions) (*catalog.SetInfo, error) {
	_, _, _, _ = ctx, repo, e, opts
	return nil, errors.ErrUnsupported
}

// A PreflightError means that the instance is not fit for a backup. Nothing was
// done to it.
type PreflightError struct{ Survey *Survey }

func (e *PreflightError) Error() string { return "the preflight found what would make the backup fail" }

// A StepError is the failure of a step of the method.
type StepError struct {
	Step  string
	Set   catalog.SetName // what is kept of the set, as interrupted
	Means string          // for the instance, a sentence; "" before the mark
	Next  string          // what to do, a sentence
	Err   error
}

func (e *StepError) Error() string { return "step " + e.Step + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }
