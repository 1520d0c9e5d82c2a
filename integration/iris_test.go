package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// An irisSite is a practice instance in this process, and a repository for it.
type irisSite struct {
	inst   *practice.Instance
	dir    string // the instance's
	repo   string
	oplog  string
	beside []string // directories of other instances whose iris command is on the PATH
}

// newSite makes an instance with small databases and starts it.
func newSite(t *testing.T, opts practice.StartOptions) *irisSite {
	t.Helper()
	dir := t.TempDir()
	s := &irisSite{dir: filepath.Join(dir, "instance"), repo: newRepository(t), oplog: filepath.Join(dir, "oplog")}
	err := practice.Create(t.Context(), practice.CreateOptions{Dir: s.dir, Size: 4 << 20, Executable: program, Oplog: s.oplog})
	if err != nil {
		t.Fatal(err)
	}
	opts.Oplog = s.oplog
	if opts.FlushEvery == 0 {
		opts.FlushEvery = 100 * time.Millisecond
	}
	s.start(t, opts)
	t.Cleanup(func() { _ = s.inst.Stop() })
	return s
}

func (s *irisSite) start(t *testing.T, opts practice.StartOptions) {
	t.Helper()
	var err error
	if s.inst, err = practice.Start(t.Context(), s.dir, opts); err != nil {
		t.Fatal(err)
	}
}

// command prepares a run of datfs for which iris is the instance's.
func (s *irisSite) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := command(t, append([]string{"--repo", s.repo}, args...)...)
	path := ""
	for _, dir := range append([]string{s.dir}, s.beside...) {
		path += filepath.Join(dir, "bin") + ":"
	}
	// An instance that datfs starts has no users: what it holds is what was restored.
	cmd.Env = append(cmd.Env, "PATH="+path+os.Getenv("PATH"), "DATFS_PRACTICE_LOAD="+practice.LoadNone)
	return cmd
}

func (s *irisSite) datfs(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, s.command(t, args...))
}

