package cos

import "slices"

type kind int

const (
	kindLocal   kind = iota
	kindGlobal       // ^name
	kindPrivate      // ^||name, the session's own
)

// A variable is a local variable or a global, with or without subscripts.
type variable struct {
	kind kind
	name string
	subs []expr
}

// A target is what a value can be assigned to.
type target interface {
	assign(m *machine, v Value) error
}

// spelled is the variable as error texts have it: *x("a") or ^x("a").
func (v *variable) spelled(subs []Value) string {
	switch v.kind {
	case kindGlobal:
		return spell("^"+v.name, subs)
	case kindPrivate:
		return spell("^||"+v.name, subs)
	}
	return spell("*"+v.name, subs)
}

// array is the array that the variable names, nil if there is none.
func (v *variable) array(m *machine) (*Array, error) {
	switch v.kind {
	case kindLocal:
		return m.s.vars[v.name], nil
	case kindPrivate:
		return m.s.private[v.name], nil
	}
	if err := m.step(1); err != nil {
		return nil, err
	}
	a, err := m.s.opts.Host.Global(m.ctx, v.name)
	return a, m.outside(err)
}

// writable is the array to set something in.
func (v *variable) writable(m *machine, subs []Value) (*Array, error) {
	switch v.kind {
	case kindLocal:
		return m.s.Variable(v.name), nil
	case kindPrivate:
		return m.s.newArray(m.s.private, v.name), nil
	}
	a, err := v.array(m)
	if err == nil && (a == nil || a.ReadOnly) {
		err = newError("<PROTECT>", v.spelled(subs))
	}
	return a, err
}

// tree is the array and the subscripts, for functions that look at nodes. The
// array may be nil. The last subscript may be empty if that is allowed.
func (v *variable) tree(m *machine, emptyLast bool) (*Array, []Value, error) {
	subs, err := m.subscripts(v.spelled(nil), v.subs)
	if err != nil {
		return nil, nil, err
	}
	named := subs
	if emptyLast && len(subs) > 0 {
		named = subs[:len(subs)-1]
	}
	if slices.ContainsFunc(named, func(s Value) bool { return s.String() == "" }) {
		return nil, nil, newError("<SUBSCRIPT>", v.spelled(subs))
	}
	a, err := v.array(m)
	return a, subs, err
}

func (v *variable) eval(m *machine) (Value, error) {
	a, subs, err := v.tree(m, false)
	if err != nil {
		return Value{}, err
	}
	if a != nil {
		if value, ok := a.Get(subs...); ok {
			return m.adopt(value), nil
		}
	}
	return Value{}, newError("<UNDEFINED>", v.spelled(subs))
}

func (v *variable) assign(m *machine, value Value) error {
	_, subs, err := v.tree(m, false)
	if err != nil {
		return err
	}
	a, err := v.writable(m, subs)
	if err != nil {
		return err
	}
	a.Set(value, subs...)
	if m.s.storage > m.s.opts.Limits.Storage {
		a.Kill(subs...)
		return newError("<STORE>", "")
	}
	return nil
}

func (v *variable) kill(m *machine) error {
	a, subs, err := v.tree(m, false)
	switch {
	case err != nil || a == nil:
		return err
	case v.kind == kindGlobal && a.ReadOnly:
		return newError("<PROTECT>", v.spelled(subs))
	}
	a.Kill(subs...)
	return nil
}

// treeOf is the array and the subscripts of what $order, $data and $get are asked
// about: a variable, a global, or a property of an object that is an array.
func (m *machine) treeOf(x expr, emptyLast bool) (*Array, []Value, error) {
	switch x := x.(type) {
	case *variable:
		return x.tree(m, emptyLast)
	case *member:
		return x.tree(m)
	}
	return nil, nil, newError("<SYNTAX>", "")
}

func (x *member) tree(m *machine) (*Array, []Value, error) {
	o, err := x.object(m)
	if err != nil {
		return nil, nil, err
	}
	var a *Array
	if md, ok := o.(Multidimensional); ok {
		a = md.Array(x.name)
	}
	var subs []Value
	for _, arg := range x.args {
		if arg.x == nil {
			return nil, nil, newError("<SYNTAX>", "")
		}
		v, err := arg.x.eval(m)
		if err != nil {
			return nil, nil, err
		}
		subs = append(subs, v)
	}
	if a == nil {
		err = NoProperty(x.name, o.Class())
	}
	return a, subs, err
}
