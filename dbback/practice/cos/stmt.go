package cos

import (
	"context"
	"errors"
	"time"
)

// A flow says where to go on after a statement.
type flow int

const (
	flowNext flow = iota
	flowQuit
	flowContinue
	flowReturn
)

// An action is a command with its arguments.
type action interface {
	exec(m *machine) (flow, error)
}

// A command is an action under a post-conditional.
type command struct {
	pos  int
	cond expr
	run  action
}

type block []command

func (b block) exec(m *machine) (flow, error) {
	for i := range b {
		c := &b[i]
		m.pos = c.pos
		if err := m.step(1); err != nil {
			return flowNext, err
		}
		if c.cond != nil {
			v, err := c.cond.eval(m)
			if err != nil {
				return flowNext, err
			}
			if !v.Bool() {
				continue
			}
		}
		if how, err := c.run.exec(m); err != nil || how != flowNext {
			return how, err
		}
	}
	return flowNext, nil
}

type assignment struct {
	targets []target
	value   expr
}

type set []assignment

func (s set) exec(m *machine) (flow, error) {
	for _, a := range s {
		v, err := a.value.eval(m)
		if err != nil {
			return flowNext, err
		}
		for _, t := range a.targets {
			if err := t.assign(m, v); err != nil {
				return flowNext, err
			}
		}
	}
	return flowNext, nil
}

type callee struct {
	x    expr
	cond expr
}

type do []callee

func (d do) exec(m *machine) (flow, error) {
	for _, c := range d {
		if c.cond != nil {
			v, err := c.cond.eval(m)
			if err != nil {
				return flowNext, err
			}
			if !v.Bool() {
				continue
			}
		}
		var err error
		switch x := c.x.(type) {
		case *routineCall:
			_, err = x.run(m, false)
		case *classCall:
			_, err = x.run(m, false)
		case *member:
			_, err = x.run(m, false)
		}
		if err != nil {
			return flowNext, err
		}
	}
	return flowNext, nil
}

type kill struct {
	all    bool
	except []string
	vars   []*variable
}

func (k kill) exec(m *machine) (flow, error) {
	for _, v := range k.vars {
		if err := v.kill(m); err != nil {
			return flowNext, err
		}
	}
	if k.all {
		kept := make(map[string]bool)
		for _, name := range k.except {
			kept[name] = true
		}
		for name := range m.s.vars {
			if !kept[name] {
				m.s.drop(name)
			}
		}
	}
	return flowNext, nil
}

type newVars struct {
	all       bool // but names
	names     []string
	namespace bool
}

func (n newVars) exec(m *machine) (flow, error) { return flowNext, m.s.hide(n) }

type halt struct{}

func (halt) exec(*machine) (flow, error) { return flowNext, &HaltError{} }

type leave struct {
	how   flow
	value expr
}

func (l leave) exec(m *machine) (flow, error) {
	m.left = nil
	if l.value != nil {
		v, err := l.value.eval(m)
		if err != nil {
			return flowNext, err
		}
		m.left = &v
	}
	return l.how, nil
}

type hang struct{ seconds []expr }

func (h hang) exec(m *machine) (flow, error) {
	for _, x := range h.seconds {
		v, err := x.eval(m)
		if err != nil {
			return flowNext, err
		}
		n, err := v.number()
		if err != nil {
			return flowNext, err
		}
		if err := m.s.flush(); err != nil {
			return flowNext, err
		}
		const most = 1 << 31 // seconds; ctx ends it before
		timer := time.NewTimer(time.Duration(min(max(n.float(), 0), most) * float64(time.Second)))
		select {
		case <-timer.C:
		case <-m.ctx.Done():
			timer.Stop()
			return flowNext, m.ended()
		}
	}
	return flowNext, nil
}

type namespace struct{ name expr }

func (n namespace) exec(m *machine) (flow, error) {
	v, err := n.name.eval(m)
	if err != nil {
		return flowNext, err
	}
	return flowNext, m.setNamespace(v.String())
}

func (m *machine) setNamespace(name string) error {
	name, err := m.s.opts.Host.Namespace(m.ctx, name)
	if err = m.outside(err); err == nil {
		m.s.namespace = name
	}
	return err
}

// An input is a prompt or a variable of READ.
type input struct {
	prompt  output
	target  target
	timeout expr
}

type read []input

func (r read) exec(m *machine) (flow, error) {
	for _, in := range r {
		if in.target == nil {
			if err := in.prompt.write(m); err != nil {
				return flowNext, err
			}
			continue
		}
		v, err := in.read(m)
		if err == nil {
			err = in.target.assign(m, v)
		}
		if err != nil {
			return flowNext, err
		}
	}
	return flowNext, nil
}

// read reads a line; if its time is over, $TEST is 0 and the value is "".
func (in *input) read(m *machine) (Value, error) {
	ctx := m.ctx
	if in.timeout != nil {
		v, err := in.timeout.eval(m)
		if err != nil {
			return Value{}, err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(min(max(v.Int(), 0), 1<<31))*time.Second)
		defer cancel()
	}
	line, err := m.s.ReadLine(ctx)
	if in.timeout != nil {
		m.s.test = err == nil
		if errors.Is(err, context.DeadlineExceeded) && m.ctx.Err() == nil {
			return Value{}, nil
		}
	}
	return m.result(String(line), err)
}
