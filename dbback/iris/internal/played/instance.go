// Package played plays an InterSystems instance for tests: their own binary is the
// instance, and answers what it is told to, wrong answers too. Unlike that of
// dbback/practice it has nothing in its databases.
//
//	instance.go   the instance of a test, and its files
//	play.go       what it answers in a backup
//	restoring.go  what it answers in a restore, and when it is started and stopped
package played

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// playEnv names the environment variable that makes of a test binary a process of
// the instance which answers as the file there says.
const playEnv = "DATFS_TEST_FAKE_IRIS"

// Main is what TestMain exits with: the tests, or the played instance.
func Main(m *testing.M) (code int) {
	if path := os.Getenv(playEnv); path != "" {
		return play(path)
	}
	return m.Run()
}

// An Instance is a played instance called IRIS, with its files.
type Instance struct {
	Answers
	Dir string // has all its files

	t     *testing.T
	path  string   // of the file with the answers
	hangs *os.File // a byte comes when the instance hangs
}

// Version is what an instance says of its version, if nothing else is said.
const Version = "IRIS for UNIX (Red Hat Enterprise Linux 7 for x86-64) 2022.1 (Build 209U) Tue May 31 2022 12:16:40 EDT"

// New makes an instance with the databases IRISSYS and USER.
func New(t *testing.T) *Instance {
	t.Helper()
	dir := t.TempDir()
	w := &Instance{t: t, Dir: dir, path: filepath.Join(dir, "answers.json")}
	mgr := w.At("mgr")
	w.Answers = Answers{
		Version: Version, Namespace: "%SYS", Manager: mgr + "/", List: []string{mgr + "/", mgr + "/user/"},
		Databases: fmt.Sprintf("@@DB|IRISSYS|%[1]s/|8192|1|1|0|0|0|3\n@@DB|IRISLIB|%[1]s/irislib/|8192|1|1|1|0|0|2\n@@DB|USER|%[1]s/user/|8192|1|1|0|0|0|3", mgr),
		Journal:   w.At("mgr/journal/20261122.003"), Alternate: w.At("mgr/alternate/"),
		Qlist: "IRIS^" + dir + "/^2022.1.0.209.0^running, since Sun Nov 22 03:00:00 2026^iris.cpf^1972^52773^0^ok^IRIS^^^" + dir + "/\n",
		Say:   map[string]string{"VOL": "@@ERR|VOL|<PROPERTY DOES NOT EXIST>|zVOL^|VolumeDirectoryList,SYS.Database"},
	}
	w.Write("mgr/IRIS.DAT", w.Database("mgr"))
	w.Write("mgr/user/IRIS.DAT", w.Database("mgr/user"))
	w.Write("mgr/user/iris.lck", "lock")
	w.Write("mgr/IRIS.WIJ", "write image journal")
	for _, name := range []string{"20261121.013z", "20261121.014z", "20261122.001z", "20261122.002", "20261122.003"} {
		w.Write("mgr/journal/"+name, "journal "+name)
	}
	w.Write("mgr/alternate/.keep", "")
	w.Write("mgr/journal.log", "list of journals")
	w.Write("mgr/mirrorjrn-M.log", "list of a mirror's journals")
	w.Write("mgr/startup.last", "wijlast=\n")
	w.Write("iris.cpf", "[Databases]\nUSER="+mgr+"/user/\n[Journal]\nBackupsBeforePurge=6\nDaysBeforePurge=7\n")
	w.Write("parameters.isc", "security_settings.iris_user: irisusr\n")
	content, log := "incremental", w.LogOf("20261121.014", "20261122.002")
	w.Backup, w.Log = &content, &log
	if err := syscall.Mkfifo(w.At("hangs"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangs, err := os.OpenFile(w.At("hangs"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hangs.Close() })
	w.hangs = hangs
	return w
}

// At returns the path of a file of the instance.
func (w *Instance) At(name string) string { return filepath.Join(w.Dir, name) }

// Write writes a file of the instance.
func (w *Instance) Write(name, content string) {
	w.t.Helper()
	path := w.At(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// Database returns what the file of a database in a directory has: four blocks, of which
// the first block is a label (see dbback.Recognise).
func (w *Instance) Database(dir string) string {
	const blocks, size = 4, 8192
	dir = w.At(dir) + "/"
	b := []byte(strings.Repeat(fmt.Sprintf("%8.8s", filepath.Base(dir)), blocks*size/8))
	clear(b[:size])
	binary.LittleEndian.PutUint32(b[0x458:], blocks)
	copy(b[0x5F4:], "Cache DB")
	binary.LittleEndian.PutUint16(b[0x5FC:], uint16(len(dir)))
	copy(b[0x5FE:], dir)
	return string(b)
}

// LogOf returns the log of an incremental of the listed databases.
func (w *Instance) LogOf(required, marker string) string {
	dirs := " " + strings.Join(w.List, "\n ") + "\n"
	return fmt.Sprintf("*** The time is: 2026-11-22 03:00:06 ***\n\nPerforming a Incremental backup.\nBacking up to device: x\n\nBacking up the following directories:\n%[1]s\n\n"+
		"Journal file switched to:\n%[2]s/%[4]s\n\nStarting backup pass 1\nCopied 12 blocks in 0.1 seconds\n\n"+
		"Journal file '%[2]s/%[3]s' and the subsequent ones are required for recovery purpose if the backup were to be restored\n\n"+
		"Journal marker set at\noffset 198264 of %[2]s/%[4]s\n\n***FINISHED BACKUP***\n\nGlobal references are enabled.\n\nBackup complete.\n",
		dirs, w.At("mgr/journal"), required, marker)
}

// Tell tells the played instance what it is now, and returns the command that opens
// a session of it.
func (w *Instance) Tell() (command []string) {
	w.t.Helper()
	b, err := json.Marshal(w.Answers)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.t.Setenv(playEnv, w.path)
	w.t.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector lets each played session linger for a second
	return []string{os.Args[0], "session", "IRIS"}
}

// OnPath makes the played instance the program iris that is found.
func (w *Instance) OnPath() {
	w.t.Helper()
	bin := w.t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "iris")); err != nil {
		w.t.Fatal(err)
	}
	w.t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// Told returns what was told since the last time, by markers, without those that
// only ask.
func (w *Instance) Told() string {
	w.t.Helper()
	b, err := os.ReadFile(w.At("told"))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	if err := os.Remove(w.At("told")); err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	var out []string
	for name := range strings.FieldsSeq(string(b)) {
		switch name {
		case "READY", "NS", "MGR", "MIR", "ST", "JRN", "OWN":
		default:
			if len(out) == 0 || out[len(out)-1] != name {
				out = append(out, name)
			}
		}
	}
	return strings.Join(out, " ")
}

// WaitHang returns when the played instance hangs.
func (w *Instance) WaitHang() {
	w.t.Helper()
	if _, err := io.ReadFull(w.hangs, make([]byte, 1)); err != nil {
		w.t.Error(err)
	}
}
