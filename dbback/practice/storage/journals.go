package storage

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// rotate closes the journal file and begins the next, with the mutex held.
func (in *Instance) rotate() error {
	if err := in.jrn.rotate(); err != nil {
		return err
	}
	return in.oplog.journal(in.jrn.current())
}

// SwitchJournal closes the journal file and begins a new one. It returns both. It
// does not wait while updates are held.
func (in *Instance) SwitchJournal(ctx context.Context) (from, to string, err error) {
	if err := ctx.Err(); err != nil {
		return "", "", err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead.Load() {
		return "", "", ErrCrashed
	}
	from = in.jrn.current()
	err = in.rotate()
	return from, in.jrn.current(), err
}

// Journals returns the journal files of journal.log, oldest first, absolute, as
// they are listed: without the z that a compressed one ends in, and whether or not
// they still exist.
func (in *Instance) Journals() ([]string, error) {
	return readJournalLog(filepath.Join(in.cfg.Dir, journalLog))
}

// PurgeJournals removes the journal files that were last written to before the
// given time, never one that is needed for a rollback or after a crash, and
// returns the names removed. journal.log keeps the names: InterSystems documents
// that they stay there for 30 days at least.
func (in *Instance) PurgeJournals(ctx context.Context, before time.Time) ([]string, error) {
	if err := in.Flush(ctx); err != nil { // moves the checkpoint to here
		return nil, err
	}
	in.flush.Lock()
	ck := in.wij.head.Checkpoint
	in.flush.Unlock()
	in.mu.Lock()
	list := slices.Clone(in.jrn.list)
	needed := min(slices.Index(list, in.required()), slices.Index(list, ck.Required))
	in.mu.Unlock()
	var removed []string
	for _, name := range list[:max(needed, 0)] {
		path, err := FindJournal(name)
		if err != nil {
			continue // purged before
		}
		st, err := os.Stat(path)
		if err != nil {
			return removed, err
		}
		if !st.ModTime().Before(before) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}
