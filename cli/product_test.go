package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
)

// A fakeEngine backs up plain files below dir and fails where it is told to.
type fakeEngine struct {
	dir      string
	findings []catalog.Finding
	fail     map[string]error // by step, or "preflight"
	at       string           // the step at which to call what
	what     func()
	warnings []string // of the incremental
	missing  []string // of the journals
	run      *dbback.Run
}

// newFakeEngine returns an engine of an instance with the databases USER and
// APP.
func newFakeEngine(t *testing.T) *fakeEngine {
	t.Helper()
	e := &fakeEngine{dir: t.TempDir(), fail: map[string]error{}}
	for _, name := range []string{"user/IRIS.DAT", "app/IRIS.DAT", "20261122.001", "20261122.cbk", "iris.cpf"} {
		path := filepath.Join(e.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte(name+"\n"), 10_000), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (e *fakeEngine) step(name string) error {
	if e.at == name && e.what != nil {
		e.what()
	}
	if e.run != nil {
		e.run.Transcript(name, "> "+name+"\n")
	}
	return e.fail[name]
}

func (e *fakeEngine) Name() string { return "fake" }

func (e *fakeEngine) Preflight(context.Context) (*dbback.Survey, error) {
	return &dbback.Survey{
		Findings: e.findings, Version: "Fake 1.0", Databases: e.databases(), Facts: map[string]string{"manager": "/fake/mgr"},
	}, e.step("preflight")
}

func (e *fakeEngine) databases() (dbs []catalog.Database) {
	for _, name := range []string{"user", "app"} {
		dir := filepath.Join(e.dir, name) + "/"
		dbs = append(dbs, catalog.Database{
			Name: strings.ToUpper(name), Directory: dir, Paths: []string{dir + "IRIS.DAT"}, Bytes: 1 << 20, Mounted: true, Journaled: name == "user",
		})
	}
	return dbs
}

func (e *fakeEngine) Plan(run *dbback.Run, _ *dbback.Survey) []dbback.PlannedStep {
	return []dbback.PlannedStep{
		{Step: dbback.StepPrepare, What: "make a directory", Files: []string{"/scratch/" + run.Set.Instance}},
		{Step: dbback.StepMark, What: "count changes", Statements: []string{`write $$CLRINC^DBACK("QUIET")`}},
	}
}

func (e *fakeEngine) Leaves(*dbback.Run) []string { return nil }

func (e *fakeEngine) Begin(_ context.Context, run *dbback.Run) error {
	e.run = run
	return e.step(dbback.StepPrepare)
}

func (e *fakeEngine) List(context.Context) ([]catalog.Database, error) { return e.databases(), nil }
func (e *fakeEngine) Mark(context.Context) error                       { return e.step(dbback.StepMark) }

func (e *fakeEngine) Record(context.Context) error { return e.step(dbback.StepRecord) }

func (e *fakeEngine) Estimate(context.Context) (int64, string, error) {
	return -1, "", e.step(dbback.StepEstimate)
}

func (e *fakeEngine) Incremental(context.Context) (*dbback.Incremental, error) {
	return &dbback.Incremental{
		Files: []dbback.StoredFile{{
			Path: filepath.Join(e.dir, "20261122.cbk"), Name: "20261122.cbk", Section: catalog.SectionIncremental, Needed: true,
		}},
		Apply: []string{"20261122.cbk"}, Warnings: e.warnings,
	}, e.step(dbback.StepIncremental)
}

func (e *fakeEngine) Journals(context.Context) (*dbback.Journals, error) {
	journal := filepath.Join(e.dir, "20261122.001")
	return &dbback.Journals{
		Range: &catalog.JournalRange{Required: journal, Marker: journal, Offset: 198264, Files: []string{"20261122.001"}},
		Files: []dbback.StoredFile{
			{Path: journal, Name: "20261122.001", Section: catalog.SectionJournals, Needed: true},
			{Path: filepath.Join(e.dir, "iris.cpf"), Name: "iris.cpf", Section: catalog.SectionConfiguration},
		},
		Missing: e.missing,
	}, e.step(dbback.StepJournals)
}

func (e *fakeEngine) End(context.Context, bool) error                   { return nil }
func (e *fakeEngine) Check(catalog.Database, catalog.FileInfo) []string { return nil }

func (e *fakeEngine) Sentences(step string) (means, next string) {
	if step == dbback.StepPrepare {
		return "", "Try it again."
	}
	return "The history is gone since " + step + ".", "Run it again soon."
}

// runFake runs a command line in which the engine "fake" is e.
func runFake(t *testing.T, ctx context.Context, e dbback.Engine, args ...string) (code int, stdout, stderr string) { //nolint:revive // the test comes first here
	t.Helper()
	none := func() []cli.Flag { return nil }
	p := product{
		name: "fake", title: "a fake instance", connect: none, tune: none,
		engine: func(*cli.Context) (dbback.Engine, string, error) { return e, "FAKE", nil },
	}
	app := newApp()
	for name, sub := range map[string]*cli.Command{"check": checkProductCommand(p), "backup": backupProductCommand(p)} {
		prepare(sub)
		cmd := app.Command(name)
		cmd.Subcommands = append(cmd.Subcommands, sub)
	}
	var out, errOut bytes.Buffer
	app.Writer, app.ErrWriter = &out, &errOut
	code = runApp(ctx, app, append([]string{"datfs"}, args...))
	return code, out.String(), errOut.String()
}

// fakeRepo makes an empty repository and names it in the environment.
func fakeRepo(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo")
	t.Setenv(repoEnv, dir)
	if code, _, stderr := run(t, "init"); code != exitOK {
		t.Fatal(stderr)
	}
	return dir
}

// wantAll holds that each line or part is in the text, in this order.
func wantAll(t *testing.T, what, text string, want ...string) {
	t.Helper()
	rest := text
	for _, w := range want {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Fatalf("%s: no %q, or not in this place, in\n%s", what, w, text)
		}
		rest = after
	}
}

var (
	fine = catalog.Finding{Level: catalog.LevelOK, Check: "session", Text: "it answers"}
	odd  = catalog.Finding{Level: catalog.LevelWarn, Check: "journal purge", Text: "after 2 backups", Do: "Raise it"}
	bad  = catalog.Finding{Level: catalog.LevelFail, Check: "dismounted", Text: "APP is not mounted", Do: "Mount it"}
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name     string
		findings []catalog.Finding
		err      error
		code     int
		stdout   string
		stderr   string
	}{
		{"Fine", []catalog.Finding{fine}, nil, exitOK, "OK    session: it answers\n", ""},
		{"Odd", []catalog.Finding{odd, fine}, nil, exitWarnings, "OK    session: it answers\nWARN  journal purge: after 2 backups. Raise it\n", "with 1 WARN finding\n"},
		{
			"Bad",
			[]catalog.Finding{bad, odd},
			nil, exitUnfit,
			"WARN  journal purge: after 2 backups. Raise it\nFAIL  dismounted: APP is not mounted. Mount it\n",
			"datfs: check FAKE: a backup would fail: 1 FAIL finding\nhint: ",
		},
		{"NoAnswer", nil, errors.New("no such instance"), exitFailure, "", "datfs: check FAKE: no such instance\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(repoEnv, "")
			e := newFakeEngine(t)
			e.findings, e.fail["preflight"] = tt.findings, tt.err
			code, stdout, stderr := runFake(t, t.Context(), e, "check", "fake")
			if code != tt.code || stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d\n%s\nwant %s\n%s", code, tt.code, stdout, tt.stdout, stderr)
			}
			if tt.err != nil {
				return
			}
			code, stdout, _ = runFake(t, t.Context(), e, "check", "fake", "--json")
			if got := decode[wantFindings](t, []byte(stdout)); code != tt.code || len(got) != len(tt.findings) || got[0].Text != tt.findings[0].Text {
				t.Errorf("--json: exit code %d, %s", code, stdout)
			}
		})
	}
}

