package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// An archiveRun is what journal archive --json prints.
type archiveRun struct {
	Set      *catalog.SetInfo
	Stored   []string
	Known    int
	Current  string
	Warnings []string
}

// archive archives the journals, which must end with the exit code.
func (s *irisSite) archive(t *testing.T, code int) (run archiveRun) {
	t.Helper()
	r := s.datfs(t, "journal", "archive", "--instance", "PRACTICE", "--json")
	if r.code != code {
		t.Fatalf("journal archive: exit code %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &run); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	return run
}

// switchJournal makes the instance go on in another journal file.
func (s *irisSite) switchJournal(t *testing.T) (from string) {
	t.Helper()
	from, _, err := s.inst.Storage().SwitchJournal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return from
}

// A journalEntry is a file of journal list --json.
type journalEntry struct {
	Name    string
	Missing bool
	Copies  []struct {
		Set     string
		Archive bool
	}
}

// A journalReach is how far a restore comes, of journal list --json.
type journalReach struct {
	Set, Required, Last string
	Missing             []string
	Beyond              int
}

// journals lists the journals, which must end with the exit code.
func (s *irisSite) journals(t *testing.T, code int) ([]journalEntry, *journalReach) {
	t.Helper()
	r := s.datfs(t, "journal", "list", "--instance", "PRACTICE", "--json")
	if r.code != code {
		t.Fatalf("journal list: exit code %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	var lists []struct {
		Files []journalEntry
		Reach *journalReach
	}
	if err := json.Unmarshal([]byte(r.stdout), &lists); err != nil || len(lists) != 1 {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	return lists[0].Files, lists[0].Reach
}

// archivedNames returns the names in the archive.
func archivedNames(files []journalEntry) (names []string) {
	for _, f := range files {
		if len(f.Copies) > 0 && f.Copies[0].Archive {
			names = append(names, f.Name)
		}
	}
	return names
}

// closed returns the plain names of the closed journal files that the instance
// still has.
func (s *irisSite) closed(t *testing.T) (names []string) {
	t.Helper()
	all, err := s.inst.Storage().Journals()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all[:len(all)-1] {
		for _, p := range []string{path, path + "z"} {
			if _, err := os.Stat(p); err == nil {
				names = append(names, filepath.Base(path))
				break
			}
		}
	}
	return names
}

// keepPlain starts the instance anew so that it does not compress journal files.
func (s *irisSite) keepPlain(t *testing.T, opts practice.StartOptions) {
	t.Helper()
	if err := s.inst.Stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, "iris.cpf")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte("CompressFiles=1")) {
		t.Fatalf("%s:\n%s", path, b)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte("CompressFiles=1"), []byte("CompressFiles=0")), 0o660); err != nil {
		t.Fatal(err)
	}
	opts.Oplog = s.oplog
	s.start(t, opts)
}

// An archive run copies what is new and closed, again and again, also while files
// are compressed and switched and a backup is at work; what the mount shows of it
// are the same bytes.
func TestJournal_Archive(t *testing.T) {
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.switchJournal(t)
	first := s.archive(t, 0)
	if first.Set == nil || len(first.Stored) == 0 || first.Known != 0 || len(first.Warnings) != 0 {
		t.Fatalf("the first run: %+v", first)
	}
	if again := s.archive(t, 0); again.Set != nil || again.Known != len(first.Stored) {
		t.Errorf("the second: %+v", again)
	}
	from := filepath.Base(s.switchJournal(t))
	third := s.archive(t, 0)
	if len(third.Stored) != 1 || strings.TrimSuffix(third.Stored[0], "z") != from || third.Known != len(first.Stored) {
		t.Errorf("the third: %+v, want %s", third, from)
	}

	// Beside a backup that copies.
	cmd := s.command(t, "backup", "iris", "--instance", "PRACTICE", "--io-limit", "2MB/s")
	steps := newStepWatcher("copy")
	cmd.Stderr = steps
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-steps.reached:
	case <-time.After(patience):
		t.Errorf("no copy:\n%s", steps)
	}
	s.switchJournal(t)
	if beside := s.archive(t, 0); len(beside.Stored) == 0 {
		t.Errorf("beside a backup: %+v", beside)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, steps)
	}

	// While the journal is switched all the time.
	for range 5 {
		stop := make(chan struct{})
		done := make(chan error, 1)
		go func() {
			for {
				_, _, err := s.inst.Storage().SwitchJournal(t.Context())
				select {
				case <-stop:
					done <- err
					return
				default:
				}
				if err != nil {
					done <- err
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		s.archive(t, 0)
		close(stop)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	s.archive(t, 0)
	files, reach := s.journals(t, 0)
	names := archivedNames(files)
	if want := s.closed(t); !slices.Equal(names, want) || len(names) != len(files) {
		t.Errorf("archived %v of %d, closed are %v", names, len(files), want)
	}
	if reach == nil || reach.Last != names[len(names)-1] || len(reach.Missing) != 0 {
		t.Errorf("reach %+v", reach)
	}
	mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
	s.compareMount(t, mount(t, s.repo), names)
}

// compareMount compares the archived files in the mount with those of the instance.
func (s *irisSite) compareMount(t *testing.T, mnt string, names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(mnt, "journals/PRACTICE"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	var shown []string
	for _, e := range entries {
		if e.Name() == "journal.log" {
			continue
		}
		shown = append(shown, strings.TrimSuffix(e.Name(), "z"))
		want, err := os.ReadFile(filepath.Join(s.dir, "mgr/journal", e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // compressed since
		}
		got, err2 := os.ReadFile(filepath.Join(mnt, "journals/PRACTICE", e.Name()))
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s has other bytes", e.Name())
		}
		compared++
	}
	if !slices.Equal(shown, names) || compared == 0 {
		t.Errorf("the mount shows %v, want %v; %d were compared", shown, names, compared)
	}
	for _, dir := range []string{"latest", "databases"} {
		if list, err := filepath.Glob(filepath.Join(mnt, dir, "*.journals")); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	}
}

// A restore goes on past its set with what the archive holds, to the moment that
// the list promises, after the instance has purged all of it.
func TestJournal_RollForward(t *testing.T) {
	needFUSE(t)
	s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	s.backup(t, 0, "--io-limit", "8MB/s")
	info := s.newest(t)
	for range 3 {
		time.Sleep(200 * time.Millisecond) // so that there is something in the file
		s.switchJournal(t)
		s.archive(t, 0)
	}
	_, reach := s.journals(t, 0)
	if reach.Set != info.SetName().String() || reach.Last <= filepath.Base(info.Method.Journal.Marker) {
		t.Fatalf("reach %+v", reach)
	}
	if _, err := s.inst.Storage().PurgeJournals(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "mgr/journal", reach.Required)); err == nil {
		t.Fatalf("%s was not purged", reach.Required)
	}

	// By the command, from the archive alone, as an own database beside the original.
	to := t.TempDir()
	r := s.datfs(t, "restore", "iris", reach.Set, "--database", "APP", "--to", to, "--instance", "PRACTICE", "--yes")
	if r.code != 0 || !strings.Contains(r.stdout+r.stderr, reach.Last) {
		t.Errorf("restore: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	s.compareAt(t, s.database("app"), filepath.Join(to, s.database("app")), reach.Last)

	mnt := mount(t, s.repo)
	source := s.database("user")
	target := s.copyOut(t, mnt, reach.Set, "user")
	list := filepath.Join(t.TempDir(), "dirlist.txt")
	if err := os.WriteFile(list, fmt.Appendf(nil, "%s,%s,N\n", source, target), 0o600); err != nil {
		t.Fatal(err)
	}
	journals := filepath.Join(mnt, "journals/PRACTICE")
	out := s.session(t,
		fmt.Sprintf(`write !,"@@MT|",##class(SYS.Database).MountDatabase("%s"),!`, target),
		fmt.Sprintf(`set x=$$EXTSELCT^DBREST(1,0,"%s","%s",4,"","") write !,"@@REST|",x,!`,
			filepath.Join(mnt, "sets", reach.Set, "incremental", info.Method.Incrementals[0]), list),
		fmt.Sprintf(`set j=##class(Journal.Restore).%%New(),j.FirstFile="%[1]s/%[2]s",j.JournalLog="%[1]s/journal.log",j.LastFile="%[1]s/%[3]s",j.RollBack=1`,
			journals, reach.Required, reach.Last),
		fmt.Sprintf(`do j.UseJournalLocation("%s/")`, journals),
		fmt.Sprintf(`set sc=j.SelectUpdates("%s") do j.RedirectDatabase("%s","%s")`, source, source, target),
		`set sc=j.Run() write !,"@@RUN|",$system.Status.IsOK(sc),"|",$system.Status.GetErrorText(sc),!`,
		fmt.Sprintf(`write !,"@@DM|",##class(SYS.Database).DismountDatabase("%s"),!`, target))
	if !strings.Contains(out, "@@REST|1") || !strings.Contains(out, "@@RUN|1") || !strings.Contains(out, "@@DM|1") {
		t.Fatalf("restore:\n%s", out)
	}
	s.compareAt(t, source, target, reach.Last)
}

// compareAt compares a restored database with the original as it was at the end of
// a journal file.
func (s *irisSite) compareAt(t *testing.T, source, target, last string) {
	t.Helper()
	content, err := storage.ReplayOplog(s.oplog, filepath.Join(s.dir, "mgr/journal", last))
	if err != nil {
		t.Fatal(err)
	}
	got, err := storage.DigestFile(filepath.Join(target, "IRIS.DAT"))
	if err != nil {
		t.Fatal(err)
	}
	if content[source] == nil || got != content[source].Digest() {
		t.Errorf("%s is not what %s was at the end of %s", target, source, last)
	}
}

// What was purged before it was archived is a gap, and said to be one.
func TestJournal_Gap(t *testing.T) {
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	s.archive(t, 0)
	s.switchJournal(t)
	lost := filepath.Base(s.switchJournal(t))
	if _, err := s.inst.Storage().PurgeJournals(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.switchJournal(t)
	s.archive(t, 0)
	files, reach := s.journals(t, 3)
	if !slices.Contains(reach.Missing, lost) || reach.Beyond < 1 {
		t.Errorf("reach %+v, %s is lost", reach, lost)
	}
	if !slices.ContainsFunc(files, func(f journalEntry) bool { return f.Name == lost && f.Missing && len(f.Copies) == 0 }) {
		t.Errorf("files %+v", files)
	}
	r := s.datfs(t, "journal", "list")
	if r.code != 3 || !strings.Contains(r.stdout, "gap: ") || !strings.Contains(r.stderr, lost) {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	s.backup(t, 0) // begins behind the gap
	if _, reach := s.journals(t, 0); len(reach.Missing) != 0 {
		t.Errorf("after another backup: %+v", reach)
	}
}

// An instance that has lost its journals and counts them anew: what the archive has of
// before is not applied to a set of after, though the names go on.
func TestJournal_Anew(t *testing.T) {
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	for range 8 {
		s.switchJournal(t)
	}
	s.archive(t, 0)
	if err := s.inst.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(s.dir, "mgr/journal")), os.Mkdir(filepath.Join(s.dir, "mgr/journal"), 0o770),
		os.Remove(filepath.Join(s.dir, "mgr/journal.log"))); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(s.oplog) // its names would be there twice
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.oplog, bytes.ReplaceAll(log, []byte("/mgr/journal/"), []byte("/mgr/lost/")), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // steps of a backup are dated in whole ones
	s.start(t, practice.StartOptions{Load: practice.LoadLight, Oplog: s.oplog})
	s.backup(t, 0)
	required := filepath.Base(s.newest(t).Method.Journal.Required)
	files, reach := s.journals(t, 0)
	if names := archivedNames(files); required >= names[len(names)-1] || reach.Last != filepath.Base(s.newest(t).Method.Journal.Marker) {
		t.Fatalf("required %s, archived %v: reach %+v", required, names, reach)
	}
	restore := func(last string) {
		t.Helper()
		to := t.TempDir()
		r := s.datfs(t, "restore", "iris", "PRACTICE/latest", "--database", "APP", "--to", to, "--instance", "PRACTICE", "--yes")
		if r.code != 0 || !strings.Contains(r.stdout, last) {
			t.Errorf("restore: exit code %d, want it to end at %s\n%s%s", r.code, last, r.stdout, r.stderr)
		}
		s.compareAt(t, s.database("app"), filepath.Join(to, s.database("app")), last)
	}
	restore(reach.Last)
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		s.switchJournal(t)
	}
	if run := s.archive(t, 3); !slices.ContainsFunc(run.Stored, func(name string) bool { return strings.Contains(name, ".other-") }) {
		t.Errorf("stored %q", run.Stored)
	}
	_, reach = s.journals(t, 0)
	if reach.Last <= required || len(reach.Missing) > 0 {
		t.Errorf("reach %+v", reach)
	}
	restore(reach.Last)
}

// A journal file that a backup has stored costs next to nothing in the archive.
func TestJournal_Dedup(t *testing.T) {
	s := newSite(t, practice.StartOptions{})
	s.keepPlain(t, practice.StartOptions{Load: practice.LoadHeavy})
	s.backup(t, 0, "--io-limit", "4MB/s")
	info := s.newest(t)
	run := s.archive(t, 0)
	set := "PRACTICE.journals/" + run.Set.Name
	var whole catalog.SetInfo
	if err := json.Unmarshal([]byte(s.datfs(t, "show", "--json", set).stdout), &whole); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, f := range whole.Files {
		if slices.Contains(info.Method.Journal.Files, f.Path) {
			compared++
			if f.Size == 0 || f.NewBytes != 0 {
				t.Errorf("%s: %d of %d bytes are stored again", f.Path, f.NewBytes, f.Size)
			}
		}
	}
	if compared == 0 {
		t.Errorf("%v has none of %v", whole.Files, info.Method.Journal.Files)
	}
}

// A run that is killed leaves nothing that counts, and nothing in the way.
func TestJournal_Kill(t *testing.T) {
	s := newSite(t, practice.StartOptions{})
	s.keepPlain(t, practice.StartOptions{Load: practice.LoadHeavy})
	for range 4 {
		time.Sleep(300 * time.Millisecond)
		s.switchJournal(t)
	}
	for i := range 8 {
		cmd := s.command(t, "journal", "archive", "--instance", "PRACTICE")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*25) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		mustDatfs(t, "--repo", s.repo, "verify", "--quiet")
	}
	s.archive(t, 0)
	files, _ := s.journals(t, 0)
	if names, want := archivedNames(files), s.closed(t); !slices.Equal(names, want) {
		t.Errorf("archived %v, closed are %v", names, want)
	}
	if again := s.archive(t, 0); again.Set != nil {
		t.Errorf("again: %+v", again)
	}
	var sets []*catalog.SetInfo
	if err := json.Unmarshal([]byte(mustDatfs(t, "--repo", s.repo, "sets", "--all", "--json")), &sets); err != nil {
		t.Fatal(err)
	}
	for _, set := range sets {
		if set.State != catalog.StateComplete {
			t.Errorf("%s is %s", set.SetName(), set.State)
		}
	}
}

// What can be wrong with the instance is said, and nothing is stored.
func TestJournal_Failures(t *testing.T) {
	s := newSite(t, practice.StartOptions{})
	s.switchJournal(t)
	for fail, says := range map[string]string{
		"access-denied": "denies access", "wrong-namespace USER": "%SYS", "signon-inhibited": "nhibited", "hang session": "no answer within",
	} {
		words := strings.Fields(fail)
		if err := s.inst.Fail(words[0], words[1:]...); err != nil {
			t.Fatal(err)
		}
		r := s.datfs(t, "journal", "archive", "--instance", "PRACTICE", "--step-timeout", "5s")
		if r.code != 1 || !strings.Contains(r.stderr, says) || r.stdout != "" {
			t.Errorf("%s: exit code %d\n%s%s", fail, r.code, r.stdout, r.stderr)
		}
		if err := s.inst.ClearFailures(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.inst.Stop(); err != nil {
		t.Fatal(err)
	}
	r := s.datfs(t, "journal", "archive", "--instance", "PRACTICE")
	if r.code != 1 || !strings.Contains(r.stderr, "the instance is down") || !strings.Contains(r.stderr, "hint: Start it") {
		t.Errorf("down: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if out := mustDatfs(t, "--repo", s.repo, "sets", "--all", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("sets: %s", out)
	}
}
