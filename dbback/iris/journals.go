package iris

import (
	"cmp"
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
	"datfs/dbback/iris/session"
)

// purgeAdvice is what to do against journals that are gone too early.
const purgeAdvice = "raise BackupsBeforePurge and DaysBeforePurge in the instance's journal settings"

// Journals implements [dbback.Engine]: the instance goes on in a new journal file,
// and the files from the oldest that a restore needs to the one with the marker
// are named, with journal.log and the configuration. By now all that a restore needs
// is in files: that no session can be had any more is a warning.
func (e *Engine) Journals(ctx context.Context) (*dbback.Journals, error) {
	if err := e.begun(); err != nil {
		return nil, err
	}
	if e.run.log == nil {
		return nil, errors.New("no incremental was taken")
	}
	out := &dbback.Journals{Facts: make(map[string]string)}
	a, err := e.session(ctx, dbback.StepJournals, e.instance.Statement("^JRNSWTCH", closeJournalScript()))
	if ctx.Err() != nil {
		return nil, err
	}
	e.journalSwitched(a, err, out)
	current, dirs := a.JournalPlaces()
	dirs = append(dirs, e.places...)
	if current != "" {
		out.Facts["journal after the backup"] = current
	}
	l := e.run.log
	if l.blocks > 0 {
		out.Facts["blocks copied by the incremental"] = strconv.FormatInt(l.blocks, 10)
	}
	out.Range = &catalog.JournalRange{Required: dbback.PlainJournal(l.required), Marker: dbback.PlainJournal(l.marker), Offset: l.offset, Switched: dbback.PlainJournal(l.switched)}
	e.pick(out, dirs)
	e.besides(out)
	return out, nil
}

// journalSwitched says what it means if the instance did not go on in a new file.
// err is what the session ended with.
func (e *Engine) journalSwitched(a *session.Answer, err error, out *dbback.Journals) {
	if err == nil {
		_, err = a.Need("^JRNSWTCH", "JRNSWTCH")
	}
	if err == nil {
		return
	}
	text := fmt.Sprintf("the journal file with the marker could not be closed and is copied as it is (%v)", err)
	out.Warnings = append(out.Warnings, text)
	out.Facts[dbback.FactJournal] = dbback.JournalOpen
}

// pick names the journal files that a restore needs.
func (e *Engine) pick(out *dbback.Journals, dirs []string) {
	r := out.Range
	if r.Required == "" {
		r.Required = cmp.Or(r.Switched, r.Marker, e.journal)
		out.Missing = append(out.Missing, "the log of the incremental does not say which journal files a restore needs; those from "+cmp.Or(r.Required, "none")+" on are taken")
	}
	last := cmp.Or(r.Marker, r.Switched, r.Required)
	if r.Required == "" {
		return
	}
	required, ok1 := dbback.ParseJournalName(filepath.Base(r.Required))
	marker, ok2 := dbback.ParseJournalName(filepath.Base(last))
	if !ok1 || !ok2 || required.Prefix != marker.Prefix {
		// A member that became the mirror's primary in between, for one.
		out.Missing = append(out.Missing, fmt.Sprintf("which journal files lie between %s and %s cannot be told from their names; only these two are taken", r.Required, last))
		e.take(out, []string{r.Required, last})
		return
	}
	if required.Compare(marker) > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the log says that %s is the oldest journal needed, which is newer than %s with the marker: all between them are taken", r.Required, last))
		required, marker = marker, required
	}
	// Where the log says that they are comes first.
	dirs = append([]string{filepath.Dir(r.Required), filepath.Dir(last)}, dirs...)
	paths, _ := session.FilesIn(dirs) // what cannot be seen is missing, if it is needed
	files, others, missing := pickJournals(paths, required, marker)
	for _, f := range files {
		r.Files = append(r.Files, filepath.Base(f.path))
		out.Files = append(out.Files, journal(f.path, filepath.Base(f.path), true))
	}
	for i, f := range others {
		name := fmt.Sprintf("%s.other-%d", filepath.Base(f.path), i+1)
		out.Files = append(out.Files, journal(f.path, name, false))
		out.Warnings = append(out.Warnings, fmt.Sprintf("there is a second journal file %s: it is stored as %s", f.path, name))
	}
	for _, name := range missing {
		out.Missing = append(out.Missing, fmt.Sprintf("journal file %s, which a restore needs, is gone; %s", name, purgeAdvice))
	}
}

// take names files whatever they are called.
func (e *Engine) take(out *dbback.Journals, paths []string) {
	for _, path := range slices.Compact(paths) {
		if _, err := os.Lstat(path); err != nil {
			if _, err := os.Lstat(path + "z"); err == nil {
				path += "z"
			}
		}
		out.Range.Files = append(out.Range.Files, filepath.Base(path))
		out.Files = append(out.Files, journal(path, filepath.Base(path), true))
	}
}

func journal(path, name string, needed bool) dbback.StoredFile {
	f := dbback.StoredFile{Path: path, Name: name, Section: catalog.SectionJournals, Needed: needed}
	if _, ok := dbback.ParseJournalName(name); ok && !strings.HasSuffix(name, "z") {
		f.Suffix = "z" // it may be compressed before it is read (InterSystems CPF reference, CompressFiles)
	}
	return f
}

// besides names what a restore elsewhere needs to know: journal.log, by which
// journal tools find files, those of mirrors, and the configuration (InterSystems
// manual, Data Integrity Guide).
func (e *Engine) besides(out *dbback.Journals) {
	out.Files = append(out.Files, e.journalLogs()...)
	names := make(map[string]bool)
	for _, path := range e.configFiles() {
		name := filepath.Base(path)
		if _, err := os.Stat(path); err != nil || names[name] {
			continue
		}
		names[name] = true
		out.Files = append(out.Files, dbback.StoredFile{Path: path, Name: name, Section: catalog.SectionConfiguration})
	}
	if !names["iris.cpf"] && !names["cache.cpf"] {
		out.Warnings = append(out.Warnings, "the configuration parameter file was not found and is not part of the set")
	}
}

// configFiles returns where the instance's configuration may be. The encryption
// key is not among them: beside the backup it would lock nothing.
func (e *Engine) configFiles() []string {
	data := filepath.Dir(e.mgr)
	paths := []string{
		filepath.Join(data, "iris.cpf"), filepath.Join(data, "cache.cpf"),
		filepath.Join(e.mgr, "startup.last"), filepath.Join(data, "parameters.isc"),
	}
	if e.install != "" {
		paths = append(paths, filepath.Join(e.install, "parameters.isc"))
	}
	return paths
}

// globEscape makes a path stand for itself in a pattern.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
