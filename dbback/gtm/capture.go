package gtm

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"datfs/catalog"
	"datfs/dbback"
)

// Journals implements [dbback.Engine]: it switches every region to another
// journal file and captures those that were written since the incremental.
//
// No restore needs them: the incremental is consistent by itself. They carry a
// restore on to the end of the backup, and the journals that come after them to
// any later moment.
func (e *Engine) Journals(ctx context.Context) (*dbback.Journals, error) {
	e.step = dbback.StepJournals
	out := &dbback.Journals{Facts: make(map[string]string), Files: []dbback.StoredFile{{
		Path: e.opts.Gbldir, Name: filepath.Base(e.opts.Gbldir), Section: catalog.SectionConfiguration, Needed: true,
	}}}
	if err := e.refresh(); err != nil {
		return nil, err
	}
	for _, r := range e.regions {
		out.Facts[factName(r.name, factStartTN)] = strconv.FormatUint(e.starts[r.name], 10)
		out.Facts[factName(r.name, factEndTN)] = strconv.FormatUint(e.ends[r.name], 10)
		out.Facts[factName(r.name, factFormat)] = r.header.Format
		out.Facts[factName(r.name, factAccess)] = access(r.header)
		if r.header.Journal == JournalOn {
			out.Facts[factName(r.name, factImages)] = images(r.header)
		}
	}
	if err := e.switchJournals(ctx); err != nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the journals since the incremental are not in the set: %v", err))
		return out, nil
	}
	for _, r := range e.regions {
		if r.header.Journal != JournalOn {
			if !slices.Contains(e.plain, r.name) { // or the preflight said it
				out.Warnings = append(out.Warnings, fmt.Sprintf(
					"journaling of region %s was turned off during the backup: it can be restored to the moment of the incremental only", r.name))
			}
			continue
		}
		if err := e.captureRegion(out, r.name, r.header.JournalFile); err != nil {
			out.Warnings = append(out.Warnings, fmt.Sprintf("region %s: the journal since the incremental is not in the set: %v", r.name, err))
		}
	}
	return out, nil
}

// refresh reads the regions' headers again.
func (e *Engine) refresh() error {
	for i := range e.regions {
		h, err := readHeaderFile(e.regions[i].path)
		if err != nil {
			return fmt.Errorf("region %s: %w", e.regions[i].name, err)
		}
		e.regions[i].header = h
	}
	return nil
}

// switchJournals switches all regions that are journaled to other journal files,
// and reads their headers again.
//
// Regions that journal in the same way are switched by one command: MUPIP then
// holds all of them while it does it, so that no transaction over several is in
// the closed journal of one and not of another. That was seen, not documented.
func (e *Engine) switchJournals(ctx context.Context) error {
	var before, nobefore []region
	for _, r := range e.regions {
		switch {
		case r.header.Journal != JournalOn:
		case images(r.header) == "before":
			before = append(before, r)
		default:
			nobefore = append(nobefore, r)
		}
	}
	for kind, regions := range map[string][]region{"before": before, "nobefore": nobefore} {
		if len(regions) == 0 {
			continue
		}
		if _, err := e.tools.mupip(ctx, quick, "set", "-journal=on,"+kind, "-region", names(regions)); err != nil {
			return err
		}
	}
	return e.refresh()
}

// captureRegion adds the journal files of a region that were closed since the
// incremental. current is the one that is written to now.
func (e *Engine) captureRegion(out *dbback.Journals, region, current string) error {
	now, err := ReadJournal(current)
	if err != nil {
		return err
	}
	if now.PrevFile == "" {
		return fmt.Errorf("%s has no link to the file before it", now.Path)
	}
	files, err := journalsBack(now.PrevFile, e.ends[region])
	if err != nil {
		return err
	}
	if len(files) == 0 || files[0].FirstTN != e.ends[region] {
		return &JournalGapError{Region: region, From: e.ends[region]}
	}
	if out.Range == nil {
		out.Range = &catalog.JournalRange{Required: files[0].Path, Switched: now.Path}
	}
	var fact []string
	for _, j := range files {
		name := fileName(region) + "." + filepath.Base(j.Path)
		out.Files = append(out.Files, dbback.StoredFile{Path: j.Path, Name: name, Section: catalog.SectionJournals})
		out.Range.Files = append(out.Range.Files, name)
		fact = append(fact, fmt.Sprintf("%s@%#x", name, j.FirstTN))
	}
	out.Facts[factName(region, factJournal)] = strings.Join(fact, " ")
	return nil
}

func images(h *Header) string {
	if h.BeforeImage {
		return "before"
	}
	return "nobefore"
}

func access(h *Header) string {
	if h.MemoryMapped {
		return "MM"
	}
	return "BG"
}
