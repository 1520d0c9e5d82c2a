package session

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// PasswordEnv names the environment variable that the password can come from.
// It is not handed on to the processes that are started for sessions.
const PasswordEnv = "DATFS_IRIS_PASSWORD"

// Options says how an instance is reached and how long it may take. Times that are
// zero mean the default, negative ones no limit.
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

	// WorkDir is where the instance writes, and reads, what a run hands over; each
	// run has a directory of its own in it. It is made if it is missing. Default:
	// datfs in the directory Backup of the manager directory. Those who cannot
	// write to that one must all use the same, since the instance's lock lies there.
	WorkDir string

	StatementTimeout time.Duration // for what is answered at once. Default: 2 minutes
	LongTimeout      time.Duration // for what takes its time, as an incremental does. Default: 12 hours
	AbortTimeout     time.Duration // for what was aborted or cancelled to end by itself. Default: DefaultAbortTimeout; never without limit
	Grace            time.Duration // for a process to end after each signal. Default: 10 seconds; never without limit

	// RefusedPause is how long to wait before a session that was refused is tried
	// again, for those who do that; each further time it is twice as long. Default: 5
	// seconds.
	RefusedPause time.Duration

	// Started is called with the process ID of each session, once it runs. nil is
	// fine.
	Started func(pid int)
}

// Default times.
const (
	defaultStatement = 2 * time.Minute
	defaultLong      = 12 * time.Hour
	defaultGrace     = 10 * time.Second
	defaultRefused   = 5 * time.Second
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
	case strings.HasPrefix(o.Instance, "-") || strings.ContainsAny(o.Instance, `/\ `) || HasControl(o.Instance):
		return fmt.Errorf("%q is not the name of an instance", o.Instance)
	case HasControl(o.User) || HasControl(string(o.Password)):
		return errors.New("user or password has a control character")
	case len(o.Password) > 0 && o.User == "":
		return errors.New("there is a password, but no user")
	case o.WorkDir != "" && !filepath.IsAbs(o.WorkDir):
		return fmt.Errorf("the work directory %s is not absolute", o.WorkDir)
	case o.AbortTimeout < 0 || o.Grace < 0:
		return errors.New("an aborted backup must be given up at some time")
	case HasControl(o.WorkDir):
		return errors.New("the work directory has a control character")
	}
	o.StatementTimeout = cmp.Or(o.StatementTimeout, defaultStatement)
	o.LongTimeout = cmp.Or(o.LongTimeout, defaultLong)
	o.AbortTimeout = cmp.Or(o.AbortTimeout, DefaultAbortTimeout)
	o.Grace = cmp.Or(o.Grace, defaultGrace)
	o.RefusedPause = cmp.Or(o.RefusedPause, defaultRefused)
	return nil
}
