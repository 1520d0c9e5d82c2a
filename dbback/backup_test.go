package dbback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// A fakeEngine does what an engine would, on plain files, and notes the order.
type fakeEngine struct {
	dir     string // of its databases and its working directories
	calls   []string
	failAt  string            // the call that fails
	lists   [][]string        // database names of each List, the last again and again
	at      map[string]func() // run at the start of a call
	missing []string
	checks  []string
	need    int64
	run     *Run
	find    []catalog.Finding
}

var errFake = errors.New("the instance said no")

func (e *fakeEngine) call(name string) error {
	e.calls = append(e.calls, name)
	if f := e.at[name]; f != nil {
		f()
	}
	if e.run != nil && name != "end" {
		e.run.Transcript(name, "> "+name+"\n< done\n")
	}
	if e.failAt == name {
		return errFake
	}
	return nil
}

func (e *fakeEngine) Name() string { return "fake" }

func (e *fakeEngine) Preflight(context.Context) (*Survey, error) {
	return &Survey{Version: "Fake 1.0", Findings: e.find, Facts: map[string]string{"manager": e.dir}}, e.call("preflight")
}

func (e *fakeEngine) Plan(*Run, *Survey) []PlannedStep { return nil }
func (e *fakeEngine) workDir(run *Run) string          { return filepath.Join(e.dir, "work-"+run.Set.Name) }
func (e *fakeEngine) Leaves(run *Run) []string         { return []string{e.workDir(run)} }

func (e *fakeEngine) Begin(_ context.Context, run *Run) error {
	e.run = run
	return errors.Join(os.Mkdir(e.workDir(run), 0o700), e.call("begin"))
}

func (e *fakeEngine) List(context.Context) ([]catalog.Database, error) {
	names := e.lists[0]
	if len(e.lists) > 1 {
		e.lists = e.lists[1:]
	}
	var dbs []catalog.Database
	for _, name := range names {
		dir := filepath.Join(e.dir, name) + "/"
		dbs = append(dbs, catalog.Database{Name: strings.ToUpper(name), Directory: dir, Paths: []string{dir + "IRIS.DAT"}, Mounted: true})
	}
	return dbs, e.call("list")
}

func (e *fakeEngine) Mark(context.Context) error   { return e.call("mark") }
func (e *fakeEngine) Record(context.Context) error { return e.call("record") }

func (e *fakeEngine) Estimate(context.Context) (int64, string, error) {
	return e.need, e.workDir(e.run), e.call("estimate")
}

func (e *fakeEngine) Incremental(context.Context) (*Incremental, error) {
	path := filepath.Join(e.workDir(e.run), "i.cbk")
	if err := os.WriteFile(path, []byte("what changed"), 0o600); err != nil {
		return nil, err
	}
	return &Incremental{
		Files: []StoredFile{{Path: path, Name: "i.cbk", Section: catalog.SectionIncremental, Needed: true}},
		Apply: []string{"i.cbk"}, Journal: &catalog.JournalRange{Required: "/j/1"},
	}, e.call("incremental")
}

func (e *fakeEngine) Journals(context.Context) (*Journals, error) {
	path := filepath.Join(e.dir, "20261122.001")
	if err := os.WriteFile(path, []byte("journal"), 0o600); err != nil {
		return nil, err
	}
	return &Journals{
		Range: &catalog.JournalRange{Required: path, Files: []string{"20261122.001"}},
		Files: []StoredFile{
			{Path: path, Name: "20261122.001", Section: catalog.SectionJournals, Needed: true},
			{Path: filepath.Join(e.dir, "no.cpf"), Name: "no.cpf", Section: catalog.SectionConfiguration},
		},
		Missing: e.missing,
	}, e.call("journals")
}

func (e *fakeEngine) End(ctx context.Context, keep bool) error {
	if err := errors.Join(ctx.Err(), e.call("end")); err != nil || keep {
		return err
	}
	return os.RemoveAll(e.workDir(e.run))
}

