package dbback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// A JournalSource is an instance whose closed journal files can be copied.
type JournalSource interface {
	// ClosedJournals asks the instance which journal file it writes to, and lists
	// those that it does not write to any more. Nothing is changed.
	ClosedJournals(ctx context.Context) (*ClosedJournals, error)
}

// ClosedJournals is what an instance has of journals.
type ClosedJournals struct {
	Current  string       // the file that is written to, absolute
	Files    []StoredFile // closed ones, oldest first: Path is absolute, Suffix as in StoredFile
	Logs     []StoredFile // the lists of them, copied whenever a journal file is; their names end in ".log"
	Unsure   []string     // files of which nothing says that they are closed, absolute: not copied
	Warnings []string     // what could not be looked at, as sentences
}

// ArchiveOptions says how [ArchiveJournals] works.
type ArchiveOptions struct {
	Instance string            // name that the instance's backups have; see catalog.ValidArchived
	Program  string            // version of datfs, for the set
	Progress *catalog.Progress // nil is fine

	// Log is told of each problem as it is recorded in the set. nil is fine.
	Log func(format string, args ...any)

	opening, read func(path string) // for tests: called before a file is opened, and when it was read
}

// An ArchiveReport says what a run of [ArchiveJournals] did.
type ArchiveReport struct {
	Set      *catalog.SetInfo // nil: nothing was new, and no set was written
	Stored   []string         // the journal files stored, as they are called in the set
	Known    int              // closed files that the archive had already
	Current  string           // the file that the instance writes to, absolute
	Unsure   []string         // as in ClosedJournals
	Warnings []string         // what was not as it should be; that of files is in the set too
}

// ArchiveJournals copies the closed journal files of an instance that are not in
// its journal archive yet into one new set of that. If there is none, no set is
// written. It may run while a backup of the instance does.
//
// A file is known by its plain name: one that was compressed since it was copied
// is the same, unless its time says that it cannot be. A file whose name another one
// has, of another directory or of other content, is stored as NAME.other-1 and so on,
// with a warning: an instance may have begun anew with its journals (see
// [SameTimeLine]). A file that
// cannot be copied is a warning of the set and not fatal: the set holds what it
// says it holds, and the next run tries the rest again. If none can be copied
// there is an error and no set.
func ArchiveJournals(ctx context.Context, repo *catalog.Repository, source JournalSource, opts ArchiveOptions) (*ArchiveReport, error) {
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	wrap := func(err error) error { return fmt.Errorf("archive journals of %s: %w", opts.Instance, err) }
	if err := catalog.ValidArchived(opts.Instance); err != nil {
		return nil, wrap(err)
	}
	closed, err := source.ClosedJournals(ctx)
	if err != nil {
		return nil, wrap(err)
	}
	a := &archiver{repo: repo, opts: opts, report: &ArchiveReport{Current: closed.Current, Unsure: closed.Unsure}}
	for _, text := range closed.Warnings {
		a.warn(catalog.Problem{Error: text})
	}
	if err := a.readArchive(); err != nil {
		return nil, wrap(err)
	}
	isNew := a.anyNew(ctx, closed.Files)
	if err := ctx.Err(); err != nil { // what was not compared seems to be new
		return nil, wrap(err)
	}
	if !isNew {
		a.report.Known = len(closed.Files)
		return a.report, nil
	}
	w, err := repo.Begin(catalog.BeginOptions{
		Instance: catalog.ArchiveOf(opts.Instance), Engine: catalog.EngineJournal, Program: opts.Program, Progress: opts.Progress,
	})
	if err != nil {
		return nil, wrap(err)
	}
	a.w = w
	for _, text := range closed.Warnings {
		w.Fail(catalog.Problem{Error: text})
	}
	if err := a.archive(ctx, closed); err != nil {
		return nil, errors.Join(wrap(err), w.Abort(err))
	}
	return a.report, nil
}

// An archiver is one run of ArchiveJournals.
type archiver struct {
	repo   *catalog.Repository
	opts   ArchiveOptions
	report *ArchiveReport
	w      *catalog.SetWriter           // nil while nothing is known to be new
	kept   map[string][]ArchivedJournal // by the plain base name that files had
	names  map[string]bool              // plain names that are taken in the archive
	failed []error
}

// readArchive makes a list of what the archive has. What is in sets that cannot be
// read is copied again.
func (a *archiver) readArchive() error {
	sets, err := archiveSets(a.repo, a.opts.Instance)
	if sets == nil && err != nil && len(catalog.SetErrors(err)) == 0 {
		return err
	}
	a.kept, a.names = make(map[string][]ArchivedJournal), make(map[string]bool)
	for _, s := range sets {
		for i := range s.Files {
			if f := &s.Files[i]; f.Section == catalog.SectionJournals && !isJournalLog(f) {
				a.keep(archivedFile(s, i))
			}
		}
	}
	return nil
}

// keep adds a stored file to the list.
func (a *archiver) keep(j ArchivedJournal) {
	a.kept[j.Name] = append(a.kept[j.Name], j)
	a.names[PlainJournal(j.Stored)] = true
}

// has reports whether the archive has the file at path.
func (a *archiver) has(ctx context.Context, path string, st fs.FileInfo) bool {
	base := filepath.Base(path)
	plain := PlainJournal(base)
	now := ArchivedJournal{Name: plain, Stored: base, Size: st.Size(), ModTime: st.ModTime()}
	return slices.ContainsFunc(a.kept[plain], func(k ArchivedJournal) bool {
		form, dir := k.zipped() == now.zipped(), filepath.Dir(k.Origin) == filepath.Dir(path)
		switch {
		case form && sameJournal(k, now, compressedSoon):
			return true // also if its directory has another name now
		case form:
			return k.Size == now.Size && SameContent(ctx, a.repo, k, path)
		case k.ModTime.After(now.ModTime):
			return dir && sameJournal(now, k, compressedSoon)
		}
		return dir && sameJournal(k, now, compressedSoon)
	})
}

