package cos

// fnData is whether a node has a value (1), descendants (10), both or nothing.
func fnData(m *machine, a []argument) (Value, error) {
	arr, subs, err := m.treeOf(a[0].x, false)
	if err != nil || arr == nil {
		return Int(0), err
	}
	return Int(int64(arr.Data(subs...))), nil
}

// fnGet is a node's value, or a default if it has none.
func fnGet(m *machine, a []argument) (Value, error) {
	if x, ok := a[0].x.(*member); ok && !x.call { // a property always has a value
		return x.eval(m)
	}
	arr, subs, err := m.treeOf(a[0].x, false)
	if err != nil {
		return Value{}, err
	}
	if arr != nil {
		if v, ok := arr.Get(subs...); ok {
			return m.adopt(v), nil
		}
	}
	if len(a) > 1 {
		return a[1].x.eval(m)
	}
	return Value{}, nil
}

// fnIncrement adds to a variable, which need not have a value yet.
func fnIncrement(m *machine, a []argument) (Value, error) {
	v, ok := a[0].x.(*variable)
	if !ok {
		return Value{}, newError("<SYNTAX>", "")
	}
	old, err := fnGet(m, a[:1])
	if err != nil {
		return Value{}, err
	}
	by := Int(1)
	if len(a) > 1 {
		if by, err = a[1].x.eval(m); err != nil {
			return Value{}, err
		}
	}
	n, err := old.number()
	if err != nil {
		return Value{}, err
	}
	d, err := by.number()
	if err != nil {
		return Value{}, err
	}
	sum, err := numberValue(n.add(d))
	if err != nil {
		return Value{}, err
	}
	return sum, v.assign(m, sum)
}

// fnOrder is the next subscript at the level of the last, with -1 the one before.
func fnOrder(m *machine, a []argument) (Value, error) {
	arr, subs, err := m.treeOf(a[0].x, true)
	if err != nil {
		return Value{}, err
	}
	if len(subs) == 0 {
		return Value{}, Unsupported("$ORDER of names")
	}
	backwards := false
	if len(a) > 1 {
		v, err := a[1].x.eval(m)
		switch {
		case err != nil:
			return Value{}, err
		case v.Int() == -1:
			backwards = true
		case v.Int() != 1:
			return Value{}, newError("<FUNCTION>", "")
		}
	}
	if arr == nil {
		return Value{}, nil
	}
	return String(arr.Order(backwards, subs...)), nil
}

// fnIsobject is 1 for a reference to an object, 0 for other values. A variable
// without a value is none either.
func fnIsobject(m *machine, a []argument) (Value, error) {
	var v Value
	var err error
	if x, ok := a[0].x.(*variable); ok {
		v, err = fnGet(m, []argument{{x: x}})
	} else {
		v, err = a[0].x.eval(m)
	}
	return Bool(v.Object() != nil), err
}

func fnClassname(_ *machine, a []Value) (Value, error) {
	if o := a[0].Object(); o != nil {
		return String(o.Class()), nil
	}
	return Value{}, newError("<INVALID OREF>", "")
}