func (e *fakeEngine) Check(catalog.Database, catalog.FileInfo) []string { return e.checks }

func (e *fakeEngine) Sentences(step string) (means, next string) {
	if step == StepPrepare {
		return "", "Try again."
	}
	return "Means of " + step + ".", "Next of " + step + "."
}

// newFake returns an engine with the databases "app" and "user".
func newFake(t *testing.T) *fakeEngine {
	t.Helper()
	e := &fakeEngine{dir: t.TempDir(), lists: [][]string{{"user", "app"}}, at: map[string]func(){}}
	for _, name := range []string{"user", "app", "new"} {
		put(t, filepath.Join(mkdir(t, e.dir, name), "IRIS.DAT"), irisFile(40))
	}
	return e
}

func (e *fakeEngine) backup(t *testing.T, repo *testRepo, opts BackupOptions) (*catalog.SetInfo, error) {
	t.Helper()
	opts.Instance, opts.Program, opts.Log = "PROD", "test", t.Logf
	return Backup(t.Context(), repo.Repository, e, opts)
}

// only returns the one set of the repository.
func (r *testRepo) only(t *testing.T) *catalog.SetInfo {
	t.Helper()
	sets, err := r.Sets()
	if err != nil || len(sets) != 1 {
		t.Fatalf("sets = %v, %v; want one", sets, err)
	}
	return sets[0]
}

