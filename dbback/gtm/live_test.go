package gtm

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
)

// needEngine returns the directory of GT.M's programs. Where all tests must run
// it fails without them.
func needEngine(t testing.TB) string {
	t.Helper()
	dist, err := FindDist("")
	if err == nil {
		return dist
	}
	const how = "%v; on Debian: apt-get install --no-install-recommends fis-gtm"
	if os.Getenv("CI") != "" {
		t.Fatalf(how, err)
	}
	t.Skipf(how, err)
	return ""
}

// patience is how long a test waits for what takes a moment.
const patience = time.Minute

// A live is a database in use: a global directory, its files, and writers.
type live struct {
	t     testing.TB
	dir   string
	tools tools
	procs []*exec.Cmd
	grows bool   // during a backup
	user  uint32 // of the writers; 0: this process's
}

// A shape says how a live database is made.
type shape struct {
	blockSize  int    // 0: 8192
	access     string // "": BG
	create     string // qualifier of mupip create
	journal    string // "": before; "none": no journals
	regions    int    // 2: globals that begin with A are in a region of their own
	many       int    // this many regions more, R1 to Rn, for globals that begin with R1x to Rnx
	second     string // what that and its segment are called; "": AREG and ASEG
	allocation int    // blocks; 0: 1000
	dir        string // of the databases, below the test's; "": that
}

// newLive creates a database without data.
func newLive(t testing.TB, s shape) *live {
	t.Helper()
	l := &live{t: t, dir: t.TempDir()}
	t.Setenv("gtm_tmp", l.dir)
	t.Setenv("gtm_log", l.dir)
	l.dir = filepath.Join(l.dir, s.dir)
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l.tools = tools{dist: needEngine(t), gbldir: filepath.Join(l.dir, "t.gld")}
	if s.blockSize == 0 {
		s.blockSize = 8192
	}
	if s.access == "" {
		s.access = "BG"
	}
	if s.allocation == 0 {
		s.allocation = 1000
	}
	if s.journal == "" {
		s.journal = "before"
	}
	var gde []string
	segment := func(name, file string, allocation int) {
		gde = append(gde, fmt.Sprintf("change -segment %s -access_method=%s -block_size=%d -allocation=%d -extension=%d -file=%s",
			name, s.access, s.blockSize, allocation, allocation/2, filepath.Join(l.dir, file)))
		if s.access == "BG" {
			gde = append(gde, "change -segment "+name+" -global_buffer_count=2048")
		}
	}
	gde = append(gde, "change -region DEFAULT -record_size=1000 -key_size=100")
	if s.regions == 2 {
		reg, seg := "AREG", "ASEG"
		if s.second != "" {
			reg, seg = s.second, s.second
		}
		gde = append(gde, "add -name A* -region="+reg, "add -region "+reg+" -dynamic="+seg+" -record_size=1000 -key_size=100",
			"add -segment "+seg+" -file="+filepath.Join(l.dir, "a.dat"))
		segment(seg, "a.dat", s.allocation/4)
	}
	for i := range s.many {
		name := fmt.Sprintf("R%d", i+1)
		gde = append(gde, "add -name "+name+"x* -region="+name, "add -region "+name+" -dynamic="+name,
			"add -segment "+name+" -allocation=20 -file="+filepath.Join(l.dir, name+".dat"))
	}
	segment("DEFAULT", "t.dat", s.allocation)
	if out, err := l.tools.gde(t.Context(), append(gde, "exit")...); err != nil || !strings.Contains(out, "-I-GDCREATE") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(l.end)
	l.mupip(append([]string{"create"}, strings.Fields(s.create)...)...)
	if s.journal != "none" {
		l.mupip("set", "-journal=enable,on,"+s.journal, "-region", "*")
	}
	return l
}

