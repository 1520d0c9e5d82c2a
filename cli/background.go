package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

// readyEnv tells a process that it is the background part of a mount, and the
// number of the file descriptor on which to say how that went.
const readyEnv = "DATFS_READY_FD"

// An outcome is the one message from the background process to the command that
// started it.
type outcome struct {
	Ready string      `json:"ready,omitempty"` // the ready line
	Error *childError `json:"error,omitempty"`
}

// A childError is an error that happened in the background process, with all
// that its own Main would have made of it.
type childError struct {
	Text  string   `json:"text"`
	Code  int      `json:"code"`
	Hints []string `json:"hints"`
}

func (e *childError) Error() string { return e.Text }

// startBackground runs this program again as a process of its own session, which
// neither the end of the terminal nor its ^C reaches, and returns when that says
// that the mount answers. (A Go program cannot simply fork: only the forking
// thread would go on.)
func startBackground(c *cli.Context) error {
	cmd, err := backgroundCommand(c)
	if err != nil {
		return err
	}
	line, err := startAndAwait(c.Context, cmd, c.Path("log-file"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, line)
	return err
}

// startAndAwait starts cmd with a pipe for its message, and returns the ready
// line or the error that came through it.
func startAndAwait(ctx context.Context, cmd *exec.Cmd, logName string) (line string, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("mount in the background: %w", err)
	}
	defer func() { _ = r.Close() }()
	cmd.ExtraFiles = []*os.File{w} // becomes 3, the first after standard error
	cmd.Env = append(os.Environ(), readyEnv+"=3")
	err = startWithLog(cmd, logName)
	_ = w.Close() // or we would never see the end of it
	if err != nil {
		return "", fmt.Errorf("mount in the background: %w", err)
	}
	return awaitReady(ctx, r, cmd)
}

// backgroundCommand repeats the flags of c for the process in the background. It
// works in "/", so that it keeps no other directory busy; paths are absolute.
func backgroundCommand(c *cli.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := catalog.AbsPath(c.Args().First())
	if err != nil {
		return nil, err
	}
	args := []string{os.Args[0], "mount"}
	for _, name := range []string{"direct-io", "allow-other", "debug"} {
		args = append(args, fmt.Sprintf("--%s=%t", name, c.Bool(name)))
	}
	if repo := c.Path("repo"); repo != "" {
		if repo, err = catalog.AbsPath(repo); err != nil {
			return nil, err
		}
		args = append(args, "--repo="+repo)
	}
	return &exec.Cmd{
		Path:        self,
		Args:        append(args, "--", dir),
		Dir:         "/",
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}, nil
}

// startWithLog starts cmd with its output, also that of a crash, in the log file.
func startWithLog(cmd *exec.Cmd, name string) error {
	if name != "" {
		f, err := openLog(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // the new process has its own
		cmd.Stdout, cmd.Stderr = f, f
	}
	return cmd.Start()
}

// awaitReady waits for the message of the process in the background. If we are
// interrupted meanwhile, that process is asked to end as well.
func awaitReady(ctx context.Context, r io.Reader, cmd *exec.Cmd) (line string, err error) {
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	var out outcome
	err = json.NewDecoder(r).Decode(&out)
	if out.Ready != "" {
		return out.Ready, cmd.Process.Release()
	}
	wait := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("mount in the background: %w", ctx.Err())
	case err == nil && out.Error != nil:
		return "", out.Error
	}
	err = fmt.Errorf("mount in the background: the process ended before the mount answered: %w", errors.Join(wait, err))
	return "", withHint(err, "mount without --background, or with --log-file, shows why")
}

// A readyPipe is the background process's end. A nil one is that of a process in
// the foreground, and says nothing.
type readyPipe struct{ f *os.File }

// openReadyPipe returns nil if this process is not in the background.
func openReadyPipe() (*readyPipe, error) {
	value := os.Getenv(readyEnv)
	if value == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%q is not a file descriptor; unset it", readyEnv, value)
	}
	syscall.CloseOnExec(fd) // a helper such as fusermount must not hold it open
	return &readyPipe{os.NewFile(uintptr(fd), readyEnv)}, nil
}

// announce sends the ready line. It reports whether there was anyone to send
// it to.
func (p *readyPipe) announce(line string) bool {
	return p.send(outcome{Ready: line})
}

// fail sends err, unless the mount was announced before.
func (p *readyPipe) fail(err error) {
	if err != nil {
		p.send(outcome{Error: &childError{err.Error(), exitCode(err), hintsFor(err)}})
	}
}

func (p *readyPipe) send(out outcome) bool {
	if p == nil {
		return false
	}
	if p.f != nil {
		_ = json.NewEncoder(p.f).Encode(out) // whoever started us may be gone; the mount is there all the same
		_ = p.f.Close()
		p.f = nil
	}
	return true
}
