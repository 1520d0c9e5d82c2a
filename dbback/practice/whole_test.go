package practice_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"datfs/dbback/practice"
	"datfs/dbback/practice/storage"
)

// A site is an instance that was backed up, and what its databases held at the
// end of the last journal file of the backup.
type site struct {
	inst *practice.Instance
	dir  string
	b    *taken
	want map[string]storage.Digest
}

// newSite makes an instance under load and backs it up.
func newSite(t *testing.T) *site {
	t.Helper()
	oplog := filepath.Join(t.TempDir(), "oplog")
	s := &site{dir: create(t, func(o *practice.CreateOptions) { o.Oplog = oplog }), want: make(map[string]storage.Digest)}
	s.inst = start(t, s.dir, heavy, func(o *practice.StartOptions) { o.Oplog = oplog })
	warm(t, s.inst)
	armed(t, s.inst, "open-transaction")
	s.b = takeBackup(t, s.inst, 0)
	if err := s.inst.ClearFailures(); err != nil {
		t.Fatal(err)
	}
	all, err := storage.ReplayOplog(oplog, filepath.Join(s.dir, "mgr/journal", s.b.marker))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range s.b.dirs {
		s.want[dir] = all[dir].Digest()
	}
	return s
}

// crash ends the instance in the middle of a cycle of its write daemon.
func (s *site) crash(t *testing.T) {
	t.Helper()
	before := s.inst.Storage().Status().Cycles
	await(t, func() bool { return s.inst.Storage().Status().Cycles > before })
	armed(t, s.inst, "crash-writing")
	await(t, func() bool {
		select {
		case <-s.inst.Done():
			return true
		default:
			return false
		}
	})
}

// putBack spoils all databases, as a disk does that is lost, and puts the copies
// of the backup in their places.
func (s *site) putBack(t *testing.T) {
	t.Helper()
	for _, dir := range s.b.dirs {
		garbage := make([]byte, 3<<20)
		for i := range garbage {
			garbage[i] = byte(rand.Uint32())
		}
		write(t, dir+"IRIS.DAT", string(garbage))
		if err := os.Remove(dir + "iris.lck"); err != nil { // the crash left it
			t.Fatal(err)
		}
		copyFile(t, s.b.copies+dir+"IRIS.DAT", dir+"IRIS.DAT", 0)
	}
}

// wij returns where the WIJ of the last run is, as an operator finds it.
func (s *site) wij(t *testing.T) string {
	t.Helper()
	dir := find(t, read(t, filepath.Join(s.dir, "mgr/startup.last")), `(?m)^wijlast=(.*)$`)
	if dir == "" {
		dir = filepath.Join(s.dir, "mgr")
	}
	return filepath.Join(dir, "IRIS.WIJ")
}

// second makes and starts the instance that restores another one.
func second(t *testing.T) *practice.Instance {
	t.Helper()
	return start(t, create(t, func(o *practice.CreateOptions) { o.Name, o.Databases = "IRISREST", []string{} }))
}

// mountAll mounts databases and holds them to being mounted read-write.
func mountAll(t *testing.T, inst *practice.Instance, dirs []string) {
	t.Helper()
	for _, dir := range dirs {
		matches(t, typed(t, inst,
			fmt.Sprintf(`try { write !,"@@MT|",##class(SYS.Database).MountDatabase("%s"),! } catch e { write !,"@@ERR|MT|",e.Name,"|",e.Location,"|",e.Data,! }`, dir),
			fmt.Sprintf(`set o=##class(SYS.Database).%%OpenId("%s") if '$isobject(o) write !,"@@ST|none",!`, dir),
			`write !,"@@ST|",o.Mounted,"|",o.ReadOnlyMounted,"|",o.ReadOnly,"|",o.Mirrored,"|",o.EncryptedDB,"|",o.BlockSize,"|",o.Blocks,!`),
			`(?m)^@@MT\|1$`, `(?m)^@@ST\|1\|0\|0\|0\|0\|8192\|\d+$`)
	}
}

// dismountAll dismounts databases and holds them to having no lock.
func dismountAll(t *testing.T, inst *practice.Instance, dirs []string) {
	t.Helper()
	for _, dir := range dirs {
		matches(t, typed(t, inst, fmt.Sprintf(`try { write !,"@@DM|",##class(SYS.Database).DismountDatabase("%s"),! } catch e { write !,"@@ERR|DM|",e.Name,! }`, dir)), `(?m)^@@DM\|1$`)
		if _, err := os.Stat(dir + "iris.lck"); err == nil {
			t.Errorf("%siris.lck is left", dir)
		}
	}
}

// holdsFiles holds the databases, which are not mounted, to the content of the
// moment.
func (s *site) holdsFiles(t *testing.T) {
	t.Helper()
	for dir, want := range s.want {
		if got, err := storage.DigestFile(dir + "IRIS.DAT"); err != nil || got != want {
			t.Errorf("%s holds %v, %v; want %v", dir, got, err, want)
		}
	}
}

