package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// transcriptName is the file in the work directory with what was said.
const transcriptName = "transcript.txt"

// keepTranscript keeps what was said, in this run and those before it, in the work
// directory.
func (r *restoration) keepTranscript() error {
	if err := r.keepFile(transcriptName, []byte(r.transcript.String())); err != nil {
		return err
	}
	return syncDir(r.plan.Work)
}

// abandonTime is how long a drill that failed may take to clean up after itself.
const abandonTime = 5 * time.Minute

// abandon removes what a drill that failed has restored. There is nothing to go on
// with: the next one begins anew.
func (r *restoration) abandon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTime)
	defer cancel()
	if !r.state.Copied {
		r.removeMade()
		return r.finish()
	}
	var failed []error
	for _, db := range r.plan.Databases { // of a run before this one, if it has not come that far
		failed = append(failed, r.hold(filepath.Clean(db.To)))
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("cleaning up after a drill before this one: %w", err)
	}
	failed = nil
	for _, a := range r.plan.steps[len(r.plan.steps)-1].acts {
		if err := a.run(ctx, r); err != nil {
			failed = append(failed, fmt.Errorf("cleaning up after the drill: %w", err))
		}
	}
	if len(failed) == 0 {
		failed = append(failed, r.finish())
	}
	return errors.Join(failed...)
}

// finish removes the work directory: what is worth keeping is in the report. The state
// goes first: without it nobody takes the rest for a restore to be gone on with.
func (r *restoration) finish() error {
	r.unlink()
	if err := os.Remove(r.stateFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(r.plan.Work)
}

// finishDone is finish of a restore that is done: what cannot be removed does not undo it.
func (r *restoration) finishDone() {
	if err := r.finish(); err != nil {
		r.warn("%s, which is not needed any more, could not be removed: %v; remove it: the incremental in it is not encrypted", r.plan.Work, err)
	}
}
