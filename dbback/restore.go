package dbback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// pieceSize is how much is compared or copied at once. A restore looks at its
// context as often, and its memory is two pieces whatever the files' sizes.
const pieceSize = 4 << 20

// ErrIncomplete means that a set lacks something and that nobody asked to
// restore what there is of it (I6).
var ErrIncomplete = errors.New("set is incomplete")

// RestoreOptions says what Restore brings back, and to where.
type RestoreOptions struct {
	Set catalog.SetName

	// To is the directory to restore to. Database files come below it under
	// their original absolute path, so "/" puts them back where they were; files
	// of other sections below "incremental", "journals" and so on, but not if To
	// is "/", where these would only be in the way.
	To string

	// Section is which of the two forms of the databases to restore: as they were
	// copied (SectionDatabases, or ""), or as they are after the incremental
	// (SectionConsistent), which not every set has.
	Section catalog.Section

	// Only, if not empty, limits the restore to the files that one of these
	// patterns matches. A pattern is a full path, or a directory and so all
	// below it, or without a slash a file name or the name of a database;
	// *, **, ?, [] and {} work as in a shell.
	Only []string

	// Place, if not nil, says which files to restore and to where, instead of To,
	// Section and Only: the absolute path of each by its index in the set's Files.
	Place map[int]string

	// Owner is who the restored files belong to, instead of who they belonged to
	// when they were stored: on another machine numbers mean others. nil: the
	// original's.
	Owner *Owner

	// KeepOwner leaves targets that exist to whom they belong: Owner is for others.
	KeepOwner bool

	// InUse writes into files that are in use, too. Otherwise the error is an
	// *InUseError, and nothing is written. With Place that is the caller's to see to.
	InUse           bool
	AllowIncomplete bool // restore what there is of a set that is not complete
	DryRun          bool // compare and report, write nothing
	Progress        *catalog.Progress

	afterPiece func() // for tests
}

// An Owner is the user and the group that a file belongs to.
type Owner struct{ UID, GID int }

// A RestoreReport says what a restore did, or would do. Its JSON form is printed
// by "restore --json"; field names are stable, sizes are in bytes.
type RestoreReport struct {
	Set            string         `json:"set"`
	To             string         `json:"to"`
	DryRun         bool           `json:"dry_run"`
	Files          []RestoredFile `json:"files"`
	Size           int64          `json:"size"` // sums over the files
	WrittenBytes   int64          `json:"written_bytes"`
	UnchangedBytes int64          `json:"unchanged_bytes"`
	HoleBytes      int64          `json:"hole_bytes"`
	Warnings       []string       `json:"warnings,omitempty"`
}

// A RestoredFile is one file of a RestoreReport. Written, unchanged and hole
// bytes add up to the size if there is no error.
type RestoredFile struct {
	Path           string `json:"path"`
	Target         string `json:"target"`
	Size           int64  `json:"size"`
	WrittenBytes   int64  `json:"written_bytes"`
	UnchangedBytes int64  `json:"unchanged_bytes"` // the target had them already
	HoleBytes      int64  `json:"hole_bytes"`      // holes, of the target too
	Created        bool   `json:"created"`         // there was no target
	Error          string `json:"error,omitempty"` // why it is not restored
}

// Restore brings files of a set back.
//
// A target that exists becomes the stored file by writing the blocks that
// differ, in place. Owner, mode and modification time become the original's, and
// everything is synced. Directories that are missing are made with the
// attributes they had; the attributes of existing ones are left alone.
//
// A file that cannot be restored does not keep the others from it: the error
// then names it, and the report has what was done. After an error or the end of
// ctx a target may be partly written; a file named like it with
// ".datfs-partial" at the end says so, and the same restore, repeated, finishes
// it.
func Restore(ctx context.Context, repo *catalog.Repository, opts RestoreOptions) (*RestoreReport, error) {
	set, err := repo.OpenSet(opts.Set)
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", opts.Set, err)
	}
	defer func() { _ = set.Close() }()

	r := &restorer{opts: opts, info: set.Info(), report: &RestoreReport{
		Set:    opts.Set.String(),
		DryRun: opts.DryRun,
		Files:  []RestoredFile{},
	}}
	if err := r.checkState(); err != nil {
		return nil, fmt.Errorf("restore %s: %w", opts.Set, err)
	}
	if err := r.plan(set, repo.Dir()); err != nil {
		return nil, fmt.Errorf("restore %s: %w", opts.Set, err)
	}
	err = r.run(ctx)
	if err != nil {
		err = fmt.Errorf("restore %s: %w", opts.Set, err)
	}
	return r.report, err
}

// CheckRestore returns why a restore with these options could not be begun: the set
// is not whole, a target is no place for a file or cannot be written to, or there is
// no space. It compares nothing, and changes nothing.
func CheckRestore(repo *catalog.Repository, opts RestoreOptions) error {
	set, err := repo.OpenSet(opts.Set)
	if err != nil {
		return fmt.Errorf("restore %s: %w", opts.Set, err)
	}
	defer func() { _ = set.Close() }()
	opts.Progress = nil // it is the restore's own
	r := &restorer{opts: opts, info: set.Info(), report: &RestoreReport{}}
	if err := errors.Join(r.checkState(), r.plan(set, repo.Dir()), r.checkAccess()); err != nil {
		return fmt.Errorf("restore %s: %w", opts.Set, err)
	}
	return nil
}

