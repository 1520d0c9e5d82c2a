package practice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"datfs/dbback/practice/storage"
)

// A console is the terminal of a session, as a routine sees it.
type console interface {
	io.Writer
	// ReadLine is READ: it waits for a line.
	ReadLine(ctx context.Context) (string, error)
}

// backupArgs are the arguments of BACKUP^DBACK, in their order (InterSystems
// manual, BACKUP^DBACK). The first and the tenth are not used; the fifth, eighth
// and ninth all mean to switch the journal file.
type backupArgs struct {
	kind        storage.BackupType
	description string
	device, log string
	switches    bool
	mode        string        // NOISY, QUIET, NOINPUT
	quiesce     time.Duration // how long to wait for the system; 0 for ever
}

var errArgument = errors.New("argument is not valid")

func parseBackupArgs(arg func(n int) string) (backupArgs, error) {
	a := backupArgs{
		kind: storage.BackupType(strings.ToUpper(arg(2))), description: arg(3), device: arg(4), log: arg(6), mode: strings.ToUpper(arg(7)),
		switches: slices.ContainsFunc([]int{5, 8, 9}, func(n int) bool { return strings.EqualFold(arg(n), "Y") }),
		quiesce:  60 * time.Second,
	}
	if a.mode == "" {
		a.mode = "NOISY"
	}
	if s := arg(11); s != "" {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return a, fmt.Errorf("quiesce timeout %q: %w", s, errArgument)
		}
		a.quiesce = max(0, time.Duration(n*float64(time.Second)))
	}
	if _, ok := kinds[a.kind]; !ok {
		return a, fmt.Errorf("type %q: %w", arg(2), errArgument)
	}
	return a, nil
}

// kinds are the names of backup types in logs.
var kinds = map[storage.BackupType]string{
	storage.Full: "Full", storage.Incremental: "Incremental", storage.Cumulative: "Cumulative", storage.ExternalFull: "External full",
}

// backup is BACKUP^DBACK. It returns 0, 1, or 1 and warnings, as documented. What
// it prints on failure is not documented.
func (i *Instance) backup(ctx context.Context, a backupArgs, term console) string {
	if f := i.arms.take("backup-fails", typeArg(a.kind)); f != nil {
		message := "BACKUP^DBACK returned failure"
		if len(f.Args) > 1 {
			message = f.Args[1]
		}
		return i.refuse(a, term, message)
	}
	warnings := ""
	if f := i.arms.take("backup-warns", nil); f != nil {
		warnings = ",Database cache is small~Journal directory is nearly full"
		if len(f.Args) > 0 {
			warnings = "," + f.Args[0]
		}
	}
	if a.kind == storage.ExternalFull {
		if err := i.externalFull(ctx, a); err != nil {
			return i.refuse(a, term, err.Error())
		}
		return "1" + warnings
	}
	if err := i.onlineBackup(ctx, a, term); err != nil {
		return "0"
	}
	return "1" + warnings
}

// typeArg matches a failure whose first argument is the type, I if it has none.
func typeArg(kind storage.BackupType) func([]string) bool {
	return func(args []string) bool {
		if len(args) == 0 {
			return kind == storage.Incremental
		}
		return strings.EqualFold(args[0], string(kind))
	}
}

// refuse ends a backup before it began.
func (i *Instance) refuse(a backupArgs, term console, message string) string {
	w := io.Discard
	if a.mode != "NOINPUT" {
		w = term // "only abnormal text" with QUIET
	}
	var log bytes.Buffer
	newBackupLog(io.MultiWriter(w, &log), i.arms.has).failed(message)
	if a.log != "" && a.kind != storage.ExternalFull {
		_ = os.WriteFile(a.log, log.Bytes(), 0o660)
	}
	i.log("BACKUP^DBACK: %s", message)
	return "0"
}

