package gtm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// How long commands may take. What looks at a database or changes a header is
// quick; a backup, a restore, a check or a recovery goes through all of it.
const (
	quick = 2 * time.Minute
	long  = 48 * time.Hour
)

// stopTime is how long a command that was asked to end (SIGTERM, what MUPIP STOP
// sends) may take to do so before it is killed.
const stopTime = time.Minute

// ErrNoEngine means that GT.M is not installed where it was looked for.
var ErrNoEngine = errors.New("GT.M or YottaDB is not found: name its directory with --gtm-dist or in $gtm_dist")

// distGlobs are where packages put GT.M and YottaDB; the last match is used.
var distGlobs = []string{
	"/opt/yottadb/*/mupip",
	"/usr/local/lib/yottadb/*/mupip",
	"/opt/fis-gtm/*/mupip",
	"/usr/lib/fis-gtm/*/mupip",
	"/usr/lib/*/fis-gtm/*/mupip",
}

// FindDist returns the directory with the programs of GT.M: dist if it is not
// empty, else $gtm_dist, else $ydb_dist, else what is installed in one of the
// usual places, the newest version of a place.
func FindDist(dist string) (string, error) {
	for _, d := range []string{dist, os.Getenv("gtm_dist"), os.Getenv("ydb_dist")} {
		if d == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(d, "mupip")); err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoEngine, err)
		}
		return filepath.Abs(d)
	}
	found := ""
	for _, glob := range distGlobs {
		names, _ := filepath.Glob(glob) // the patterns are good
		if len(names) > 0 {
			found = filepath.Dir(names[len(names)-1])
		}
	}
	if found == "" {
		return "", ErrNoEngine
	}
	return found, nil
}

// tools runs the programs of GT.M for one global directory.
type tools struct {
	dist       string
	gbldir     string                       // global directory file, may be ""
	temp       string                       // for MUPIP's own temporary files, may be ""
	dir        string                       // to run them in; "": the current one
	lock       *os.File                     // held by every command too, may be nil
	workLock   *os.File                     // the same, of the run's directory
	transcript func(command, answer string) // told of every command, may be nil
}

// A CommandError is a program of GT.M that failed.
type CommandError struct {
	Command string
	Output  string // all that it said
	Err     error
}

// Error names the command and the first complaint.
func (e *CommandError) Error() string {
	name, _, _ := strings.Cut(e.Command, "\n")
	const enough = 100 // the transcript has all of it
	if len(name) > enough {
		name = strings.ToValidUTF8(name[:enough], "") + " …"
	}
	if complaint := firstComplaint(e.Output); complaint != "" {
		return fmt.Sprintf("%s: %s (%v)", name, complaint, e.Err)
	}
	return fmt.Sprintf("%s: %v", name, e.Err)
}

// Unwrap returns the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// complaints matches GT.M's messages of the severities error and fatal:
// "%GTM-E-DBFILERR, Error with database file".
var complaints = regexp.MustCompile(`(?m)^%[A-Z]+-[EF]-.*$`)

func firstComplaint(output string) string { return complaints.FindString(output) }

// run runs a program of GT.M and returns what it said. It fails if the program
// does, or if it complains: not every complaint has an exit code.
func (t *tools) run(ctx context.Context, limit time.Duration, stdin, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(t.dist, program), args...)
	cmd.Env, cmd.Dir = t.environment(), t.dir
	cmd.Stdin = strings.NewReader(stdin) // never the terminal: an M error asks there
	// The command holds the lock too: where this process is killed and the command
	// works on, the next backup waits for it.
	if t.lock != nil {
		cmd.ExtraFiles = []*os.File{t.lock}
	}
	if t.workLock != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, t.workLock)
	}
	// A killed mupip leaves the engine to clean up after it: it is asked to end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	// Into a file, not a pipe: a command must not die of it that we did.
	out, err := unnamedFile("")
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out

	err = cmd.Run()
	answer, rerr := readAll(out)
	command := strings.Join(append([]string{program}, args...), " ")
	if stdin != "" {
		command += "\n" + strings.TrimRight(stdin, "\n")
	}
	if t.transcript != nil {
		t.transcript(command, answer)
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err == nil && rerr != nil:
		err = rerr
	case err == nil && firstComplaint(answer) != "":
		err = errors.New("exit code 0")
	}
	if err != nil {
		return answer, &CommandError{command, answer, err}
	}
	return answer, nil
}

// mupip runs the utility program.
func (t *tools) mupip(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	return t.run(ctx, limit, "", "mupip", args...)
}

// m runs a line of M code and returns what it wrote.
func (t *tools) m(ctx context.Context, code string) (string, error) {
	return t.run(ctx, quick, "", "mumps", "-run", "%XCMD", code)
}

// gde runs commands of the global directory editor: there is no program of that
// name.
func (t *tools) gde(ctx context.Context, commands ...string) (string, error) {
	return t.run(ctx, quick, strings.Join(commands, "\n")+"\n", "mumps", "-run", "^GDE")
}

// checkPath refuses a path that MUPIP cannot be given, quoted or not.
func checkPath(path string) error {
	if i := strings.IndexAny(path, "\"',=\n\r\t"); i >= 0 {
		return fmt.Errorf("%s: MUPIP takes no %q in a path", path, path[i])
	}
	return nil
}

// quote makes a path one word for MUPIP and GDE, which part their command lines
// themselves. Any shell comes before that.
func quote(path string) string {
	if strings.ContainsAny(path, " ()") {
		return `"` + path + `"`
	}
	return path
}

// quoteAll makes a list of paths for MUPIP.
func quoteAll(paths []string) string {
	var out []string
	for _, path := range paths {
		out = append(out, quote(path))
	}
	return strings.Join(out, ",")
}

// environment returns the caller's environment with what the programs need.
// gtm_tmp stays: all processes of an instance must have the same.
func (t *tools) environment() []string {
	set := []string{
		"gtm_dist=" + t.dist,
		"gtmroutines=" + filepath.Join(t.dist, "libgtmutil.so") + " " + t.dist,
		"gtm_chset=M",
		"LC_ALL=C",
	}
	if t.gbldir != "" {
		set = append(set, "gtmgbldir="+t.gbldir)
	}
	if t.temp != "" {
		set = append(set, "gtm_baktmpdir="+t.temp)
	}
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		same := func(s string) bool { return strings.HasPrefix(s, name+"=") }
		// What YottaDB reads before GT.M's names would win over them, and error
		// traps are for programs of the user's.
		if slices.ContainsFunc(set, same) || strings.HasPrefix(name, "DATFS_") ||
			slices.Contains([]string{"ydb_dist", "ydb_gbldir", "ydb_routines", "ydb_chset", "gtm_etrap", "ydb_etrap", "gtmdbglvl"}, name) {
			continue
		}
		env = append(env, kv)
	}
	return append(env, set...)
}

// unnamedFile makes an empty file that is gone when it is closed, in a directory or
// in the usual place.
func unnamedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "datfs-gtm-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// maxAnswer bounds what is kept of a command's output, in bytes: that of a check
// of a damaged database is endless.
const maxAnswer = 1 << 20

func readAll(f *os.File) (string, error) {
	var b bytes.Buffer
	_, err := io.Copy(&b, io.NewSectionReader(f, 0, maxAnswer))
	return b.String(), err
}
