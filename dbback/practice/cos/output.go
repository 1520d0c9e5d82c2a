package cos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

type outputKind int

const (
	outText outputKind = iota
	outLine            // !
	outPage            // #
	outTab             // ?column
	outChar            // *code
)

// An output is an argument of WRITE, or a prompt of READ.
type output struct {
	kind outputKind
	x    expr
}

type write []output

func (w write) exec(m *machine) (flow, error) {
	for i := range w {
		if err := w[i].write(m); err != nil {
			return flowNext, err
		}
	}
	return flowNext, nil
}

func (o *output) write(m *machine) error {
	switch o.kind {
	case outLine:
		return m.s.put("\n")
	case outPage:
		return m.s.put("\f")
	}
	v, err := o.x.eval(m)
	if err != nil {
		return err
	}
	text := v.String()
	switch o.kind {
	case outTab:
		text = strings.Repeat(" ", max(0, int(min(v.Int(), maxString))-m.s.column))
	case outChar:
		text = character(v.Int())
	}
	if err := m.work(len(text)); err != nil {
		return err
	}
	return m.s.put(text)
}

// zwrite lists variables, with all that is below them, as lines that could be
// typed.
type zwrite struct{ xs []expr }

func (z zwrite) exec(m *machine) (flow, error) {
	if z.xs == nil {
		for _, name := range sortedNames(m.s.vars) {
			if err := m.list(name, m.s.vars[name].find(nil)); err != nil {
				return flowNext, err
			}
		}
		return flowNext, nil
	}
	for _, x := range z.xs {
		if err := m.zwriteOne(x); err != nil {
			return flowNext, err
		}
	}
	return flowNext, nil
}

func sortedNames(vars map[string]*Array) []string {
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}

func (m *machine) zwriteOne(x expr) error {
	v, ok := x.(*variable)
	if !ok {
		value, err := x.eval(m)
		if err != nil {
			return err
		}
		return m.show("", value)
	}
	a, subs, err := v.tree(m, false)
	if err != nil {
		return err
	}
	var n *node
	if a != nil {
		n = a.find(subs)
	}
	if n == nil || !n.set && len(n.kids) == 0 {
		if v.kind == kindLocal && subs == nil {
			return newError("<UNDEFINED>", v.spelled(nil))
		}
		return nil
	}
	return m.list(strings.TrimPrefix(v.spelled(subs), "*"), n)
}

// list writes a node and those below it.
func (m *machine) list(name string, n *node) error {
	if n.set {
		if err := m.show(name+"=", n.value); err != nil {
			return err
		}
	}
	for _, key := range n.keys {
		below := name + "(" + quoted(key) + ")"
		if before, ok := strings.CutSuffix(name, ")"); ok {
			below = before + "," + quoted(key) + ")"
		}
		if err := m.list(below, n.kids[key]); err != nil {
			return err
		}
	}
	return nil
}

// show writes a value as it could be typed; of an object the properties too, if
// it tells them.
func (m *machine) show(prefix string, v Value) error {
	text := prefix + shown(v)
	if err := m.step(1 + len(text)>>10); err != nil {
		return err
	}
	if v.ref == nil {
		return m.s.put(text + "\n")
	}
	if err := m.s.put(text + "  ; <OREF>\n"); err != nil {
		return err
	}
	o, ok := v.ref.object.(interface{ Properties() []string })
	if !ok {
		return nil
	}
	names := o.Properties()
	var b strings.Builder
	fmt.Fprintf(&b, "+----------------- general information ---------------\n|      oref value: %d\n|      class name: %s\n",
		v.ref.id, v.ref.object.Class())
	b.WriteString("+----------------- attribute values ------------------\n")
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	for _, name := range names {
		value, err := m.property(v.ref.object, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "|%*s = %s\n", width+10, name, shown(value))
	}
	b.WriteString("+-----------------------------------------------------\n")
	return m.s.put(b.String())
}

// shown is a value as it could be typed: a number, a list, a string in quotes
// with its control characters as $c(…).
func shown(v Value) string {
	s := v.String()
	if v.ref != nil {
		return s
	}
	if items, err := parseList(s); err == nil && len(items) > 0 {
		parts := make([]string, len(items))
		for i, it := range items {
			if !it.none {
				parts[i] = shown(String(it.s))
			}
		}
		return "$lb(" + strings.Join(parts, ",") + ")"
	}
	if !strings.ContainsFunc(s, isControl) {
		return quoted(s)
	}
	var parts []string
	for s != "" {
		i := strings.IndexFunc(s, isControl)
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			parts = append(parts, quoted(s[:i]))
			s = s[i:]
			continue
		}
		end := strings.IndexFunc(s, func(r rune) bool { return !isControl(r) })
		if end < 0 {
			end = len(s)
		}
		parts, s = append(parts, "$c("+codes(s[:end])+")"), s[end:]
	}
	return strings.Join(parts, "_")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func codes(s string) string {
	var parts []string
	for _, r := range s {
		parts = append(parts, fmt.Sprint(int(r)))
	}
	return strings.Join(parts, ",")
}
