package cos

// An argument of a call: by reference, by value, or left out if both are nil.
type argument struct {
	ref *variable
	x   expr
}

// args evaluates the arguments of a call.
func (m *machine) args(args []argument) ([]Arg, error) {
	out := make([]Arg, len(args))
	for i, a := range args {
		switch {
		case a.ref != nil && a.ref.subs != nil:
			return nil, Unsupported("subscripted variable by reference")
		case a.ref != nil:
			out[i] = Arg{given: true, ref: m.s.Variable(a.ref.name)}
		case a.x != nil:
			v, err := a.x.eval(m)
			if err != nil {
				return nil, err
			}
			out[i] = Arg{given: true, value: v}
		}
	}
	return out, nil
}

// call evaluates the arguments and calls the host, or an object of its.
func (m *machine) call(c *Call, args []argument, f frame, to func(*Call) (Value, error)) (Value, error) {
	if err := m.step(1); err != nil {
		return Value{}, err
	}
	var err error
	if c.Args, err = m.args(args); err != nil {
		return Value{}, err
	}
	if err := m.s.flush(); err != nil {
		return Value{}, err
	}
	for i := range c.Args { // the host may look at them
		if ref := c.Args[i].ref; ref != nil {
			defer m.adoptAll(ref)
		}
	}
	c.Session = m.s
	if len(args) > 0 {
		f.news = 1
	}
	v, err := m.result(to(c))
	if err != nil {
		m.failed = f
	}
	return v, err
}

// adoptAll numbers a reference that a call has left in a variable.
func (m *machine) adoptAll(a *Array) {
	if v, ok := a.Get(); ok {
		m.adopt(v)
	}
}

// A routineCall is LABEL^ROUTINE(…), after $$ or as what DO is told to do.
type routineCall struct {
	label, routine string
	args           []argument
	function       bool
}

func (r *routineCall) eval(m *machine) (Value, error) { return r.run(m, r.function) }

func (r *routineCall) run(m *machine, function bool) (Value, error) {
	if r.routine == "" { // a label of this line, which has none
		return Value{}, newError("<NOLINE>", "*"+r.label)
	}
	c := &Call{Of: r.routine, Name: r.label, Function: function}
	f := frame{kind: 'd'}
	if function {
		f.kind = 'e'
	}
	return m.call(c, r.args, f, func(c *Call) (Value, error) { return m.s.opts.Host.Routine(m.ctx, c) })
}

// A classCall is ##class(Name).Method(…) or $SYSTEM.Class.Method(…).
type classCall struct {
	class, name string
	args        []argument
}

func (k *classCall) eval(m *machine) (Value, error) { return k.run(m, true) }

func (k *classCall) run(m *machine, function bool) (Value, error) {
	c := &Call{Of: k.class, Name: k.name, Function: function}
	return m.call(c, k.args, frame{kind: 'd'}, func(c *Call) (Value, error) {
		if isExceptionClass(c.Of) {
			return newException(c)
		}
		return m.s.opts.Host.ClassMethod(m.ctx, c)
	})
}

// A member is a property or a method of an object.
type member struct {
	base expr
	name string
	args []argument
	call bool
}

func (x *member) eval(m *machine) (Value, error) { return x.run(m, true) }

// object evaluates what stands before the period.
func (x *member) object(m *machine) (Object, error) {
	v, err := x.base.eval(m)
	if err != nil {
		return nil, err
	}
	if o := v.Object(); o != nil {
		return o, nil
	}
	return nil, newError("<INVALID OREF>", "")
}

func (x *member) run(m *machine, function bool) (Value, error) {
	o, err := x.object(m)
	if err != nil {
		return Value{}, err
	}
	if !x.call {
		return m.property(o, x.name)
	}
	c := &Call{Of: o.Class(), Name: x.name, Function: function}
	return m.call(c, x.args, frame{kind: 'd'}, func(c *Call) (Value, error) { return o.Method(m.ctx, c) })
}

func (m *machine) property(o Object, name string) (Value, error) {
	if err := m.step(1); err != nil {
		return Value{}, err
	}
	return m.result(o.Get(m.ctx, name))
}

func (x *member) assign(m *machine, v Value) error {
	o, err := x.object(m)
	if err != nil {
		return err
	}
	return m.outside(o.Set(m.ctx, x.name, v))
}