// externalFull is type E: it removes *.IND, *.INE and *.INF from the databases'
// directories and records a full backup (InterSystems manual, BACKUP^DBACK).
func (i *Instance) externalFull(ctx context.Context, a backupArgs) error {
	if i.arms.has("backup-running") || i.working() != "" {
		return errRunning
	}
	dirs := directories(i.backupSet())
	for _, dir := range dirs {
		for _, pattern := range []string{"*.IND", "*.INE", "*.INF"} {
			names, _ := filepath.Glob(dir + pattern) // only a bad pattern is an error
			for _, name := range names {
				if err := os.Remove(name); err != nil {
					return err
				}
			}
		}
	}
	if err := i.db.RecordExternalFull(ctx, a.description, dirs); err != nil {
		return err
	}
	return i.backups.update(func() { i.backups.Counted++ })
}

// Messages of the InterSystems Error Reference. That ^DBACK prints them at these
// places is a guess.
var (
	errRunning  = errors.New("Backup is currently running")              //nolint:staticcheck // the product's words
	errQuiesce  = errors.New("System failed to quiesce")                 //nolint:staticcheck // the product's words
	errMarker   = errors.New("Failed to place journal marker")           //nolint:staticcheck // the product's words
	errNoVolume = errors.New("No backup volume specified")               //nolint:staticcheck // the product's words
	errNoInput  = errors.New("Input is needed and there is no terminal") //nolint:staticcheck // the manual says only that the backup aborts
)

