package iris

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// List implements [dbback.Engine]: LISTDIRS^DBACK says which directories, the
// configuration what is known of each.
func (e *Engine) List(ctx context.Context) ([]catalog.Database, error) {
	if err := e.begun(); err != nil {
		return nil, err
	}
	step := dbback.StepPrepare
	if e.run.lists > 0 {
		step = dbback.StepList
	}
	e.run.lists++
	list, known, err := e.listDatabases(ctx, step, e.run.path(fmt.Sprintf("list-%d.txt", e.run.lists)))
	if err != nil {
		return nil, err
	}
	e.run.dbs, e.run.known = describe(list, known), known
	return e.run.dbs, nil
}

// listDatabases asks for the list and the configuration; the list is written to
// file.
func (e *Engine) listDatabases(ctx context.Context, step, file string) ([]string, []configured, error) {
	a, err := e.session(ctx, step, e.instance.Statement("LISTDIRS^DBACK", listScript(file)))
	if err != nil {
		return nil, nil, err
	}
	m, err := a.Need("LISTDIRS^DBACK", "LIST")
	if err != nil {
		return nil, nil, err
	}
	if ok, _ := parseReturn(m.Value); !ok {
		return nil, nil, &session.AnswerError{What: "LISTDIRS^DBACK", Answer: m.Value}
	}
	known, err := parseInventory(a)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("LISTDIRS^DBACK succeeded, but its file cannot be read here (must --work-dir be another?): %w", err)
	}
	defer func() { _ = f.Close() }()
	list, err := parseList(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, known, nil
}

// Mark implements [dbback.Engine]: CLRINC^DBACK.
func (e *Engine) Mark(ctx context.Context) error {
	if err := e.begun(); err != nil {
		return err
	}
	t := e.instance.Long("CLRINC^DBACK", markScript())
	t.Limit = e.opts.MarkTimeout
	a, err := e.session(ctx, dbback.StepMark, t)
	if ended, ok := errors.AsType[*session.EndedError](err); ok && ended.Signal != 0 {
		return fmt.Errorf("%w; it may have left switch 13 set, which keeps all others from changing anything: look with ^SWSET", err)
	}
	if err != nil {
		return err
	}
	m, err := a.Need(t.Name, "CLRINC")
	if err != nil {
		return err
	}
	if ok, _ := parseReturn(m.Value); !ok {
		return &session.AnswerError{What: t.Name, Answer: m.Value, Why: "nothing was copied; another backup that is running can be the reason"}
	}
	e.run.history, e.run.historyKnown = parseHistory(a)
	return nil
}

// Record implements [dbback.Engine]: BACKUP^DBACK of type E.
func (e *Engine) Record(ctx context.Context) error {
	if err := e.begun(); err != nil {
		return err
	}
	t := e.instance.Statement("BACKUP^DBACK of type E", recordScript(e.description("external copy", e.run.Run)))
	a, err := e.session(ctx, dbback.StepRecord, t)
	if err != nil {
		return err
	}
	m, err := a.Need(t.Name, "E")
	if err != nil {
		return err
	}
	ok, warnings := parseReturn(m.Value)
	if !ok {
		return &session.AnswerError{What: t.Name, Answer: m.Value}
	}
	for _, w := range warnings {
		e.run.Log("%s: warning of the instance: %s", t.Name, w)
		e.run.warnings = append(e.run.warnings, t.Name+": warning of the instance: "+w)
	}
	// Seen with an instance that has no history: 0,No information recorded about a
	// full backup. How a record looks is not documented.
	if m, ok := a.Find("LF"); ok && strings.HasPrefix(m.Value, "0,") {
		e.run.Log("%s succeeded, but the instance says of its last full backup: %s", t.Name, session.Printable(m.Value))
	}
	return nil
}

// Estimate implements [dbback.Engine]: INT^DBSIZE. That it gives no answer is no
// reason to end a backup.
func (e *Engine) Estimate(ctx context.Context) (int64, string, error) {
	if err := e.begun(); err != nil {
		return -1, "", err
	}
	t := e.instance.Statement("INT^DBSIZE", sizeScript())
	a, err := e.session(ctx, dbback.StepEstimate, t)
	if session.Refused(err) && ctx.Err() == nil {
		e.run.Log("the size of the incremental is not known: %v", err)
		return -1, e.run.dir, nil
	}
	if err != nil {
		return -1, "", err
	}
	m, err := a.Need(t.Name, "SIZE")
	if trap, ok := errors.AsType[*session.TrapError](err); ok {
		e.run.Log("the size of the incremental is not known: %v", trap)
		return -1, e.run.dir, nil
	}
	if err != nil {
		return -1, "", err
	}
	size, ok := parseSize(m.Value)
	if !ok {
		e.run.Log("the size of the incremental is not known: INT^DBSIZE answered %q", session.Printable(m.Value))
		return -1, e.run.dir, nil
	}
	return size, e.run.dir, nil
}

