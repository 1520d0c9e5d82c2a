package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// JournalRestore says what to apply.
type JournalRestore struct {
	First string // first file: a path, or a bare name to look for

	// Last is the last file, a path or a bare name; empty: the last known. If it
	// is the current file of the instance, it is read as far as it is.
	Last string

	// JournalLog lists the files and their order; default: the instance's own
	// journal.log if First is in it, else the files in First's directory whose
	// names are after First's.
	JournalLog string

	Locations []string          // directories to look in before any other
	Select    []string          // source databases; all if empty
	Redirect  map[string]string // source directory to target directory
	Rollback  bool              // undo what is not finished at the end
	Until     time.Time         // apply nothing later than this; zero: everything
	Progress  func(file string) // called as each file begins; may be nil
}

// JournalResult is what a journal restore did.
type JournalResult struct {
	Files      []string // read, absolute
	Records    int      // SETs and KILLs applied
	Updated    []string // target directories with at least one record, in order
	Skipped    []string // source directories that have records but were not selected, or could not be written
	Errors     []error  // why those of Skipped that were selected could not be written
	RolledBack int      // transactions
}

var errNotSelected = errors.New("not selected")

// RestoreJournals applies journal files to mounted databases. The updates are not
// journaled. To do it twice is as once. Updates by others are held meanwhile.
//
// A file that is missing or out of order is found before anything is applied; one
// that is cut short or damaged, when it is read.
func (in *Instance) RestoreJournals(ctx context.Context, opts JournalRestore) (*JournalResult, error) {
	if !in.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	defer in.busy.Store(false)
	files, err := in.journalFiles(opts)
	if err != nil {
		return nil, err
	}
	hold := in.Hold()
	defer hold.Release()
	rp := newReplay(in.restoreTarget(opts))
	res := &JournalResult{Files: files}
	err = in.replayFiles(ctx, rp, files, opts)
	if err == nil && opts.Rollback {
		in.mu.Lock()
		res.RolledBack = rp.rollback()
		in.mu.Unlock()
	}
	res.Records = rp.records
	res.Updated = slices.Sorted(maps.Keys(rp.updated))
	res.Skipped = slices.Sorted(maps.Keys(rp.skipped))
	for _, dir := range res.Skipped {
		if err := rp.skipped[dir]; !errors.Is(err, errNotSelected) {
			res.Errors = append(res.Errors, err)
		}
	}
	// What was applied is in no journal: it must be in the databases before a
	// crash could take it back.
	return res, errors.Join(err, in.Flush(ctx))
}

// restoreTarget returns what finds the database for the records of a directory.
func (in *Instance) restoreTarget(opts JournalRestore) func(dir string) (*database, error) {
	redirect := map[string]string{}
	for from, to := range opts.Redirect {
		redirect[cleanDir(from)] = cleanDir(to)
	}
	var selected []string
	for _, dir := range opts.Select {
		selected = append(selected, cleanDir(dir))
	}
	return func(dir string) (*database, error) {
		if len(selected) > 0 && !slices.Contains(selected, dir) {
			return nil, errNotSelected
		}
		if to, ok := redirect[dir]; ok {
			dir = to
		}
		return in.writable("apply the journal to", dir)
	}
}

// errUntil ends a replay at a time.
var errUntil = errors.New("later than wanted")

// replayFiles applies the files in their order. That they follow each other is
// known before the first is applied; that one has lost its end, when it was read.
func (in *Instance) replayFiles(ctx context.Context, rp *replay, files []string, opts JournalRestore) error {
	heads, err := readHeads(files)
	if err != nil {
		return err
	}
	for i, name := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if opts.Progress != nil {
			opts.Progress(name)
		}
		end, err := scanJournal(name, in.endOf(name), func(r *record, _ int64) error {
			if !opts.Until.IsZero() && r.Time > opts.Until.UnixNano() {
				return errUntil
			}
			in.mu.Lock()
			defer in.mu.Unlock()
			if in.dead.Load() {
				return ErrCrashed
			}
			rp.record(r, true)
			return nil
		})
		if errors.Is(err, errUntil) {
			return nil
		}
		if err == nil {
			err = wholeFile(name, end.end, end.bad, heads[i+1:])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wholeFile returns an error for a file that is damaged, or shorter than the head
// of the one after it says.
func wholeFile(name string, end int64, bad bool, after []journalHead) error {
	switch {
	case len(after) > 0 && end < after[0].PrevEnd:
		return fmt.Errorf("%s: %w: %d bytes are good of %d", name, ErrBadJournal, end, after[0].PrevEnd)
	case bad:
		return fmt.Errorf("%s: %w: there is no record at %d", name, ErrBadJournal, end)
	}
	return nil
}

// readHeads reads the headers of files and checks that each is what its name says
// and follows the one before.
func readHeads(files []string) ([]journalHead, error) {
	var heads []journalHead
	for i, name := range files {
		end, err := scanJournal(name, journalHeader, nil)
		if err != nil {
			return nil, err
		}
		if was := filepath.Base(end.head.Name); was != filepath.Base(name) {
			return nil, fmt.Errorf("%s: %w: it is %s under another name", name, ErrBadJournal, was)
		}
		if i > 0 && filepath.Base(end.head.Prev) != filepath.Base(files[i-1]) {
			return nil, fmt.Errorf("%s: %w: it follows %s, not %s", name, ErrJournalMissing, end.head.Prev, files[i-1])
		}
		heads = append(heads, end.head)
	}
	return heads, nil
}

// endOf returns where to stop reading a file: the current one is being written to.
func (in *Instance) endOf(name string) int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.jrn.f != nil && in.jrn.current() == name {
		return in.jrn.end
	}
	return 0
}

// CheckJournals reads the files that RestoreJournals would, and returns what is in
// each. A missing, damaged or out-of-order file is an error. The last file may end
// in the middle of a record.
func (in *Instance) CheckJournals(ctx context.Context, opts JournalRestore) ([]*JournalInfo, error) {
	files, err := in.journalFiles(opts)
	if err != nil {
		return nil, err
	}
	var infos []*JournalInfo
	heads, err := readHeads(files)
	if err != nil {
		return nil, err
	}
	for i, name := range files {
		if err := ctx.Err(); err != nil {
			return infos, err
		}
		info, err := InspectJournal(name)
		if err != nil {
			return infos, err
		}
		if err := wholeFile(name, info.End, info.Bad, heads[i+1:]); err != nil {
			return infos, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}
