package iris

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

// TestBackup takes a whole backup of a played instance through dbback.Backup.
func TestBackup(t *testing.T) {
	w := played.New(t)
	repoDir := filepath.Join(t.TempDir(), "repo")
	if err := catalog.Init(repoDir); err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(repoDir, catalog.Shared)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	info, err := dbback.Backup(t.Context(), repo, engine(t, w), dbback.BackupOptions{Instance: "PROD", Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if info.State != catalog.StateComplete || info.Engine != "iris" {
		t.Errorf("the set is %s, of engine %s: %v", info.State, info.Engine, info.Problems)
	}
	var files []string
	for _, f := range info.Files {
		files = append(files, string(f.Section)+" "+strings.ReplaceAll(strings.ReplaceAll(f.Path, w.Dir, ""), info.Name, "SET"))
	}
	slices.Sort(files)
	want := []string{
		"configuration iris.cpf", "configuration parameters.isc", "configuration startup.last",
		"databases /mgr/IRIS.DAT", "databases /mgr/user/IRIS.DAT",
		"incremental SET.cbk", "incremental SET.log",
		"journals 20261121.014z", "journals 20261122.001z", "journals 20261122.002", "journals journal.log", "journals mirrorjrn-M.log",
	}
	files = slices.DeleteFunc(files, func(s string) bool { return strings.HasPrefix(s, "transcripts") })
	if !slices.Equal(files, want) {
		t.Errorf("files:\n%s\nwant:\n%s", strings.Join(files, "\n"), strings.Join(want, "\n"))
	}
	m := info.Method
	if m.ProductVersion != played.Version || !slices.Equal(m.Incrementals, []string{info.Name + ".cbk"}) {
		t.Errorf("method %+v", m)
	}
	journal := &catalog.JournalRange{
		Required: w.At("mgr/journal/20261121.014"), Marker: w.At("mgr/journal/20261122.002"), Offset: 198264,
		Switched: w.At("mgr/journal/20261122.002"), Files: []string{"20261121.014z", "20261122.001z", "20261122.002"},
	}
	if !reflect.DeepEqual(m.Journal, journal) {
		t.Errorf("journal %+v", m.Journal)
	}
	if m.Facts["installation iris user"] != "irisusr" || m.Facts["blocks copied by the incremental"] != "12" {
		t.Errorf("facts %q", m.Facts)
	}
	left, err := os.ReadDir(w.At("mgr/Backup/datfs"))
	if err != nil || len(left) != 1 || left[0].Name() != "instance.lock" {
		t.Errorf("left in the work directory: %v, %v", left, err)
	}
}

func TestEngineOrder(t *testing.T) {
	e := engine(t, played.New(t))
	ctx := t.Context()
	if err := e.Begin(ctx, newListener().Run); err == nil {
		t.Error("Begin without a preflight succeeds")
	}
	if _, err := e.List(ctx); err == nil {
		t.Error("List without Begin succeeds")
	}
	for name, err := range map[string]error{"Mark": e.Mark(ctx), "Record": e.Record(ctx)} {
		if err == nil {
			t.Errorf("%s without Begin succeeds", name)
		}
	}
	if err := e.End(ctx, false); err != nil {
		t.Errorf("End without Begin: %v", err)
	}
	if e.Leaves(newListener().Run) != nil {
		t.Error("leaves are named without a preflight")
	}
}

func TestOneBackupAtATime(t *testing.T) {
	w := played.New(t)
	first := engine(t, w)
	l := begin(t, first)
	second := engine(t, w)
	survey, err := second.Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := finding(survey, checkBusy); f.Level != catalog.LevelFail {
		t.Errorf("the preflight of a second backup: %v", f)
	}
	other := newListener()
	other.Set.Name = "2026-11-22T03-00-01Z"
	if err := second.Begin(t.Context(), other.Run); !errors.Is(err, session.ErrBusy) {
		t.Errorf("Begin of a second backup: %v", err)
	}
	if err := first.End(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.runDir(l.Run)); err != nil {
		t.Errorf("what was to be kept: %v", err)
	}
	if err := second.Begin(t.Context(), other.Run); err != nil {
		t.Errorf("Begin after the first has ended: %v", err)
	}
	dirs := second.Leaves(other.Run)
	if len(dirs) != 1 || !strings.Contains(filepath.Base(dirs[0]), other.Set.Name) {
		t.Errorf("leaves %q", dirs)
	}
	if info, err := os.Stat(dirs[0]); err != nil || info.Mode().Perm() != 0o770 {
		t.Errorf("run's directory: %v, %v", info, err)
	}
	if err := second.End(t.Context(), false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dirs[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the run's directory is left: %v", err)
	}
}

// A backup with another work directory is kept away too, and so is one after a
// datfs that was killed, as long as the session lives that it left behind.
func TestOneBackupAtATime_Beside(t *testing.T) {
	w := played.New(t)
	elsewhere := func(o *session.Options) { o.WorkDir = w.At("work") }
	first := engine(t, w, elsewhere)
	begin(t, first)
	busy := func(when string, change ...func(*session.Options)) {
		t.Helper()
		survey, err := engine(t, w, change...).Preflight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f := finding(survey, checkBusy); f.Level != catalog.LevelFail {
			t.Errorf("%s: %v", when, f)
		}
	}
	busy("the usual work directory")
	busy("a third one", func(o *session.Options) { o.WorkDir = w.At("third") })
	if err := first.End(t.Context(), false); err != nil {
		t.Fatal(err)
	}

	w.Hang = "I"
	pids := make(chan int, 10)
	killed := engine(t, w, elsewhere, func(o *session.Options) { o.Started = func(pid int) { pids <- pid } })
	begin(t, killed)
	done := make(chan error, 1)
	go func() { done <- step(context.WithoutCancel(t.Context()), killed, "incremental") }()
	w.WaitHang()
	for len(pids) > 1 {
		<-pids // of sessions that have ended
	}
	left := <-pids
	if err := killed.instance.Unlock(); err != nil { // what the kernel does when the process ends
		t.Error(err)
	}
	w.Hang = ""
	busy("a session that was left behind")
	if err := syscall.Kill(-left, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	<-done
	begin(t, engine(t, w)) // it was the last that held the locks
}

// steps calls a step of an engine by its name.
func step(ctx context.Context, e *Engine, name string) error {
	switch name {
	case "list":
		_, err := e.List(ctx)
		return err
	case "mark":
		return e.Mark(ctx)
	case "record":
		return e.Record(ctx)
	case "estimate":
		_, _, err := e.Estimate(ctx)
		return err
	}
	if _, err := e.List(ctx); err != nil {
		return err
	}
	_, err := e.Incremental(ctx)
	return err
}

func TestStepFailures(t *testing.T) {
	tests := []struct {
		name, step string
		change     func(w *played.Instance)
		want       string // in the error; "" for success
		logged     string
	}{
		{"all well", "incremental", func(*played.Instance) {}, "", ""},
		{"CLRINC 0", "mark", func(w *played.Instance) { w.Say["CLRINC"] = "@@CLRINC|0" }, `CLRINC^DBACK answered "0"`, ""},
		{"CLRINC empty", "mark", func(w *played.Instance) { w.Say["CLRINC"] = "@@CLRINC|" }, `answered ""`, ""},
		{"CLRINC trap", "mark", func(w *played.Instance) { w.Say["CLRINC"] = "@@ERR|CLRINC|<PROTECT>|CLRINC+1^DBACK|" }, "<PROTECT> at CLRINC+1^DBACK: the user", ""},
		{"CLRINC dies", "mark", func(w *played.Instance) { w.Die = "CLRINC" }, "ended before it had answered", ""},
		{"CLRINC untrapped", "mark", func(w *played.Instance) { w.Say["CLRINC"] = "<SYNTAX>" }, "<SYNTAX>", ""},
		{"namespace", "mark", func(w *played.Instance) { w.Namespace = "USER" }, `namespace "USER"`, ""},
		{"E 0", "record", func(w *played.Instance) { w.Say["E"] = "@@E|0" }, `type E answered "0"`, ""},
		{"E warns", "record", func(w *played.Instance) { w.Say["E"] = "@@E|1,careful" }, "", ""},
		{"no history after E", "record", func(*played.Instance) {}, "", "No information recorded"},
		{"DBSIZE -1", "estimate", func(w *played.Instance) { w.Say["SIZE"] = "@@SIZE|-1" }, "", "not known"},
		{"DBSIZE trap", "estimate", func(w *played.Instance) { w.Say["SIZE"] = "@@ERR|SIZE|<NOROUTINE>|x|" }, "", "<NOROUTINE>"},
		{"DBSIZE dies", "estimate", func(w *played.Instance) { w.Die = "SIZE" }, "INT^DBSIZE", ""},
		{"LISTDIRS 0", "list", func(w *played.Instance) { w.Say["LIST"] = "@@LIST|0" }, `LISTDIRS^DBACK answered "0"`, ""},
		{"LISTDIRS without a file", "list", func(w *played.Instance) { w.NoList = true }, "cannot be read here", ""},
		{"half a configuration", "list", func(w *played.Instance) { w.Say["DB"] = w.Databases }, "ends in the middle", ""},
		{"I 0", "incremental", func(w *played.Instance) { w.Say["I"] = "@@I|0" }, `type I answered "0"`, ""},
		{"I trap", "incremental", func(w *played.Instance) { w.Say["I"] = "@@ERR|I|<LICENSE LIMIT EXCEEDED>|x|" }, "<LICENSE LIMIT EXCEEDED>", ""},
		{"I dies", "incremental", func(w *played.Instance) { w.Die = "I" }, "<DISCONNECT>", ""},
		{"no log", "incremental", func(w *played.Instance) { w.Log = nil }, "its log cannot be read", ""},
		{"no file", "incremental", func(w *played.Instance) { w.Backup = nil }, "there is no file", ""},
		{"empty file", "incremental", func(w *played.Instance) { *w.Backup = "" }, "is empty", ""},
		{"log cut off", "incremental", func(w *played.Instance) { *w.Log, _, _ = strings.Cut(*w.Log, "***FINISHED") }, "no line ***FINISHED BACKUP***", ""},
		{"log without end", "incremental", func(w *played.Instance) { *w.Log = strings.ReplaceAll(*w.Log, "Backup complete.", "") }, "no line Backup complete.", ""},
		{"log of others", "incremental", func(w *played.Instance) { *w.Log = strings.ReplaceAll(*w.Log, "/mgr/user/", "/mgr/other/") }, "does not name", ""},
		{"log of a full", "incremental", func(w *played.Instance) { *w.Log = strings.ReplaceAll(*w.Log, "Incremental", "Full") }, `kind "Full"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := played.New(t)
			e := engine(t, w)
			l := begin(t, e)
			tt.change(w)
			w.Tell() // tell the instance
			err := step(t.Context(), e, tt.step)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if !strings.Contains(l.logged.String(), tt.logged) {
				t.Errorf("logged %q, want %q", l.logged.String(), tt.logged)
			}
			if !strings.Contains(l.transcript.String(), "[preflight]") {
				t.Error("the transcript lacks the preflight")
			}
		})
	}
}

// A failed incremental says what its log ended with.
func TestFailureQuotesLog(t *testing.T) {
	w := played.New(t)
	w.Say["I"] = "@@I|0"
	e := engine(t, w)
	l := begin(t, e)
	if _, err := e.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, log := e.incrementalFiles(l.Run)
	if err := os.WriteFile(log, []byte("Starting backup pass 1\n\nSystem failed to quiesce\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := e.Incremental(t.Context())
	if err == nil || !strings.Contains(err.Error(), "System failed to quiesce") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(l.transcript.String(), "System failed to quiesce") {
		t.Error("the log is not in the transcript")
	}
}

func TestIncrementalWarnings(t *testing.T) {
	w := played.New(t)
	e := engine(t, w)
	l := begin(t, e)
	if _, err := e.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The instance makes the files and answers with warnings.
	file, log := e.incrementalFiles(l.Run)
	for path, text := range map[string]string{file: "x", log: *w.Log} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.Say["E"], w.Say["I"] = "@@E|1,careful", "@@I|1,first~second"
	w.Tell()
	if err := e.Record(t.Context()); err != nil {
		t.Fatal(err)
	}
	inc, err := e.Incremental(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(inc.Warnings, "; "); len(inc.Warnings) != 3 || !strings.Contains(got, "type E: warning of the instance: careful") || !strings.Contains(got, "second") {
		t.Errorf("warnings %q", inc.Warnings)
	}
}

// TestTimeLimits lets statements hang. What ends them is seen in the error.
func TestTimeLimits(t *testing.T) {
	tests := []struct {
		name, step, hang string
		deaf             bool
		want             []string
	}{
		{"I is aborted", "incremental", "I", false, []string{"no answer within", "told to abort"}},
		{"I hears nothing", "incremental", "I", true, []string{"no answer within", "signal 9", "iris stat IRIS -W"}},
		{"CLRINC hangs", "mark", "CLRINC", false, []string{"no answer within", "signal 15", "switch 13"}},
		{"E hangs", "record", "E", false, []string{"no answer within", "signal 15"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := played.New(t)
			e := engine(t, w)
			begin(t, e)
			w.Hang, w.Deaf = tt.hang, tt.deaf
			w.Tell()
			// Long enough for a session that does not hang, on a slow machine: List
			// comes first.
			if tt.step == "incremental" {
				if _, err := e.List(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			e.opts.MarkTimeout, e.instance.Options.LongTimeout = 300*time.Millisecond, 300*time.Millisecond
			if tt.step == "record" {
				e.instance.Options.StatementTimeout = 300 * time.Millisecond
			}
			if tt.deaf {
				e.instance.Options.Grace, e.instance.Options.AbortTimeout = 50*time.Millisecond, time.Second
			}
			var err error
			if tt.step == "incremental" {
				_, err = e.Incremental(t.Context())
			} else {
				err = step(t.Context(), e, tt.step)
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
			if _, ok := errors.AsType[*session.TimeoutError](err); !ok {
				t.Errorf("%v is no *TimeoutError", err)
			}
		})
	}
}

// TestCancel ends the context while the incremental runs: the instance is asked
// to abort it.
func TestCancel(t *testing.T) {
	w := played.New(t)
	e := engine(t, w)
	l := begin(t, e)
	if _, err := e.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Hang = "I"
	w.Tell()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		w.WaitHang()
		cancel()
	}()
	_, err := e.Incremental(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "told to abort") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(l.transcript.String(), "AbortBackup()") {
		t.Error("the abort is not in the transcript")
	}
}

// TestCancelKillsGroup ends the context while a session hangs that nothing ends
// gently: the whole process group is gone afterwards.
func TestCancelKillsGroup(t *testing.T) {
	w := played.New(t)
	pids := make(chan int, 1)
	e := engine(t, w)
	begin(t, e)
	w.Hang, w.Deaf = "CLRINC", true
	w.Tell()
	e.instance.Options.Started = func(pid int) { pids <- pid }
	e.instance.Options.Grace, e.instance.Options.AbortTimeout = 50*time.Millisecond, 50*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		w.WaitHang()
		cancel()
	}()
	if err := e.Mark(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "switch 13") || !strings.Contains(err.Error(), "signal 9") {
		t.Errorf("error %v", err)
	}
	err := error(nil)
	for pid := <-pids; err == nil; time.Sleep(time.Millisecond) { // on a busy machine it takes more than the grace
		err = syscall.Kill(-pid, 0)
	}
	if !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the session's process group is left: %v", err)
	}
}

func TestCancelledBefore(t *testing.T) {
	w := played.New(t)
	e := engine(t, w)
	begin(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Mark(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := e.Preflight(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("preflight: error %v", err)
	}
}

func TestJournals(t *testing.T) {
	tests := []struct {
		name     string
		change   func(w *played.Instance)
		files    string
		missing  string
		warnings string
	}{
		{"all well", func(*played.Instance) {}, "20261121.014z 20261122.001z 20261122.002", "", ""},
		{"switch refused", func(w *played.Instance) { w.Say["JRNSWTCH"] = "@@ERR|JRNSWTCH|<PROTECT>|x|" }, "20261121.014z 20261122.001z 20261122.002", "", "could not be closed"},
		{"purged", func(w *played.Instance) { w.PurgeOn, w.PurgePath = "JRNSWTCH", w.At("mgr/journal/20261121.014z") }, "20261122.001z 20261122.002", "20261121.014, which a restore needs, is gone", ""},
		{"in the alternate directory", func(w *played.Instance) {
			w.Write("mgr/alternate/20261122.001z", "")
			w.PurgeOn, w.PurgePath = "JRNSWTCH", w.At("mgr/journal/20261122.001z")
		}, "20261121.014z 20261122.001z 20261122.002", "", ""},
		{"twice", func(w *played.Instance) { w.Write("mgr/alternate/20261122.002", "") }, "20261121.014z 20261122.001z 20261122.002", "", "second journal file"},
		{"no required", func(w *played.Instance) { *w.Log = strings.ReplaceAll(*w.Log, "Journal file '", "") }, "20261122.002", "does not say which", ""},
		{"other prefix", func(w *played.Instance) {
			*w.Log = strings.ReplaceAll(*w.Log, "20261121.014'", "MIRROR-M-20261121.014'")
		}, "MIRROR-M-20261121.014 20261122.002", "cannot be told from their names", ""},
		{"required newer", func(w *played.Instance) { *w.Log = w.LogOf("20261122.003", "20261122.002") }, "20261122.002 20261122.003", "", "newer than"},
		{"no configuration", func(w *played.Instance) { w.PurgeOn, w.PurgePath = "JRNSWTCH", w.At("iris.cpf") }, "20261121.014z 20261122.001z 20261122.002", "", "parameter file was not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := played.New(t)
			e := engine(t, w)
			begin(t, e)
			tt.change(w)
			w.Tell()
			if _, err := e.Journals(t.Context()); err == nil {
				t.Error("Journals before Incremental succeeds")
			}
			if err := step(t.Context(), e, "incremental"); err != nil {
				t.Fatal(err)
			}
			j, err := e.Journals(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(j.Range.Files, " "); got != tt.files {
				t.Errorf("files %s, want %s", got, tt.files)
			}
			check := func(what string, got []string, want string) {
				if text := strings.Join(got, "; "); want == "" && text != "" || !strings.Contains(text, want) {
					t.Errorf("%s %q, want %q", what, text, want)
				}
			}
			check("missing", j.Missing, tt.missing)
			check("warnings", j.Warnings, tt.warnings)
			names := make(map[string]bool)
			for _, f := range j.Files {
				if key := string(f.Section) + f.Name; names[key] {
					t.Errorf("two files are called %s", f.Name)
				} else {
					names[key] = true
				}
			}
		})
	}
}

// TestPassword sees that the password gets to the prompt and nowhere else.
func TestPassword(t *testing.T) {
	const secret = "s3cr%t pass"
	w := played.New(t)
	w.Login = "backup " + secret
	w.Environment = true
	t.Setenv(session.PasswordEnv, secret)
	login := func(user, password string) func(*session.Options) {
		return func(o *session.Options) { o.User, o.Password = user, []byte(password) }
	}
	var told bytes.Buffer
	look := func(e *Engine) *dbback.Survey {
		survey, err := e.Preflight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range e.heard {
			told.WriteString(s.text)
		}
		for _, f := range survey.Findings {
			told.WriteString(f.String())
		}
		return survey
	}
	if survey := look(engine(t, w, login("backup", secret))); survey.Failed() {
		t.Errorf("with the right password: %v", survey.Findings)
	}
	survey := look(engine(t, w, login("someone", secret)))
	if f := finding(survey, checkSession); f.Level != catalog.LevelFail || !strings.Contains(f.Text, "denies access") {
		t.Errorf("with the wrong user: %v", f)
	}
	survey = look(engine(t, w))
	if f := finding(survey, checkSession); f.Level != catalog.LevelFail {
		t.Errorf("with no user: %v", f)
	}
	// No prompt: the terminal takes both for commands and complains of them.
	w.Login = ""
	if survey := look(engine(t, w, login("backup", secret))); survey.Failed() {
		t.Errorf("with a password that nobody asks for: %v", survey.Findings)
	}
	if strings.Contains(told.String(), secret) {
		t.Error("the password is told")
	}
	if strings.Contains(told.String(), session.PasswordEnv) {
		t.Error("the session's environment has the password")
	}
	if !strings.Contains(told.String(), "********") {
		t.Error("the terminal's complaint was not there to be scrubbed")
	}
}
