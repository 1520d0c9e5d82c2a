package session

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

// A Task is one session's work.
type Task struct {
	Name   string // for errors: "CLRINC^DBACK"
	Script Script
	Limit  time.Duration // how long it may take; not positive: no limit

	// Patience is how long the session may go on when ctx ends, before its process
	// is asked to end. After the limit there is none, unless there is an abort.
	Patience time.Duration
	// Abort is called when the time is up or ctx ends: it makes the instance give
	// up what the session waits for. nil if there is nothing like that.
	Abort func() error
}

// Run runs one session and returns what it answered. That it answered at all is
// checked (*NoAnswerError), and that it is in the right namespace
// (*NamespaceError); all other answers are the caller's. A session that was not
// waited for to its end is an *EndedError. The answer is there with an error too,
// if anything was said.
func (in *Instance) Run(ctx context.Context, task Task) (*Answer, error) {
	if err := ctx.Err(); err != nil {
		return &Answer{}, err
	}
	out, err := newSpool()
	if err != nil {
		return &Answer{}, fmt.Errorf("%s: %w", task.Name, err)
	}
	defer out.close()
	stop := out.keepSmall()
	err = in.process(ctx, task, out.f)
	stop()
	said, lost, unread := out.read()
	a := ParseAnswer(said)
	a.script, a.command, a.lost = task.Script, in.command, lost
	if unread != nil {
		err = errors.Join(err, fmt.Errorf("what it said cannot be read: %w", unread))
	}
	a.Said = Scrub(a.Said, in.Options.Password)
	switch _, ready := a.Find("READY"); {
	case ctx.Err() != nil:
		return a, errors.Join(fmt.Errorf("%s: %w", task.Name, context.Cause(ctx)), err)
	case !ready:
		return a, a.refusal(task.Name, err)
	}
	if ended, ok := errors.AsType[*EndedError](err); ok {
		return a, fmt.Errorf("%s: %w", task.Name, ended)
	}
	if ns, ok := a.Find("NS"); !ok || ns.Value != "%SYS" {
		return a, &NamespaceError{Namespace: ns.Value}
	}
	a.exit = err
	return a, nil
}

// process runs the session's process to its end; what it says goes to out.
func (in *Instance) process(ctx context.Context, task Task, out *os.File) error {
	cmd := exec.Command(in.command[0], in.command[1:]...)
	cmd.Stdin = strings.NewReader(in.login() + task.Script.String())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = childEnv(os.Environ())
	cmd.ExtraFiles = in.held
	// Of its own group, so that ^C at our terminal does not reach what only an
	// abort ends well. Its I/O priority is the normal one: only threads that read
	// databases have another, and those start nothing.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = in.Options.Grace // for what still holds its input
	if err := cmd.Start(); err != nil {
		return err
	}
	if in.Options.Started != nil {
		in.Options.Started(cmd.Process.Pid)
	}
	done := make(chan error, 1)
	go func() {
		done <- cmd.Wait()
		close(done)
	}()
	var late <-chan time.Time
	if task.Limit > 0 {
		timer := time.NewTimer(task.Limit)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return in.end(cmd.Process.Pid, done, task, task.Patience, nil)
	case <-late:
		patience := time.Duration(0)
		if task.Abort != nil {
			patience = task.Patience
		}
		return in.end(cmd.Process.Pid, done, task, patience, &TimeoutError{task.Limit})
	}
}

// end ends a session whose time is up, as gently as it can: a process of the
// instance that is killed in the middle of something can leave the instance in
// the middle of it.
func (in *Instance) end(pid int, done <-chan error, task Task, patience time.Duration, cause error) error {
	ended := &EndedError{Cause: cause}
	if task.Abort != nil {
		ended.Abort = task.Abort()
	}
	if waitFor(done, patience) {
		return ended.orNil(task)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		ended.Signal = signal
		if err := syscall.Kill(-pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return errors.Join(ended, err)
		}
		if waitFor(done, in.Options.Grace) && groupEnded(pid, in.Options.Grace) {
			return ended
		}
	}
	return ended // a process that SIGKILL does not end is in the kernel
}

// groupEnded returns whether what a process has started ended within the time: the
// session itself may be the child of a script, which ends at once.
func groupEnded(pid int, limit time.Duration) bool {
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
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
func (in *Instance) login() string {
	if in.Options.User == "" {
		return ""
	}
	return in.Options.User + "\n" + string(in.Options.Password) + "\n"
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
func (e *EndedError) orNil(task Task) error {
	if e.Cause == nil && task.Abort == nil {
		return nil
	}
	return e
}
