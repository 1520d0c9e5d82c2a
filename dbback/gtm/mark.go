package gtm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"datfs/catalog"
	"datfs/dbback"
)

// Mark implements [dbback.Engine]: for each region the transaction number from
// which on the incremental is going to hold every changed block.
//
// It is the end of a small incremental backup, the marker. While MUPIP takes
// that, it writes every changed block to the file; so all changes before the
// marker's end are in the file before the copy begins, and all later ones give
// their block a number at or after it. The order matters: a number that is read
// after the blocks were written loses the changes in between. The marker's end is
// kept by GT.M in the database's header, which is what BACKUP -SINCE=BYTESTREAM
// goes by.
func (e *Engine) Mark(ctx context.Context) error {
	e.step = dbback.StepMark
	if len(quoteAll(e.incrementalPaths())) > maxList {
		// The incremental is going to be made from within the directory. So are the
		// markers: a region whose file is named relative to the current directory is
		// found out before anything is copied.
		e.tools.dir = e.work
	}
	for _, r := range e.regions {
		if err := e.markRegion(ctx, &r); err != nil {
			return fmt.Errorf("region %s: %w", r.name, err)
		}
	}
	return nil
}

// Fields of a database's header in shared memory: the file lags behind.
const (
	peekTN    = "trans_hist.curr_tn" // the current transaction number
	peekIncTN = "last_inc_backup"    // where the last incremental backup ended
)

// peekCode writes a field of a region's header.
func peekCode(region, field string) string {
	return `write $$^%PEEKBYNAME("sgmnt_data.` + field + `","` + region + `"),!`
}

// peek reads a field of a region's header.
func (t *tools) peek(ctx context.Context, region, field string) (uint64, error) {
	out, err := t.m(ctx, peekCode(region, field))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(out), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", field, err)
	}
	return n, nil
}

// markerName returns what a region's marker is called.
func markerName(region string) string { return fileName(region) + ".mark" }

// fileName makes a region's name one of a file. GT.M puts variables of the
// environment in place of what follows a dollar sign in a path; no name of a
// region has a hyphen.
func fileName(region string) string { return strings.ReplaceAll(region, "$", "-") }

// newTN is the transaction number of a database to which nothing was ever
// written. MUPIP takes no backup of it, and none is needed: all of it was written
// to the file when that was created.
const newTN = 1

func (e *Engine) markRegion(ctx context.Context, r *region) error {
	now, err := e.tools.peek(ctx, r.name, peekTN)
	if err != nil {
		return err
	}
	if now <= newTN {
		e.marks[r.name], e.blocks[r.name] = newTN, r.header.TotalBlocks
		e.fresh[r.name], err = headerOf(r.path)
		return err
	}
	marker := filepath.Join(e.work, markerName(r.name))
	// From one transaction before, so that there is something to back up.
	if _, err := e.tools.mupip(ctx, long, "backup", "-bytestream", fmt.Sprintf("-transaction=%X", now-1),
		"-nonewjnlfiles", "-bkupdbjnl=disable", r.name, quote(marker)); err != nil {
		return e.mayNot(err)
	}
	m, err := readMarker(marker)
	if err != nil {
		return err
	}
	if m.EndTN < now {
		return fmt.Errorf("the marker ends at transaction %#x, before %#x at which it began", m.EndTN, now)
	}
	e.marks[r.name], e.blocks[r.name] = m.EndTN, m.TotalBlocks
	return nil
}

// readMarker returns what the beginning of a marker says.
func readMarker(path string) (*Bytestream, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	s := &Bytestream{r: f, size: incHeaderSize}
	if err := s.readHeader(); err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return s, nil
}

// incrementalName returns what a region's incremental is called.
func incrementalName(region string) string { return fileName(region) + ".bck" }

// maxList is how long a list is that MUPIP takes on its command line, in bytes:
// CLISTRTOOLONG says 4097.
const maxList = 4096

// incrementalNames returns what the regions' incrementals are called, as a list
// for MUPIP.
func incrementalNames(regions []region) string {
	var out []string
	for _, r := range regions {
		out = append(out, incrementalName(r.name))
	}
	return quoteAll(out)
}