// ends sees to it that an instance of a process of its own ends with the test.
func ends(t *testing.T, dir string) {
	t.Helper()
	r, err := practice.At(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil && !errors.Is(err, practice.ErrDown) {
			t.Errorf("stop: %v", err)
		}
	})
}

// needIris runs the iris command, which must succeed.
func needIris(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	out, code := iris(t, dir, stdin, args...)
	if code != 0 {
		t.Fatalf("iris %q: exit code %d\n%s", args, code, out)
	}
	return out
}

// TestRestore_Everything restores a whole instance that has crashed, by way of a
// second one, as the manual says: files back, incremental and journals there,
// locks and WIJ away, a start in emergency mode, a normal one. With the WIJ in its
// place all of it was for nothing.
func TestRestore_Everything(t *testing.T) {
	for _, tt := range []struct {
		name     string
		wij      bool // it is left where it is
		sturecov bool // the start does not come fully up
	}{
		{name: "WIJ aside"}, {name: "WIJ aside and STURECOV", sturecov: true}, {name: "WIJ left", wij: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.crash(t)
			s.putBack(t)
			other := second(t)
			t.Setenv("PATH", filepath.Join(s.dir, "bin")+":"+filepath.Join(other.Dir(), "bin")+":"+os.Getenv("PATH"))
			mountAll(t, other, s.b.dirs)
			s.b.restore(t, other, inPlace(s.b.dirs...)...)
			dismountAll(t, other, s.b.dirs)
			s.holdsFiles(t)
			needIris(t, s.dir, "", "stop", "IRISREST", "quietly") // by the other's command: it is on the PATH
			if tt.wij {
				s.damagedByWIJ(t)
				return
			}
			wij := s.wij(t)
			if err := os.Rename(wij, wij+".aside"); err != nil {
				t.Fatal(err)
			}
			if tt.sturecov {
				s.sturecov(t)
			}
			s.emergency(t)
			t.Setenv("DATFS_PRACTICE_LOAD", practice.LoadNone)
			needIris(t, s.dir, "", "start", "PRACTICE")
			out, _ := terminal(t, s.dir, `set sc=$$CheckList^Integrity() write !,"@@INT|",$system.Status.IsOK(sc),!`, "write $username", "halt")
			matches(t, out, `@@INT\|1`, `%SYS>irisowner`)
			needIris(t, s.dir, "", "stop", "PRACTICE", "quietly")
			s.holdsFiles(t)
		})
	}
}

// damagedByWIJ starts the instance with the WIJ of its crash.
func (s *site) damagedByWIJ(t *testing.T) {
	t.Helper()
	again := start(t, s.dir)
	if rec := again.Storage().Recovery(); rec.WIJBlocks == 0 {
		t.Fatalf("the WIJ was not applied: %+v", rec)
	}
	out := typed(t, again, `set sc=$$CheckList^Integrity() write !,"@@INT|",$system.Status.IsOK(sc),! do Display^Integrity(,2)`)
	matches(t, out, `@@INT\|0`, `\*\*\*\* ERROR in block`)
}

// emergency starts the instance in emergency mode and stops it.
func (s *site) emergency(t *testing.T) {
	t.Helper()
	ends(t, s.dir)
	matches(t, needIris(t, s.dir, "", "start", "PRACTICE", "EmergencyId=helper,s3cret"), `bypassing system security`)
	for _, lines := range [][]string{{"halt", "x", "x", "x", "x", "x"}, {"helper", "wrong", "halt"}, {"irisowner", "", "halt"}} {
		if out, code := terminal(t, s.dir, lines...); code == 0 || !strings.Contains(out, "Access Denied") {
			t.Errorf("%q signs on: %d\n%s", lines, code, out)
		}
	}
	out, code := terminal(t, s.dir, "helper", "s3cret", `write !,"@@READY|",$username,!`,
		`write !,"@@INT|",$system.Status.IsOK($$CheckList^Integrity()),!`, "halt")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	matches(t, out, `(?m)^@@READY\|helper$`, `(?m)^@@INT\|1$`)
	if out, code := iris(t, s.dir, "", "start", "PRACTICE", "EmergencyId=helper,s3cret"); code == 0 {
		t.Errorf("started twice:\n%s", out)
	}
	needIris(t, s.dir, "", "stop", "PRACTICE", "quietly")
}

