package session

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// An Instance is one instance, as sessions reach it. Nothing depends on what a
// session before left behind: after BACKUP^DBACK a process's own variables may be
// overwritten (InterSystems manual). It is not for several goroutines at once.
type Instance struct {
	// Options is how it is reached, with the defaults put in. Times that are changed
	// count for the sessions that follow.
	Options Options

	command []string // opens a session
	control string   // see ControlProgram
	held    locks    // what sessions keep locked as long as they live
}

// New returns the instance that the options mean. It starts nothing. The error is
// ErrNoCommand if it does not know how to open a session.
func New(opts Options) (*Instance, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("instance %s: %w", opts.Instance, err)
	}
	in := &Instance{Options: opts, command: opts.Command}
	if len(opts.Command) > 0 {
		return in, nil
	}
	switch {
	case onPath("iris"):
		in.command, in.control = []string{"iris", "session", opts.Instance, "-U", "%SYS"}, "iris"
	case onPath("csession"):
		in.command = []string{"csession", opts.Instance, "-U", "%SYS"}
		if onPath("ccontrol") {
			in.control = "ccontrol"
		}
	default:
		return nil, ErrNoCommand
	}
	return in, nil
}

func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// Other returns another instance of the same machine, which is reached the same
// way but for its name, user and password; with no user, those of this one. The
// error is that of New.
func (in *Instance) Other(name, user string, password []byte) (*Instance, error) {
	opts := in.Options
	opts.Instance = name
	if user != "" {
		opts.User, opts.Password = user, password
	}
	opts.Command = slices.Clone(opts.Command)
	for i, word := range opts.Command {
		if word == in.Name() {
			opts.Command[i] = name
		}
	}
	return New(opts)
}

// Name returns the instance's name.
func (in *Instance) Name() string { return in.Options.Instance }

// CommandLine returns the words of the command line that opens a session.
func (in *Instance) CommandLine() []string { return in.command }

// ControlProgram returns the program that tells of instances, starts and stops
// them: iris or ccontrol. It is "" if sessions are opened by a command line that
// was given: where that leads to is not known.
func (in *Instance) ControlProgram() string { return in.control }

// Statement returns the task of something that is answered at once: a session that
// takes longer than StatementTimeout is ended. name is for errors.
func (in *Instance) Statement(name string, s Script) Task {
	return Task{Name: name, Script: s, Limit: in.Options.StatementTimeout, Patience: in.Options.Grace}
}

// Long returns the task of something that takes its time: no more than LongTimeout,
// and AbortTimeout to end by itself if it is cancelled. name is for errors.
func (in *Instance) Long(name string, s Script) Task {
	return Task{Name: name, Script: s, Limit: in.Options.LongTimeout, Patience: in.Options.AbortTimeout}
}

// Program returns the command of a program other than a session. It does not get
// the password.
func (in *Instance) Program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = childEnv(os.Environ())
	cmd.WaitDelay = in.Options.Grace
	return cmd
}
