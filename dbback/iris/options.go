package iris

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// PasswordEnv names the environment variable that the password can come from.
// It is not handed on to the processes that the engine starts.
const PasswordEnv = "DATFS_IRIS_PASSWORD"

// Options says how an instance is reached and how long it may take. Times that
// are zero mean the default, negative ones no limit.
type Options struct {
	Instance string // name of the instance as in "iris list"

	// Command is the whole command line, by words, that opens a session of the
	// instance in namespace %SYS with standard input and output, such as
	// {"docker", "exec", "-i", "c", "iris", "session", "IRIS", "-U", "%SYS"}. If it
	// is empty it is "iris session INSTANCE -U %SYS", or of Caché "csession
	// INSTANCE -U %SYS", whichever program is found. Paths must mean the same in
	// the session and here.
	Command []string

	// User and Password answer the prompts of a session that asks for them. With
	// no User they are not expected: the manual's way is to have the operating
	// system authenticate, as the instance's owner.
	User     string
	Password []byte

	// WorkDir is where backup files, logs and lists are written by the instance
	// and read by the engine; each run has a directory of its own in it. It is
	// made if it is missing. Default: datfs in the directory Backup of the manager
	// directory. Those who cannot write to that one must all use the same, since
	// the instance's lock lies there.
	WorkDir string

	// Description is put into the instance's backup history and into the label of
	// the backup file. Default: "datfs".
	Description string

	StatementTimeout time.Duration // for what is answered at once. Default: 2 minutes
	MarkTimeout      time.Duration // for CLRINC^DBACK. Default: 10 minutes
	BackupTimeout    time.Duration // for the incremental. Default: 12 hours
	QuiesceTimeout   time.Duration // how long the instance may wait to become quiet. Default: 5 minutes; rounded up to seconds
	AbortTimeout     time.Duration // for what was aborted or cancelled to end by itself. Default: DefaultAbortTimeout; never without limit

	// Started is called with the process ID of each session, once it runs. nil is
	// fine.
	Started func(pid int)
}

// Default times.
const (
	defaultStatement = 2 * time.Minute
	defaultMark      = 10 * time.Minute
	defaultBackup    = 12 * time.Hour
	defaultQuiesce   = 5 * time.Minute
)

// DefaultAbortTimeout is how long something that was aborted may take to end by
// itself, if nothing else is said.
const DefaultAbortTimeout = time.Minute

// ErrNoCommand means that neither iris nor csession was found.
var ErrNoCommand = errors.New("neither iris nor csession is on the PATH: give the whole command line that opens a session")

// ReadPassword returns the password from the first line of a file, or if file is
// empty from the environment variable [PasswordEnv]; nil if there is none.
func ReadPassword(file string) ([]byte, error) {
	if file == "" {
		if p := os.Getenv(PasswordEnv); p != "" {
			return []byte(p), nil
		}
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
		return nil, fmt.Errorf("password: the first line of %s is empty", file)
	}
	return line, nil
}

// check returns what is wrong with the options, and puts in the defaults.
func (o *Options) check() error {
	switch {
	case o.Instance == "":
		return errors.New("the instance has no name")
	case strings.HasPrefix(o.Instance, "-") || strings.ContainsAny(o.Instance, `/\ `) || hasControl(o.Instance):
		return fmt.Errorf("%q is not the name of an instance", o.Instance)
	case hasControl(o.User) || hasControl(string(o.Password)):
		return errors.New("user or password has a control character")
	case len(o.Password) > 0 && o.User == "":
		return errors.New("there is a password, but no user")
	case hasControl(o.Description):
		return errors.New("the description has a control character")
	case o.WorkDir != "" && !filepath.IsAbs(o.WorkDir):
		return fmt.Errorf("the work directory %s is not absolute", o.WorkDir)
	case o.AbortTimeout < 0:
		return errors.New("an aborted backup must be given up at some time")
	case hasControl(o.WorkDir):
		return errors.New("the work directory has a control character")
	}
	if o.Description == "" {
		o.Description = "datfs"
	}
	defaultTo(&o.StatementTimeout, defaultStatement)
	defaultTo(&o.MarkTimeout, defaultMark)
	defaultTo(&o.BackupTimeout, defaultBackup)
	defaultTo(&o.QuiesceTimeout, defaultQuiesce)
	defaultTo(&o.AbortTimeout, DefaultAbortTimeout)
	return nil
}

func defaultTo(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// hasControl reports whether s has a character that would end a line of a script
// or do something else to a terminal.
func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
