package cos

import "strings"

// listOf evaluates an argument that is a list.
func (m *machine) listOf(a argument) ([]item, error) {
	s, err := m.text(a)
	if err != nil {
		return nil, err
	}
	return parseList(s)
}

// fnList is an element, which must have a value (<NULL VALUE>), or the list of
// those from one place to another.
func fnList(m *machine, a []argument) (Value, error) {
	items, err := m.listOf(a[0])
	if err != nil {
		return Value{}, err
	}
	from, to, err := m.bounds(a[1:], func() int { return len(items) })
	if err != nil {
		return Value{}, err
	}
	if len(a) > 2 {
		from = max(from, 1)
		if to = min(to, len(items)); from > to {
			return Value{}, nil
		}
		return makeList(items[from-1 : to])
	}
	if from < 1 || from > len(items) || items[from-1].none {
		return Value{}, newError("<NULL VALUE>", "")
	}
	return String(items[from-1].s), nil
}

// fnListget is as $list of an element, but has a default.
func fnListget(m *machine, a []argument) (Value, error) {
	items, err := m.listOf(a[0])
	if err != nil {
		return Value{}, err
	}
	n, _, err := m.bounds(a[1:min(2, len(a))], func() int { return len(items) })
	if err != nil {
		return Value{}, err
	}
	if n >= 1 && n <= len(items) && !items[n-1].none {
		return String(items[n-1].s), nil
	}
	if len(a) > 2 {
		return a[2].x.eval(m)
	}
	return Value{}, nil
}

func fnListbuild(m *machine, a []argument) (Value, error) {
	items := make([]item, len(a))
	for i, arg := range a {
		if arg.x == nil {
			items[i].none = true
			continue
		}
		s, err := m.text(arg)
		if err != nil {
			return Value{}, err
		}
		items[i].s = s
	}
	return makeList(items)
}

// fnListfind is the place of an element behind a place, 0 if there is none.
func fnListfind(_ *machine, a []Value) (Value, error) {
	items, err := parseList(a[0].String())
	if err != nil {
		return Value{}, err
	}
	after := 0
	if len(a) > 2 {
		after = max(0, clamp(a[2].Int()))
	}
	for i := after; i < len(items); i++ {
		if !items[i].none && items[i].s == a[1].String() {
			return Int(int64(i + 1)), nil
		}
	}
	return Int(0), nil
}

// delimiter is the argument at index 1, a comma by default.
func delimiter(a []Value) string {
	if len(a) > 1 {
		return a[1].String()
	}
	return ","
}

func fnListfromstring(_ *machine, a []Value) (Value, error) {
	s, by := a[0].String(), delimiter(a)
	if s == "" {
		return Value{}, nil
	}
	parts := []string{s}
	if by != "" {
		parts = strings.Split(s, by)
	}
	items := make([]item, len(parts))
	for i, part := range parts {
		items[i] = item{s: part, none: part == ""}
	}
	return makeList(items)
}

// fnListtostring needs a value for each element: <NULL VALUE>.
func fnListtostring(_ *machine, a []Value) (Value, error) {
	items, err := parseList(a[0].String())
	if err != nil {
		return Value{}, err
	}
	parts := make([]string, 0, 2*len(items))
	for i, it := range items {
		if it.none {
			return Value{}, newError("<NULL VALUE>", "")
		}
		if i > 0 {
			parts = append(parts, delimiter(a))
		}
		parts = append(parts, it.s)
	}
	return joined(parts...)
}

func fnListlength(_ *machine, a []Value) (Value, error) {
	items, err := parseList(a[0].String())
	return Int(int64(len(items))), err
}

func fnListvalid(_ *machine, a []Value) (Value, error) {
	_, err := parseList(a[0].String())
	return Bool(err == nil), nil
}