// onlineBackup is types F, I and C. All that it has to say of an error it has
// written to the log and the terminal.
func (i *Instance) onlineBackup(ctx context.Context, a backupArgs, term console) (err error) {
	var file *os.File
	if a.log != "" {
		if file, err = os.OpenFile(a.log, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o660); err != nil {
			i.refuse(backupArgs{mode: a.mode, kind: a.kind}, term, fmt.Sprintf("Failed to open logfile %s for output", a.log))
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	log := newBackupLog(i.outputs(a, file, term), i.arms.has)
	ctx, done, err := i.begin(ctx, kinds[a.kind]+" backup")
	if err == nil {
		defer done()
		err = i.runBackup(ctx, a, log, term)
	} else {
		err = errRunning
	}
	if err == nil {
		log.finish()
		if err = log.err; err == nil {
			err = i.spoil(a)
		}
		return err
	}
	message := i.backupMessage(ctx, a, err)
	log.failed(message)
	if a.mode == "QUIET" {
		fmt.Fprintln(term, message) // "only abnormal text"
	}
	i.log("BACKUP^DBACK: %s", message)
	return err
}

// outputs returns where a backup's text goes: the log has all of it whatever the
// mode, unless a failure cuts it.
func (i *Instance) outputs(a backupArgs, file *os.File, term console) io.Writer {
	var ws []io.Writer
	if file != nil {
		if i.arms.take("log-cut", nil) != nil {
			ws = append(ws, &cutWriter{w: file, at: "***FINISHED"})
		} else {
			ws = append(ws, file)
		}
	}
	if a.mode == "NOISY" {
		ws = append(ws, term)
	}
	return io.MultiWriter(ws...)
}

// A cutWriter writes until a line begins with at, and nothing from then on.
type cutWriter struct {
	w   io.Writer
	at  string
	cut bool
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if c.cut = c.cut || bytes.HasPrefix(p, []byte(c.at)); c.cut {
		return len(p), nil
	}
	return c.w.Write(p)
}

// backupMessage says why a backup failed.
func (i *Instance) backupMessage(ctx context.Context, a backupArgs, err error) string {
	switch {
	case ctx != nil && ctx.Err() != nil:
		return "Backup was aborted"
	case errors.Is(err, storage.ErrBusy):
		return errRunning.Error()
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Sprintf("Cannot write to backup volume '%s': %v", a.device, syscall.ENOSPC)
	}
	return err.Error()
}

// runBackup checks what must be there and has the storage do it.
func (i *Instance) runBackup(ctx context.Context, a backupArgs, log *backupLog, term console) error {
	dirs := directories(i.backupSet())
	shown := slices.Clone(dirs)
	if i.arms.take("log-other-directories", nil) != nil {
		shown = append(shown[1:], slashed(filepath.Join(i.l.mgr(), "other")))
	}
	log.header(kinds[a.kind], a.device, a.description, shown)
	if a.device == "" {
		return errNoVolume
	}
	// A dismounted database in the list is named as a common cause of failure
	// (InterSystems manual, Backup and Restore).
	for _, dir := range dirs {
		if info, err := i.db.Database(dir); err != nil || !info.Mounted {
			return fmt.Errorf("Database %s is not mounted", dir)
		}
	}
	if err := i.mayOverwrite(ctx, a, term); err != nil {
		return err
	}
	if i.arms.take("no-quiesce", nil) != nil {
		if err := pause(ctx, a.quiesce); err != nil {
			return err
		}
		return errQuiesce
	}
	if i.arms.take("no-switch", nil) != nil && a.switches {
		return errors.New("Failed to switch journal file. Status = 0") //nolint:staticcheck // the product's words
	}
	opts := storage.BackupOptions{
		Type: a.kind, Databases: dirs, Path: a.device, Description: a.description, Log: a.log, SwitchJournal: a.switches,
	}
	if f := i.arms.take("disk-full", nil); f != nil {
		opts.Limit = 64 << 10
		if len(f.Args) > 0 {
			opts.Limit, _ = strconv.ParseInt(f.Args[0], 10, 64) // checked when it was armed
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	opts.Progress = func(ev storage.BackupProgress) { i.backupProgress(ctx, cancel, ev, log) }
	_, err := i.db.Backup(ctx, opts)
	if cause := context.Cause(ctx); errors.Is(cause, errMarker) {
		return cause
	}
	if err != nil {
		return err
	}
	return i.backups.update(func() { i.backups.Counted++ })
}

// mayOverwrite is asked when the backup file exists. Whether the product
// overwrites it or asks is unknown; here it asks, and NOINPUT aborts, unless
// variant-overwrite is chosen.
func (i *Instance) mayOverwrite(ctx context.Context, a backupArgs, term console) error {
	if _, err := os.Stat(a.device); errors.Is(err, os.ErrNotExist) || i.arms.has("variant-overwrite") {
		return nil
	}
	if a.mode == "NOINPUT" {
		return errNoInput
	}
	fmt.Fprintf(term, "File %s exists. Overwrite it? No => ", a.device)
	answer, err := term.ReadLine(ctx)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.ToUpper(answer), "Y") {
		return errors.New("Backup was aborted") //nolint:staticcheck // the product's manner
	}
	return nil
}

// backupProgress writes what happens to the log.
func (i *Instance) backupProgress(ctx context.Context, cancel context.CancelCauseFunc, ev storage.BackupProgress, log *backupLog) {
	switch ev.Event {
	case storage.BackupSwitched:
		log.switched(ev.Journal)
	case storage.PassBegins:
		log.passBegins(ev.Pass)
	case storage.MarkerSet:
		if i.arms.take("no-marker", nil) != nil {
			cancel(errMarker)
			return
		}
		log.lastPass(ev.Required, ev.Journal, ev.Offset)
	case storage.CopyBegins:
		if f := i.arms.peek("slow-backup", nil); f != nil {
			d, _ := time.ParseDuration(f.Args[0]) // checked when it was armed
			_ = pause(ctx, d)                     // Backup sees that ctx has ended
		}
	case storage.CopyEnds:
		log.copied(ev.Directory, ev.Blocks, ev.Elapsed)
	case storage.PassEnds:
		log.passEnds(ev.Pass)
	}
}

// spoil takes away what a backup that says it succeeded must leave.
func (i *Instance) spoil(a backupArgs) error {
	if i.arms.take("output-missing", nil) != nil {
		return os.Remove(a.device)
	}
	if i.arms.take("output-empty", nil) != nil {
		return os.Truncate(a.device, 0)
	}
	if i.arms.take("log-missing", nil) != nil && a.log != "" {
		return os.Remove(a.log)
	}
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
