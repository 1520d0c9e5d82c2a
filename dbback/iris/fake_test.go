package iris

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// The test binary is its own instance: with this variable it plays a terminal
// that answers as the file there says.
const fakeEnv = "DATFS_TEST_FAKE_IRIS"

func TestMain(m *testing.M) {
	if path := os.Getenv(fakeEnv); path != "" {
		os.Exit(playFake(path))
	}
	os.Exit(m.Run())
}

// A fake says what the played instance answers.
type fake struct {
	Version   string            // $zversion
	Greeting  string            // before anything
	Qlist     string            // what "iris qlist" prints
	Refuse    string            // printed instead of a session
	Exit      int               // of a session
	Login     string            // "user password" that is asked for; "" if none
	Namespace string            //
	Say       map[string]string // by marker: printed instead of the usual answer
	Hang      string            // marker of the statement that hangs until it is aborted
	Deaf      bool              // no signal but SIGKILL, and no abort, ends what hangs
	Die       string            // marker of the statement at which the session ends

	Manager     string
	Databases   string // markers DB, DBX, VOL
	List        []string
	SecondList  []string // from the second LISTDIRS of a run on
	NoList      bool     // LISTDIRS writes no file
	Backup      *string  // content of the backup file; nil: none is made
	Log         *string  // of the incremental
	Journal     string   // current file
	Alternate   string
	PurgeOn     string // marker of the statement when PurgePath goes
	PurgePath   string
	Environment bool // print the environment at READY
	BadStart    int  // after so many starts all databases are mounted read-only
}

var (
	reMarker = regexp.MustCompile(`@@ERR\|([A-Z]+)\|`)
	reList   = regexp.MustCompile(`LISTDIRS\^DBACK\("((?:[^"]|"")*)"`)
	reBackup = regexp.MustCompile(`BACKUP\^DBACK\("","I","((?:[^"]|"")*)","((?:[^"]|"")*)","N","((?:[^"]|"")*)","NOINPUT","N","Y","",(\d+)\)`)
)

func playFake(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return 9
	}
	var f fake
	if err := json.Unmarshal(b, &f); err != nil {
		fmt.Println(err)
		return 9
	}
	if f.Deaf {
		signal.Ignore(syscall.SIGTERM) // at once: nobody waits until it hangs
	}
	if len(os.Args) > 1 && slices.Contains([]string{"qlist", "start", "stop"}, os.Args[1]) {
		return f.control(os.Args[1:], filepath.Dir(path))
	}
	if f.Refuse != "" {
		fmt.Print(f.Refuse)
		return f.Exit
	}
	in := bufio.NewScanner(os.Stdin)
	if f.Login != "" {
		fmt.Print("\nUsername: ")
		in.Scan()
		user := in.Text()
		fmt.Print("\nPassword: ")
		in.Scan()
		if user+" "+in.Text() != f.Login {
			fmt.Print("\nAccess Denied\n")
			return 1
		}
	}
	fmt.Print(f.Greeting)
	fmt.Print("\nNode: host, Instance: IRIS\n\n")
	for in.Scan() {
		fmt.Print("%SYS>")
		if in.Text() == "halt" {
			fmt.Println()
			return f.Exit
		}
		if code, end := f.line(in.Text(), filepath.Dir(path)); end {
			return code
		}
	}
	return f.Exit
}

// line answers one line.
func (f *fake) line(line, dir string) (code int, end bool) {
	name := ""
	switch m := reMarker.FindStringSubmatch(line); {
	case strings.Contains(line, `"@@READY|"`):
		name = "READY"
	case strings.Contains(line, `"@@NS|"`):
		name = "NS"
	case m != nil:
		name = m[1]
	default: // what direct mode says of a line that is no command
		fmt.Printf("\n%s\n^\n<SYNTAX>\n", line)
		return 0, false
	}
	note(dir, name)
	switch name {
	case f.Die:
		fmt.Print("\n<DISCONNECT>\n")
		return 1, true
	case f.Hang:
		f.hang(dir)
	case f.PurgeOn:
		os.Remove(f.PurgePath)
	}
	if text, ok := f.Say[name]; ok {
		fmt.Print("\n" + text + "\n")
		return 0, false
	}
	fmt.Print("\n" + f.usual(name, line, dir) + "\n")
	return 0, false
}

