package cos

import "errors"

// all reports whether all conditions hold; the first that does not ends it.
func (m *machine) all(conds []expr) (bool, error) {
	for _, c := range conds {
		v, err := c.eval(m)
		if err != nil || !v.Bool() {
			return false, err
		}
	}
	return true, nil
}

type branch struct {
	conds []expr
	body  block
}

// ifs is IF with blocks in braces; it leaves $TEST alone.
type ifs struct {
	branches []branch
	fallback block
}

func (s ifs) exec(m *machine) (flow, error) {
	for _, b := range s.branches {
		ok, err := m.all(b.conds)
		if err != nil {
			return flowNext, err
		}
		if ok {
			return b.body.exec(m)
		}
	}
	return s.fallback.exec(m)
}

// legacyIf rules the rest of the line and sets $TEST, or, without conditions, asks
// it.
type legacyIf struct {
	conds []expr
	body  block
}

func (l legacyIf) exec(m *machine) (flow, error) {
	if len(l.conds) > 0 {
		ok, err := m.all(l.conds)
		if err != nil {
			return flowNext, err
		}
		m.s.test = ok
	}
	if !m.s.test {
		return flowNext, nil
	}
	return l.body.exec(m)
}

type legacyElse struct{ body block }

func (l legacyElse) exec(m *machine) (flow, error) {
	if m.s.test {
		return flowNext, nil
	}
	return l.body.exec(m)
}

// turn runs a loop's body once and reports whether the loop ends, and with what.
func (m *machine) turn(body block) (end bool, how flow, err error) {
	if err := m.step(1); err != nil {
		return true, flowNext, err
	}
	how, err = body.exec(m)
	switch {
	case err != nil || how == flowReturn:
		return true, how, err
	case how == flowQuit && m.left != nil: // a loop has no value to return
		return true, flowNext, newError("<COMMAND>", "")
	}
	return how == flowQuit, flowNext, nil
}

type while struct {
	conds []expr
	body  block
}

func (w while) exec(m *machine) (flow, error) {
	for {
		ok, err := m.all(w.conds)
		if err != nil || !ok {
			return flowNext, err
		}
		if end, how, err := m.turn(w.body); end {
			return how, err
		}
	}
}

type doWhile struct {
	body  block
	conds []expr
}

func (d doWhile) exec(m *machine) (flow, error) {
	for {
		if end, how, err := m.turn(d.body); end {
			return how, err
		}
		if ok, err := m.all(d.conds); err != nil || !ok {
			return flowNext, err
		}
	}
}

// A span is a value of FOR, or start:step or start:step:limit.
type span struct{ start, step, limit expr }

// A loop is FOR, which without a variable runs until QUIT.
type loop struct {
	target *variable
	ranges []span
	body   block
}

func (f *loop) exec(m *machine) (flow, error) {
	if f.target == nil {
		for {
			if end, how, err := m.turn(f.body); end {
				return how, err
			}
		}
	}
	for _, s := range f.ranges {
		if end, how, err := f.over(m, s); end || err != nil {
			return how, err
		}
	}
	return flowNext, nil
}

func (f *loop) over(m *machine, s span) (end bool, how flow, err error) {
	v, err := s.start.eval(m)
	if err != nil {
		return true, flowNext, err
	}
	if s.step == nil {
		if err := f.target.assign(m, v); err != nil {
			return true, flowNext, err
		}
		return m.turn(f.body)
	}
	step, limit, err := s.bounds(m)
	if err != nil {
		return true, flowNext, err
	}
	for {
		n, err := v.number()
		if err != nil {
			return true, flowNext, err
		}
		if limit != nil && (step.m >= 0 && n.compare(*limit) > 0 || step.m < 0 && n.compare(*limit) < 0) {
			return false, flowNext, nil
		}
		if err := f.target.assign(m, String(n.String())); err != nil {
			return true, flowNext, err
		}
		if end, how, err := m.turn(f.body); end {
			return true, how, err
		}
		if v, err = f.next(m, step); err != nil {
			return true, flowNext, err
		}
	}
}

// bounds are the increment and the limit, which are computed once; the limit is
// nil if there is none.
func (s span) bounds(m *machine) (step number, limit *number, err error) {
	v, err := s.step.eval(m)
	if err != nil {
		return step, nil, err
	}
	if step, err = v.number(); err != nil || s.limit == nil {
		return step, nil, err
	}
	if v, err = s.limit.eval(m); err != nil {
		return step, nil, err
	}
	n, err := v.number()
	return step, &n, err
}

// next is the variable, which the body may have set, and the increment.
func (f *loop) next(m *machine, step number) (Value, error) {
	v, err := f.target.eval(m)
	if err != nil {
		return Value{}, err
	}
	n, err := v.number()
	if err != nil {
		return Value{}, err
	}
	return numberValue(n.add(step))
}

// try is TRY with its CATCH. QUIT in either ends it alone.
type try struct {
	body    block
	name    string // of the variable for the exception, may be ""
	handler block
}

func (t try) exec(m *machine) (flow, error) {
	how, err := t.body.exec(m)
	if e := caught(err); e != nil {
		m.s.zerror = e.Error()
		if t.name != "" {
			m.s.Variable(t.name).Set(m.adopt(exceptionOf(e)))
		}
		how, err = t.handler.exec(m)
	}
	if how == flowQuit {
		if m.left != nil && err == nil {
			err = newError("<COMMAND>", "")
		}
		how = flowNext
	}
	return how, err
}

// caught is the error that a CATCH catches, nil if err is none that it may.
func caught(err error) *Error {
	if _, ok := errors.AsType[*stopError](err); ok {
		return nil
	}
	e, _ := errors.AsType[*Error](err)
	return e
}

type throw struct{ x expr }

func (t throw) exec(m *machine) (flow, error) {
	v, err := t.x.eval(m)
	if err != nil {
		return flowNext, err
	}
	return flowNext, thrown(v)
}
