package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BeginOptions says which set to begin.
type BeginOptions struct {
	Instance string    // see ValidBackup; of the engine EngineJournal what ArchiveOf returns
	Engine   string    // what takes the backup: "files"
	Program  string    // version of datfs
	Args     []string  // the paths that were asked for
	Time     time.Time // zero means now
	Progress *Progress // nil is fine
}

// A SetWriter writes one set: files one after another with Store, then Seal or
// Abort. It is not for concurrent use.
type SetWriter struct {
	repo     *Repository
	info     *SetInfo
	name     string // of the set's file, relative to the repository, without suffix
	lock     *fileLock
	log      *setLog
	workers  *workers
	packer   *packer
	dedup    *dedup
	progress *Progress
	baseSets map[SetName]*Set
	free     chan []byte // buffers of strokes
	begun    int         // files so far, also those dropped
	accounts []int       // for each of info.Files: its number among those begun
	ended    bool
	failed   error // of the repository: nothing may be sealed any more
}

// A RepositoryError is an error of the repository itself (a full disk, damage)
// and not of what is being stored. After it only Abort makes sense.
type RepositoryError struct{ Err error }

func (e *RepositoryError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RepositoryError) Unwrap() error { return e.Err }

// Begin starts a set. It returns ErrLocked if another backup of the same
// instance is running; backups of other instances may run beside it.
func (r *Repository) Begin(opts BeginOptions) (*SetWriter, error) {
	if err := checkName(opts.Instance, opts.Engine); err != nil {
		return nil, err
	}
	w, err := r.begin(opts)
	if err != nil {
		return nil, fmt.Errorf("begin a set of %s: %w", opts.Instance, err)
	}
	return w, nil
}

func (r *Repository) begin(opts BeginOptions) (*SetWriter, error) {
	dir := path.Join(setsName, opts.Instance)
	if err := r.disk.mkdir(dir); err != nil {
		return nil, err
	}
	lock, err := r.disk.lock(path.Join(dir, instanceLock), Exclusive)
	if err != nil {
		return nil, err
	}
	w := &SetWriter{repo: r, lock: lock, progress: opts.Progress, baseSets: map[SetName]*Set{}}
	if err := w.prepare(dir, opts); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return w, nil
}

// prepare cleans up after killed backups and creates the set's file.
func (w *SetWriter) prepare(dir string, opts BeginOptions) error {
	r := w.repo
	if err := r.removeTemps(opts.Instance); err != nil {
		return err
	}
	if err := r.adoptPacks(); err != nil {
		return err
	}
	if opts.Time.IsZero() {
		opts.Time = time.Now()
	}
	host, _ := os.Hostname() // for people only
	w.info = &SetInfo{
		Instance: opts.Instance, Time: opts.Time.UTC().Truncate(time.Second), State: StateRunning,
		Engine: opts.Engine, Host: host, Program: opts.Program, Args: opts.Args, Files: []FileInfo{},
	}
	known, err := r.setFiles(opts.Instance)
	if err != nil {
		return err
	}
	w.nameAfter(known)
	w.name = path.Join(dir, w.info.Name)
	if w.log, err = createSetLog(&r.disk, w.name+partialSuffix, w.info); err != nil {
		return err
	}
	if err := errors.Join(w.log.sync(), r.disk.syncDir(dir)); err != nil {
		return errors.Join(err, w.log.f.Close(), r.disk.remove(w.log.partial))
	}
	if w.workers, err = startWorkers(r.key, r.codec); err != nil {
		return errors.Join(err, w.log.f.Close(), r.disk.remove(w.log.partial))
	}
	w.packer = startPacker(r, tempPrefix(opts.Instance), w.workers, opts.Progress)
	w.dedup = newDedup(r, w.packer)
	w.free = make(chan []byte, strokeCount)
	for range strokeCount {
		w.free <- alignedBuffer()
	}
	return nil
}

// nameAfter names the set by its time, but always after the newest one known: in
// one second there may be two, and a clock that was set back must not make an
// older set the latest.
func (w *SetWriter) nameAfter(known []setFileName) {
	w.info.Name = nameAt(w.info.Time, 1)
	if len(known) == 0 {
		return
	}
	newest := known[len(known)-1].set.Name
	if compareNames(w.info.Name, newest) > 0 {
		return
	}
	second, n, _ := splitName(newest)
	if !strings.HasPrefix(w.info.Name, second) {
		w.Fail(Problem{Error: fmt.Sprintf("the clock says %s, which is before the newest set %s: this one is named after that", w.info.Name, newest)})
	}
	w.info.Name = second + "-" + strconv.Itoa(n+1)
}

// Name returns the set's name.
func (w *SetWriter) Name() SetName { return w.info.SetName() }

// AddDir records a directory above stored files.
func (w *SetWriter) AddDir(d DirInfo) {
	d.RawPath = rawPath(d.Path)
	d.ModTime = w.storable(d.Path, d.ModTime)
	w.info.Dirs = append(w.info.Dirs, d)
}

// storable returns a time that can be stored: RFC 3339 knows the years 0 to
// 9999, file systems know more.
func (w *SetWriter) storable(name string, t time.Time) time.Time {
	if y := t.UTC().Year(); y >= 0 && y <= 9999 {
		return t.UTC()
	}
	w.Fail(Problem{Path: name, Error: fmt.Sprintf("its modification time, %d seconds after 1970, cannot be kept; 1970 is stored", t.Unix())})
	return time.Unix(0, 0).UTC()
}