// usual returns the answer when all is well.
func (f *fake) usual(name, line, dir string) string {
	switch name {
	case "READY":
		if f.Environment {
			fmt.Printf("\n%s\n", strings.Join(os.Environ(), "\n"))
		}
		return "@@READY|" + f.Version
	case "NS":
		return "@@NS|" + f.Namespace
	case "MGR":
		return "@@MGR|" + f.Manager
	case "JRN":
		return "@@JRN|" + f.Journal + "|" + filepath.Dir(f.Journal) + "/|" + f.Alternate
	case "MIR":
		return "@@MIR|0|0"
	case "MIRX":
		return "@@MIRX|0|0|"
	case "LF":
		return "@@LF|0,No information recorded about a full backup"
	case "WDS":
		return "@@WDS|0"
	case "BL":
		return "@@BL|/x/\n@@BLEND|1"
	case "DB":
		return f.Databases + "\n@@DBEND|1"
	case "LIST":
		m := reList.FindStringSubmatch(line)
		list := f.List
		if strings.HasSuffix(m[1], "list-2.txt") && f.SecondList != nil {
			list = f.SecondList
		}
		if !f.NoList {
			must(os.WriteFile(strings.ReplaceAll(m[1], `""`, `"`), []byte(strings.Join(list, "\n")+"\n"), 0o666))
		}
		return "@@LIST|1"
	case "BH":
		return "@@BHEND|1"
	case "CLRINC", "E", "JRNSWTCH":
		return "Switching from: x\n@@" + name + "|1"
	case "SIZE":
		return "@@SIZE|18950^5^160952^2710^160309^313104^313104"
	case "ABORT":
		if !f.Deaf {
			must(os.WriteFile(filepath.Join(dir, "released"), nil, 0o600))
		}
		return "@@ABORT|0"
	case "I":
		m := reBackup.FindStringSubmatch(line)
		if f.Backup != nil {
			must(os.WriteFile(m[2], []byte(*f.Backup), 0o600))
		}
		if f.Log != nil {
			must(os.WriteFile(m[3], []byte(*f.Log), 0o600))
		}
		return "@@I|1"
	}
	return f.restoring(name, line, dir)
}

// hang returns when the statement was aborted, or after longer than any test
// waits. It says that it hangs through a pipe that the test reads.
func (f *fake) hang(dir string) {
	if w, err := os.OpenFile(filepath.Join(dir, "hangs"), os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		w.Write([]byte("x"))
		w.Close()
	}
	for range 6000 {
		if _, err := os.Stat(filepath.Join(dir, "released")); !errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond) // in the played instance, not in a test
	}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
}

// A world is a played instance with its files.
type world struct {
	t    *testing.T
	dir  string
	path string // of the fake's file
	fake
	hangs *os.File // a byte comes when the instance hangs
}

const fakeVersion = "IRIS for UNIX (Red Hat Enterprise Linux 7 for x86-64) 2022.1 (Build 209U) Tue May 31 2022 12:16:40 EDT"