// end stops the writers and takes the shared memory and the semaphores away, also
// after a failure.
func (l *live) end() {
	for _, p := range l.procs {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
	l.procs = nil
	for _, name := range l.files("*.dat") {
		cmd := exec.Command(filepath.Join(l.tools.dist, "mupip"), "rundown", "-override", "-file", name)
		cmd.Env = l.tools.environment()
		_ = cmd.Run()
	}
}

func (l *live) files(glob string) []string {
	names, err := filepath.Glob(filepath.Join(l.dir, glob))
	if err != nil {
		l.t.Fatal(err)
	}
	return names
}

// mupip runs MUPIP, which must succeed.
func (l *live) mupip(args ...string) string {
	l.t.Helper()
	out, err := l.tools.mupip(l.t.Context(), patience, args...)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// program prepares a run of a label of testdata/work.m.
func (l *live) program(gbldir, label string, args ...string) *exec.Cmd {
	l.t.Helper()
	source, err := filepath.Abs("testdata")
	if err != nil {
		l.t.Fatal(err)
	}
	objects := filepath.Join(l.dir, "objects")
	if err := os.MkdirAll(objects, 0o700); err != nil {
		l.t.Fatal(err)
	}
	tools := l.tools
	tools.gbldir = gbldir
	cmd := exec.Command(filepath.Join(tools.dist, "mumps"), append([]string{"-run", label + "^work"}, args...)...)
	cmd.Env = append(tools.environment(), "gtmroutines="+objects+"("+source+") "+filepath.Join(tools.dist, "libgtmutil.so")+" "+tools.dist)
	cmd.Dir = l.dir
	return cmd
}

// work runs a label of testdata/work.m on a global directory.
func (l *live) work(gbldir, label string, args ...string) string {
	l.t.Helper()
	out, err := l.program(gbldir, label, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", label, err, out)
	}
	return string(out)
}

// load fills the database with about so many MiB.
func (l *live) load(mib int) { l.t.Helper(); l.work(l.tools.gbldir, "load", strconv.Itoa(mib)) }

// start starts a writer that goes on until stop.
func (l *live) start(label string, id, pace int) {
	l.t.Helper()
	cmd := l.program(l.tools.gbldir, label, fmt.Sprintf("%d %d", id, pace))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if l.user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: l.user, Gid: l.user}}
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.procs = append(l.procs, cmd)
}

// stop ends the writers after their transaction.
func (l *live) stop() {
	l.t.Helper()
	l.m("set ^stop=1")
	for _, p := range l.procs {
		if err := p.Wait(); err != nil {
			l.t.Errorf("a writer: %v\n%s", err, p.Stdout)
		}
	}
	l.procs = nil
	l.m("kill ^stop")
}

// m runs a line of M.
func (l *live) m(code string) string {
	l.t.Helper()
	out, err := l.tools.m(l.t.Context(), code)
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// tn returns the current transaction number of a region.
func (l *live) tn(region string) uint64 {
	l.t.Helper()
	n, err := l.tools.peek(l.t.Context(), region, peekTN)
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// moved waits until a region has so many transactions more.
func (l *live) moved(region string, by uint64) {
	l.t.Helper()
	from := l.tn(region)
	for deadline := time.Now().Add(patience); l.tn(region) < from+by; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("region %s: no %d transactions in %v", region, by, patience)
		}
	}
}

// extract returns a sum of all data that a global directory leads to.
func (l *live) extract(gbldir string) string {
	l.t.Helper()
	tools := l.tools
	tools.gbldir = gbldir
	name := filepath.Join(l.t.TempDir(), "all.zwr")
	if out, err := tools.mupip(l.t.Context(), patience, "extract", "-format=zwr", name); err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(name)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		if n >= 2 { // the first two are of the extract itself
			fmt.Fprintf(h, "%s\n", lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil {
		l.t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// check runs the invariants of testdata/work.m.
func (l *live) check(gbldir string) {
	l.t.Helper()
	if out := l.work(gbldir, "check"); !strings.Contains(out, "CHECK OK") {
		l.t.Errorf("%s: %s", gbldir, out)
	}
}

// giveAway makes the databases, and the writers that are started from here on, those of
// another user. It takes root.
func (l *live) giveAway() {
	l.t.Helper()
	const nobody = 65534
	for _, name := range append(append(l.files("*.dat"), l.files("*.mjl")...), l.dir) {
		if err := os.Chown(name, nobody, nobody); err != nil {
			l.t.Fatal(err)
		}
	}
	for _, name := range []string{filepath.Dir(l.dir), filepath.Join(l.dir, "objects")} {
		if err := os.Chmod(name, 0o755); err != nil {
			l.t.Fatal(err)
		}
	}
	l.user = nobody
}

// integ returns what MUPIP says of a file that nobody has open, and whether it is
// sound. On a damaged tree it may go on for ever.
func (l *live) integ(path string) (string, bool) {
	l.t.Helper()
	out, err := l.tools.mupip(l.t.Context(), 20*time.Second, "integ", "-file", path)
	return out, err == nil && strings.Contains(out, "No errors detected by integ.")
}

// newRepo makes an empty repository.
func newRepo(t testing.TB) *catalog.Repository {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo")
	if err := catalog.Init(dir); err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := repo.Close(); err != nil {
			t.Error(err)
		}
	})
	return repo
}

// copyFile copies a file without looking at it.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