func TestCheck_NoFindings(t *testing.T) {
	t.Setenv(repoEnv, "")
	if _, stdout, _ := runFake(t, t.Context(), newFakeEngine(t), "check", "fake", "--json"); stdout != "[]\n" {
		t.Errorf("no findings: %q", stdout)
	}
}

func TestCheck_Repository(t *testing.T) {
	dir := fakeRepo(t)
	e := newFakeEngine(t)
	check := func(code int, want ...string) {
		t.Helper()
		got, stdout, stderr := runFake(t, t.Context(), e, "check", "fake")
		if got != code {
			t.Errorf("exit code %d, want %d\n%s", got, code, stderr)
		}
		wantAll(t, "check", stdout, want...)
	}
	sets := func(part string) {
		t.Helper()
		if _, stdout, _ := run(t, "sets"); !strings.Contains(stdout, part) {
			t.Errorf("sets does not say %q:\n%s", part, stdout)
		}
	}
	check(exitOK, "OK    repository: "+dir+" can be written to\n", "OK    last backup: the repository has no set of FAKE yet\n", "OK    repository space: ")

	// While a backup is at work, the next one would fail.
	e.at, e.what = dbback.StepRecord, func() {
		check(exitUnfit, "FAIL  running backup: FAKE/", " is being written by another datfs. Wait until it is done")
		sets(" is at the step record, begun ")
	}
	if code, _, stderr := runFake(t, t.Context(), e, "backup", "fake"); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	e.what = nil
	check(exitOK, "OK    last backup: FAKE/", " is complete\n")

	e.fail[dbback.StepRecord] = errors.New("no")
	runFake(t, t.Context(), e, "backup", "fake")
	check(exitWarnings, "WARN  last backup: FAKE/", "was cut off at the step record: The history is gone since record. Run it again soon.\n")

	if err := os.Rename(filepath.Join(dir, "packs"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	check(exitUnfit, "FAIL  repository: it cannot be written to: "+dir+"/packs: no such file or directory. Back up as the user")

	t.Setenv(repoEnv, filepath.Join(dir, "nosuch"))
	check(exitUnfit, "FAIL  repository: ", ". datfs init DIR creates")
}

var stepLine = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (\w+): .`)

func TestBackup_Complete(t *testing.T) {
	fakeRepo(t)
	e := newFakeEngine(t)
	e.findings = []catalog.Finding{fine, odd}
	code, stdout, stderr := runFake(t, t.Context(), e, "backup", "fake")
	if code != exitOK { // a warning of the preflight is no reason for a mail each night
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	wantAll(t, "summary", stdout, "stored FAKE/", ": complete\n", "  databases    2, 264 KiB\n", "  files        ", "  new ", "  stored ",
		"  incremental  20261122.cbk, 127 KiB: what changed during the copy\n",
		"  journals     required from 20261122.001 to 20261122.001, where the backup's marker is at offset 198264; 1 file stored\n",
		"  findings     1 warning of the preflight\n", "next: datfs mount DIR, or datfs show FAKE/", "to restore: ")
	var steps []string
	for _, m := range stepLine.FindAllStringSubmatch(stderr, -1) {
		steps = append(steps, m[1])
	}
	want := []string{"preflight", "note", "prepare", "mark", "copy", "list", "record", "estimate", "incremental", "journals", "seal"}
	if !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	if strings.ContainsAny(stderr, "\r\x1b") {
		t.Errorf("a log has terminal codes: %q", stderr)
	}
	code, stdout, stderr = runFake(t, t.Context(), e, "backup", "fake", "--quiet", "--json", "--name", "OTHER")
	set := decode[wantSummary](t, []byte(stdout))
	if code != exitOK || stderr != "" || set.Instance != "OTHER" || len(set.Steps) != 9 || set.Steps[1].Means == "" {
		t.Errorf("--quiet --json: %d, %+v, %q", code, set, stderr)
	}
}

func TestBackup_Show(t *testing.T) {
	fakeRepo(t)
	e := newFakeEngine(t)
	e.findings = []catalog.Finding{bad, odd, fine}
	e.findings[0].Level = catalog.LevelWarn
	if code, _, stderr := runFake(t, t.Context(), e, "backup", "fake"); code != exitOK {
		t.Fatal(stderr)
	}
	_, stdout, _ := run(t, "show", "FAKE/latest")
	wantAll(t, "show", stdout, "product ", "Fake 1.0\n", "1. the copies below databases/, which are damaged", "2. apply to them 20261122.cbk of incremental/",
		"3. the journals: required from 20261122.001 to 20261122.001", "STEP ", "prepare ", "seal ",
		"DATABASE ", "1.0 MiB      1  mounted  ", "mounted, not journaled  "+e.dir+"/app/\n", "manager  /fake/mgr\n",
		"databases:\n", "XXH64", "MODE ", "-rw-r-----  ", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), e.dir+"/app/IRIS.DAT",
		"incremental:\n", "20261122.cbk  "+e.dir+"/20261122.cbk\n", "journals:\n", "20261122.001  ", "configuration:\n", "iris.cpf  ", "transcripts:\n", "-mark.txt", "-rw-------",
		"OK    session", "WARN  ", "WARN  ")
	set := decode[wantSet](t, func() []byte { _, out, _ := run(t, "show", "FAKE/latest", "--json"); return []byte(out) }())
	if set.Method == nil || set.Method.Journal.Offset != 198264 || len(set.Findings) < 3 || len(set.Steps) != 9 {
		t.Errorf("show --json: %+v", set)
	}
	_, stdout, _ = run(t, "sets")
	if strings.Contains(stdout, "it means") {
		t.Errorf("sets warns of a complete set:\n%s", stdout)
	}
}

func TestBackup_Unfit(t *testing.T) {
	fakeRepo(t)
	e := newFakeEngine(t)
	e.findings = []catalog.Finding{fine, bad}
	code, stdout, stderr := runFake(t, t.Context(), e, "backup", "fake", "--quiet")
	if code != exitUnfit || stdout != "" || strings.Contains(stderr, "session") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	wantAll(t, "error", stderr, "FAIL  dismounted: APP is not mounted. Mount it\n", "datfs: the preflight found what would make the backup fail: dismounted\n", "hint: set right")
	if _, stdout, _ := run(t, "sets", "--json"); stdout != "[]\n" {
		t.Errorf("there is a set: %s", stdout)
	}
}

func TestBackup_StepFails(t *testing.T) {
	cause := errors.New("@@I|0: see the log")
	for _, step := range []string{
		dbback.StepPrepare, dbback.StepMark, dbback.StepRecord, dbback.StepEstimate, dbback.StepIncremental, dbback.StepJournals,
	} {
		t.Run(step, func(t *testing.T) {
			fakeRepo(t)
			e := newFakeEngine(t)
			e.fail[step] = cause
			code, stdout, stderr := runFake(t, t.Context(), e, "backup", "fake", "--quiet")
			if code != exitFailure || stdout != "" {
				t.Errorf("exit code %d, %s", code, stdout)
			}
			wantAll(t, "error", stderr, "datfs: back up FAKE: step "+step+": @@I|0: see the log\n")
			_, sets, _ := run(t, "sets")
			if step == dbback.StepPrepare {
				wantAll(t, "hints", stderr, "hint: Try it again\n")
				if strings.Contains(stderr, "is kept") || strings.Contains(sets, "it means") {
					t.Errorf("nothing was done, but\n%s%s", stderr, sets)
				}
				return
			}
			wantAll(t, "hints", stderr, "hint: The history is gone since "+step+"\n", "hint: Run it again soon\n", "hint: what was stored", "datfs show FAKE/")
			wantAll(t, "sets", sets, " interrupted ", "\n\nFAKE/", " ended within the step "+step+", begun ",
				"\n  it means:   The history is gone since "+step+".\n  what to do: Run it again soon.\n")
			_, shown, _ := run(t, "show", "FAKE/")
			wantAll(t, "show", shown, "STEP ", step+" ", " ended within the step "+step, "  it means: ", "  what to do: ", "transcripts:\n")
			_, list, _ := run(t, "sets", "--json")
			if got := decode[[]wantSummary](t, []byte(list)); len(got) != 1 || got[0].Steps[len(got[0].Steps)-1].Name != step {
				t.Errorf("sets --json: %+v", got)
			}

			// Of several only the last is told of: what it says is what counts.
			runFake(t, t.Context(), e, "backup", "fake", "--quiet")
			if _, sets, _ := run(t, "sets"); strings.Count(sets, "it means") != 1 || strings.Count(sets, " interrupted ") != 2 {
				t.Errorf("after a second one:\n%s", sets)
			}

			// It ends with the next backup that succeeds.
			e.fail[step] = nil
			if code, _, stderr := runFake(t, t.Context(), e, "backup", "fake"); code != exitOK {
				t.Fatal(stderr)
			}
			if _, sets, _ := run(t, "sets"); strings.Contains(sets, "it means") {
				t.Errorf("after a complete set:\n%s", sets)
			}
		})
	}
}

func TestBackup_Ends(t *testing.T) {
	tests := []struct {
		name   string
		change func(e *fakeEngine, cancel func())
		code   int
		stderr []string
	}{
		{"Locked", func(e *fakeEngine, _ func()) { e.fail[dbback.StepPrepare] = catalog.ErrLocked }, exitLocked, []string{"hint: Try it again\n", "hint: wait"}},
		{
			"Interrupted", func(e *fakeEngine, cancel func()) {
				e.at, e.what, e.fail[dbback.StepMark] = dbback.StepMark, cancel, context.Canceled
			},
			exitInterrupted,
			[]string{"step mark: interrupted\n", "hint: The history is gone", "hint: Run it again soon\n"},
		},
		{"InterruptedPreflight", func(e *fakeEngine, _ func()) { e.fail["preflight"] = context.Canceled }, exitInterrupted, []string{"preflight: interrupted\n"}},
		{"NoAnswer", func(e *fakeEngine, _ func()) { e.fail["preflight"] = errors.New("down") }, exitFailure, []string{"datfs: back up FAKE: preflight: down\n"}},
		{
			"Warnings", func(e *fakeEngine, _ func()) { e.warnings = []string{"one", "two"} }, exitWarnings,
			[]string{"warning: one\nwarning: two\n", "the set is complete, but with 2 warnings: see above\n"},
		},
		{
			"JournalGone", func(e *fakeEngine, _ func()) { e.missing = []string{"20261121.003 was purged"} }, exitWarnings,
			[]string{"error: 20261121.003 was purged\n", "the set is incomplete: 1 error: see above\n", "hint: "},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fakeRepo(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e := newFakeEngine(t)
			tt.change(e, cancel)
			code, _, stderr := runFake(t, ctx, e, "backup", "fake", "--quiet")
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			wantAll(t, "standard error", stderr, tt.stderr...)
		})
	}
}

// TestPrintDirty_Product holds that the advice names the product's own tools.
func TestPrintDirty_Product(t *testing.T) {
	m := &catalog.Method{
		Databases:    []catalog.Database{{Paths: []string{"/d/IRIS.DAT"}}},
		Incrementals: []string{"a.cbk", "b.cbk"},
		Journal:      &catalog.JournalRange{Required: "/j/1", Files: []string{"1z"}},
	}
	r := &dbback.RestoreReport{Set: "P/1", To: "/r", Files: []dbback.RestoredFile{{Path: "/d/IRIS.DAT", Target: "/r/d/IRIS.DAT"}, {Path: "b.cbk", Target: "/r/incremental/b.cbk"}}}
	var b bytes.Buffer
	printDirty(&b, "datfs", &catalog.SetInfo{Engine: "iris", Method: m}, r)
	wantAll(t, "iris", b.String(), "1. apply a.cbk (not restored: datfs restore P/1 --to /r --only a.cbk), with ^DBREST", "2. apply /r/incremental/b.cbk, with ^DBREST",
		"3. restore the journals from 1 on, which begin with 1z (not restored", ", with ^JRNRESTO", "4. check the integrity of the databases, with ^Integrity; only then let users in\n")
	b.Reset()
	printDirty(&b, "datfs", &catalog.SetInfo{Engine: "iris", Method: m}, &dbback.RestoreReport{Set: "P/1", To: "/", Files: r.Files[:1]})
	wantAll(t, "to /", b.String(), "a.cbk (not restored: datfs restore P/1 --to DIR --only a.cbk)")
	b.Reset()
	printDirty(&b, "datfs", &catalog.SetInfo{Engine: "another", Method: m}, r)
	if strings.Contains(b.String(), ", with ") {
		t.Errorf("tools of another product:\n%s", b.String())
	}
	b.Reset()
	r.Files[0].Error = "no space"
	printDirty(&b, "datfs", &catalog.SetInfo{Engine: "iris", Method: m}, r)
	if b.Len() > 0 {
		t.Errorf("no database was restored, but:\n%s", b.String())
	}
}

// TestStillCutOff holds which cut-off backups sets goes on to tell of.
func TestStillCutOff(t *testing.T) {
	set := func(instance, name string, state catalog.State, means string) *catalog.SetInfo {
		return &catalog.SetInfo{Instance: instance, Name: name, State: state, Steps: []catalog.Step{{Name: "mark", Means: means}}}
	}
	const first, second = "2026-11-22T03-00-00Z", "2026-11-23T03-00-00Z"
	atRest := set("A", second, catalog.StateComplete, "")
	atRest.Steps = nil
	cut := set("A", first, catalog.StateInterrupted, "bad")
	for _, tt := range []struct {
		name  string
		later *catalog.SetInfo
		want  bool
	}{
		{"Complete", set("A", second, catalog.StateComplete, "x"), false},
		{"Running", set("A", second, catalog.StateRunning, ""), false},
		{"CutOffToo", set("A", second, catalog.StateInterrupted, "bad"), false},
		{"CutOffBeforeAnything", set("A", second, catalog.StateInterrupted, ""), true},
		{"OtherInstance", set("B", second, catalog.StateComplete, "x"), true},
		{"FilesAtRest", atRest, true},
	} {
		if got := stillCutOff([]*catalog.SetInfo{cut, tt.later}, cut); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestDryRun(t *testing.T) {
	t.Setenv(repoEnv, "") // it needs none
	e := newFakeEngine(t)
	e.findings = []catalog.Finding{odd}
	code, stdout, stderr := runFake(t, t.Context(), e, "backup", "fake", "--dry-run")
	want := `dry run: nothing is done. A backup of FAKE would copy 2 databases, 2.0 MiB:

prepare: make a directory
    /scratch/FAKE

mark: count changes
    > write $$CLRINC^DBACK("QUIET")
`
	if code != exitOK || stdout != want || !strings.HasPrefix(stderr, "WARN  journal purge") {
		t.Errorf("exit code %d\n%s\nwant\n%s\n%s", code, stdout, want, stderr)
	}
	if e.run != nil {
		t.Error("a dry run began a run")
	}
	e.findings = []catalog.Finding{bad}
	fakeRepo(t)
	code, stdout, stderr = runFake(t, t.Context(), e, "backup", "fake", "--dry-run", "--json")
	plan := decode[wantDryRun](t, []byte(stdout))
	if code != exitUnfit || len(plan.Steps) != 2 || len(plan.Findings) != 4 || len(plan.Databases) != 2 || plan.Version != "Fake 1.0" {
		t.Errorf("--json: exit code %d, %+v\n%s", code, plan, stderr)
	}
	if _, stdout, _ := run(t, "sets", "--json"); stdout != "[]\n" {
		t.Errorf("a dry run left a set: %s", stdout)
	}
}

func TestRestore_Dirty(t *testing.T) {
	fakeRepo(t)
	e := newFakeEngine(t)
	if code, _, stderr := runFake(t, t.Context(), e, "backup", "fake"); code != exitOK {
		t.Fatal(stderr)
	}
	to := t.TempDir()
	code, _, stderr := run(t, "restore", "FAKE/latest", "--to", to, "--quiet")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	wantAll(t, "restore", stderr, "ATTENTION: these databases are not usable yet.", "DAMAGED",
		"\n  1. apply "+to+"/incremental/20261122.cbk\n",
		"  2. restore the journals from 20261122.001 on, which begin with "+to+"/journals/20261122.001\n", "  3. check")
	for _, name := range []string{"incremental/20261122.cbk", "journals/20261122.001", "configuration/iris.cpf"} {
		if _, err := os.Stat(filepath.Join(to, name)); err != nil {
			t.Error(err)
		}
	}
	// What is left out is said to be missing; what harms nobody is not warned of.
	_, _, stderr = run(t, "restore", "FAKE/latest", "--to", to+"/b", "--only", e.dir+"/user/IRIS.DAT", "--quiet")
	wantAll(t, "restore --only", stderr, "1. apply 20261122.cbk (not restored: datfs restore FAKE/", " --to "+to+"/b --only 20261122.cbk)\n")
	for _, args := range [][]string{{"--only", "20261122.cbk"}, {"--dry-run"}} {
		if _, _, stderr := run(t, append([]string{"restore", "FAKE/latest", "--to", to + "/c", "--quiet"}, args...)...); stderr != "" {
			t.Errorf("%v: %s", args, stderr)
		}
	}
}

// TestRestore_InUse keeps a restore off databases that are in use.
func TestRestore_InUse(t *testing.T) {
	fakeRepo(t)
	e := newFakeEngine(t)
	if code, _, stderr := runFake(t, t.Context(), e, "backup", "fake"); code != exitOK {
		t.Fatal(stderr)
	}
	path, lock := filepath.Join(e.dir, "user/IRIS.DAT"), filepath.Join(e.dir, "user/iris.lck")
	for name, content := range map[string]string{path: "live", lock: "lock"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"restore", "FAKE/latest", "--to", "/", "--only", path, "--quiet"}
	code, _, stderr := run(t, args...)
	if b, err := os.ReadFile(path); code != exitUnfit || err != nil || string(b) != "live" {
		t.Errorf("exit code %d, %q, %v", code, b, err)
	}
	wantAll(t, "restore", stderr, "databases in use would be written over: "+lock+" says", "nothing was written. close them", "--in-use")
	code, _, stderr = run(t, append(args, "--in-use")...)
	if b, err := os.ReadFile(path); code != exitOK || err != nil || string(b) == "live" {
		t.Errorf("exit code %d, %q, %v\n%s", code, b, err, stderr)
	}
	wantAll(t, "restore --in-use", stderr, path+" exists: a copy that was taken in use goes over it, DAMAGED until")
}
