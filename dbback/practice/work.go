package practice

import (
	"context"

	"datfs/dbback/practice/storage"
)

// A work is a backup or restore that runs: one at a time.
type work struct {
	what    string
	cancel  context.CancelFunc
	aborted bool
}

// begin claims the one place for a backup or restore. The error is
// storage.ErrBusy if it is taken.
func (i *Instance) begin(ctx context.Context, what string) (context.Context, func(), error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.work != nil || i.arms.has("backup-running") {
		return nil, nil, storage.ErrBusy
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &work{what: what, cancel: cancel}
	i.work = w
	return ctx, func() {
		cancel()
		i.mu.Lock()
		defer i.mu.Unlock()
		i.work = nil
	}, nil
}

// working returns what runs, "" if nothing.
func (i *Instance) working() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.work == nil {
		return ""
	}
	return i.work.what
}

// abort is Backup.General.AbortBackup: 0 if the backup that runs was told to end,
// 1 if none runs, 2 if it was told before (InterSystems class reference,
// Backup.General).
func (i *Instance) abort() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.work == nil && i.arms.has("backup-running"):
		return 0
	case i.work == nil:
		return 1
	case i.work.aborted:
		return 2
	}
	i.work.aborted = true
	i.work.cancel()
	return 0
}