// backup takes a backup, which must end with the exit code.
func (s *irisSite) backup(t *testing.T, code int, flags ...string) result {
	t.Helper()
	args := append([]string{"backup", "iris", "--instance", "PRACTICE"}, flags...)
	r := s.datfs(t, args...)
	if r.code != code {
		t.Fatalf("%s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// newest returns the newest set of any state, nil if there is none.
func (s *irisSite) newest(t *testing.T) *catalog.SetInfo {
	t.Helper()
	var sets []*catalog.SetInfo
	if err := json.Unmarshal([]byte(s.datfs(t, "sets", "--json").stdout), &sets); err != nil {
		t.Fatal(err)
	}
	if len(sets) == 0 {
		return nil
	}
	var info catalog.SetInfo
	out := s.datfs(t, "show", "--json", sets[len(sets)-1].SetName().String())
	if err := json.Unmarshal([]byte(out.stdout), &info); err != nil {
		t.Fatalf("%v\n%s%s", err, out.stdout, out.stderr)
	}
	return &info
}

// session runs lines in a session of the instance and returns what it said.
func (s *irisSite) session(t *testing.T, lines ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.inst.Command("iris"), "session", s.inst.Name(), "-U", "%SYS")
	cmd.Stdin = strings.NewReader(strings.Join(append(lines, "halt"), "\n") + "\n")
	r := finish(t, cmd)
	if r.code != 0 {
		t.Fatalf("session: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// work returns where the engine puts what a run makes.
func (s *irisSite) work() string { return filepath.Join(s.dir, "mgr", "Backup", "datfs") }

// leftovers returns what runs have left in the working directory.
func (s *irisSite) leftovers(t *testing.T) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(s.work())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			out = append(out, e.Name())
		}
	}
	return out
}

// database returns the directory of a database as the instance writes it.
func (s *irisSite) database(name string) string {
	return filepath.Join(s.dir, "mgr", name) + "/"
}

// A copyOut is one database of a set, copied out of the mount beside the original.
func (s *irisSite) copyOut(t *testing.T, mnt, set, name string) (dir string) {
	t.Helper()
	needTool(t, "rsync")
	dir = filepath.Join(s.dir, "mgr", name+"restored") + "/"
	if err := os.MkdirAll(dir, 0o775); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "rsync", "-a", "--inplace", "--exclude", "*.lck",
		filepath.Join(mnt, "sets", set, "databases", s.database(name))+"/", dir)
	return dir
}

// The whole way: backups of an instance under heavy load, the set in the mount,
// one database copied out beside the original, found damaged as it is, made sound
// by the incremental, and brought by the journals to the last change.
func TestIris_WholeWay(t *testing.T) {
	needFUSE(t)
	s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	if r := s.datfs(t, "check", "iris", "--instance", "PRACTICE"); r.code != 0 && r.code != 3 {
		t.Fatalf("check: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	s.backup(t, 0, slowly...)
	first := s.newest(t)
	s.backup(t, 0, slowly...)
	second := s.newest(t)
	for _, info := range []*catalog.SetInfo{first, second} {
		if info.State != catalog.StateComplete || info.Engine != "iris" || info.Databases < 3 || len(info.Problems) != 0 {
			t.Fatalf("set = %+v", info)
		}
		checkParts(t, info)
	}
	if second.Name == first.Name {
		t.Fatalf("one set only: %s", first.Name)
	}
	if left := s.leftovers(t); len(left) != 0 {
		t.Errorf("left in %s: %v", s.work(), left)
	}

	mnt := mount(t, s.repo)
	set := second.SetName().String()
	s.checkMount(t, mnt, second)
	damaged := 0
	for _, name := range []string{"user", "app"} {
		damaged += s.restoreBeside(t, mnt, second, name)
	}
	if damaged == 0 {
		t.Errorf("no dirty copy of %s was damaged: this proves nothing of the incremental", set)
	}
	mustDatfs(t, "--repo", s.repo, "verify")
}

// checkParts looks at what a set must have beside its databases.
func checkParts(t *testing.T, info *catalog.SetInfo) {
	t.Helper()
	m := info.Method
	if m == nil || m.Journal == nil || len(m.Incrementals) != 1 || len(m.Journal.Files) == 0 || len(m.Databases) == 0 {
		t.Fatalf("method = %+v", m)
	}
	have := func(section catalog.Section, name string) bool {
		return slices.ContainsFunc(info.Files, func(f catalog.FileInfo) bool {
			return f.Section == section && (f.Path == name || strings.TrimSuffix(f.Path, "z") == name) && f.Size > 0
		})
	}
	for _, want := range []struct {
		section catalog.Section
		name    string
	}{
		{catalog.SectionIncremental, m.Incrementals[0]},
		{catalog.SectionJournals, filepath.Base(m.Journal.Required)},
		{catalog.SectionJournals, filepath.Base(m.Journal.Marker)},
		{catalog.SectionJournals, "journal.log"},
		{catalog.SectionConfiguration, "iris.cpf"},
	} {
		if !have(want.section, want.name) {
			t.Errorf("%s has no %s/%s", info.SetName(), want.section, want.name)
		}
	}
	transcripts := 0
	for _, f := range info.Files {
		if f.Section == catalog.SectionTranscripts {
			transcripts++
		}
		if strings.HasSuffix(strings.ToLower(f.Path), ".lck") || strings.HasSuffix(strings.ToUpper(f.Path), ".WIJ") {
			t.Errorf("%s holds %s", info.SetName(), f.Path)
		}
	}
	if transcripts < 5 {
		t.Errorf("%s has %d transcripts", info.SetName(), transcripts)
	}
}

// checkMount looks at a set in the mount.
func (s *irisSite) checkMount(t *testing.T, mnt string, info *catalog.SetInfo) {
	t.Helper()
	dir := filepath.Join(mnt, "latest", info.Instance)
	if got, err := os.Readlink(dir); err != nil || filepath.Base(got) != info.Name {
		t.Errorf("latest is %s, %v", got, err)
	}
	needTool(t, "xxhsum")
	cmd := exec.CommandContext(t.Context(), "xxhsum", "--quiet", "-c", "SUMS.xxh64")
	cmd.Dir = dir
	if r := finish(t, cmd); r.code != 0 {
		t.Errorf("xxhsum: %s%s", r.stdout, r.stderr)
	}
	for _, name := range []string{"incremental", "journals", "configuration", "transcripts"} {
		if entries, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(entries) == 0 {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

// restoreBeside restores a database to another directory of the running instance
// and compares it with the original at the end of the last journal file. It
// returns 1 if the copy alone was damaged.
func (s *irisSite) restoreBeside(t *testing.T, mnt string, info *catalog.SetInfo, name string) (damaged int) {
	t.Helper()
	source := s.database(name)
	set := filepath.Join(mnt, "sets", info.SetName().String())
	target, findings, sound := s.heal(t, mnt, info, name)
	if !sound {
		t.Fatalf("%s: the copy with the incremental is damaged", name)
	}
	if len(findings) > 0 {
		damaged = 1
		t.Logf("%s: the copy alone has %d findings, such as %s", name, len(findings), findings[0].Text)
	}
	_, last, err := s.inst.Storage().SwitchJournal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended, err := s.inst.Storage().Journals()
	if err != nil {
		t.Fatal(err)
	}
	final := ended[slices.Index(ended, last)-1]
	first := filepath.Join(set, "journals", filepath.Base(info.Method.Journal.Required))
	out := s.session(t,
		fmt.Sprintf(`set j=##class(Journal.Restore).%%New(),j.FirstFile="%s",j.LastFile="%s",j.RollBack=1`, s.original(t, first), final),
		fmt.Sprintf(`set sc=j.SelectUpdates("%s") do j.RedirectDatabase("%s","%s")`, source, source, target),
		`set sc=j.Run() write !,"@@RUN|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`,
		fmt.Sprintf(`write !,"@@INT|",$system.Status.IsOK($$CheckList^Integrity(,$lb("%s"))),!`, target),
		fmt.Sprintf(`write !,"@@DM|",##class(SYS.Database).DismountDatabase("%s"),!`, target))
	if !strings.Contains(out, "@@RUN|1") || !strings.Contains(out, "@@INT|1") || !strings.Contains(out, "@@DM|1") {
		t.Fatalf("journals of %s:\n%s", name, out)
	}
	// What it must hold is known from a record that has nothing to do with
	// journals, blocks or backups.
	content, err := storage.ReplayOplog(s.oplog, final)
	if err != nil {
		t.Fatal(err)
	}
	got, err := storage.DigestFile(filepath.Join(target, "IRIS.DAT"))
	if err != nil {
		t.Fatal(err)
	}
	if content[source] == nil || got != content[source].Digest() {
		t.Errorf("%s restored is not what it was at the end of %s", name, final)
	}
	return damaged
}

// heal copies a database out of the mount, which has the findings by itself, and
// applies the incremental to it: it should be sound then.
func (s *irisSite) heal(t *testing.T, mnt string, info *catalog.SetInfo, name string) (target string, findings []storage.Finding, sound bool) {
	t.Helper()
	source := s.database(name)
	target = s.copyOut(t, mnt, info.SetName().String(), name)
	findings, err := storage.CheckFile(t.Context(), filepath.Join(target, "IRIS.DAT"))
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "dirlist.txt")
	if err := os.WriteFile(list, fmt.Appendf(nil, "%s,%s,N\n", source, target), 0o600); err != nil {
		t.Fatal(err)
	}
	cbk := filepath.Join(mnt, "sets", info.SetName().String(), "incremental", info.Method.Incrementals[0])
	out := s.session(t,
		fmt.Sprintf(`write !,"@@MT|",##class(SYS.Database).MountDatabase("%s"),!`, target),
		fmt.Sprintf(`set x=$$EXTSELCT^DBREST(1,0,"%s","%s",4,"","") write !,"@@REST|",x,!`, cbk, list),
		fmt.Sprintf(`write !,"@@INT|",$system.Status.IsOK($$CheckList^Integrity(,$lb("%s"))),!`, target))
	if !strings.Contains(out, "@@REST|1") || !strings.Contains(out, "@@INT|") {
		t.Fatalf("restore of %s:\n%s", name, out)
	}
	return target, findings, strings.Contains(out, "@@INT|1")
}

// The incremental holds what is changed in memory only when the mark is made: if
// CLRINC forgot that, nothing in the set would say so, and the database restored
// would be another one. Nothing is written to files here, and nothing changes, so
// that the copies alone are what the databases were long ago.
func TestIris_BrokenMark(t *testing.T) {
	needFUSE(t)
	for _, broken := range []bool{false, true} {
		s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy, FlushEvery: time.Hour})
		s.wait(t, "much is changed", func(st *practice.Status) bool { return st.Journal.Offset > 1<<20 })
		if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
			t.Fatal(err)
		}
		if broken {
			if err := s.inst.Fail("clear-without-flush"); err != nil {
				t.Fatal(err)
			}
		}
		s.backup(t, 0)
		target, _, _ := s.heal(t, mount(t, s.repo), s.newest(t), "user")
		s.session(t, fmt.Sprintf(`write ##class(SYS.Database).DismountDatabase("%s")`, target))
		_, last, err := s.inst.Storage().SwitchJournal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		content, err := storage.ReplayOplog(s.oplog, last)
		if err != nil {
			t.Fatal(err)
		}
		got, err := storage.DigestFile(filepath.Join(target, "IRIS.DAT"))
		if err != nil {
			t.Fatal(err)
		}
		if same := got == content[s.database("user")].Digest(); same == broken {
			t.Errorf("broken %v: what is restored is the same: %v", broken, same)
		}
	}
}

// original returns the path of a journal file of the set as the instance knows
// it: they have not been purged.
func (s *irisSite) original(t *testing.T, stored string) string {
	t.Helper()
	return filepath.Join(s.dir, "mgr", "journal", filepath.Base(stored))
}

// slowly makes a copy that takes a moment, so that it is a dirty one: it is read in
// pieces, between which the instance writes.
var slowly = []string{"--io-limit", "3MB/s"}

// slow is how long a failing session may take in the tests, and how long one that
// was aborted may take to end.
var slow = []string{"--step-timeout", "10s", "--backup-timeout", "10s"}

// Every failure that concerns a backup, what becomes of the run, and that the
// next one succeeds.
func TestIris_Failures(t *testing.T) {
	const none = catalog.State("")
	tests := []struct {
		fail  string // "" arms nothing
		code  int
		state catalog.State // of the newest set; none: nothing was done
		step  string        // the last one recorded
		says  string        // in what is printed
	}{
		// Sign-on and preflight: nothing is done.
		{"login-prompt", 4, none, "", "denies access"},
		{"access-denied", 4, none, "", "denies access"},
		{"license-limit", 4, none, "", "icence"},
		{"signon-inhibited", 4, none, "", "nhibited"},
		{"wrong-namespace USER", 4, none, "", "%SYS"},
		{"end session", 4, none, "", "ended before it had answered"},
		{"hang session", 4, none, "", "no answer within 10s"},
		{"dismounted USER", 4, none, "", "ismounted"},
		{"listdirs-fails", 4, none, "", "LISTDIRS"},
		{"trap LISTDIRS^DBACK <PROTECT>", 4, none, "", "PROTECT"},
		{"welcome", 0, catalog.StateComplete, "seal", ""},
		{"health hung", 0, catalog.StateComplete, "seal", "hung"},

		// The mark.
		{"clrinc-fails", 1, catalog.StateInterrupted, "mark", "CLRINC"},
		{"trap CLRINC^DBACK <PROTECT>", 1, catalog.StateInterrupted, "mark", "PROTECT"},
		{"answer CLRINC^DBACK 0", 1, catalog.StateInterrupted, "mark", "CLRINC"},
		{"hang CLRINC^DBACK", 1, catalog.StateInterrupted, "mark", "no answer within 10s"},
		{"prompt CLRINC^DBACK", 1, catalog.StateInterrupted, "mark", "CLRINC^DBACK"},
		{"end CLRINC^DBACK 1", 1, catalog.StateInterrupted, "mark", "ended before it had answered"},
		{"crash before CLRINC^DBACK", 1, catalog.StateInterrupted, "mark", "ended before it had answered"},
		{"crash after CLRINC^DBACK", 1, catalog.StateInterrupted, "mark", "ended before it had answered"},

		// The list, the record, the estimate.
		{"database-added", 0, catalog.StateComplete, "seal", "starts over"},
		{"crash before LISTDIRS^DBACK after=1", 1, none, "", "step prepare"},
		{"crash after LISTDIRS^DBACK after=1", 1, none, "", "step prepare"},
		{"crash before LISTDIRS^DBACK after=2", 1, catalog.StateInterrupted, "list", "ended before it had answered"},
		{"crash after LISTDIRS^DBACK after=2", 1, catalog.StateInterrupted, "list", "ended before it had answered"},
		{"crash before INT^DBSIZE", 1, catalog.StateInterrupted, "estimate", "ended before it had answered"},
		{"crash after INT^DBSIZE", 1, catalog.StateInterrupted, "estimate", "ended before it had answered"},
		{"answer BACKUP^DBACK:E 0", 1, catalog.StateInterrupted, "record", "E"},
		{"trap BACKUP^DBACK:E <LICENSE>", 1, catalog.StateInterrupted, "record", "LICENSE"},
		{"crash before BACKUP^DBACK:E", 1, catalog.StateInterrupted, "record", "ended before it had answered"},
		{"crash after BACKUP^DBACK:E", 1, catalog.StateInterrupted, "record", "ended before it had answered"},
		{"dbsize-fails", 0, catalog.StateComplete, "seal", "DBSIZE"}, // the space cannot be checked, that is all
		{"hang INT^DBSIZE", 1, catalog.StateInterrupted, "estimate", "10s"},

		// The incremental.
		{"backup-fails", 1, catalog.StateInterrupted, "incremental", "BACKUP^DBACK returned failure"},
		{"backup-fails E", 1, catalog.StateInterrupted, "record", "BACKUP^DBACK of type E answered"},
		{"backup-warns", 3, catalog.StateComplete, "seal", "warning of the instance: Database cache is small"},
		{"other-backup", 1, catalog.StateInterrupted, "incremental", "somebody else"},
		{"backup-running", 1, catalog.StateInterrupted, "mark", "another backup"},
		{"no-quiesce", 1, catalog.StateInterrupted, "incremental", "quiesce"},
		{"no-marker", 1, catalog.StateInterrupted, "incremental", "marker"},
		{"no-switch", 1, catalog.StateInterrupted, "incremental", "switch"},
		{"disk-full", 1, catalog.StateInterrupted, "incremental", "no space left on device"},
		{"output-empty", 1, catalog.StateInterrupted, "incremental", "empty"},
		{"output-missing", 1, catalog.StateInterrupted, "incremental", ".cbk"},
		{"log-missing", 1, catalog.StateInterrupted, "incremental", ".log"},
		{"log-cut", 1, catalog.StateInterrupted, "incremental", "FINISHED BACKUP"},
		{"log-other-directories", 1, catalog.StateInterrupted, "incremental", "director"},
		{"trap BACKUP^DBACK:I <WRITE>", 1, catalog.StateInterrupted, "incremental", "WRITE"},
		{"hang BACKUP^DBACK:I", 1, catalog.StateInterrupted, "incremental", "no answer within 10s"},
		{"prompt BACKUP^DBACK:I", 1, catalog.StateInterrupted, "incremental", "Input is needed"},
		{"crash before BACKUP^DBACK:I", 1, catalog.StateInterrupted, "incremental", "ended before it had answered"},
		{"crash after BACKUP^DBACK:I", 1, catalog.StateInterrupted, "incremental", "ended before it had answered"},
		{"end BACKUP^DBACK:I 3", 1, catalog.StateInterrupted, "incremental", "exit status 3"},
		{"slow-backup 50ms", 0, catalog.StateComplete, "seal", ""},

		// The journals.
		{"switch-refused", 3, catalog.StateComplete, "seal", "JRNSWTCH"},
		{"journal-purged", 3, catalog.StateIncomplete, "seal", "purge"},
		{"journal-alternate", 0, catalog.StateComplete, "seal", ""},
		{"open-transaction", 0, catalog.StateComplete, "seal", ""},
		{"crash before ^JRNSWTCH", 3, catalog.StateComplete, "seal", "JRNSWTCH"}, // all that is needed is in files by then
		{"crash after ^JRNSWTCH", 3, catalog.StateComplete, "seal", "JRNSWTCH"},
		{"hang ^JRNSWTCH", 3, catalog.StateComplete, "seal", "no answer within 10s"},

		// No session for a moment: nothing was done in it, and it is tried again.
		{"license-limit after=3", 0, catalog.StateComplete, "seal", "tried again"},
		{"license-limit after=6", 0, catalog.StateComplete, "seal", "tried again"},
		{"license-limit after=7", 0, catalog.StateComplete, "seal", "tried again"},
		{"license-limit after=8", 0, catalog.StateComplete, "seal", "tried again"},

		// Things to be known of that keep no backup from succeeding.
		{"daemon-suspended", 0, catalog.StateComplete, "seal", "suspended"},
		{"read-only USER", 0, catalog.StateComplete, "seal", "ead-only"},
		{"mirrored USER primary", 0, catalog.StateComplete, "seal", "irror"},
		{"mirrored USER async", 0, catalog.StateComplete, "seal", "async"},
		{"encrypted USER", 0, catalog.StateComplete, "seal", "ncrypted"},
		{"not-journaled USER", 0, catalog.StateComplete, "seal", "ournal"},
		{"extension-volume USER", 0, catalog.StateComplete, "seal", "volumes"},
		{"unlisted APP", 0, catalog.StateComplete, "seal", "APP"},
		{"wrong-blocks USER", 3, catalog.StateComplete, "seal", "blocks"},
		{"wrong-directory USER", 3, catalog.StateComplete, "seal", "user-elsewhere/"},

		// Forms of which it is unknown which one a version uses.
		{"variant-purposes", 0, catalog.StateComplete, "seal", ""},
		{"variant-an", 0, catalog.StateComplete, "seal", ""},
		{"variant-crlf", 0, catalog.StateComplete, "seal", ""},
		{"variant-listdirs", 0, catalog.StateComplete, "seal", ""},
		{"variant-old-qlist", 0, catalog.StateComplete, "seal", ""},
		{"variant-no-header", 0, catalog.StateComplete, "seal", ""},
	}
	covered, restores := make(map[string]bool), ofRestores()
	for i, tt := range tests {
		words := strings.Fields(tt.fail)
		covered[words[0]] = true
		t.Run(strings.NewReplacer("^", "-", "<", "", ">", "").Replace(tt.fail), func(t *testing.T) {
			sample(t, i)
			t.Parallel()
			s := newSite(t, practice.StartOptions{Load: practice.LoadLight, Fail: []string{tt.fail}})
			var flags []string // those that do not hang need no other limits, however busy the machine is
			switch words[0] {
			case "hang", "prompt":
				flags = slow
			case "no-quiesce":
				flags = []string{"--quiesce-timeout", "1s"}
			}
			r := s.backup(t, tt.code, flags...)
			if !strings.Contains(r.stdout+r.stderr, tt.says) {
				t.Errorf("nothing is said of %q:\n%s%s", tt.says, r.stdout, r.stderr)
			}
			info := s.newest(t)
			switch {
			case tt.state == none:
				if info != nil {
					t.Errorf("there is a set: %+v", info)
				}
			case info == nil:
				t.Fatal("there is no set")
			default:
				if last := info.LastStep(); info.State != tt.state || last == nil || last.Name != tt.step {
					t.Errorf("state %s, last step %+v; want %s, %s\n%s", info.State, last, tt.state, tt.step, r.stderr)
				}
				if info.State == catalog.StateInterrupted && (info.LastStep().Means == "" || info.LastStep().Next == "" || !strings.Contains(r.stderr, info.LastStep().Means)) {
					t.Errorf("step %+v; printed:\n%s", info.LastStep(), r.stderr)
				}
			}
			if left := s.leftovers(t); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
			s.recovers(t)
		})
	}
	for _, f := range practice.Failures() {
		if !covered[f.Name] && !restores[f.Name] && !slices.Contains(notToNotice, f.Name) {
			t.Errorf("failure %s is neither in this table nor in those of restores", f.Name)
		}
	}
}

// notToNotice are failures that no backup can notice in a step of its own.
var notToNotice = []string{"clear-without-flush", "slow", "variant-overwrite", "crash-writing"}

// recovers checks that after a failure the next backup is as good as any.
func (s *irisSite) recovers(t *testing.T) {
	t.Helper()
	select {
	case <-s.inst.Done():
		s.start(t, practice.StartOptions{Oplog: s.oplog})
	default:
	}
	if err := s.inst.ClearFailures(); err != nil {
		t.Fatal(err)
	}
	s.backup(t, 0)
	if info := s.newest(t); info.State != catalog.StateComplete {
		t.Errorf("state %s", info.State)
	}
	mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
}

// Where there is no room for the incremental, nothing is done to the instance.
func TestIris_WorkDirFull(t *testing.T) {
	dir := tmpfs(t, "1m")
	s := newSite(t, practice.StartOptions{Load: practice.LoadNone})
	r := s.backup(t, 4, "--work-dir", dir)
	if info := s.newest(t); info != nil || !strings.Contains(r.stderr, "incremental space") {
		t.Errorf("set %+v\n%s", info, r.stderr)
	}
	s.backup(t, 3, "--work-dir", dir, "--ignore-space") // the incremental is small
	if info := s.newest(t); info == nil || info.State != catalog.StateComplete {
		t.Errorf("set %+v", info)
	}
}

// A kill of datfs in each step: the set tells which step it was and what that
// means; a session that outlives it keeps the next backup away, which then cleans
// up.
func TestIris_Kill(t *testing.T) {
	tests := []struct{ step, fail string }{
		{"prepare", "hang LISTDIRS^DBACK after=1"}, // the first one is the preflight's
		{"mark", "hang CLRINC^DBACK"},
		{"copy", ""},
		{"list", "hang LISTDIRS^DBACK after=2"},
		{"record", "hang BACKUP^DBACK:E"},
		{"estimate", "hang INT^DBSIZE"},
		{"incremental", "hang BACKUP^DBACK:I"},
		{"journals", "hang ^JRNSWTCH"},
		{"seal", ""}, // it may be sealed before the kill
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
			args := []string{"backup", "iris", "--instance", "PRACTICE"}
			if tt.step == "copy" {
				args = append(args, "--io-limit", "100KB/s")
			}
			cmd := s.command(t, args...)
			steps := newStepWatcher(tt.step)
			cmd.Stderr = steps
			if words := strings.Fields(tt.fail); len(words) > 0 {
				if err := s.inst.Fail(words[0], words[1:]...); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-steps.reached:
			case <-time.After(patience):
				t.Errorf("step %s was not reached:\n%s", tt.step, steps)
			}
			if tt.fail != "" {
				s.wait(t, "a session hangs", func(st *practice.Status) bool { return len(st.Failures) == 0 })
			}
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
			_ = cmd.Wait()
			info := s.newest(t)
			if info == nil || info.LastStep() == nil || info.LastStep().Name != tt.step {
				t.Fatalf("after the kill: %+v", info)
			}
			if sealed := tt.step == "seal" && info.State == catalog.StateComplete; !sealed && info.State != catalog.StateInterrupted {
				t.Errorf("after the kill: state %s", info.State)
			}
			last := info.LastStep()
			text := s.datfs(t, "sets")
			if info.State == catalog.StateInterrupted && !strings.Contains(text.stdout+text.stderr, last.Next) {
				t.Errorf("sets does not say %q:\n%s%s", last.Next, text.stdout, text.stderr)
			}
			if tt.fail != "" {
				if r := s.backup(t, 4); !strings.Contains(r.stderr, "other backup") {
					t.Errorf("beside the session that was left behind:\n%s", r.stderr)
				}
				if left := s.leftovers(t); len(left) != 1 || !strings.Contains(left[0], info.Name) {
					t.Errorf("what the session works in is gone: %v", left)
				}
				s.endSessions(t)
			}
			s.recovers(t)
			if left := s.leftovers(t); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// wait returns when the instance is as wanted.
func (s *irisSite) wait(t *testing.T, what string, is func(*practice.Status) bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		st, err := s.inst.Status()
		if err != nil {
			t.Fatal(err)
		}
		if is(st) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s; %+v", what, st)
		}
	}
}

// endSessions ends the sessions of the instance whose datfs is gone.
func (s *irisSite) endSessions(t *testing.T) {
	t.Helper()
	s.killSessions(t)
	s.wait(t, "no session, no backup", func(st *practice.Status) bool { return st.Sessions == 0 && st.Backup == "" })
}

// killSessions kills the processes of sessions of the instance.
func (s *irisSite) killSessions(t *testing.T) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	ended := 0
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !slices.ContainsFunc(append([]string{s.dir}, s.beside...), func(dir string) bool { // whose iris command it is
			return strings.Contains(string(line), dir+"\x00iris\x00session\x00"+s.inst.Name()+"\x00")
		}) {
			continue // it has ended meanwhile, or is somebody else's
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		ended++
	}
	if ended == 0 {
		t.Error("no session was left behind")
	}
}

// stepLine is in the line that announces a step.
func stepLine(step string) string { return "  " + step + ": " }

// A stepWatcher is a standard error that tells when a step begins.
type stepWatcher struct {
	mu      sync.Mutex
	text    strings.Builder
	want    string
	reached chan struct{}
}

func newStepWatcher(want string) *stepWatcher {
	return &stepWatcher{want: want, reached: make(chan struct{})}
}

// Write implements io.Writer.
func (w *stepWatcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	if w.want != "" && strings.Contains(w.text.String(), stepLine(w.want)) {
		w.want = ""
		close(w.reached)
	}
	return len(b), nil
}

// String returns what was written so far.
func (w *stepWatcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
