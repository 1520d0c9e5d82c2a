package practice

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An exitError ends the session's process with an exit code.
type exitError struct{ code int }

func (e *exitError) Error() string { return "exit with code " + strconv.Itoa(e.code) }

// before lets the failures happen that wait for a call. If done, v is the result
// and the call is not made.
func (i *Instance) before(c *call) (v value, done bool, err error) {
	if i.arms.take("crash", at("before", c.what)) != nil {
		return nil, true, i.crashNow()
	}
	if f := i.arms.take("end", first(c.what)); f != nil {
		code := 1
		if len(f.Args) > 1 {
			code, _ = strconv.Atoi(f.Args[1]) // checked when it was armed
		}
		return nil, true, &exitError{code}
	}
	if i.arms.take("hang", first(c.what)) != nil {
		<-c.Done()
		return nil, true, context.Cause(c)
	}
	if f := i.arms.take("slow", first(c.what)); f != nil {
		d, _ := time.ParseDuration(f.Args[1]) // checked when it was armed
		if err := pause(c, d); err != nil {
			return nil, true, err
		}
	}
	if f := i.arms.take("trap", first(c.what)); f != nil {
		e := &trapError{name: f.Args[1], location: locationOf(c.what)}
		if len(f.Args) > 2 {
			e.location = f.Args[2]
		}
		return nil, true, e
	}
	if c.what == "^JRNSWTCH" && i.arms.take("switch-refused", nil) != nil {
		return nil, true, c.trap("<PROTECT>", "")
	}
	if i.arms.take("prompt", first(c.what)) != nil {
		if v, err := i.ask(c); err != nil || v != nil {
			return v, true, err
		}
	}
	if f := i.arms.take("answer", first(c.what)); f != nil {
		return f.Args[1], true, nil
	}
	return nil, false, nil
}

// ask is a question that nobody expects. A BACKUP that was told NOINPUT aborts
// where it would read (InterSystems manual, BACKUP^DBACK).
func (i *Instance) ask(c *call) (value, error) {
	if strings.HasPrefix(c.what, "BACKUP^DBACK") && strings.EqualFold(c.str(7), "NOINPUT") {
		a, err := parseBackupArgs(c.str)
		if err != nil {
			return "0", nil //nolint:nilerr // it is aborted in any case
		}
		return i.refuse(a, c.term, errNoInput.Error()), nil
	}
	if _, err := c.term.Write([]byte("\nDo you want to continue (Y/N)? ")); err != nil {
		return nil, err
	}
	answer, err := c.term.ReadLine(c)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.ToUpper(answer), "Y") {
		return nil, nil
	}
	return "0", nil
}

// after is the moment after a call.
func (i *Instance) after(c *call) error {
	if i.arms.take("crash", at("after", c.what)) != nil {
		return i.crashNow()
	}
	return nil
}

// first matches the armed failure whose first argument names the call: as it is
// written, or without the type that stands behind a colon.
func first(what string) func([]string) bool {
	return func(args []string) bool { return sameWhat(args[0], what) }
}

func at(when, what string) func([]string) bool {
	return func(args []string) bool { return args[0] == when && sameWhat(args[1], what) }
}

// knownWhat reports whether a failure can ever meet what it names.
func knownWhat(what string) bool {
	names := slices.Concat(slices.Collect(maps.Keys(routineTable())), slices.Collect(maps.Keys(classTable())), objectMethods, []string{"session"})
	for _, kind := range "EFIC" {
		names = append(names, "BACKUP^DBACK:"+string(kind))
	}
	return slices.ContainsFunc(names, func(name string) bool { return sameWhat(what, name) })
}

// objectMethods are the methods of objects.
var objectMethods = []string{
	"SYS.Database.Mount", "SYS.Database.Dismount", "SYS.Database.%Close", "SYS.Database.%Save",
	"Journal.Restore.UseJournalLocation", "Journal.Restore.SelectUpdates", "Journal.Restore.RedirectDatabase",
	"Journal.Restore.CheckJournalIntegrity", "Journal.Restore.Run", "Journal.Restore.%Close",
	"%Library.ResultSet.Execute", "%Library.ResultSet.Next", "%Library.ResultSet.Get", "%Library.ResultSet.Close",
}

func sameWhat(armed, what string) bool {
	armed = strings.TrimPrefix(armed, "$$")
	bare, _, _ := strings.Cut(what, ":")
	return strings.EqualFold(armed, what) || strings.EqualFold(armed, bare)
}
