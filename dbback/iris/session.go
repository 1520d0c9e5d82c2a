package iris

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A terminal opens sessions of the instance: a process each, told a script on its
// standard input. Nothing depends on what a session before left behind: after
// BACKUP^DBACK a process's own variables may be overwritten (InterSystems manual).
type terminal struct {
	command  []string
	user     string
	password []byte
	started  func(pid int) // nil is fine
	held     locks         // what sessions keep locked as long as they live

	grace time.Duration // between asking a process to end and killing it
}

// A task is one session's work.
type task struct {
	name   string // for errors: "CLRINC^DBACK"
	script script
	limit  time.Duration // how long it may take; not positive: no limit

	// patience is how long the session may go on when ctx ends, before its process
	// is asked to end. After the limit there is none, unless there is an abort.
	patience time.Duration
	// abort is called when the time is up or ctx ends: it makes the instance give
	// up what the session waits for. nil if there is nothing like that.
	abort func() error
}

// run runs one session and returns what it answered. That it answered at all is
// checked, and that it is in the right namespace; all other answers are the
// caller's. The answer is there with an error too, if anything was said.
func (t *terminal) run(ctx context.Context, task task) (*answer, error) {
	if err := ctx.Err(); err != nil {
		return &answer{}, err
	}
	a := &answer{script: task.script, command: t.command}
	out := &output{}
	err := t.process(ctx, task, out)
	text := out.String()
	a.markers = parseMarkers([]byte(text))
	a.said = scrub(text, t.password)
	switch _, ready := a.find("READY"); {
	case ctx.Err() != nil:
		return a, errors.Join(fmt.Errorf("%s: %w", task.name, context.Cause(ctx)), err)
	case !ready:
		return a, explain(task.name, a.said, err)
	}
	if ended, ok := errors.AsType[*EndedError](err); ok {
		return a, fmt.Errorf("%s: %w", task.name, ended)
	}
	if ns, ok := a.find("NS"); !ok || ns.value != "%SYS" {
		return a, &NamespaceError{Namespace: ns.value}
	}
	a.exit = err
	return a, nil
}

// process runs the session's process to its end.
func (t *terminal) process(ctx context.Context, task task, out *output) error {
	cmd := exec.Command(t.command[0], t.command[1:]...)
	cmd.Stdin = strings.NewReader(t.login() + task.script.String())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = childEnv(os.Environ())
	cmd.ExtraFiles = t.held
	// Of its own group, so that ^C at our terminal does not reach what only an
	// abort ends well. Its I/O priority is the normal one: only threads that read
	// databases have another, and those start nothing.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = t.grace // for what still holds its output
	if err := cmd.Start(); err != nil {
		return err
	}
	if t.started != nil {
		t.started(cmd.Process.Pid)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var late <-chan time.Time
	if task.limit > 0 {
		timer := time.NewTimer(task.limit)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return t.end(cmd.Process.Pid, done, task, task.patience, nil)
	case <-late:
		patience := time.Duration(0)
		if task.abort != nil {
			patience = task.patience
		}
		return t.end(cmd.Process.Pid, done, task, patience, &TimeoutError{task.limit})
	}
}

// end ends a session whose time is up, as gently as it can: a process of the
// instance that is killed in the middle of something can leave the instance in
// the middle of it.
func (t *terminal) end(pid int, done <-chan error, task task, patience time.Duration, cause error) error {
	ended := &EndedError{Cause: cause}
	if task.abort != nil {
		ended.Abort = task.abort()
	}
	if waitFor(done, patience) {
		return ended.orNil(task)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		ended.Signal = signal
		if err := syscall.Kill(-pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return errors.Join(ended, err)
		}
		if waitFor(done, t.grace) {
			return ended
		}
	}
	return ended // a process that SIGKILL does not end is in the kernel
}

// waitFor returns whether the process ended within the time.
func waitFor(done <-chan error, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		_ = err // how it ended is not asked for any more
		return true
	case <-timer.C:
		return false
	}
}

// login returns the lines that answer the prompts Username: and Password:
// (InterSystems manual, Backup and Restore: credentials come from standard
// input).
func (t *terminal) login() string {
	if t.user == "" {
		return ""
	}
	return t.user + "\n" + string(t.password) + "\n"
}

// childEnv returns the environment without the password.
func childEnv(env []string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, PasswordEnv+"=") {
			out = append(out, v)
		}
	}
	return out
}

// A TimeoutError means that a session took longer than it may.
type TimeoutError struct{ Limit time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("no answer within %v", e.Limit) }

// Timeout is true: it makes errors of this kind known to net.Error's users.
func (*TimeoutError) Timeout() bool { return true }

// An EndedError means that a session was not waited for to its end.
type EndedError struct {
	Cause  error          // a *TimeoutError; nil if the caller wanted it
	Abort  error          // of asking the instance to abort
	Signal syscall.Signal // what the process had to be ended with; 0 if it ended by itself
}

func (e *EndedError) Error() string {
	var parts []string
	if e.Cause != nil {
		parts = append(parts, e.Cause.Error())
	}
	if e.Abort != nil {
		parts = append(parts, e.Abort.Error())
	}
	if e.Signal != 0 {
		parts = append(parts, fmt.Sprintf("its process did not end by itself and was sent signal %d, %v", int(e.Signal), e.Signal))
	} else {
		parts = append(parts, "it ended when it was asked to")
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the cause.
func (e *EndedError) Unwrap() error { return e.Cause }

// orNil returns nil for a session that only was waited for a little longer.
func (e *EndedError) orNil(task task) error {
	if e.Cause == nil && task.abort == nil {
		return nil
	}
	return e
}