// anyNew reports whether the archive lacks any of the files.
func (a *archiver) anyNew(ctx context.Context, files []StoredFile) bool {
	for _, f := range files {
		path, st, err := statJournal(f)
		if err != nil && len(a.kept[PlainJournal(filepath.Base(f.Path))]) > 0 {
			continue // purged since, or not to be read any more: it is in the archive
		}
		if err != nil || !a.has(ctx, path, st) {
			return true
		}
	}
	return false
}

// statJournal finds a file under its name, or under that which it has when it is
// compressed.
func statJournal(f StoredFile) (string, fs.FileInfo, error) {
	st, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) && f.Suffix != "" {
		if st, err := os.Stat(f.Path + f.Suffix); err == nil {
			return f.Path + f.Suffix, st, nil
		}
	}
	return f.Path, st, err
}

// archive stores what is new. An error means that nothing is to be sealed.
func (a *archiver) archive(ctx context.Context, closed *ClosedJournals) error {
	if err := a.readArchive(); err != nil { // again: another run may have ended since
		return err
	}
	for _, f := range closed.Files {
		if err := a.storeOne(ctx, f); err != nil {
			return err
		}
	}
	if len(a.report.Stored) == 0 {
		if len(a.failed) > 0 {
			return fmt.Errorf("none of the new files can be stored: %w", errors.Join(a.failed...))
		}
		return a.w.Abort(errors.New("nothing is new")) // leaves nothing
	}
	for _, f := range closed.Logs {
		_, err := storeFile(ctx, a.w, a.opts.Progress, f, nil)
		if err := a.fileError(ctx, f.Path, err); err != nil {
			return err
		}
	}
	info, err := a.w.Seal(ctx)
	a.report.Set = info
	return err
}

// storeOne stores a journal file that is new.
func (a *archiver) storeOne(ctx context.Context, f StoredFile) error {
	for again := false; ; again = true {
		path, st, err := statJournal(f)
		known := len(a.kept[PlainJournal(filepath.Base(f.Path))]) > 0
		if err == nil && a.has(ctx, path, st) || err != nil && known {
			a.report.Known++
			return nil
		}
		if a.opts.opening != nil {
			a.opts.opening(path)
		}
		if err == nil {
			var info catalog.FileInfo
			stored := StoredFile{Path: path, Name: a.nameFor(path), Section: catalog.SectionJournals}
			if info, err = storeFile(ctx, a.w, a.opts.Progress, stored, a.stillClosed); err == nil {
				a.stored(path, &info)
				return nil
			}
		}
		if errors.Is(err, fs.ErrNotExist) && !again {
			continue // compressed between the look and the copy
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = &fs.PathError{Op: "open", Path: f.Path, Err: errors.New("it was purged before it could be copied")}
		}
		a.failed = append(a.failed, err)
		return a.fileError(ctx, f.Path, err)
	}
}

// errNotClosed means that a file that should be closed was written to.
var errNotClosed = errors.New("it was written to while it was copied, and is left to the next run")

// stillClosed checks at the end of a copy that nobody writes to the file.
func (a *archiver) stillClosed(src *source) error {
	if a.opts.read != nil {
		a.opts.read(src.path)
	}
	var st unix.Stat_t
	if err := src.stat(&st); err != nil {
		return err
	}
	// Not the change time: a file that is compressed meanwhile loses its name.
	if st.Size != src.opened.Size || st.Mtim != src.opened.Mtim {
		return &fs.PathError{Op: "read", Path: src.path, Err: errNotClosed}
	}
	return nil
}

// nameFor returns the name that a file gets in the archive: its own, unless that
// is taken.
func (a *archiver) nameFor(path string) string {
	base := filepath.Base(path)
	name := base
	for n := 1; a.names[PlainJournal(name)]; n++ {
		name = fmt.Sprintf("%s.other-%d", base, n)
	}
	return name
}

// stored takes note of a file that is in the set.
func (a *archiver) stored(path string, info *catalog.FileInfo) {
	a.report.Stored = append(a.report.Stored, info.Path)
	if otherName.MatchString(info.Path) {
		was := a.kept[PlainJournal(filepath.Base(path))][0]
		a.warn(catalog.Problem{Path: path, Error: fmt.Sprintf("the archive has another file of that name, of %s, %d bytes: this one is stored as %s",
			filepath.Dir(was.Origin), was.Size, info.Path)})
	}
	a.keep(a.inThisSet(path, info))
}

// inThisSet describes a file that was stored just now. Its set cannot be opened yet.
func (a *archiver) inThisSet(path string, info *catalog.FileInfo) ArchivedJournal {
	j := ArchivedJournal{Stored: info.Path, Size: info.Size, Sum: info.XXH64, ModTime: info.ModTime, Origin: path}
	j.Name = PlainJournal(j.FileName())
	return j
}

// fileError makes a warning of an error that concerns one file, and returns any
// other.
func (a *archiver) fileError(ctx context.Context, path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*catalog.RepositoryError](err); ok || ctx.Err() != nil {
		return fmt.Errorf("store %s: %w", path, err)
	}
	a.warn(catalog.Problem{Path: path, Error: strings.TrimPrefix(reason(err), "open: ")})
	return nil
}

// warn tells of a problem and records it in the set, if there is one.
func (a *archiver) warn(p catalog.Problem) {
	a.report.Warnings = append(a.report.Warnings, p.String())
	a.opts.Log("%v", p)
	if a.w != nil {
		a.w.Fail(p)
	}
}
