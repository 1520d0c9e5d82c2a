package catalog

// TEMPORARY: signatures while the real files are being written. Do not edit.

import (
	"context"
	"io"
	"time"
)

// Init creates a repository in dir, which must not exist or be empty (ErrNotEmpty).
func Init(dir string) error { panic("stub") }

// A LockMode says what else may use the repository meanwhile.
type LockMode int

// Shared is for backup, mount, restore, listing; Exclusive for rebuild and prune.
const (
	Shared LockMode = iota
	Exclusive
)

// A Repository is an open repository.
type Repository struct{}

// Open opens the repository in dir. ErrNotRepository, ErrNewerFormat, ErrLocked.
func Open(dir string, mode LockMode) (*Repository, error) { panic("stub") }

// Close lets go of the lock and of all files.
func (r *Repository) Close() error { panic("stub") }

// Dir returns the absolute path of the repository.
func (r *Repository) Dir() string { panic("stub") }

// Sets lists all sets, also running, interrupted and incomplete ones, by instance, then time.
// A set file that cannot be read yields no entry but is joined into err (which then matches ErrCorrupt), the others are returned all the same.
func (r *Repository) Sets() ([]*SetInfo, error) { panic("stub") }

// Resolve finds the set that spec names: a full name, "PROD/latest" (newest complete), a unique prefix of full names,
// "latest" if there is but one instance. ErrNotFound, ErrAmbiguous.
func (r *Repository) Resolve(spec string) (SetName, error) { panic("stub") }

// OpenSet opens a set for reading, in any state. The set stays readable until Close. Safe for concurrent use.
func (r *Repository) OpenSet(name SetName) (*Set, error) { panic("stub") }

// A Set is an open set.
type Set struct{}

// Info returns everything known of the set. It must not be modified.
func (s *Set) Info() *SetInfo { panic("stub") }

// File returns the i-th file of Info().Files.
func (s *Set) File(i int) *File { panic("stub") }

// Close releases the set.
func (s *Set) Close() error { panic("stub") }

// A File is one file of an open set. Safe for concurrent use.
type File struct{}

// Info describes the file. It must not be modified.
func (f *File) Info() *FileInfo { panic("stub") }

// ReadAt implements io.ReaderAt. Every byte has passed its checksum (I3); damage is a *CorruptError.
func (f *File) ReadAt(p []byte, off int64) (int, error) { panic("stub") }

// SeekData returns the first offset at or after off that is not in a hole; io.EOF if there is none.
func (f *File) SeekData(off int64) (int64, error) { panic("stub") }

// SeekHole returns the first offset at or after off that is in a hole; the end of the file counts as one. io.EOF if off is at or past the end.
func (f *File) SeekHole(off int64) (int64, error) { panic("stub") }

// Reader returns a reader for one open handle: ReadAt like the file's, but it notices sequential reading and then has frames decoded ahead on all cores.
func (f *File) Reader() *Reader { panic("stub") }

// A Reader is what one open handle reads through. Safe for concurrent use. Needs no Close.
type Reader struct{}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) { panic("stub") }

// A Range is a stretch of a file in which it differs from what a target holds.
type Range struct {
	Off, Len int64
	Hole     bool // the file has a hole there
}

// Diff compares have, what a target holds at off (a multiple of the file's block size; len(have) is one too, or reaches the target's end), with the file
// by block IDs, without reading the file's blocks, and returns the stretches that differ, in order, neighbours joined. Stretches past the end of have
// are not reported: the caller passes what the target has.
func (f *File) Diff(have []byte, off int64) ([]Range, error) { panic("stub") }

// BeginOptions says which set to begin.
type BeginOptions struct {
	Instance string
	Engine   string
	Program  string    // version of datfs
	Args     []string  // paths asked for
	Time     time.Time // zero means now
	Progress *Progress
}

// ValidInstance returns an error that says why name cannot be an instance's name, or nil.
func ValidInstance(name string) error { panic("stub") }

// Begin starts a set. It takes the instance's lock (ErrLocked: another backup of that instance is running).
func (r *Repository) Begin(opts BeginOptions) (*SetWriter, error) { panic("stub") }

// A SetWriter writes one set. Not for concurrent use.
type SetWriter struct{}

// Name returns the set's name.
func (w *SetWriter) Name() SetName { panic("stub") }

// A Source yields the bytes of a file, from its start.
type Source interface {
	// Next reads the next bytes into buf (len(buf) is a multiple of 64 KiB, its memory aligned to 4 KiB), or skips a hole: one of n and
	// hole is positive, or err is not nil. n is len(buf) but at the end of the file or before a hole. hole need not be a multiple of anything. io.EOF at the end.
	Next(buf []byte) (n int, hole int64, err error)
}