// Incremental implements [dbback.Engine]: BACKUP^DBACK of type I.
func (e *Engine) Incremental(ctx context.Context) (*dbback.Incremental, error) {
	if err := e.begun(); err != nil {
		return nil, err
	}
	file, logFile := e.incrementalFiles(e.run.Run)
	t := e.instance.Long("BACKUP^DBACK of type I", incrementalScript(e.description("incremental", e.run.Run), file, logFile, e.opts.QuiesceTimeout))
	t.Abort = e.abort
	a, err := e.session(ctx, dbback.StepIncremental, t)
	e.tellLog(logFile)
	if err != nil {
		if ended, ok := errors.AsType[*session.EndedError](err); ok && ended.Signal != 0 {
			err = fmt.Errorf("%w; it may have left the write daemon suspended: look in messages.log, and resume it with: iris stat %s -W", err, e.instance.Name())
		}
		return nil, errors.Join(err, logEnd(logFile))
	}
	m, err := a.Need(t.Name, "I")
	if err != nil {
		return nil, errors.Join(err, logEnd(logFile))
	}
	ok, warnings := parseReturn(m.Value)
	if !ok {
		why := ""
		if err := logEnd(logFile); err != nil {
			why = err.Error()
		}
		return nil, &session.AnswerError{What: t.Name, Answer: m.Value, Why: why}
	}
	if err := e.run.alone(a, e.description("external copy", e.run.Run), e.description("incremental", e.run.Run)); err != nil {
		return nil, err
	}
	return e.judge(t.Name, file, logFile, warnings)
}

// judge says whether an incremental that answered success is one: its log and its
// file must say so too.
func (e *Engine) judge(what, file, logFile string, warnings []string) (*dbback.Incremental, error) {
	var bad []string
	f, err := os.Open(logFile)
	if err != nil {
		return nil, &session.DisagreeError{What: what, With: []string{fmt.Sprintf("its log cannot be read: %v", err)}}
	}
	defer func() { _ = f.Close() }()
	l, err := parseLog(f)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", what, err)
	}
	var dirs []string
	for _, db := range e.run.dbs {
		dirs = append(dirs, db.Directory)
	}
	bad = append(bad, l.disagreements(dirs)...)
	switch info, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		bad = append(bad, fmt.Sprintf("there is no file %s", file))
	case err != nil:
		bad = append(bad, fmt.Sprintf("its file cannot be looked at: %v", err))
	case info.Size() == 0:
		bad = append(bad, fmt.Sprintf("the file %s is empty", file))
	}
	if len(bad) > 0 {
		return nil, &session.DisagreeError{What: what, With: bad}
	}
	e.run.log = l
	name := filepath.Base(file)
	inc := &dbback.Incremental{
		Files: []dbback.StoredFile{
			{Path: file, Name: name, Section: catalog.SectionIncremental, Needed: true},
			{Path: logFile, Name: filepath.Base(logFile), Section: catalog.SectionIncremental, Needed: true},
		},
		Apply:   []string{name},
		Journal: &catalog.JournalRange{Required: l.required, Marker: l.marker, Offset: l.offset, Switched: l.switched},
	}
	inc.Warnings = append(inc.Warnings, e.run.warnings...)
	for _, w := range warnings {
		inc.Warnings = append(inc.Warnings, what+": warning of the instance: "+w)
	}
	return inc, nil
}

// abort makes the instance give up a running backup.
func (e *Engine) abort() error {
	t := e.instance.Statement("AbortBackup", abortScript())
	t.Limit = e.instance.Options.AbortTimeout
	ctx := context.Background() // the run's own has ended
	a, err := e.instance.Run(ctx, t)
	e.run.Transcript(dbback.StepIncremental, a.Transcript(nil))
	if err != nil {
		return fmt.Errorf("it could not be aborted: %w", err)
	}
	m, err := a.Need(t.Name, "ABORT")
	switch {
	case err != nil:
		return fmt.Errorf("it could not be aborted: %w", err)
	case m.Value == "0":
		return errors.New("the instance was told to abort it")
	case m.Value == "1":
		return errors.New("it could not be aborted: the instance says that no backup is running")
	case m.Value == "2":
		return errors.New("it was aborted already")
	}
	return &session.AnswerError{What: t.Name, Answer: m.Value}
}

// incrementalFiles returns the paths of a run's incremental and its log. They are
// new in each run: whether BACKUP^DBACK overwrites a file is not documented.
func (e *Engine) incrementalFiles(run *dbback.Run) (file, log string) {
	base := filepath.Join(e.runDir(run), run.Set.Name)
	return base + ".cbk", base + ".log"
}

// description returns the text for the instance's backup history.
func (e *Engine) description(what string, run *dbback.Run) string {
	return e.opts.Description + " " + what + " " + run.Set.String()
}

// tellLog puts the log of a backup into the transcript, if there is one.
func (e *Engine) tellLog(path string) {
	if text, ok := readLog(path); ok {
		e.run.Transcript(dbback.StepIncremental, "log "+path+":\n"+session.Scrub(text, e.instance.Options.Password)+"\n")
	}
}

// logEnd returns the end of a backup's log as an error, nil if there is none.
func logEnd(path string) error {
	text, _ := readLog(path)
	if end := session.LastLines(text); end != "" {
		return fmt.Errorf("its log ends: %s", end)
	}
	return nil
}

// readLog returns as much of a backup's log as can be read, and is worth keeping.
func readLog(path string) (text string, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	out := &session.Output{}
	_, _ = io.Copy(out, io.LimitReader(f, maxLog))
	return out.String(), true
}
