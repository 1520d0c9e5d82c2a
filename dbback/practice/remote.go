package practice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// askTimeout bounds what should be answered at once.
const askTimeout = 30 * time.Second

// A Remote speaks to the instance in a directory from another process, or from
// the same one: through its socket, and about a stopped one through its files.
type Remote struct {
	l layout
	s *settings
}

// At returns the instance in dir, which need not be running. The error is
// ErrNotInstance if there is none.
func At(dir string) (*Remote, error) {
	l, s, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	return &Remote{l, s}, nil
}

// Dir returns the instance's directory.
func (r *Remote) Dir() string { return r.l.dir }

// Name returns the instance's name, as "iris list" shows it.
func (r *Remote) Name() string { return r.s.Name }

// LogFile returns the path of messages.log.
func (r *Remote) LogFile() string { return r.l.messages() }

// Status returns what the instance says of itself. An instance that is down is
// no error.
func (r *Remote) Status(ctx context.Context) (*Status, error) {
	rep, err := r.ask(ctx, request{Ask: askStatus})
	if errors.Is(err, ErrDown) {
		return r.downStatus()
	}
	if err != nil {
		return nil, err
	}
	return rep.Status, nil
}

// downStatus reads from the files of an instance that is down what can be known
// of it.
func (r *Remote) downStatus() (*Status, error) {
	st := &Status{
		Name: r.s.Name, Dir: r.l.dir, State: StateDown, Version: r.s.zversion(), Load: LoadNone,
		Databases: []Database{}, Failures: []Armed{},
	}
	c, err := readCPF(r.l.cpf())
	if err != nil {
		return nil, err
	}
	for _, db := range c.databases() {
		d := Database{Name: db.Name, Directory: db.Directory, BlockSize: r.s.BlockSize, Journaled: true}
		if info, err := os.Stat(db.Directory + datName); err == nil {
			d.Blocks = info.Size() / int64(d.BlockSize)
		}
		if _, err := os.Stat(db.Directory + lckName); err == nil {
			st.Crashed = true
		}
		st.Databases = append(st.Databases, d)
	}
	st.Journal.Primary = slashed(c.get("Journal", "CurrentDirectory"))
	st.Journal.Alternate = slashed(c.get("Journal", "AlternateDirectory"))
	arms, err := loadArmory(r.l.failures())
	if err != nil {
		return nil, err
	}
	st.Failures = append(st.Failures, arms.all()...)
	return st, nil
}

// Stop ends the instance in an orderly way and returns when it has ended. The
// error is ErrDown if it was not running.
func (r *Remote) Stop(ctx context.Context) error {
	if _, err := r.ask(ctx, request{Ask: askStop}); err != nil {
		return err
	}
	return r.awaitEnd(ctx)
}

// Crash ends the instance as kill -9 would: nothing is flushed, and what it has
// on disk stays as it is.
func (r *Remote) Crash(ctx context.Context) error {
	_, err := r.ask(ctx, request{Ask: askCrash})
	if errors.Is(err, ErrDown) {
		return err
	}
	return r.awaitEnd(ctx) // it may be gone before it answers
}

// Fail arms a failure by its name in [Failures]. Beside the failure's own
// arguments, "keep" arms it until it is cleared, and "after=N" lets N of its
// moments pass. An instance that is down gets it at its next start. The error is
// a *UsageError if there is no such failure.
func (r *Remote) Fail(ctx context.Context, name string, args ...string) error {
	a, err := parseArmed(name, args)
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, request{Ask: askFail, Args: append([]string{name}, args...)})
	if !errors.Is(err, ErrDown) {
		return err
	}
	arms, err := loadArmory(r.l.failures())
	if err != nil {
		return err
	}
	return arms.add(a)
}

// Clear disarms all failures, and takes back those that are a state of the
// instance.
func (r *Remote) Clear(ctx context.Context) error {
	_, err := r.ask(ctx, request{Ask: askClear})
	if !errors.Is(err, ErrDown) {
		return err
	}
	arms := &armory{path: r.l.failures()}
	_, err = arms.clear()
	return err
}

// SetLoad changes what the simulated users do: LoadNone, LoadLight, LoadHeavy.
func (r *Remote) SetLoad(ctx context.Context, level string) error {
	_, err := r.ask(ctx, request{Ask: askLoad, Args: []string{level}})
	return err
}

// ask sends a request that has one reply.
func (r *Remote) ask(ctx context.Context, req request) (*reply, error) {
	conn, err := dial(r.l.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, err
	}
	rep, err := converse(conn, req)
	switch {
	case err == nil:
		return rep, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		// It was ending just now.
		return nil, fmt.Errorf("%s: %w", r.l.dir, ErrDown)
	}
	return nil, err
}

func converse(conn net.Conn, req request) (*reply, error) {
	if err := (&frameWriter{w: conn}).writeJSON(frameRequest, req); err != nil {
		return nil, err
	}
	kind, payload, err := readFrame(conn)
	if err != nil {
		return nil, fmt.Errorf("the practice instance did not answer: %w", err)
	}
	var rep reply
	if err := json.Unmarshal(payload, &rep); err != nil || kind != frameReply {
		return nil, errors.Join(fmt.Errorf("the practice instance answered with a frame %q", kind), err)
	}
	switch {
	case rep.Usage:
		return nil, &UsageError{errors.New(rep.Error)}
	case rep.Error != "":
		return nil, errors.New(rep.Error)
	}
	return &rep, nil
}

// awaitEnd returns when nobody holds the instance's lock any more.
func (r *Remote) awaitEnd(ctx context.Context) error {
	deadline := time.Now().Add(askTimeout)
	for {
		f, err := takeLock(r.l.dir)
		if err == nil {
			return f.Close()
		}
		if !errors.Is(err, ErrRunning) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: the instance was asked to end and still runs after %v", r.l.dir, askTimeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