// sturecov is what the manual says of a start that does not come fully up.
func (s *site) sturecov(t *testing.T) {
	t.Helper()
	r, err := practice.At(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Fail(t.Context(), "sturecov"); err != nil {
		t.Fatal(err)
	}
	ends(t, s.dir)
	for range 2 { // until it is reset
		if out, code := iris(t, s.dir, "", "start", "PRACTICE", "EmergencyId=helper,s3cret"); code == 0 || !strings.Contains(out, "did not come fully up") {
			t.Errorf("exit code %d\n%s", code, out)
		}
		if out, code := terminal(t, s.dir, "helper", "s3cret", "halt"); code == 0 || !strings.Contains(out, "Startup Error") {
			t.Errorf("a session begins: %d\n%s", code, out)
		}
		matches(t, needIris(t, s.dir, "", "qlist", "PRACTICE"), `\^sign-on inhibited\^`)
		needIris(t, s.dir, "", "stop", "PRACTICE", "quietly")
	}
	_, _ = iris(t, s.dir, "", "start", "PRACTICE", "EmergencyId=helper,s3cret")
	matches(t, read(t, r.LogFile()), `iris terminal PRACTICE -B, and do \^STURECOV`)
	matches(t, needIris(t, s.dir, "do ^STURECOV\n8\n8\n9\n\nhalt\n", "terminal", "PRACTICE", "-U", "%SYS", "-B"),
		`8\) Reset system so journal is not restored at startup`, `The journal is not restored`, `There is nothing to reset`, `To shut down: `, `%SYS>`)
	if out, code := terminal(t, s.dir, "helper", "s3cret", "halt"); code == 0 {
		t.Errorf("a session begins before the next start:\n%s", out)
	}
	needIris(t, s.dir, "", "stop", "PRACTICE", "quietly")
}

// TestRestore_OtherInstance restores databases to another instance, which has
// others and keeps them: with redirection, from journals in a directory of their
// own, under either of their names, when the originals are gone.
func TestRestore_OtherInstance(t *testing.T) {
	s := newSite(t)
	if err := s.inst.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	stage := start(t, create(t, func(o *practice.CreateOptions) { o.Name = "STAGE" }), heavy)
	var moves []move
	var targets []string
	for _, name := range []string{"user", "app"} {
		m := move{filepath.Join(s.dir, "mgr", name) + "/", filepath.Join(t.TempDir(), name) + "/"}
		copyFile(t, s.b.copies+m.source+"IRIS.DAT", m.target+"IRIS.DAT", 0)
		matches(t, typed(t, stage,
			fmt.Sprintf(`set p("Directory")="%s" set sc=##class(Config.Databases).Create("OLD%s",.p) write !,"@@CR|",$system.Status.IsOK(sc),"|",##class(Config.Databases).Exists("OLD%s"),!`, m.target, name, name)),
			`(?m)^@@CR\|1\|1$`)
		moves, targets = append(moves, m), append(targets, m.target)
	}
	if s.b.required == s.b.marker {
		t.Fatal("there is one journal file only")
	}
	for _, z := range []string{"", "z"} { // the older is compressed, and may be named so
		b := *s.b
		b.required += z
		mountAll(t, stage, targets)
		b.restore(t, stage, moves...)
		dismountAll(t, stage, targets)
		for _, m := range moves {
			if got, err := storage.DigestFile(m.target + "IRIS.DAT"); err != nil || got != s.want[m.source] {
				t.Errorf("%s holds %v, %v; want %v", m.target, got, err, s.want[m.source])
			}
			copyFile(t, s.b.copies+m.source+"IRIS.DAT", m.target+"IRIS.DAT", 0) // again
		}
	}
	sound(t, stage, "USER")
}

// The databases of an instance that runs are read-only elsewhere: they are locked.
func TestRestore_WhileRunning(t *testing.T) {
	s := newSite(t)
	user := dirOf(s.inst, "USER")
	other := second(t)
	matches(t, typed(t, other,
		fmt.Sprintf(`write !,"@@MT|",##class(SYS.Database).MountDatabase("%s"),!`, user),
		fmt.Sprintf(`set o=##class(SYS.Database).%%OpenId("%s") write !,"@@ST|",o.Mounted,"|",o.ReadOnlyMounted,!`, user)),
		`(?m)^@@MT\|1$`, `(?m)^@@ST\|1\|1$`)
	out := typed(t, other, fmt.Sprintf(`set x=$$EXTSELCT^DBREST(1,0,"%s","%s",4,"","") write !,"@@REST|",x,!`, s.b.cbk, dirList(t, user+",,N")))
	matches(t, out, `read-only`, `(?m)^@@REST\|-\d$`)
	if strings.Contains(out, "***Restoring") {
		t.Errorf("something was restored:\n%s", out)
	}
	dir := strings.TrimSuffix(user, "/")
	matches(t, typed(t, other, fmt.Sprintf(`write !,"@@DM|",##class(SYS.Database).DismountDatabase("%s"),!`, dir)), `(?m)^@@DM\|1$`)
	if _, err := os.Stat(user + "iris.lck"); err != nil {
		t.Errorf("the lock of the instance that runs: %v", err)
	}
	sound(t, s.inst, "USER")
}
