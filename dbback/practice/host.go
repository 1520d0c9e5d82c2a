package practice

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"datfs/dbback/practice/cos"
)

// A host is the instance as the statements of one session reach it.
type host struct {
	inst   *Instance
	pid    int64
	report *integrity // of the last integrity check
}

// Routine runs LABEL^ROUTINE.
func (h *host) Routine(ctx context.Context, c *cos.Call) (cos.Value, error) {
	what := c.Name + "^" + c.Of
	r, ok := h.inst.routines[what]
	if !ok {
		for name := range h.inst.routines {
			if _, routine, _ := strings.Cut(name, "^"); routine == c.Of {
				return cos.Value{}, cos.NoLine(c.Name, c.Of)
			}
		}
		return cos.Value{}, cos.NoRoutine(c.Of)
	}
	if len(c.Args) > r.args {
		return cos.Value{}, &cos.Error{Name: "<PARAMETER>", Location: locationOf(what)}
	}
	// Documented: all of these run in namespace %SYS. Names with % are everywhere.
	if c.Session.Namespace() != "%SYS" {
		return cos.Value{}, cos.NoRoutine(c.Of)
	}
	if c.Of == "DBACK" && c.Name == "BACKUP" {
		what += ":" + strings.ToUpper(c.Arg(1).String())
	}
	return h.run(h.newCall(ctx, c, what), func(c *call) (value, error) { return r.run(c) })
}

// ClassMethod runs ##class(Class).Method and $SYSTEM.X.Method.
func (h *host) ClassMethod(ctx context.Context, c *cos.Call) (cos.Value, error) {
	what := c.Of + "." + c.Name
	m, ok := h.inst.classes[what]
	if !ok {
		for name := range h.inst.classes {
			if name[:strings.LastIndexByte(name, '.')] == c.Of {
				return cos.Value{}, cos.NoMethod(c.Name, c.Of)
			}
		}
		return cos.Value{}, cos.NoClass(c.Of)
	}
	if !strings.HasPrefix(c.Of, "%") && c.Session.Namespace() != "%SYS" {
		return cos.Value{}, cos.NoClass(c.Of)
	}
	return h.run(h.newCall(ctx, c, what), m)
}

// newCall translates the arguments of a statement.
func (h *host) newCall(ctx context.Context, c *cos.Call, what string) *call {
	out := &call{Context: ctx, inst: h.inst, term: c.Session, what: what, report: &h.report}
	for n := range c.Args {
		if ref := c.Ref(n); ref != nil && ref.Data()%10 == 0 {
			out.args = append(out.args, nodes(ref))
			continue
		}
		out.args = append(out.args, c.Arg(n))
	}
	out.ref = func(n int, subscript, v string) {
		if ref := c.Ref(n); ref != nil {
			ref.Set(cos.String(v), cos.String(subscript))
		}
	}
	return out
}

// nodes returns the first level of an array.
func nodes(a *cos.Array) map[string]string {
	m := make(map[string]string)
	for name := a.Order(false, cos.String("")); name != ""; name = a.Order(false, cos.String(name)) {
		v, _ := a.Get(cos.String(name))
		m[name] = v.String()
	}
	return m
}

// run makes a call, with the failures that wait for it.
func (h *host) run(c *call, f func(*call) (value, error)) (cos.Value, error) {
	v, done, err := h.inst.before(c)
	if !done {
		if v, err = f(c); err == nil {
			err = h.inst.after(c)
		}
	}
	if err != nil {
		return cos.Value{}, h.translate(c, err)
	}
	return toCOS(h, v), nil
}

// translate makes an error of the language of one of the practice instance. What
// ends the session goes through as it is.
func (h *host) translate(c *call, err error) error {
	if e, ok := errors.AsType[*exitError](err); ok {
		return &cos.HaltError{Code: e.code}
	}
	if e, ok := errors.AsType[*trapError](err); ok {
		return &cos.Error{Name: e.name, Location: e.location, Data: e.data}
	}
	if _, ok := errors.AsType[*cos.Error](err); ok || errors.Is(err, errGone) || c.Err() != nil {
		return err
	}
	return &cos.Error{Name: "<SYSTEM>", Location: locationOf(c.what), Data: err.Error(), Err: err}
}

// Special knows what a session can ask of its process.
func (h *host) Special(_ context.Context, name string) (cos.Value, bool, error) {
	switch name {
	case "$JOB":
		return cos.Int(h.pid), true, nil
	case "$ZVERSION":
		return cos.String(h.inst.s.zversion()), true, nil
	case "$USERNAME":
		return cos.String(h.inst.userName()), true, nil
	case "$ROLES":
		return cos.String("%All"), true, nil
	case "$SYSTEM":
		return cos.String(hostname() + ":" + h.inst.s.Name), true, nil
	case "$IO", "$PRINCIPAL":
		return cos.String("|TRM|:|" + strconv.FormatInt(h.pid, 10)), true, nil
	}
	return cos.Value{}, false, nil
}

func (i *Instance) userName() string {
	if i.emergency != nil {
		return i.emergency.user
	}
	if i.s.User != "" {
		return i.s.User
	}
	return "irisowner"
}

// Namespace knows %SYS and those of the configuration.
func (h *host) Namespace(_ context.Context, name string) (string, error) {
	if ns, ok := h.inst.namespace(name); ok {
		return ns, nil
	}
	return "", cos.NoNamespace(name)
}

func (i *Instance) namespace(name string) (string, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, p := range i.conf.section("Namespaces") {
		if strings.EqualFold(p.name, name) {
			return p.name, true
		}
	}
	return "", false
}

// toCOS translates a value.
func toCOS(h *host, v value) cos.Value {
	switch v := v.(type) {
	case nil:
		return cos.Value{}
	case cos.Value:
		return v
	case object:
		return cos.Ref(&hostObject{h, v})
	case list:
		items := make([]cos.Value, len(v))
		for n, item := range v {
			items[n] = toCOS(h, item)
		}
		return cos.List(items...)
	}
	return cos.String(toString(v))
}

// A hostObject is an object of the practice instance, as the interpreter sees it.
type hostObject struct {
	h *host
	o object
}

// Class is the class's name.
func (o *hostObject) Class() string { return o.o.class() }

// Get returns a property.
func (o *hostObject) Get(_ context.Context, name string) (cos.Value, error) {
	if v, ok := o.o.get(name); ok {
		return toCOS(o.h, v), nil
	}
	return cos.Value{}, cos.NoProperty(name, o.o.class())
}

// Set changes a property.
func (o *hostObject) Set(_ context.Context, name string, v cos.Value) error {
	if o.o.set(name, v) {
		return nil
	}
	if _, ok := o.o.get(name); ok {
		return &cos.Error{Name: "<CANNOT SET THIS PROPERTY>", Data: "*" + name + "," + o.o.class()}
	}
	return cos.NoProperty(name, o.o.class())
}

// Method calls a method.
func (o *hostObject) Method(ctx context.Context, c *cos.Call) (cos.Value, error) {
	missing := false
	v, err := o.h.run(o.h.newCall(ctx, c, o.o.class()+"."+c.Name), func(c2 *call) (value, error) {
		v, ok, err := o.o.call(c2, c.Name)
		missing = !ok
		return v, err
	})
	if missing {
		return cos.Value{}, cos.NoMethod(c.Name, o.o.class())
	}
	return v, err
}
