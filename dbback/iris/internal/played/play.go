package played

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Answers say what a played instance answers, and what it has.
type Answers struct {
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

// play is one process of the played instance: a session, or the control program.
func play(path string) (code int) {
	b, err := os.ReadFile(path)
	must(err)
	var f Answers
	must(json.Unmarshal(b, &f))
	if f.Deaf {
		signal.Ignore(syscall.SIGTERM) // at once: nobody waits until it hangs
	}
	if len(os.Args) > 1 && slices.Contains([]string{"qlist", "start", "stop"}, os.Args[1]) {
		return f.control(os.Args[1:], filepath.Dir(path))
	}
	if f.Refuse != "" {
		fmt.Fprint(os.Stdout, f.Refuse)
		return f.Exit
	}
	in := bufio.NewScanner(os.Stdin)
	if f.Login != "" {
		fmt.Fprint(os.Stdout, "\nUsername: ")
		in.Scan()
		user := in.Text()
		fmt.Fprint(os.Stdout, "\nPassword: ")
		in.Scan()
		if user+" "+in.Text() != f.Login {
			fmt.Fprint(os.Stdout, "\nAccess Denied\n")
			return 1
		}
	}
	fmt.Fprint(os.Stdout, f.Greeting)
	fmt.Fprint(os.Stdout, "\nNode: host, Instance: IRIS\n\n")
	for in.Scan() {
		fmt.Fprint(os.Stdout, "%SYS>")
		if in.Text() == "halt" {
			fmt.Fprintln(os.Stdout)
			return f.Exit
		}
		if code, end := f.line(in.Text(), filepath.Dir(path)); end {
			return code
		}
	}
	return f.Exit
}

// line answers one line.
func (f *Answers) line(line, dir string) (code int, end bool) {
	name := ""
	switch m := reMarker.FindStringSubmatch(line); {
	case strings.Contains(line, `"@@READY|"`):
		name = "READY"
	case strings.Contains(line, `"@@NS|"`):
		name = "NS"
	case m != nil:
		name = m[1]
	default: // what direct mode says of a line that is no command
		fmt.Fprintf(os.Stdout, "\n%s\n^\n<SYNTAX>\n", line)
		return 0, false
	}
	note(dir, name)
	switch name {
	case f.Die:
		fmt.Fprint(os.Stdout, "\n<DISCONNECT>\n")
		return 1, true
	case f.Hang:
		f.hang(dir)
	case f.PurgeOn:
		must(os.Remove(f.PurgePath))
	}
	if text, ok := f.Say[name]; ok {
		fmt.Fprint(os.Stdout, "\n"+text+"\n")
		return 0, false
	}
	fmt.Fprint(os.Stdout, "\n"+f.usual(name, line, dir)+"\n")
	return 0, false
}

// usual returns the answer when all is well.
func (f *Answers) usual(name, line, dir string) string {
	switch name {
	case "READY":
		if f.Environment {
			fmt.Fprintf(os.Stdout, "\n%s\n", strings.Join(os.Environ(), "\n"))
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
func (f *Answers) hang(dir string) {
	if w, err := os.OpenFile(filepath.Join(dir, "hangs"), os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		_, err = w.Write([]byte("x"))
		must(errors.Join(err, w.Close()))
	}
	for range 6000 {
		if _, err := os.Stat(filepath.Join(dir, "released")); !errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond) // in the played instance, not in a test
	}
}

// must ends the process if there is an error: its output shows it.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(9) //nolint:forbidigo // it is a played process, not the test
	}
}

// owners returns the databases of the configuration with their directories.
func (f *Answers) owners() string {
	var b strings.Builder
	for line := range strings.Lines(f.Databases) {
		if fields := strings.Split(strings.TrimSpace(line), "|"); fields[0] == "@@DB" {
			b.WriteString("@@OWN|" + fields[1] + "|" + fields[2] + "\n")
		}
	}
	return b.String() + "@@OWNEND|1"
}
