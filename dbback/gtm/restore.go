package gtm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// RestoreOptions says what [Restore] brings back, and how far.
type RestoreOptions struct {
	Set catalog.SetName

	// To is the directory to restore to: each database comes below it under its
	// original absolute path, and so does a global directory that leads to them.
	// No database that is there is ever written over.
	To string

	Regions []string // which of the set's regions; none means all

	// Until ends the recovery from journals at a time; zero means at their end.
	Until time.Time

	// Journals are journal files written since the backup, or directories with
	// such. They are copied, never written to.
	Journals []string

	// NoJournals restores the databases as of the incremental.
	NoJournals bool

	// Consistent restores the databases that the set holds as they were after the
	// incremental, made when the set was. MUPIP RESTORE has nothing to do then.
	Consistent bool

	AllowIncomplete bool
	Dist            string // as in Options
	Keep            bool   // leave the working directory with incremental, journals and what the engine said
	Progress        *catalog.Progress

	// Log is told of each step as it begins. nil is fine.
	Log func(format string, args ...any)
}

// A RestoreReport says what a restore did. Its JSON form is printed by
// "restore gtm --json"; field names are stable.
type RestoreReport struct {
	Set       string             `json:"set"`
	To        string             `json:"to"`
	Gbldir    string             `json:"gbldir"` // of the restored databases
	Databases []RestoredDatabase `json:"databases"`
	Until     time.Time          `json:"until,omitzero"`
	Work      string             `json:"work,omitempty"` // the working directory, if it was left
	Warnings  []string           `json:"warnings,omitempty"`
}

// A RestoredDatabase is one region of a RestoreReport.
type RestoredDatabase struct {
	Region   string   `json:"region"`
	Path     string   `json:"path"`   // original
	Target   string   `json:"target"` //
	Blocks   int64    `json:"blocks"` // applied by MUPIP RESTORE
	StartTN  uint64   `json:"start_tn"`
	EndTN    uint64   `json:"end_tn"`
	TN       uint64   `json:"tn"`                 // of the restored database
	Journals []string `json:"journals,omitempty"` // applied, oldest first
}

// ErrTargetExists means that a database is where a restore wants to write one.
var ErrTargetExists = errors.New("is there already; a restore never writes over a database: move it away, or restore to another directory")

// ErrTooEarly means that a set cannot be restored to a time before its own.
var ErrTooEarly = errors.New("the set is of a later time: restore an older one")

// Restore brings the databases of a set back and makes them consistent: the
// copies, the incrementals laid over them by MUPIP RESTORE, a check by MUPIP
// INTEG, then the journals and another check.
//
// It may be done on the host of the running engine: no command but RUNDOWN sees
// a copy before the marks of that engine are taken out of it. A restore that
// failed or was cut off is begun anew by repeating it.
func Restore(ctx context.Context, repo *catalog.Repository, opts RestoreOptions) (*RestoreReport, error) {
	r, err := newRestorer(repo, opts)
	if err == nil {
		err = r.steps(ctx)
		if r.tools.lock != nil {
			err = errors.Join(err, r.tools.lock.Close())
		}
	}
	if err != nil {
		err = fmt.Errorf("restore %s: %w", opts.Set, err)
		if r != nil && r.begun {
			err = fmt.Errorf("%w (what the engine said is in %s; repeat the restore to begin anew)", err, r.work)
		}
		return nil, err
	}
	return r.report, nil
}

// A restorer is one run of Restore.
type restorer struct {
	repo   *catalog.Repository
	opts   RestoreOptions
	info   *catalog.SetInfo
	tools  tools
	work   string // the working directory, below To
	begun  bool   // it is there
	dbs    []*restoredDB
	gbldir *catalog.FileInfo // the stored global directory
	report *RestoreReport
}

// A restoredDB is a database on its way back.
type restoredDB struct {
	RestoredDatabase
	incremental string // path, "" if the region never was written to and has none
	files       []*JournalFile
}

// newRestorer reads the set and looks whether it can be restored.
func newRestorer(repo *catalog.Repository, opts RestoreOptions) (*restorer, error) {
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	to, err := catalog.AbsPath(opts.To)
	if err != nil || opts.To == "" {
		return nil, errors.Join(errors.New("no directory to restore to"), err)
	}
	opts.To = to
	set, err := repo.OpenSet(opts.Set)
	if err != nil {
		return nil, err
	}
	info := set.Info()
	if err := set.Close(); err != nil {
		return nil, err
	}
	dist, err := FindDist(opts.Dist)
	if err != nil {
		return nil, err
	}
	r := &restorer{repo: repo, opts: opts, info: info, work: filepath.Join(to, "datfs-restore-"+opts.Set.Instance+"-"+opts.Set.Name)}
	r.tools = tools{dist: dist, dir: r.work, transcript: r.say}
	r.report = &RestoreReport{Set: opts.Set.String(), To: to, Until: opts.Until}
	return r, r.plan()
}

