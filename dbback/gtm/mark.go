package gtm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	for _, r := range e.regions {
		tn, err := e.markRegion(ctx, r.name)
		if err != nil {
			return fmt.Errorf("region %s: %w", r.name, err)
		}
		e.marks[r.name] = tn
	}
	return nil
}

// peekCode writes a region's current transaction number from shared memory: that
// in the file lags behind.
func peekCode(region string) string {
	return `write $$^%PEEKBYNAME("sgmnt_data.trans_hist.curr_tn","` + region + `"),!`
}

// markerName returns what a region's marker is called.
func markerName(region string) string { return region + ".mark" }

// newTN is the transaction number of a database to which nothing was ever
// written. MUPIP takes no backup of it, and none is needed: all of it was written
// to the file when that was created.
const newTN = 1

func (e *Engine) markRegion(ctx context.Context, name string) (uint64, error) {
	out, err := e.tools.m(ctx, peekCode(name))
	if err != nil {
		return 0, err
	}
	now, err := strconv.ParseUint(strings.TrimSpace(out), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("current transaction number %q: %w", strings.TrimSpace(out), err)
	}
	if now <= newTN {
		return newTN, nil
	}
	marker := filepath.Join(e.work, markerName(name))
	// From one transaction before, so that there is something to back up.
	if _, err := e.tools.mupip(ctx, long, "backup", "-bytestream", fmt.Sprintf("-transaction=%X", now-1),
		"-nonewjnlfiles", "-bkupdbjnl=disable", name, marker); err != nil {
		return 0, err
	}
	_, end, err := bytestreamTNs(marker)
	if err != nil {
		return 0, err
	}
	if end < now {
		return 0, fmt.Errorf("the marker ends at transaction %#x, before %#x at which it began", end, now)
	}
	return end, nil
}

// bytestreamTNs returns where an incremental begins and ends.
func bytestreamTNs(path string) (start, end uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, incHeaderSize)
	if _, err := io.ReadFull(f, b); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	if start, end, err = ReadBytestreamTNs(b); err != nil {
		err = fmt.Errorf("%s %w", path, err)
	}
	return start, end, err
}

// incrementalName returns what a region's incremental is called.
func incrementalName(region string) string { return region + ".bck" }

// Incremental implements [dbback.Engine]: one incremental for each region, all as
// of one moment, in which no transaction is half done.
//
// Journaling goes on in new journal files that begin at exactly that moment.
// They stay linked to those before: the database's own recovery may need that.
// The header inside the incremental says that journaling is disabled, or the
// restored database would want to go on with the journal of the original.
func (e *Engine) Incremental(ctx context.Context) (*dbback.Incremental, error) {
	e.step = dbback.StepIncremental
	var paths []string
	for _, r := range e.regions {
		path := filepath.Join(e.work, incrementalName(r.name))
		if strings.Contains(path, ",") {
			return nil, fmt.Errorf("%s: MUPIP takes no comma in a path; name another directory for work", path)
		}
		paths = append(paths, path)
	}
	out, err := e.tools.mupip(ctx, long, "backup", "-bytestream", "-since=bytestream",
		"-newjnlfiles=prevlink", "-bkupdbjnl=disable", names(e.regions), strings.Join(paths, ","))
	if err != nil {
		return nil, err
	}
	if !strings.Contains(out, "-I-BACKUPSUCCESS") {
		return nil, errors.New("MUPIP did not say that the backup was successful: see the transcript")
	}
	inc := &dbback.Incremental{}
	for i, r := range e.regions {
		there, err := e.takeIncremental(&r, paths[i], out)
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
func (e *Engine) takeIncremental(r *region, path, said string) (bool, error) {
	mark := e.marks[r.name]
	_, err := os.Stat(path)
	quiet := errors.Is(err, os.ErrNotExist) && strings.Contains(said, "no blocks backed up from database "+r.path)
	if quiet && mark == newTN {
		e.starts[r.name], e.ends[r.name] = mark, mark
		return false, nil
	}
	if quiet {
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
		return false, fmt.Errorf("the incremental begins at transaction %#x and not at the mark %#x: "+
			"somebody else took an incremental backup of it meanwhile", inc.StartTN, mark)
	}
	e.starts[r.name], e.ends[r.name] = inc.StartTN, inc.EndTN
	return true, nil
}