// Files returns what is stored so far.
func (w *SetWriter) Files() []FileInfo { return slices.Clone(w.info.Files) }

// Fail records a problem. A fatal one makes the set incomplete (I6).
func (w *SetWriter) Fail(p Problem) { w.info.Problems = append(w.info.Problems, p) }

// Step records that the backup is about to take a step of the method. When it
// returns, the record is durable: whatever the step does to the database, a
// crash cannot make the set forget that it was begun. A zero Time means now.
func (w *SetWriter) Step(s Step) error {
	if w.ended {
		return ErrSealed
	}
	if s.Time.IsZero() {
		s.Time = time.Now()
	}
	s.Time = s.Time.UTC().Truncate(time.Second)
	w.info.Steps = append(w.info.Steps, s)
	if err := errors.Join(w.log.writeJSON(kindStep, 0, s), w.log.sync()); err != nil {
		w.failed = &RepositoryError{err}
		return w.failed
	}
	return nil
}

// SetMethod says how the set's parts belong together.
func (w *SetWriter) SetMethod(m *Method) { w.info.Method = m }

// SetFindings says what was found before the backup.
func (w *SetWriter) SetFindings(f []Finding) { w.info.Findings = f }

// Store reads src to its end and stores it as info describes. Path, Section,
// Database, Mode, UID, GID, ModTime, BlockSize (0: 64 KiB), Format, SizeAtOpen
// and Label are the caller's; the rest is filled in, StoredBytes not before
// Seal. end, if not nil, is called at the end of src: it may amend the info,
// and an error of it makes Store fail.
//
// An error of the source or of end is returned as it is: the file is then not
// part of the set, and the caller may go on with others. An error of the
// repository is a *RepositoryError.
func (w *SetWriter) Store(ctx context.Context, info FileInfo, src Source, end func(*FileInfo) error) (FileInfo, error) {
	if w.ended {
		return info, ErrSealed
	}
	fw, err := w.newFileWriter(info)
	if err != nil {
		return info, err
	}
	err = fw.copy(ctx, src)
	if err == nil && end != nil {
		err = end(&fw.info)
	}
	if err != nil {
		fw.giveUp(ctx, err)
		return info, err
	}
	if err := fw.end(); err != nil {
		w.failed = &RepositoryError{err}
		return info, w.failed
	}
	w.info.Files = append(w.info.Files, fw.info)
	w.accounts = append(w.accounts, fw.file)
	return fw.info, nil
}

// Seal makes the set final: complete, or incomplete if a fatal problem was
// recorded. The order is what I1 asks for: all packs published, then the set's
// file synced and renamed.
func (w *SetWriter) Seal(ctx context.Context) (*SetInfo, error) {
	if w.ended {
		return nil, ErrSealed
	}
	if err := errors.Join(w.failed, ctx.Err()); err != nil {
		return nil, err
	}
	if err := w.stop(); err != nil {
		return nil, errors.Join(&RepositoryError{err}, w.release())
	}
	w.finalInfo()
	w.info.State = StateComplete
	if slices.ContainsFunc(w.info.Problems, func(p Problem) bool { return p.Fatal }) {
		w.info.State = StateIncomplete
	}
	w.info.Finished = time.Now().UTC().Truncate(time.Second)
	if err := w.log.finish(w.info, w.name+sealedSuffix); err != nil {
		return nil, errors.Join(&RepositoryError{err}, w.release())
	}
	if w.info.State == StateComplete {
		_ = w.removeRemains() // the set is sealed all the same, and the next one tries again
	}
	return w.info, w.release()
}

// Abort ends the set unsealed. What is stored stays for the next backup to
// find; why is shown with the interrupted set. A set that has not stored
// anything and took no step that means something for the database leaves
// nothing.
func (w *SetWriter) Abort(why error) error {
	if w.ended {
		return nil
	}
	matters := func(s Step) bool { return s.Means != "" }
	empty := len(w.info.Files) == 0 && w.packer.idle() && !slices.ContainsFunc(w.info.Steps, matters)
	err := w.stop()
	if empty {
		return errors.Join(err, w.log.f.Close(), w.repo.disk.remove(w.log.partial), w.release())
	}
	for _, p := range w.info.Problems {
		err = errors.Join(err, w.log.writeJSON(kindState, 0, p))
	}
	err = errors.Join(err, w.log.abandon(Problem{Error: why.Error(), Fatal: true}))
	if _, ok := errors.AsType[*RepositoryError](why); ok {
		err = nil // it is known that the repository takes nothing more
	}
	return errors.Join(err, w.release())
}

// stop publishes the open pack and ends the goroutines.
func (w *SetWriter) stop() error {
	w.ended = true
	err := w.packer.finish()
	w.workers.stop()
	return errors.Join(err, w.closeBases())
}

func (w *SetWriter) release() error { return w.lock.release() }

// finalInfo fills in what is known only when everything is compressed.
func (w *SetWriter) finalInfo() {
	files, total := w.packer.storedBytes()
	for i, n := range w.accounts {
		w.info.Files[i].StoredBytes = files[n]
	}
	w.info.StoredBytes = total
	w.info.sumFiles()
}

// removeRemains removes what interrupted backups of the instance left: a
// complete set is newer than they are, and has their blocks.
func (w *SetWriter) removeRemains() error {
	names, err := w.repo.setFiles(w.info.Instance)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !n.sealed() {
			err = errors.Join(err, w.repo.disk.remove(n.file))
		}
	}
	return err
}