// read returns a stored file of a set.
func (r *testRepo) read(t *testing.T, name catalog.SetName, section catalog.Section, path string) string {
	t.Helper()
	set, err := r.OpenSet(name)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for i, f := range set.Info().Files {
		if f.Section == section && f.Path == path {
			b, err := io.ReadAll(io.NewSectionReader(set.File(i), 0, f.Size))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	t.Fatalf("%v has no %s in %s", name, path, section)
	return ""
}

var wholeOrder = []string{"preflight", "begin", "list", "mark", "list", "record", "estimate", "incremental", "journals", "end"}

func TestBackup_Complete(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	var steps []string
	e.at["mark"] = func() { // what is written after the mark may be in the copy or not, but the mark comes first
		edit(t, filepath.Join(e.dir, "user", "IRIS.DAT"), 5*8192, []byte("written after the mark"))
	}
	e.at["end"] = func() { // removes the incremental: only when the set has it for good
		if info := repo.only(t); info.State != catalog.StateComplete {
			t.Errorf("at the end the set is %s", info.State)
		}
	}
	var progress catalog.Progress
	_, err := e.backup(t, repo, BackupOptions{
		Progress: &progress,
		Step: func(step, what string) {
			steps = append(steps, step)
			if what == "" {
				t.Errorf("step %s has no words", step)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.calls, wholeOrder) {
		t.Errorf("calls = %v, want %v", e.calls, wholeOrder)
	}
	wantSteps := []string{"preflight", StepPrepare, StepMark, StepCopy, StepList, StepRecord, StepEstimate, StepIncremental, StepJournals, StepSeal}
	if !slices.Equal(steps, wantSteps) {
		t.Errorf("steps = %v, want %v", steps, wantSteps)
	}
	info := repo.only(t)
	if info.State != catalog.StateComplete || info.Engine != "fake" || info.Databases != 2 {
		t.Errorf("set = %+v", info)
	}
	m := info.Method
	if m == nil || m.ProductVersion != "Fake 1.0" || len(m.Databases) != 2 || !slices.Equal(m.Incrementals, []string{"i.cbk"}) ||
		m.Journal == nil || len(m.Journal.Files) != 1 || m.Facts["manager"] != e.dir {
		t.Errorf("method = %+v", m)
	}
	var recorded []string
	for _, s := range info.Steps {
		recorded = append(recorded, s.Name)
	}
	if !slices.Equal(recorded, wantSteps[1:]) {
		t.Errorf("recorded steps = %v, want %v", recorded, wantSteps[1:])
	}
	name := info.SetName()
	if got := repo.read(t, name, catalog.SectionDatabases, filepath.Join(e.dir, "user", "IRIS.DAT")); !strings.Contains(got, "written after the mark") {
		t.Error("the copy was made before the mark")
	}
	if got := repo.read(t, name, catalog.SectionIncremental, "i.cbk"); got != "what changed" {
		t.Errorf("incremental = %q", got)
	}
	if got := repo.read(t, name, catalog.SectionJournals, "20261122.001"); got != "journal" {
		t.Errorf("journal = %q", got)
	}
	if got := repo.read(t, name, catalog.SectionTranscripts, "02-list.txt"); got != "> list\n< done\n" {
		t.Errorf("transcript = %q", got)
	}
	if _, warnings := fatal(info); len(warnings) != 1 || !strings.Contains(warnings[0], "no.cpf") {
		t.Errorf("warnings = %q, want one of the configuration file that is not there", warnings)
	}
	if left := names(t, e.dir); slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, "work-") }) {
		t.Errorf("left behind: %v", left)
	}
	if progress.Done() != progress.Total() || progress.Total() == 0 {
		t.Errorf("progress: %d of %d", progress.Done(), progress.Total())
	}
}

// Every call that fails, and what is left of the set then.
func TestBackup_StepFails(t *testing.T) {
	tests := []struct {
		call, step string
		kept       bool // an interrupted set
	}{
		{"begin", StepPrepare, false},
		{"list", StepPrepare, false},
		{"mark", StepMark, true},
		{"record", StepRecord, true},
		{"estimate", StepEstimate, true},
		{"incremental", StepIncremental, true},
		{"journals", StepJournals, true},
	}
	for _, tt := range tests {
		t.Run(tt.call, func(t *testing.T) {
			repo, e := newRepo(t), newFake(t)
			e.failAt = tt.call
			_, err := e.backup(t, repo, BackupOptions{})
			se, ok := errors.AsType[*StepError](err)
			if !ok || !errors.Is(err, errFake) || se.Step != tt.step || se.Next == "" || (se.Means != "") != tt.kept || se.Kept != tt.kept {
				t.Fatalf("error = %v (%+v)", err, se)
			}
			if n := len(e.calls); (e.calls[n-1] == "end") != (tt.call != "begin") {
				t.Errorf("calls = %v", e.calls)
			}
			if !tt.kept {
				if sets, err := repo.Sets(); err != nil || len(sets) != 0 {
					t.Errorf("sets = %v, %v", sets, err)
				}
				return
			}
			info := repo.only(t)
			last := info.LastStep()
			if info.State != catalog.StateInterrupted || last == nil || last.Name != tt.step || last.Means != se.Means || last.Next != se.Next {
				t.Errorf("set = %+v, last step %+v", info, last)
			}
			if bad, _ := fatal(info); len(bad) == 0 || !strings.Contains(bad[len(bad)-1], errFake.Error()) {
				t.Errorf("problems = %v", info.Problems)
			}
			repo.read(t, info.SetName(), catalog.SectionTranscripts, "01-begin.txt")

			e.failAt = "" // the next one succeeds, and takes its place
			if _, err := e.backup(t, repo, BackupOptions{}); err != nil {
				t.Fatal(err)
			}
			if info := repo.only(t); info.State != catalog.StateComplete {
				t.Errorf("set = %+v", info)
			}
		})
	}
}

func TestBackup_Preflight(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	e.find = []catalog.Finding{{Level: catalog.LevelWarn, Check: "a"}, {Level: catalog.LevelFail, Check: "b"}}
	_, err := e.backup(t, repo, BackupOptions{})
	pe, ok := errors.AsType[*PreflightError](err)
	if !ok || len(pe.Survey.Findings) != 3 || !strings.HasSuffix(err.Error(), ": b") {
		t.Fatalf("error = %v", err)
	}
	if !slices.Equal(e.calls, []string{"preflight"}) {
		t.Errorf("calls = %v", e.calls)
	}
	e.find = e.find[:1] // a warning alone keeps nothing from being done
	info, err := e.backup(t, repo, BackupOptions{})
	if err != nil || len(info.Findings) != 2 || info.Findings[0].Check != "a" {
		t.Errorf("set = %+v, %v", info, err)
	}
}

func TestBackup_ListChanges(t *testing.T) {
	one, two := []string{"user", "app"}, []string{"app", "user", "new"}
	tests := []struct {
		name  string
		lists [][]string
		marks int
		want  string // error
		dbs   int
	}{
		{"order does not matter", [][]string{one, {"app", "user"}}, 1, "", 2},
		{"once, then the same", [][]string{one, two, two, two}, 2, "", 3},
		{"twice", [][]string{one, two, two, one}, 2, "removed: ", 0},
		{"database gone, then the same", [][]string{two, one, one, one}, 2, "", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo, e := newRepo(t), newFake(t)
			e.lists = tt.lists
			info, err := e.backup(t, repo, BackupOptions{})
			marks := 0
			for i, c := range e.calls {
				if c == "mark" {
					marks++
				}
				if c == "record" && e.calls[i-1] != "list" {
					t.Errorf("calls = %v", e.calls)
				}
			}
			if marks != tt.marks {
				t.Errorf("%d marks, want %d: %v", marks, tt.marks, e.calls)
			}
			if tt.want == "" {
				if err != nil || info.Databases != tt.dbs || repo.only(t).State != catalog.StateComplete {
					t.Errorf("set = %+v, %v", info, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), filepath.Join(e.dir, "new")) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestBackup_Incomplete(t *testing.T) {
	for name, prepare := range map[string]func(e *fakeEngine){
		"database cannot be read": func(e *fakeEngine) { e.at["mark"] = func() { os.Remove(filepath.Join(e.dir, "app", "IRIS.DAT")) } },
		"journal purged":          func(e *fakeEngine) { e.missing = []string{"20261122.000 is gone"} },
	} {
		t.Run(name, func(t *testing.T) {
			repo, e := newRepo(t), newFake(t)
			prepare(e)
			info, err := e.backup(t, repo, BackupOptions{})
			if err != nil || info.State != catalog.StateIncomplete {
				t.Fatalf("set = %+v, %v", info, err)
			}
			if !slices.Equal(e.calls, wholeOrder) {
				t.Errorf("calls = %v", e.calls)
			}
			if bad, _ := fatal(repo.only(t)); len(bad) != 1 {
				t.Errorf("problems = %v", bad)
			}
		})
	}
}

func TestBackup_NothingToCopy(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	e.at["mark"] = func() { os.RemoveAll(filepath.Join(e.dir, "app")); os.RemoveAll(filepath.Join(e.dir, "user")) }
	if _, err := e.backup(t, repo, BackupOptions{}); err == nil || slices.Contains(e.calls, "record") {
		t.Errorf("error = %v, calls = %v", err, e.calls)
	}
	e.lists = [][]string{{}}
	e.calls = nil
	if _, err := e.backup(t, repo, BackupOptions{}); err == nil || slices.Contains(e.calls, "mark") {
		t.Errorf("error = %v, calls = %v", err, e.calls)
	}
}

func TestBackup_IncrementalSpace(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	e.need = 1 << 60
	if _, err := e.backup(t, repo, BackupOptions{}); err == nil || !strings.Contains(err.Error(), "MiB free") || slices.Contains(e.calls, "incremental") {
		t.Errorf("error = %v, calls = %v", err, e.calls)
	}
	info, err := e.backup(t, repo, BackupOptions{IgnoreSpace: true})
	if err != nil || info.State != catalog.StateComplete {
		t.Fatalf("set = %+v, %v", info, err)
	}
	if _, warnings := fatal(info); !slices.ContainsFunc(warnings, func(s string) bool { return strings.Contains(s, "MiB free") }) {
		t.Errorf("warnings = %v", warnings)
	}
	e.need = -1 // unknown
	if _, err := e.backup(t, repo, BackupOptions{}); err != nil {
		t.Error(err)
	}
}

func TestBackup_CheckAndKeep(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	e.checks = []string{"the label says something else"}
	info, err := e.backup(t, repo, BackupOptions{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	_, warnings := fatal(info)
	if n := strings.Count(strings.Join(warnings, "\n"), "something else"); n != 2 || info.State != catalog.StateComplete {
		t.Errorf("warnings = %v", warnings)
	}
	work := filepath.Join(e.dir, "work-"+info.Name)
	if _, err := os.Stat(filepath.Join(work, "i.cbk")); err != nil {
		t.Error(err)
	}
	if _, err := e.backup(t, repo, BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(work); err != nil {
		t.Errorf("what was to be kept was removed: %v", err)
	}
}

// A preflight that finds no room for the incremental ends the backup, unless that
// is to be ignored.
func TestBackup_NoRoom(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	e.find = []catalog.Finding{{Level: catalog.LevelFail, Check: CheckIncremental, Text: "full"}}
	if _, err := e.backup(t, repo, BackupOptions{}); err == nil || slices.Contains(e.calls, "begin") {
		t.Errorf("error = %v, calls %v", err, e.calls)
	}
	info, err := e.backup(t, repo, BackupOptions{IgnoreSpace: true})
	if err != nil {
		t.Fatal(err)
	}
	if f := info.Findings[0]; f.Level != catalog.LevelWarn || f.Text != "full" {
		t.Errorf("finding %+v", f)
	}
}

// A backup that is cut off says so, and cleans up after itself.
func TestBackup_Interrupted(t *testing.T) {
	for _, call := range []string{"mark", "incremental"} {
		repo, e := newRepo(t), newFake(t)
		ctx, cancel := context.WithCancel(t.Context())
		e.at[call] = cancel
		e.failAt = call
		_, err := Backup(ctx, repo.Repository, e, BackupOptions{Instance: "PROD"})
		if err == nil || repo.only(t).State != catalog.StateInterrupted {
			t.Errorf("%s: error = %v", call, err)
		}
		if got := e.calls[len(e.calls)-1]; got != "end" {
			t.Errorf("%s: last call %s", call, got)
		}
	}
}

// What a killed run left is removed by the next one; nothing else is.
func TestBackup_Leftovers(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	old := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	w, err := repo.Begin(catalog.BeginOptions{Instance: "PROD", Engine: "fake", Time: old})
	if err != nil {
		t.Fatal(err)
	}
	mine := mkdir(t, e.dir, "work-"+w.Name().Name)
	put(t, filepath.Join(mine, "i.cbk"), []byte("left"))
	others := mkdir(t, e.dir, "precious")
	put(t, filepath.Join(others, "file"), []byte("kept"))
	step := catalog.Step{Name: StepPrepare, Means: "something", Leaves: []string{mine, others, "relative-" + w.Name().Name}}
	if err := w.Step(step); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(errFake); err != nil {
		t.Fatal(err)
	}
	if got := repo.only(t); got.LastStep() == nil || got.LastStep().Means != "something" {
		t.Fatalf("set = %+v", got)
	}
	e.at["preflight"] = func() { // it looks at the space that this took
		if _, err := os.Stat(mine); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", mine)
		}
	}
	if _, err := e.backup(t, repo, BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(others, "file")); err != nil {
		t.Error(err)
	}
}

// The database is read no faster than asked for. The backup is given up some
// time after the first read, not after its start: how long the steps before the
// copy take is not what is tested.
func TestBackup_IOLimit(t *testing.T) {
	repo, e := newRepo(t), newFake(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	path := filepath.Join(e.dir, "user", "IRIS.DAT")
	put(t, path, noise(1, 16<<20))
	opts := BackupOptions{Instance: "PROD", IOLimit: 1 << 10, wrap: hookOn(path, func(call int) {
		if call == 1 {
			time.AfterFunc(200*time.Millisecond, func() { cancel(errFake) })
		}
	})}
	// 16 MiB at 1 KiB a second: only the burst can be through by then.
	if _, err := Backup(ctx, repo.Repository, e, opts); err == nil {
		t.Fatal("the limit was not kept")
	}
	if got := repo.only(t); got.Bytes > 8<<20 {
		t.Errorf("%d bytes are stored", got.Bytes)
	}
}

// An engine that can read its incremental.
type fakeOverlayer struct {
	*fakeEngine
	change catalog.Change
	err    error
}

func (e *fakeOverlayer) Overlay(_ context.Context, db catalog.Database, f catalog.FileInfo) (*Overlay, error) {
	if db.Name != "USER" {
		return nil, e.err
	}
	return &Overlay{Size: f.Size, Changes: func(yield func(catalog.Change, error) bool) { yield(e.change, nil) }}, nil
}

func TestBackup_Overlay(t *testing.T) {
	repo, fake := newRepo(t), newFake(t)
	e := &fakeOverlayer{fake, catalog.Change{Offset: 7*8192 + 5, Data: []byte("what the incremental says")}, errFake}
	info, err := Backup(t.Context(), repo.Repository, e, BackupOptions{Instance: "PROD"})
	if err != nil || info.State != catalog.StateComplete || info.Databases != 2 {
		t.Fatalf("set = %+v, %v", info, err)
	}
	path := filepath.Join(e.dir, "user", "IRIS.DAT")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(want[e.change.Offset:], e.change.Data)
	if got := repo.read(t, info.SetName(), catalog.SectionConsistent, path); got != string(want) {
		t.Error("the database is not as the incremental makes it")
	}
	if _, warnings := fatal(info); !slices.ContainsFunc(warnings, func(s string) bool { return strings.Contains(s, errFake.Error()) }) {
		t.Errorf("warnings = %v", warnings)
	}
	to := t.TempDir()
	report, err := Restore(t.Context(), repo.Repository, RestoreOptions{
		Set: info.SetName(), To: to, Section: catalog.SectionConsistent, Only: []string{"IRIS.DAT"},
	})
	if err != nil || len(report.Files) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got, err := os.ReadFile(filepath.Join(to, path)); err != nil || string(got) != string(want) {
		t.Errorf("restored %d bytes, %v", len(got), err)
	}
	report = repo.restore(t, info, t.TempDir())
	for _, f := range report.Files {
		if strings.Contains(f.Target, "/consistent/") {
			t.Errorf("restored %s", f.Target)
		}
	}
}

func TestCompareLists(t *testing.T) {
	db := func(dir string, paths ...string) catalog.Database {
		return catalog.Database{Directory: dir, Paths: paths}
	}
	a := []catalog.Database{db("/a/", "/a/IRIS.DAT"), db("/b/", "/b/IRIS.DAT")}
	if err := compareLists(a, []catalog.Database{a[1], a[0]}); err != nil {
		t.Error(err)
	}
	volume := []catalog.Database{db("/a/", "/a/IRIS.DAT", "/v/IRIS-0001.VOL"), a[1]}
	err := compareLists(a, volume)
	change, ok := errors.AsType[*ListChangedError](err)
	if !ok || !slices.Equal(change.Added, []string{"/v/IRIS-0001.VOL"}) || len(change.Removed) != 0 {
		t.Errorf("%v", err)
	}
	if fmt.Sprint(compareLists(a, nil)) == fmt.Sprint(compareLists(nil, a)) {
		t.Error("what was added and what was removed look the same")
	}
}