// checkAccess looks whether this process may write to the targets, and make what is
// missing: a marker beside each, too.
func (r *restorer) checkAccess() error {
	looked := make(map[string]bool)
	for _, j := range r.jobs {
		paths := []string{existing(filepath.Dir(j.target))}
		if j.size >= 0 {
			paths = append(paths, j.target)
		}
		for i, path := range paths {
			mode := uint32(unix.W_OK)
			if i == 0 {
				mode |= unix.X_OK
			}
			if looked[path] {
				continue
			}
			looked[path] = true
			if err := unix.Access(path, mode); err != nil {
				return fmt.Errorf("%s cannot be written: %w; restore as a user who may, or to another directory", j.target, &fs.PathError{Op: "access", Path: path, Err: err})
			}
		}
	}
	return nil
}

// A restorer is one run of Restore.
type restorer struct {
	opts   RestoreOptions
	info   *catalog.SetInfo
	report *RestoreReport
	jobs   []*job

	dirs     map[string]catalog.DirInfo // what is known of directories, by target path
	made     []string                   // directories made, parents first
	notOwned []string                   // targets whose owner could not be set
	ownerErr error                      // why, of the last of them
	have     []byte                     // a piece of the target
	buf      []byte                     // a piece of the stored file
}

// A job is one file to be restored.
type job struct {
	file   *catalog.File
	info   *catalog.FileInfo
	target string
	size   int64 // of the target, -1 if there is none
}

// checkState refuses a set that is not whole, unless that is what was asked for.
func (r *restorer) checkState() error {
	if r.info.State == catalog.StateComplete {
		return nil
	}
	var missing []string
	for _, p := range r.info.Problems {
		if p.Fatal {
			missing = append(missing, p.String())
		}
	}
	if len(missing) == 0 {
		missing = []string{fmt.Sprintf("its backup is %s, what it did not come to is not known", r.info.State)}
	}
	if !r.opts.AllowIncomplete {
		return fmt.Errorf("%w: %s", ErrIncomplete, strings.Join(missing, "; "))
	}
	for _, m := range missing {
		r.warn("the set is %s: %s", r.info.State, m)
	}
	return nil
}

// run restores all jobs. It goes on after a file that cannot be restored, unless
// the others could not be either.
func (r *restorer) run(ctx context.Context) error {
	r.have = make([]byte, pieceSize)
	r.buf = make([]byte, pieceSize)
	var failed []error
	for i, j := range r.jobs {
		r.opts.Progress.SetCurrent(j.target)
		f := RestoredFile{Path: j.info.Path, Target: j.target, Size: j.info.Size, Created: j.size < 0}
		err := r.restore(ctx, j, &f)
		if err != nil {
			f.Error = err.Error()
			failed = append(failed, err)
		}
		r.add(f)
		if ctx.Err() != nil || errors.Is(err, unix.ENOSPC) {
			r.notReached(r.jobs[i+1:])
			break
		}
	}
	if err := r.finishDirs(); err != nil {
		failed = append(failed, err)
	}
	r.warnOwners()
	return errors.Join(failed...)
}

// restore restores one file, or finds out what that would write.
func (r *restorer) restore(ctx context.Context, j *job, f *RestoredFile) error {
	t, err := r.openTarget(j)
	if err != nil {
		return err
	}
	zeros, err := t.update(ctx, f)
	if err == nil && !r.opts.DryRun {
		err = r.finish(t)
	}
	if err != nil {
		err = errors.Join(err, t.close())
		if t.touched {
			err = fmt.Errorf("%w (%s is partly restored: repeat the restore to finish it)", err, j.target)
		}
		return err
	}
	// A hole is in the report as a hole unless zeros had to be written for it.
	f.HoleBytes = j.info.ZeroBytes - zeros
	f.UnchangedBytes = f.Size - f.HoleBytes - f.WrittenBytes
	return t.close()
}

func (r *restorer) add(f RestoredFile) {
	r.report.Files = append(r.report.Files, f)
	r.report.Size += f.Size
	r.report.WrittenBytes += f.WrittenBytes
	r.report.UnchangedBytes += f.UnchangedBytes
	r.report.HoleBytes += f.HoleBytes
}

func (r *restorer) notReached(jobs []*job) {
	for _, j := range jobs {
		r.add(RestoredFile{Path: j.info.Path, Target: j.target, Size: j.info.Size, Error: "not reached"})
	}
}

func (r *restorer) warn(format string, args ...any) {
	r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(format, args...))
}

// warnOwners says in one line which owners could not be set: without root that
// is all of them.
func (r *restorer) warnOwners() {
	if len(r.notOwned) == 0 {
		return
	}
	what := "the owner of " + r.notOwned[0]
	if n := len(r.notOwned) - 1; n > 0 {
		what = fmt.Sprintf("%s and %d more", what, n)
	}
	r.warn("%s could not be set, which takes root: %v", what, r.ownerErr)
}