// FromReader makes a Source without holes of a reader.
func FromReader(r io.Reader) Source { panic("stub") }

// Store reads src to its end and stores it as the file info describes (Path, Section, Database, Mode, UID, GID, ModTime, BlockSize, Format, SizeAtOpen, Label
// are the caller's; the rest is filled in). end, called at the end of src, may amend info (SizeAtEnd, Label) and may return an error, which makes Store fail: the file is then
// not part of the set and the caller goes on with others after Fail. Errors of the source are returned as they are, those of the repository are *RepositoryError, after which only Abort makes sense.
func (w *SetWriter) Store(ctx context.Context, info FileInfo, src Source, end func(*FileInfo) error) (FileInfo, error) {
	panic("stub")
}

// A RepositoryError is an error of the repository itself (full disk, damage), not of a source.
type RepositoryError struct{ Err error }

func (e *RepositoryError) Error() string { return e.Err.Error() }
func (e *RepositoryError) Unwrap() error { return e.Err }

// AddDir records a directory above stored files.
func (w *SetWriter) AddDir(d DirInfo) { panic("stub") }

// Fail records a problem. A fatal one makes the set incomplete.
func (w *SetWriter) Fail(p Problem) { panic("stub") }

// Seal makes the set final: complete, or incomplete if a fatal problem was recorded.
func (w *SetWriter) Seal(ctx context.Context) (*SetInfo, error) { panic("stub") }

// Abort ends the set unsealed, keeping what is stored for the next backup. why is shown to the user with the interrupted set.
func (w *SetWriter) Abort(why error) error { panic("stub") }

// Stats is what the savings report says.
type Stats struct {
	Sets             int             `json:"sets"`
	LogicalBytes     int64           `json:"logical_bytes"`     // sum of the sets' bytes
	ZeroBytes        int64           `json:"zero_bytes"`        // of these: holes
	UniqueBytes      int64           `json:"unique_bytes"`      // blocks stored, before compression
	StoredBytes      int64           `json:"stored_bytes"`      // packs
	MetaBytes        int64           `json:"meta_bytes"`        // set files, catalog, config
	DedupRatio       float64         `json:"dedup_ratio"`       // (logical - zero) / unique
	CompressionRatio float64         `json:"compression_ratio"` // unique / stored
	SavedBytes       int64           `json:"saved_bytes"`       // logical - stored - meta
	SavedPercent     float64         `json:"saved_percent"`
	Packs            int             `json:"packs"`
	PerSet           []SetStats      `json:"per_set"`
	PerDatabase      []DatabaseStats `json:"per_database"`
}

// SetStats is a line of the savings report.
type SetStats struct {
	Instance     string `json:"instance"`
	Name         string `json:"name"`
	State        State  `json:"state"`
	LogicalBytes int64  `json:"logical_bytes"`
	ZeroBytes    int64  `json:"zero_bytes"`
	NewBytes     int64  `json:"new_bytes"`
	StoredBytes  int64  `json:"stored_bytes"`
}

// DatabaseStats sums up a database's files over all sets.
type DatabaseStats struct {
	Instance     string `json:"instance"`
	Database     string `json:"database"`
	Sets         int    `json:"sets"`
	LogicalBytes int64  `json:"logical_bytes"`
	ZeroBytes    int64  `json:"zero_bytes"`
	NewBytes     int64  `json:"new_bytes"`
	StoredBytes  int64  `json:"stored_bytes"`
}

// Stats adds up the savings report.
func (r *Repository) Stats() (*Stats, error) { panic("stub") }

// VerifyOptions limits what Verify reads. The zero value means everything.
type VerifyOptions struct {
	Sets     []SetName // only these sets; the packs are then checked only as far as these need them
	Progress *Progress
}

// Damage is one piece of damage that Verify found.
type Damage struct {
	Set  SetName // zero if it is not a single set's
	Path string  // file of the set, "" if it is not a single file's
	Err  error
}

// Verify reads back what the sets refer to and calls found for each piece of damage. An error means that Verify itself could not go on.
func (r *Repository) Verify(ctx context.Context, opts VerifyOptions, found func(Damage)) error {
	panic("stub")
}

// Rebuild makes catalog.db anew from packs/ and sets/ (I4). It needs the repository open with Exclusive.
func (r *Repository) Rebuild(ctx context.Context, p *Progress) error { panic("stub") }

func compareNames(a, b string) int { panic("stub") }
