package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A gtmDB is a global directory of two regions, whose databases are in use. Its
// programs are those of the tests of dbback/gtm.
type gtmDB struct {
	t           *testing.T
	dist        string
	dir, gbldir string
	writers     []*exec.Cmd
}

// newGTM makes the databases. With two regions, globals that begin with A are in
// a region of their own.
func newGTM(t *testing.T) *gtmDB {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/fis-gtm/*/mupip")
	if err != nil || len(found) == 0 {
		missing(t, "GT.M is not installed; on Debian: apt-get install --no-install-recommends fis-gtm")
	}
	dir := t.TempDir()
	d := &gtmDB{t: t, dist: filepath.Dir(found[len(found)-1]), dir: dir, gbldir: filepath.Join(dir, "shop.gld")}
	t.Setenv("gtm_tmp", dir)
	t.Setenv("gtm_log", dir)
	for _, name := range []string{"gtm_dist", "gtmgbldir", "ydb_dist", "ydb_gbldir"} {
		t.Setenv(name, "") // as for a user who has set nothing
	}
	segment := "change -segment %s -access_method=BG -block_size=8192 -allocation=%d -extension=200 -global_buffer_count=2048\n"
	d.gde("add -name A* -region=AREG\nadd -region AREG -dynamic=ASEG -record_size=1000 -key_size=100\n" +
		"add -segment ASEG -file=" + filepath.Join(dir, "a.dat") + "\n" + fmt.Sprintf(segment, "ASEG", 200) +
		"change -region DEFAULT -record_size=1000 -key_size=100\n" + fmt.Sprintf(segment, "DEFAULT", 1000) +
		"change -segment DEFAULT -file=" + filepath.Join(dir, "t.dat") + "\nexit\n")
	t.Cleanup(d.end)
	d.mupip("create")
	d.mupip("set", "-journal=enable,on,before", "-region", "*")
	return d
}

// command prepares a run of a program of GT.M on a global directory.
func (d *gtmDB) command(gbldir, program string, args ...string) *exec.Cmd {
	d.t.Helper()
	source, err := filepath.Abs("../dbback/gtm/testdata")
	if err != nil {
		d.t.Fatal(err)
	}
	objects := filepath.Join(d.dir, "objects")
	if err := os.MkdirAll(objects, 0o700); err != nil {
		d.t.Fatal(err)
	}
	// Not bound to the test's context: what it ends with is a kill.
	cmd := exec.Command(filepath.Join(d.dist, program), args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "gtm_dist="+d.dist, "gtmgbldir="+gbldir, "gtm_chset=M", "gtm_tmp="+d.dir,
		"gtmroutines="+objects+"("+source+") "+filepath.Join(d.dist, "libgtmutil.so")+" "+d.dist)
	return cmd
}

// run runs a prepared program to its end, which must be a good one.
func (d *gtmDB) run(cmd *exec.Cmd) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

func (d *gtmDB) mupip(args ...string) string {
	d.t.Helper()
	return d.run(d.command(d.gbldir, "mupip", args...))
}

func (d *gtmDB) gde(commands string) {
	d.t.Helper()
	cmd := d.command(d.gbldir, "mumps", "-run", "^GDE")
	cmd.Stdin = strings.NewReader(commands)
	if out := d.run(cmd); !strings.Contains(out, "GDCREATE") {
		d.t.Fatal(out)
	}
}

// work runs a label of work.m on a global directory.
func (d *gtmDB) work(gbldir, label string, args ...string) string {
	d.t.Helper()
	return d.run(d.command(gbldir, "mumps", append([]string{"-run", label + "^work"}, args...)...))
}

func (d *gtmDB) m(code string) string {
	d.t.Helper()
	return strings.TrimSpace(d.run(d.command(d.gbldir, "mumps", "-run", "%XCMD", code)))
}

// start starts a writer that goes on until stop, and waits for its first
// transactions.
func (d *gtmDB) start(label, log string, id int) {
	d.t.Helper()
	cmd := d.command(d.gbldir, "mumps", "-run", label+"^work", fmt.Sprintf("%d 2", id))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.writers = append(d.writers, cmd)
	d.moved(fmt.Sprintf("%s(%d)", log, id), 20)
}

// moved waits until a counter in the database is so much higher.
func (d *gtmDB) moved(counter string, by int) {
	d.t.Helper()
	read := func() (n int) {
		_, _ = fmt.Sscan(d.m("write +$get("+counter+")"), &n)
		return n
	}
	from := read()
	for deadline := time.Now().Add(patience); read() < from+by; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s does not go on", counter)
		}
	}
}

// stop ends the writers after their transaction.
func (d *gtmDB) stop() {
	d.t.Helper()
	d.m("set ^stop=1")
	for _, cmd := range d.writers {
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("%v: %v\n%s", cmd.Args, err, cmd.Stdout)
		}
	}
	d.writers = nil
	d.m("kill ^stop")
}

// end takes away processes and shared memory, also after a failure.
func (d *gtmDB) end() {
	for _, cmd := range d.writers {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for _, name := range []string{"a.dat", "t.dat"} {
		_ = d.command(d.gbldir, "mupip", "rundown", "-override", "-file", filepath.Join(d.dir, name)).Run()
	}
}

// all returns everything that a global directory leads to.
func (d *gtmDB) all(gbldir string) string {
	d.t.Helper()
	name := filepath.Join(d.t.TempDir(), "all.zwr")
	d.run(d.command(gbldir, "mupip", "extract", "-format=zwr", name))
	b, err := os.ReadFile(name)
	if err != nil {
		d.t.Fatal(err)
	}
	parts := strings.SplitN(string(b), "\n", 3) // the first two lines are of the extract itself
	return parts[len(parts)-1]
}

// check runs the invariants of work.m: no transaction is half there.
func (d *gtmDB) check(gbldir string) {
	d.t.Helper()
	if out := d.work(gbldir, "check"); !strings.Contains(out, "CHECK OK") {
		d.t.Errorf("%s: %s", gbldir, out)
	}
}

// restoreGTM restores and returns the global directory of the result.
func restoreGTM(t *testing.T, repo string, args ...string) string {
	t.Helper()
	args = append([]string{"--repo", repo, "restore", "gtm", "shop/latest", "--json", "--to", t.TempDir()}, args...)
	var report struct{ Gbldir string }
	if err := json.Unmarshal([]byte(mustDatfs(t, args...)), &report); err != nil {
		t.Fatal(err)
	}
	return report.Gbldir
}

// newInDatabases returns how many bytes the last backup stored of the databases, as
// copied and as they were after the incremental, that the repository had not.
func newInDatabases(t *testing.T, repo string) (sum int64) {
	t.Helper()
	var set struct {
		Files []struct {
			Section  string
			NewBytes int64 `json:"new_bytes"`
		}
	}
	if err := json.Unmarshal([]byte(mustDatfs(t, "--repo", repo, "show", "shop/latest", "--json")), &set); err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Files {
		if f.Section == "databases" || f.Section == "consistent" {
			sum += f.NewBytes
		}
	}
	return sum
}

// TestGTM takes a real engine through the whole method, by the program: backups
// of two regions under load, restores on the host of the running databases.
func TestGTM(t *testing.T) {
	d := newGTM(t)
	d.work(d.gbldir, "load", "10")
	d.start("writer", "^log", 1)
	d.start("writer", "^log", 2)
	d.start("across", "^blog", 3)
	repo := newRepository(t)
	mustDatfs(t, "--repo", repo, "check", "gtm", "--gbldir", d.gbldir)
	backup := func() {
		t.Helper()
		mustDatfs(t, "--repo", repo, "backup", "gtm", "--gbldir", d.gbldir, "--io-limit", "15MB/s")
	}
	backup()

	t.Run("restore while the original runs", func(t *testing.T) {
		d.check(restoreGTM(t, repo))
		d.check(restoreGTM(t, repo, "--no-journals"))
		d.check(restoreGTM(t, repo, "--consistent"))
	})
	t.Run("interrupted", func(t *testing.T) {
		d.interrupted(t, repo)
		backup()
	})
	d.stop()
	t.Run("restore to the last transaction", func(t *testing.T) {
		if got, want := d.all(restoreGTM(t, repo, "--journals", d.dir)), d.all(d.gbldir); got != want {
			t.Error("what was restored is not what the original has")
		}
	})
	t.Run("growth", func(t *testing.T) {
		backup() // of what was written since
		const changed = 100
		d.m(fmt.Sprintf("for i=1:1:%d set $extract(^big(i*37),1)=\"X\"", changed)) // nothing moves
		backup()
		// A block for each record that was changed, and some of the tree above them,
		// header and maps.
		if grown, most := newInDatabases(t, repo), int64(changed+20)*8192; grown > most || grown == 0 {
			t.Errorf("a backup after changes in %d records stored %d bytes of databases, more than %d", changed, grown, most)
		}
		before, _ := packBytes(t, repo)
		backup()
		after, _ := packBytes(t, repo)
		if grown := after - before; grown > 256<<10 {
			t.Errorf("a backup of what did not change made the repository %d bytes larger", grown)
		}
	})
	t.Run("plain restore", func(t *testing.T) {
		// Whoever goes on from there by hand must not begin with mupip restore.
		r := datfs(t, "--repo", repo, "restore", "shop/latest", "--to", t.TempDir())
		first, apply := strings.Index(r.stderr, "mupip rundown -file"), strings.Index(r.stderr, "with mupip restore")
		if r.code != 0 || first < 0 || apply < first || !strings.Contains(r.stderr, "restore gtm shop/") {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
	})
	t.Run("show", func(t *testing.T) {
		out := mustDatfs(t, "--repo", repo, "show", "shop/latest")
		for _, want := range []string{"below consistent/, 2 databases", "all of it: datfs restore gtm shop/"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	})
	t.Run("never over a database", func(t *testing.T) {
		r := datfs(t, "--repo", repo, "restore", "gtm", "shop/latest", "--to", "/")
		if r.code != 1 || !strings.Contains(r.stderr, "a restore never writes over a database") {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
	})
	t.Run("mount", func(t *testing.T) { d.mounted(t, repo) })
	mustDatfs(t, "--repo", repo, "verify", "--quiet")
	for _, name := range []string{"a.dat", "t.dat"} {
		if out := d.mupip("integ", "-file", filepath.Join(d.dir, name)); !strings.Contains(out, "No errors detected") {
			t.Errorf("the original %s: %s", name, out)
		}
	}
}

// interrupted ends a backup like ^C while it copies. Nothing of it is left where
// the databases are.
func (d *gtmDB) interrupted(t *testing.T, repo string) {
	t.Helper()
	cmd := command(t, "--repo", repo, "backup", "gtm", "--gbldir", d.gbldir, "--io-limit", "1MB/s")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		sets := listSets(t, repo)
		if made, _ := filepath.Glob(filepath.Join(d.dir, "datfs-*", "*.mark")); len(made) == 2 && sets[len(sets)-1].State == "running" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no copy began")
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130\n%s", code, &stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(d.dir, "datfs-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	d.moved("^log(1)", 5)
}

// mounted runs on what a mount shows below consistent/, after a plain copy.
func (d *gtmDB) mounted(t *testing.T, repo string) {
	t.Helper()
	sets := listSets(t, repo)
	last := sets[len(sets)-1]
	from := filepath.Join(mount(t, repo), "sets", last.Instance, last.Name, "consistent", d.dir)
	to := t.TempDir()
	for _, name := range []string{"a.dat", "t.dat"} {
		mustRun(t, "cp", "--sparse=always", filepath.Join(from, name), to)
		if out := d.mupip("integ", "-file", filepath.Join(to, name)); !strings.Contains(out, "No errors detected") {
			t.Errorf("%s: %s", name, out)
		}
	}
	gbldir := filepath.Join(to, "shop.gld")
	mustRun(t, "cp", d.gbldir, gbldir)
	cmd := d.command(gbldir, "mumps", "-run", "^GDE")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("change -segment ASEG -file=%[1]s/a.dat\nchange -segment DEFAULT -file=%[1]s/t.dat\nexit\n", to))
	d.run(cmd)
	d.check(gbldir)
	if got, want := d.all(gbldir), d.all(d.gbldir); got != want {
		t.Error("what the mount shows is not what the original has") // nobody has written since
	}
}
