package dbback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"datfs/catalog"
)

// BackupOptions says how [Backup] works.
type BackupOptions struct {
	Instance string            // name that the set gets; see catalog.ValidInstance
	Program  string            // version of datfs, for the set
	Progress *catalog.Progress // of the copies; nil is fine

	IOLimit     int64 // bytes a second read from databases; 0: no limit
	NormalIO    bool  // read databases with normal I/O priority, not with a low one
	Keep        bool  // leave the incremental and its log where the product wrote them
	IgnoreSpace bool  // go on where the space seems too small

	// Step is told of each step as it begins, and what it is, in words. nil is fine.
	Step func(step, what string)
	// Log is told of each problem as it is recorded in the set, and of other things
	// that are worth knowing while they happen. nil is fine.
	Log func(format string, args ...any)

	wrap func(path string, src catalog.Source) catalog.Source // for tests
}

// Backup takes the concurrent external backup of an instance: one sealed set
// with the dirty copies, the incremental, and the journals. The steps and their
// order are in the package comment.
//
// Nothing is done to the instance if the survey found a failure: the error is
// then a *PreflightError. A step that fails is a *StepError; from the mark on,
// the set that was being written is then kept as interrupted, and says what it
// means for the instance. A database file that cannot be read, or a journal file
// that is gone, makes the set incomplete: it is sealed all the same.
func Backup(ctx context.Context, repo *catalog.Repository, e Engine, opts BackupOptions) (*catalog.SetInfo, error) {
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	if opts.Step == nil {
		opts.Step = func(string, string) {}
	}
	left := removeLeftovers(repo, opts)
	opts.Step("preflight", sentences["preflight"])
	survey, err := e.Preflight(ctx)
	if err != nil {
		return nil, fmt.Errorf("back up %s: preflight: %w", opts.Instance, err)
	}
	space, err := CheckSpace(repo, opts.Instance, survey.Databases)
	if err != nil {
		return nil, fmt.Errorf("back up %s: preflight: %w", opts.Instance, err)
	}
	survey.Findings = append(survey.Findings, space)
	for i := range survey.Findings {
		f := &survey.Findings[i]
		if opts.IgnoreSpace && f.Level == catalog.LevelFail && (f.Check == space.Check || f.Check == CheckIncremental) {
			f.Level = catalog.LevelWarn
		}
	}
	if survey.Failed() {
		return nil, &PreflightError{Survey: survey}
	}
	for _, f := range survey.Findings {
		if f.Level == catalog.LevelWarn {
			opts.Log("%v", f)
		}
	}
	for again := false; ; again = true {
		p := &procedure{repo: repo, engine: e, opts: opts, survey: survey, left: left}
		info, err := p.attempt(ctx)
		change, ok := errors.AsType[*ListChangedError](err)
		if !ok || again || ctx.Err() != nil {
			return info, err
		}
		opts.Log("%v: this copy is discarded, and the backup starts over once", change)
	}
}

// CheckSpace says whether the repository's disk has room for a set of the
// databases: as much as twice what the instance's newest complete set took, or,
// for the first, a third of the databases. How much it will be is not known
// before: what the last set says of a restored or converted instance can be
// wrong either way, so that a lack is a warning as long as anything is free.
func CheckSpace(repo *catalog.Repository, instance string, dbs []catalog.Database) (catalog.Finding, error) {
	finding := catalog.Finding{Level: catalog.LevelOK, Check: "repository space"}
	free, err := freeSpace(repo.Dir())
	if err != nil {
		return finding, err
	}
	var need int64
	for _, db := range dbs {
		need += db.Bytes
	}
	need /= 3
	sets, _ := repo.Sets() // a damaged set file is verify's to report
	for _, s := range sets {
		if s.Instance == instance && s.State == catalog.StateComplete {
			need = 2 * s.StoredBytes
		}
	}
	finding.Text = fmt.Sprintf("%s has %d MiB free; the set may need %d MiB", repo.Dir(), free>>20, need>>20)
	switch {
	case free < minFree:
		finding.Level, finding.Do = catalog.LevelFail, "Make room on the repository's disk"
		finding.Text += fmt.Sprintf("; no backup is begun with less than %d MiB", minFree>>20)
	case free < need:
		finding.Level, finding.Do = catalog.LevelWarn, "Make room on the repository's disk: a backup that fills it is cut off"
	}
	return finding, nil
}

// CheckIncremental is what engines call the finding about the room for the
// incremental. IgnoreSpace makes a failure of it a warning.
const CheckIncremental = "incremental space"

// SpareSpace is what an incremental must leave free beside what it is estimated
// at, in bytes: blocks change while it is taken.
const SpareSpace = 16 << 20

// minFree is the free space without which no backup is begun: a pack.
const minFree = 64 << 20

// A PreflightError means that the instance is not fit for a backup. Nothing was
// done to it.
type PreflightError struct{ Survey *Survey }

func (e *PreflightError) Error() string {
	var bad []string
	for _, f := range e.Survey.Findings {
		if f.Level == catalog.LevelFail {
			bad = append(bad, f.Check)
		}
	}
	return "the preflight found what would make the backup fail: " + strings.Join(bad, ", ")
}

// A StepError is the failure of a step of the method.
type StepError struct {
	Step  string
	Set   catalog.SetName // what is kept of the set, as interrupted, if Means is not empty
	Means string          // for the instance, a sentence; "" before the mark
	Next  string          // what to do, a sentence
	Kept  bool            // the set has what was said and answered
	Err   error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("back up %s: step %s: %v", e.Set.Instance, e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// A ListChangedError means that the list of databases after the copy is not
// the one that was copied. The copy is then worth nothing: what was added is in
// the incremental, but not in the copy, and what was removed is in the copy, but
// never healed.
type ListChangedError struct {
	Added, Removed []string // directories, or files of one
}

func (e *ListChangedError) Error() string {
	s := "the list of databases changed during the copy"
	if len(e.Added) > 0 {
		s += "; added: " + strings.Join(e.Added, ", ")
	}
	if len(e.Removed) > 0 {
		s += "; removed: " + strings.Join(e.Removed, ", ")
	}
	return s
}

// compareLists returns a *ListChangedError if the lists differ, in whatever
// order they are.
func compareLists(before, after []catalog.Database) error {
	was, is := members(before), members(after)
	e := &ListChangedError{Added: without(is, was), Removed: without(was, is)}
	if len(e.Added)+len(e.Removed) > 0 {
		return e
	}
	return nil
}

// members returns the directories and files of the databases.
func members(dbs []catalog.Database) (out []string) {
	for _, db := range dbs {
		out = append(out, db.Directory)
		out = append(out, db.Paths...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// without returns the elements of a that are not in b, which is sorted.
func without(a, b []string) (out []string) {
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); !ok {
			out = append(out, s)
		}
	}
	return out
}
