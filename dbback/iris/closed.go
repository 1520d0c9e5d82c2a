package iris

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

var _ dbback.JournalSource = (*Engine)(nil)

// ClosedJournals implements [dbback.JournalSource]: one session, which changes
// nothing. It needs no preflight. Files are looked for in the directories that
// the instance names, and where journal.log says that there are others.
func (e *Engine) ClosedJournals(ctx context.Context) (*dbback.ClosedJournals, error) {
	a, err := e.askJournals(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the instance %s for its journals: %w", e.instance.Name(), err)
	}
	if e.mgr, err = a.Manager(); err != nil {
		return nil, err
	}
	if _, err := a.Need("GetCurrentFileName", "JRN"); err != nil {
		return nil, err
	}
	current, dirs := a.JournalPlaces()
	name, ok := dbback.ParseJournalName(filepath.Base(current))
	if !ok {
		return nil, fmt.Errorf("the instance %s says that %q is its current journal file: which files are closed cannot be told (is journaling off?)", e.instance.Name(), current)
	}
	out := &dbback.ClosedJournals{Current: current, Logs: e.journalLogs()}
	paths, unread := session.FilesIn(dirs)
	for _, err := range unread {
		out.Warnings = append(out.Warnings, fmt.Sprintf("journal files that are there cannot be seen: %v", err))
	}
	files, unsure := closedOnes(append(paths, e.loggedJournals()...), name)
	out.Unsure = unsure
	for _, path := range files {
		out.Files = append(out.Files, journal(path, filepath.Base(path), true))
	}
	return out, nil
}

// askJournals asks for the current journal file and for directories.
func (e *Engine) askJournals(ctx context.Context) (*session.Answer, error) {
	e.heard = nil
	l := &look{engine: e, survey: &dbback.Survey{}}
	if !l.status(ctx) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		f := l.survey.Findings[len(l.survey.Findings)-1]
		return nil, &session.NoAnswerError{What: e.instance.ControlProgram() + " qlist", Why: f.Text, Do: f.Do}
	}
	a, err := e.instance.Run(ctx, e.instance.Statement("session", placesScript()))
	if failed, ok := errors.AsType[*session.NoAnswerError](err); ok {
		failed.What = e.instance.CommandLine()[0]
	}
	return a, err
}

// loggedJournals returns the journal files that journal.log names and that are
// there: journals may have been in other directories. A list that cannot be read
// is told of when it is to be copied.
func (e *Engine) loggedJournals() (paths []string) {
	for _, name := range dbback.ListedJournals(e.mgr) {
		if !filepath.IsAbs(name) {
			continue
		}
		for _, path := range []string{name, name + "z"} {
			if st, err := os.Stat(path); err == nil && !st.IsDir() {
				paths = append(paths, filepath.Clean(path))
			}
		}
	}
	return paths
}

// closedOnes returns those of the paths that are journal files which the instance
// does not write to while it writes to current: of that prefix all that are older,
// of each other prefix all but the newest, of which nothing says that it is closed
// unless it is compressed (a mirror's files come from its primary). Of the two
// forms of a file the uncompressed one is taken, as the other may not be finished.
// These are unsure. The result is in the order of days and counters, each file once.
func closedOnes(paths []string, current dbback.JournalName) (closed, unsure []string) {
	newest := make(map[string]dbback.JournalName) // by prefix
	var files []journalFile
	for _, path := range paths {
		n, ok := dbback.ParseJournalName(filepath.Base(path))
		if !ok {
			continue
		}
		files = append(files, journalFile{path, n})
		if last, ok := newest[n.Prefix]; !ok || n.Compare(last) > 0 || n.Compare(last) == 0 && last.Zipped {
			newest[n.Prefix] = n
		}
	}
	files = slices.DeleteFunc(files, func(f journalFile) bool {
		if f.Prefix == current.Prefix {
			return f.Compare(current) >= 0
		}
		if f.Compare(newest[f.Prefix]) != 0 || newest[f.Prefix].Zipped {
			return false
		}
		if !slices.Contains(unsure, f.path) {
			unsure = append(unsure, f.path)
		}
		return true
	})
	slices.SortStableFunc(files, func(a, b journalFile) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Prefix, b.Prefix), cmp.Compare(a.Count, b.Count))
	})
	return eachOnce(files), unsure
}

// eachOnce returns the paths of the files without those that are another form, or
// another path, of one before.
func eachOnce(files []journalFile) []string {
	plainPaths := make(map[string]bool)
	for _, f := range files {
		if !f.Zipped {
			plainPaths[f.path] = true
		}
	}
	var paths []string
	var taken []fs.FileInfo // of the name that is looked at
	for i, f := range files {
		if i == 0 || f.String() != files[i-1].String() {
			taken = nil
		}
		if f.Zipped && plainPaths[dbback.PlainJournal(f.path)] {
			continue
		}
		st, err := os.Stat(f.path) // a directory can have two names
		if err == nil && slices.ContainsFunc(taken, func(o fs.FileInfo) bool { return os.SameFile(st, o) }) {
			continue
		}
		if !slices.Contains(paths, f.path) {
			paths = append(paths, f.path)
		}
		if err == nil {
			taken = append(taken, st)
		}
	}
	return paths
}

// journalLogs returns journal.log, by which journal tools find files, and those of
// mirrors (InterSystems manual, Data Integrity Guide).
func (e *Engine) journalLogs() []dbback.StoredFile {
	files := []dbback.StoredFile{{Path: filepath.Join(e.mgr, dbback.JournalLog), Name: dbback.JournalLog, Section: catalog.SectionJournals, Needed: true}}
	logs, _ := filepath.Glob(filepath.Join(globEscape(e.mgr), "mirrorjrn-*.log"))
	for _, path := range logs {
		files = append(files, dbback.StoredFile{Path: path, Name: filepath.Base(path), Section: catalog.SectionJournals})
	}
	return files
}
