package dbback

import (
	"context"
	"iter"

	"datfs/catalog"
)

// An Engine is what the concurrent external backup needs of one database
// instance. [Backup] calls the methods in the order of the method, each at most
// once for a Run, and never two at a time:
//
//	Preflight  →  Begin  →  List  →  Mark  →  (copy)  →  List
//	           →  Record →  Estimate  →  Incremental  →  Journals  →  End
//
// If the second List differs from the first, Mark and all that follows happen a
// second time in another Run.
//
// An error of a method means that the step failed, and says what the instance
// answered; Backup adds the step, what that means for the instance, and what to
// do. When ctx ends, a method returns soon, leaving the instance as well as it
// can.
type Engine interface {
	// Name is what sets are marked with: "iris", "gtm".
	Name() string

	// Preflight looks at the instance and changes nothing. An error means that it
	// could not look; what it found, however bad, is in the survey. What was said
	// and answered is given to the Run's Transcript when that begins.
	Preflight(ctx context.Context) (*Survey, error)

	// Plan returns what each step of a run would do: exact statements and files.
	// It does nothing.
	Plan(run *Run, survey *Survey) []PlannedStep

	// Leaves returns the absolute paths of what the engine is going to make
	// outside the repository in this run: they are recorded before Begin, and if
	// the run is killed the next one removes them. The last element of each must
	// contain run.Set.Name, or it is not removed. Begin locks them with LockDir for
	// all that works in them.
	Leaves(run *Run) []string

	// Begin prepares the run: it makes its directories. It fails if another
	// backup of the same instance is at work, whatever its repository.
	Begin(ctx context.Context, run *Run) error

	// List returns the databases that the product's own backup would include now:
	// exactly these are copied.
	List(ctx context.Context) ([]catalog.Database, error)

	// Mark makes the product count changes from now on (CLRINC^DBACK). This is
	// the point of no return: see Sentences.
	Mark(ctx context.Context) error

	// Record tells the product that a full copy was taken (type E). nil if the
	// product needs no telling.
	Record(ctx context.Context) error

	// Estimate returns how many bytes the incremental will take on disk, and the
	// directory that it goes to; -1 if that cannot be known.
	Estimate(ctx context.Context) (bytes int64, dir string, err error)

	// Incremental takes the incremental. All that it says is checked: return
	// value, log, files.
	Incremental(ctx context.Context) (*Incremental, error)

	// Journals closes the current journal file and says which files a restore
	// needs. It is called after Incremental.
	Journals(ctx context.Context) (*Journals, error)

	// End is called once for each Begin that succeeded, after the seal or after a
	// failure. It removes what the run made outside the repository, unless keep,
	// and lets other backups of the instance begin. It must not depend on the
	// instance still being there.
	End(ctx context.Context, keep bool) error

	// Check compares a stored copy of a database's first file with what the
	// product says of the database, and returns what does not fit, as sentences:
	// warnings of the set, unless the file is not recognised as any database at all.
	Check(db catalog.Database, f catalog.FileInfo) []string

	// Sentences says what it means for this kind of instance if a backup ends
	// within or after a step, and what to do.
	Sentences(step string) (means, next string)
}

// An Overlayer is an Engine that can read its own incremental: a set of it then
// also holds the databases as they are after the incremental, at the cost of the
// changed blocks, as files of the section "consistent".
type Overlayer interface {
	// Overlay returns what the incremental changes in the stored copy of a
	// database's first file; nil if nothing can be said of it. It is called after
	// Incremental, and while its files are still there. An error is a warning of
	// the set, never the end of a backup.
	Overlay(ctx context.Context, db catalog.Database, copied catalog.FileInfo) (*Overlay, error)
}

// An Overlay is what an incremental changes in a file.
type Overlay struct {
	Size    int64 // of the file afterwards, bytes
	Changes iter.Seq2[catalog.Change, error]
}

// A Run is one run of the method as the engine sees it.
type Run struct {
	Set catalog.SetName // the set that is being written

	// Transcript keeps what the instance was told and answered in a step:
	// without passwords. It may be called several times for a step. Never nil.
	Transcript func(step, text string)

	// Log tells the user of something worth knowing while it happens. Never nil.
	Log func(format string, args ...any)
}

// The steps of the method, as sets record them.
const (
	StepPrepare     = "prepare"     // make directories outside the repository
	StepMark        = "mark"        // changes are counted from here on
	StepCopy        = "copy"        // dirty copies
	StepList        = "list"        // the list of databases again
	StepRecord      = "record"      // the full copy is told to the product
	StepEstimate    = "estimate"    // size of the incremental, space
	StepIncremental = "incremental" // what changed since the mark
	StepJournals    = "journals"    // close and capture
	StepSeal        = "seal"        // make the set final
)

// A Survey is what Preflight found.
type Survey struct {
	Findings  []catalog.Finding
	Version   string             // of the product, as it gives it
	Databases []catalog.Database // the list, as List would return it now
	Facts     map[string]string  // for catalog.Method
}

// Failed returns whether a finding says that a backup would fail.
func (s *Survey) Failed() bool {
	for _, f := range s.Findings {
		if f.Level == catalog.LevelFail {
			return true
		}
	}
	return false
}

// A PlannedStep is what one step would do.
type PlannedStep struct {
	Step       string   `json:"step"`                 // one of the constants
	What       string   `json:"what"`                 // a sentence
	Statements []string `json:"statements,omitempty"` // sent to the instance, line by line, or commands that are run
	Files      []string `json:"files,omitempty"`      // read into the repository, or made
}

// An Incremental is what the engine's incremental backup left.
type Incremental struct {
	Files    []StoredFile // the incremental itself first, then its log
	Apply    []string     // names of those that a restore applies, in order
	Warnings []string     // success, but
	Journal  *catalog.JournalRange
}

// Journals is what the engine found to be needed beside the databases and the
// incremental.
type Journals struct {
	Range    *catalog.JournalRange // Files are filled in
	Files    []StoredFile          // of the sections "journals" and "configuration"
	Missing  []string              // what a restore needs and is not there any more, as sentences: the set is sealed, but incomplete
	Warnings []string
	Facts    map[string]string // added to those of the survey
}

// A StoredFile is a file outside the list of databases that goes into the set.
type StoredFile struct {
	Path    string          // absolute: where it is now
	Name    string          // what it is called in its section
	Section catalog.Section //

	// Suffix is what the file's name may have gained by the time it is read: a
	// journal file that was closed is compressed under another name. "" if it
	// keeps its name.
	Suffix string
	Needed bool // without it the set is incomplete; else its lack is a warning
}
