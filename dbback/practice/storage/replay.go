package storage

import (
	"slices"
)

// A replay applies journal records to mounted databases, without journaling what
// it does, and remembers what would take open transactions back.
type replay struct {
	target  func(dir string) (*database, error) // where the records of a directory go
	open    map[uint64][]undo
	order   []uint64 // open transactions in the order they began
	records int
	updated map[string]bool  // target directories
	skipped map[string]error // source directories, and why
}

func newReplay(target func(dir string) (*database, error)) *replay {
	return &replay{target: target, open: map[uint64][]undo{}, updated: map[string]bool{}, skipped: map[string]error{}}
}

// record takes the next record. Before the place where the databases are, it is
// only remembered. The instance's mutex is held.
func (rp *replay) record(r *record, apply bool) {
	switch r.Type {
	case recBegin:
		rp.begin(r.Txn)
	case recCommit, recRollback:
		delete(rp.open, r.Txn)
	case recSet, recKill:
		if r.Txn != 0 && r.Flags&recUndo == 0 {
			rp.begin(r.Txn) // it may have begun in a file before
			rp.open[r.Txn] = append(rp.open[r.Txn], undoOf(r))
		}
		if apply {
			rp.apply(r)
		}
	}
}

func (rp *replay) begin(id uint64) {
	if _, open := rp.open[id]; !open {
		rp.open[id] = nil
		rp.order = append(rp.order, id)
	}
}

// apply does a SET or KILL. A database that cannot take it is left out from then
// on.
func (rp *replay) apply(r *record) {
	if rp.skipped[r.Dir] != nil {
		return
	}
	db, err := rp.target(r.Dir)
	if err == nil && r.Type == recSet {
		err = db.reserve(r.Global)
	}
	if err != nil {
		rp.skipped[r.Dir] = err
		return
	}
	if err := db.apply(r); err != nil {
		rp.skipped[r.Dir] = db.spoil("apply a journal record to", err)
		return
	}
	rp.records++
	rp.updated[db.dir] = true
}

// rollback takes back all open transactions, the last begun first, and returns how
// many there were. Keys are locked until a transaction ends, so their order only
// matters within one.
func (rp *replay) rollback() int {
	n := 0
	for _, id := range slices.Backward(rp.order) {
		undos, open := rp.open[id]
		if !open {
			continue
		}
		n++
		for _, u := range slices.Backward(undos) {
			rp.apply(u.record())
		}
		delete(rp.open, id)
	}
	return n
}
