package cos

// A function is an intrinsic function.
type function struct {
	name, short string
	least, most int  // arguments
	positions   bool // an argument may be counted from the end: *, *-1

	// eager works on values; lazy on what was typed. One of them is set, but for $SELECT
	// and $CASE, which the parser knows.
	eager func(m *machine, a []Value) (Value, error)
	lazy  func(m *machine, a []argument) (Value, error)
}

// many is as many arguments as a line has room for.
const many = 1 << 20

// functions are those that run here.
var functions = []function{
	{name: "$SELECT", short: "$S"},
	{name: "$CASE"},

	{name: "$ASCII", short: "$A", least: 1, most: 2, eager: fnASCII},
	{name: "$CHAR", short: "$C", least: 1, most: many, eager: fnChar},
	{name: "$EXTRACT", short: "$E", least: 1, most: 3, positions: true, lazy: fnExtract},
	{name: "$FIND", short: "$F", least: 2, most: 3, eager: fnFind},
	{name: "$JUSTIFY", short: "$J", least: 2, most: 3, eager: fnJustify},
	{name: "$FNUMBER", short: "$FN", least: 1, most: 3, eager: fnFnumber},
	{name: "$LENGTH", short: "$L", least: 1, most: 2, eager: fnLength},
	{name: "$PIECE", short: "$P", least: 2, most: 4, positions: true, lazy: fnPiece},
	{name: "$REPLACE", least: 3, most: 3, eager: fnReplace},
	{name: "$REVERSE", short: "$RE", least: 1, most: 1, eager: fnReverse},
	{name: "$TRANSLATE", short: "$TR", least: 2, most: 3, eager: fnTranslate},
	{name: "$ZCONVERT", short: "$ZCVT", least: 2, most: 2, eager: fnZconvert},
	{name: "$ZSTRIP", least: 2, most: 4, eager: fnZstrip},

	{name: "$LIST", short: "$LI", least: 1, most: 3, positions: true, lazy: fnList},
	{name: "$LISTBUILD", short: "$LB", least: 0, most: many, lazy: fnListbuild},
	{name: "$LISTFIND", short: "$LF", least: 2, most: 3, eager: fnListfind},
	{name: "$LISTFROMSTRING", short: "$LFS", least: 1, most: 2, eager: fnListfromstring},
	{name: "$LISTGET", short: "$LG", least: 1, most: 3, positions: true, lazy: fnListget},
	{name: "$LISTLENGTH", short: "$LL", least: 1, most: 1, eager: fnListlength},
	{name: "$LISTTOSTRING", short: "$LTS", least: 1, most: 2, eager: fnListtostring},
	{name: "$LISTVALID", short: "$LV", least: 1, most: 1, eager: fnListvalid},

	{name: "$DATA", short: "$D", least: 1, most: 1, lazy: fnData},
	{name: "$GET", short: "$G", least: 1, most: 2, lazy: fnGet},
	{name: "$INCREMENT", short: "$I", least: 1, most: 2, lazy: fnIncrement},
	{name: "$ORDER", short: "$O", least: 1, most: 2, lazy: fnOrder},

	{name: "$CLASSNAME", least: 1, most: 1, eager: fnClassname},
	{name: "$ISOBJECT", least: 1, most: 1, lazy: fnIsobject},

	{name: "$ZABS", least: 1, most: 1, eager: fnZabs},
	{name: "$ZDATE", short: "$ZD", least: 1, most: 2, eager: fnZdate},
	{name: "$ZDATETIME", short: "$ZDT", least: 1, most: 3, eager: fnZdatetime},
	{name: "$ZTIME", short: "$ZT", least: 1, most: 2, eager: fnZtime},
}

// functionOf finds a function by its name in capitals, nil if there is none.
func functionOf(name string) *function {
	for i := range functions {
		if f := &functions[i]; name == f.name || name == f.short {
			return f
		}
	}
	return nil
}

// A funcCall is a call of a function.
type funcCall struct {
	fn   *function
	args []argument
}

func (f *funcCall) eval(m *machine) (Value, error) {
	if err := m.step(1); err != nil {
		return Value{}, err
	}
	if f.fn.lazy != nil {
		return f.fn.lazy(m, f.args)
	}
	values := make([]Value, len(f.args))
	size := 0
	for i, a := range f.args {
		v, err := a.x.eval(m)
		if err != nil {
			return Value{}, err
		}
		values[i] = v
		size += len(v.s)
	}
	if err := m.work(size); err != nil {
		return Value{}, err
	}
	v, err := f.fn.eager(m, values)
	if err != nil {
		return Value{}, err
	}
	return v, m.work(len(v.s))
}

// text evaluates an argument to a string and counts its length as work.
func (m *machine) text(a argument) (string, error) {
	v, err := a.x.eval(m)
	if err != nil {
		return "", err
	}
	return v.String(), m.work(len(v.s))
}

// bounds evaluates the positions from and to, of which the first defaults to 1
// and the second to the first.
func (m *machine) bounds(args []argument, length func() int) (from, to int, err error) {
	from = 1
	if len(args) > 0 {
		if from, err = m.position(args[0].x, length); err != nil {
			return 0, 0, err
		}
	}
	to = from
	if len(args) > 1 {
		to, err = m.position(args[1].x, length)
	}
	return from, to, err
}
