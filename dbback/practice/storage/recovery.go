package storage

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// recover brings the databases to the end of the journals, and begins a new
// journal file. Nobody else has the instance yet.
func (in *Instance) recover(ctx context.Context) (err error) {
	in.recovery.Failed = map[string]error{}
	roll := in.recovery.Crashed && !in.cfg.NoRecovery && !in.recovery.WIJMissing
	if roll {
		if in.recovery.WIJBlocks, err = in.wij.apply(); err != nil {
			return err
		}
	}
	in.mu.Lock()
	in.mountAll()
	rp := newReplay(func(dir string) (*database, error) { return in.writable("recover", dir) })
	prevEnd, first, err := in.rollForward(ctx, rp, roll)
	if err == nil {
		err = in.jrn.begin(prevEnd)
	}
	if err == nil {
		err = in.oplog.journal(in.jrn.current())
	}
	if err == nil {
		err = in.rollBackOpen(rp, first)
	}
	in.mu.Unlock()
	if err != nil {
		return err
	}
	return in.cycle()
}

// mountAll mounts the databases of the configuration.
func (in *Instance) mountAll() {
	for _, dir := range in.cfg.Databases {
		dir = cleanDir(dir)
		readOnly := slices.ContainsFunc(in.cfg.ReadOnly, func(d string) bool { return cleanDir(d) == dir })
		if err := in.mount(dir, readOnly); err != nil {
			in.recovery.Failed[dir] = err
		}
	}
}

// rollForward applies the journals from the checkpoint on, if roll is set. It
// returns where the last file ends, as far as known, and the number of the oldest
// file that was read.
func (in *Instance) rollForward(ctx context.Context, rp *replay, roll bool) (prevEnd int64, first int, err error) {
	list, ck := in.jrn.list, in.wij.head.Checkpoint
	if len(list) == 0 {
		return 0, 0, nil
	}
	if !roll || ck.Journal == "" {
		if end, err := scanJournal(list[len(list)-1], 0, ignoreRecord); err == nil {
			prevEnd = end.end
		}
		return prevEnd, 0, nil // a file that cannot be read is missed by whoever needs it
	}
	first, at := slices.Index(list, ck.Required), slices.Index(list, ck.Journal)
	if first < 0 || at < first {
		return 0, 0, fmt.Errorf("journal files %s to %s are not in %s: %w", ck.Required, ck.Journal, journalLog, ErrJournalMissing)
	}
	for i, name := range list[first:] {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		in.recovery.Journals = append(in.recovery.Journals, name)
		end, err := scanJournal(name, 0, func(r *record, offset int64) error {
			rp.record(r, first+i > at || first+i == at && offset >= ck.Offset)
			return nil
		})
		if err != nil {
			return 0, 0, fmt.Errorf("roll forward: %w", err)
		}
		prevEnd = end.end
	}
	in.jrn.compress(list[len(list)-1])
	in.recovery.Records = rp.records
	in.recovery.Skipped = slices.Sorted(maps.Keys(rp.skipped))
	return prevEnd, first, nil
}

// rollBackOpen takes back what was not finished, through the journal like any
// rollback: whoever applies these journals later must find it.
func (in *Instance) rollBackOpen(rp *replay, first int) error {
	for _, id := range slices.Backward(rp.order) {
		undos, open := rp.open[id]
		if !open {
			continue
		}
		undos = slices.DeleteFunc(undos, func(u undo) bool {
			db, err := in.writable("roll back", u.dir)
			return err != nil || db.label.noJournal
		})
		t := &Txn{in: in, id: id, first: first, undo: undos}
		in.txns[id] = t
		if err := in.rollback(t); err != nil {
			return err
		}
		in.recovery.RolledBack++
	}
	return nil
}