// plan decides which databases come where.
func (r *restorer) plan() error {
	m := r.info.Method
	if r.info.Engine != engineName || m == nil || len(m.Facts) == 0 {
		return fmt.Errorf("it is no set of the engine %s whose backup came to its end", engineName)
	}
	i := slices.IndexFunc(r.info.Files, func(f catalog.FileInfo) bool { return f.Section == catalog.SectionConfiguration })
	if i < 0 {
		return errors.New("the set has no global directory")
	}
	r.gbldir = &r.info.Files[i]
	for _, name := range r.opts.Regions {
		if !slices.ContainsFunc(m.Databases, func(db catalog.Database) bool { return strings.EqualFold(db.Name, name) }) {
			return fmt.Errorf("the set has no region %s", name)
		}
	}
	for _, db := range m.Databases {
		same := func(name string) bool { return strings.EqualFold(db.Name, name) }
		if len(r.opts.Regions) > 0 && !slices.ContainsFunc(r.opts.Regions, same) {
			continue
		}
		d := &restoredDB{RestoredDatabase: RestoredDatabase{
			Region: db.Name, Path: db.Paths[0], Target: filepath.Join(r.opts.To, filepath.Clean("/"+db.Paths[0])),
		}}
		if err := errors.Join(checkPath(r.opts.To), checkPath(d.Path)); err != nil {
			return err
		}
		start, serr := factTN(m, db.Name, factStartTN)
		end, eerr := factTN(m, db.Name, factEndTN)
		if err := errors.Join(serr, eerr); err != nil {
			return err
		}
		d.StartTN, d.EndTN = start, end
		if name := storedIncremental(m, db.Name); name != "" {
			d.incremental = filepath.Join(r.work, string(catalog.SectionIncremental), name)
		} else if start != end {
			return fmt.Errorf("the set has no incremental of region %s", db.Name)
		}
		r.dbs = append(r.dbs, d)
	}
	return r.refuseExisting()
}

func (r *restorer) steps(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	if err := r.copyDatabases(ctx); err != nil {
		return err
	}
	if err := r.makeGbldir(ctx); err != nil {
		return err
	}
	for _, d := range r.dbs {
		if err := r.apply(ctx, d); err != nil {
			return fmt.Errorf("region %s: %w", d.Region, err)
		}
	}
	if err := r.recover(ctx); err != nil {
		return err
	}
	return r.finish()
}

// begin makes the working directory and finds the journals, before any work is
// done that takes long. If there is something wrong with them nothing is left.
func (r *restorer) begin(ctx context.Context) error {
	if err := os.MkdirAll(r.work, 0o700); err != nil {
		return err
	}
	if err := r.takeLock(); err != nil {
		return err
	}
	err := r.copyRest(ctx)
	if err == nil {
		err = r.findJournals()
	}
	if err != nil {
		if ours, terr := r.targets(); terr == nil && len(ours) == 0 {
			err = errors.Join(err, os.RemoveAll(r.work))
		}
		return err
	}
	r.begun = true
	return r.claimTargets()
}

// copyDatabases brings the copies to their places.
func (r *restorer) copyDatabases(ctx context.Context) error {
	r.opts.Log("copy the databases out of the set")
	var copies, consistent []string
	for _, d := range r.dbs {
		if r.opts.Consistent && d.incremental != "" {
			consistent = append(consistent, d.Path)
		} else {
			copies = append(copies, d.Path)
		}
	}
	if err := errors.Join(
		r.copyFiles(ctx, catalog.SectionDatabases, r.opts.To, copies),
		r.copyFiles(ctx, catalog.SectionConsistent, r.opts.To, consistent),
	); err != nil {
		return err
	}
	// At once: until this is done, MUPIP could do harm with the copy to an engine
	// that runs on this host.
	for _, d := range r.dbs {
		if err := editHeader(d.Target, func(b []byte, _ *Header) { clearIDs(b) }); err != nil {
			return err
		}
	}
	return nil
}

// copyRest brings what is no database into the working directory.
func (r *restorer) copyRest(ctx context.Context) error {
	var rest []string
	for _, f := range r.info.Files {
		switch f.Section {
		case catalog.SectionIncremental:
			if !r.opts.Consistent {
				rest = append(rest, f.Path)
			}
		case catalog.SectionJournals:
			if !r.opts.NoJournals {
				rest = append(rest, f.Path)
			}
		case catalog.SectionConfiguration:
			rest = append(rest, f.Path)
		}
	}
	return r.copyFiles(ctx, catalog.SectionDatabases, r.work, rest)
}

// copyFiles brings files of the set below a directory: databases of a section, or
// what is no database.
func (r *restorer) copyFiles(ctx context.Context, section catalog.Section, to string, only []string) error {
	if len(only) == 0 {
		return nil
	}
	report, err := dbback.Restore(ctx, r.repo, dbback.RestoreOptions{
		Set: r.opts.Set, To: to, Section: section, Only: only, AllowIncomplete: r.opts.AllowIncomplete, Progress: r.opts.Progress,
	})
	if report != nil {
		r.report.Warnings = append(r.report.Warnings, report.Warnings...)
	}
	return err
}

// finish says what is there and removes the working directory. From here on a
// repetition does not touch the databases.
func (r *restorer) finish() error {
	for _, d := range r.dbs {
		h, err := readHeaderFile(d.Target)
		if err != nil {
			return err
		}
		d.TN = h.TN
		r.report.Databases = append(r.report.Databases, d.RestoredDatabase)
	}
	if err := r.releaseTargets(); err != nil {
		return err
	}
	if r.opts.Keep {
		r.report.Work = r.work
		return nil
	}
	return os.RemoveAll(r.work)
}

// say appends a command and its answer to the log in the working directory.
func (r *restorer) say(command, answer string) {
	f, err := os.OpenFile(filepath.Join(r.work, "transcript.txt"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString("$ " + command + "\n" + strings.TrimRight(answer, "\n") + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		r.opts.Log("what the engine said cannot be kept: %v", err)
	}
}