// newWorld makes an instance with the databases IRISSYS and USER.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, path: filepath.Join(dir, "fake.json")}
	mgr := w.at("mgr")
	w.fake = fake{
		Version: fakeVersion, Namespace: "%SYS", Manager: mgr + "/", List: []string{mgr + "/", mgr + "/user/"},
		Databases: fmt.Sprintf("@@DB|IRISSYS|%[1]s/|8192|1|1|0|0|0|3\n@@DB|IRISLIB|%[1]s/irislib/|8192|1|1|1|0|0|2\n@@DB|USER|%[1]s/user/|8192|1|1|0|0|0|3", mgr),
		Journal:   w.at("mgr/journal/20261122.003"), Alternate: w.at("mgr/alternate/"),
		Qlist: "IRIS^" + dir + "/^2022.1.0.209.0^running, since Sun Nov 22 03:00:00 2026^iris.cpf^1972^52773^0^ok^IRIS^^^" + dir + "/\n",
		Say:   map[string]string{"VOL": "@@ERR|VOL|<PROPERTY DOES NOT EXIST>|zVOL^|VolumeDirectoryList,SYS.Database"},
	}
	w.write("mgr/IRIS.DAT", strings.Repeat("system  ", 2048))
	w.write("mgr/user/IRIS.DAT", strings.Repeat("user    ", 4096))
	w.write("mgr/user/iris.lck", "lock")
	w.write("mgr/IRIS.WIJ", "write image journal")
	for _, name := range []string{"20261121.013z", "20261121.014z", "20261122.001z", "20261122.002", "20261122.003"} {
		w.write("mgr/journal/"+name, "journal "+name)
	}
	w.write("mgr/alternate/.keep", "")
	w.write("mgr/journal.log", "list of journals")
	w.write("mgr/mirrorjrn-M.log", "list of a mirror's journals")
	w.write("mgr/startup.last", "wijlast=\n")
	w.write("iris.cpf", "[Databases]\nUSER="+mgr+"/user/\n[Journal]\nBackupsBeforePurge=6\nDaysBeforePurge=7\n")
	w.write("parameters.isc", "security_settings.iris_user: irisusr\n")
	content, log := "incremental", w.log("20261121.014", "20261122.002")
	w.Backup, w.Log = &content, &log
	if err := syscall.Mkfifo(w.at("hangs"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangs, err := os.OpenFile(w.at("hangs"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangs.Close() })
	w.hangs = hangs
	return w
}

func (w *world) at(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) {
	w.t.Helper()
	path := w.at(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// log returns the log of an incremental of the listed databases.
func (w *world) log(required, marker string) string {
	dirs := ""
	for _, dir := range w.List {
		dirs += " " + dir + "\n"
	}
	return fmt.Sprintf("*** The time is: 2026-11-22 03:00:06 ***\n\nPerforming a Incremental backup.\nBacking up to device: x\n\nBacking up the following directories:\n%[1]s\n\n"+
		"Journal file switched to:\n%[2]s/%[4]s\n\nStarting backup pass 1\nCopied 12 blocks in 0.1 seconds\n\n"+
		"Journal file '%[2]s/%[3]s' and the subsequent ones are required for recovery purpose if the backup were to be restored\n\n"+
		"Journal marker set at\noffset 198264 of %[2]s/%[4]s\n\n***FINISHED BACKUP***\n\nGlobal references are enabled.\n\nBackup complete.\n",
		dirs, w.at("mgr/journal"), required, marker)
}

// options returns options for the played instance, which is told what it is now.
func (w *world) options() Options {
	w.t.Helper()
	b, err := json.Marshal(w.fake)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.t.Setenv(fakeEnv, w.path)
	w.t.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector lets each played session linger for a second
	return Options{Instance: "IRIS", Command: []string{os.Args[0], "session", "IRIS"}}
}

// engine returns the engine of the played instance.
func (w *world) engine(change ...func(*Options)) *Engine {
	w.t.Helper()
	opts := w.options()
	for _, c := range change {
		c(&opts)
	}
	e, err := New(opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// A listener is a run that remembers what it is told.
type listener struct {
	*dbback.Run
	survey             *dbback.Survey
	transcript, logged strings.Builder
	told               map[string]string // the transcript by step
}

func newListener() *listener {
	l := &listener{told: make(map[string]string)}
	l.Run = &dbback.Run{
		Set: catalog.SetName{Instance: "PROD", Name: "2026-11-22T03-00-00Z"},
		Transcript: func(step, text string) {
			fmt.Fprintf(&l.transcript, "[%s] %s", step, text)
			l.told[step] += text
		},
		Log: func(format string, args ...any) { fmt.Fprintf(&l.logged, format+"\n", args...) },
	}
	return l
}

// begin brings an engine to where a run has begun.
func begin(t *testing.T, e *Engine) *listener {
	t.Helper()
	survey, err := e.Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if survey.Failed() {
		t.Fatalf("preflight: %v", survey.Findings)
	}
	l := newListener()
	l.survey = survey
	if err := e.Begin(t.Context(), l.Run); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.End(t.Context(), false); err != nil {
			t.Error(err)
		}
	})
	return l
}

// waitHang returns when the played instance hangs.
func (w *world) waitHang() {
	w.t.Helper()
	if _, err := io.ReadFull(w.hangs, make([]byte, 1)); err != nil {
		w.t.Error(err)
	}
}