// incrementalPaths returns where the regions' incrementals are made.
func (e *Engine) incrementalPaths() []string {
	var out []string
	for _, r := range e.regions {
		out = append(out, filepath.Join(e.work, incrementalName(r.name)))
	}
	return out
}

// storedIncremental returns what a region's incremental is called in a set, "" if
// there is none of it. Older sets have names with dollar signs.
func storedIncremental(m *catalog.Method, region string) string {
	for _, name := range []string{incrementalName(region), region + ".bck"} {
		if slices.Contains(m.Incrementals, name) {
			return name
		}
	}
	return ""
}

// Incremental implements [dbback.Engine]: one incremental for each region, all as
// of one moment, in which no transaction is half done.
//
// Journaling goes on in new journal files that begin at exactly that moment.
// They stay linked to those before: the database's own recovery may need that.
// The header inside the incremental says that journaling is disabled, or the
// restored database would want to go on with the journal of the original.
func (e *Engine) Incremental(ctx context.Context) (*dbback.Incremental, error) {
	e.step = dbback.StepIncremental
	paths := e.incrementalPaths()
	list := quoteAll(paths)
	if e.tools.dir == e.work {
		list = incrementalNames(e.regions)
	}
	out, err := e.tools.mupip(ctx, long, "backup", "-bytestream", "-since=bytestream",
		"-newjnlfiles=prevlink", "-bkupdbjnl=disable", names(e.regions), list)
	if err != nil {
		return nil, e.mayNot(err)
	}
	if !strings.Contains(out, "-I-BACKUPSUCCESS") {
		return nil, errors.New("MUPIP did not say that the backup was successful: see the transcript")
	}
	inc := &dbback.Incremental{}
	for i, r := range e.regions {
		there, err := e.takeIncremental(ctx, &r, paths[i], out)
		if err != nil {
			return nil, fmt.Errorf("region %s: %w", r.name, err)
		}
		if !there {
			continue
		}
		inc.Apply = append(inc.Apply, incrementalName(r.name))
		inc.Files = append(inc.Files, dbback.StoredFile{
			Path: paths[i], Name: incrementalName(r.name), Section: catalog.SectionIncremental, Needed: true,
		})
	}
	return inc, nil
}

// takeIncremental holds a region's incremental to its mark and to its format. It
// returns false if the region has none.
//
// Of a region that nobody wrote to since the mark MUPIP makes none, and says so.
// Then the marker is the incremental: it ends at the mark, and the copy was taken
// after it. A region that never was written to has no marker either.
func (e *Engine) takeIncremental(ctx context.Context, r *region, path, said string) (bool, error) {
	mark := e.marks[r.name]
	_, err := os.Stat(path)
	quiet := errors.Is(err, os.ErrNotExist) && strings.Contains(said, "no blocks backed up from database "+r.path)
	if quiet {
		// MUPIP goes by the last incremental, which must still be the marker.
		last, err := e.tools.peek(ctx, r.name, peekIncTN)
		if err != nil {
			return false, err
		}
		if last != mark {
			return false, &ForeignError{Start: last, Mark: mark}
		}
		if mark == newTN {
			e.starts[r.name], e.ends[r.name] = mark, mark
			return false, nil
		}
		if err := os.Rename(filepath.Join(e.work, markerName(r.name)), path); err != nil {
			return false, err
		}
	}
	inc, err := openIncremental(path)
	if err != nil {
		return false, err
	}
	e.incs[r.name] = inc
	if !quiet && inc.StartTN != mark {
		return false, &ForeignError{Start: inc.StartTN, Mark: mark}
	}
	e.starts[r.name], e.ends[r.name] = inc.StartTN, inc.EndTN
	return true, nil
}

// A ForeignError means that somebody else took an incremental backup between mark
// and incremental: what changed before it is not in ours.
type ForeignError struct{ Start, Mark uint64 }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the incremental begins at transaction %#x and not at the mark %#x: "+
		"somebody else took an incremental backup meanwhile; take them at different times", e.Start, e.Mark)
}
