package session

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// An Answer is what a session said.
type Answer struct {
	Said string // all of it, without the password

	command []string
	script  Script
	markers []Marker
	lost    int64 // bytes of what was said that were not kept
	exit    error // how its process ended; markers decide, not this
}

// ParseAnswer returns the answer in what a session said: as [Instance.Run] does,
// but of a text that is at hand.
func ParseAnswer(said string) *Answer {
	return &Answer{Said: said, markers: parseMarkers([]byte(said))}
}

// Find returns the last marker of that name.
func (a *Answer) Find(name string) (Marker, bool) {
	for _, m := range slices.Backward(a.markers) {
		if m.Name == name {
			return m, true
		}
	}
	return Marker{}, false
}

// All returns all markers of that name.
func (a *Answer) All(name string) []Marker {
	var out []Marker
	for _, m := range a.markers {
		if m.Name == name {
			out = append(out, m)
		}
	}
	return out
}

// Whole returns an error if more was said than is kept, so that markers may be
// missing in the middle. what names the statement in it.
func (a *Answer) Whole(what string) error {
	if a.lost == 0 {
		return nil
	}
	return fmt.Errorf("%s: the session said more than is kept of it, and %d bytes are left out: what else does it print, beside its answers?", what, a.lost)
}

// Trap returns the error trap of a statement, nil if it had none.
func (a *Answer) Trap(name string) *TrapError {
	for _, m := range a.All("ERR") {
		if m.Fields[0] != name {
			continue
		}
		f := strings.SplitN(m.Value+"|||", "|", 4) // the data may have bars
		return &TrapError{Name: f[1], Location: f[2], Data: strings.TrimRight(f[3], "|")}
	}
	return nil
}

// Need returns the marker of a statement that must have answered. what names it
// in errors: *TrapError if the statement failed, *NoAnswerError if the marker is
// missing.
func (a *Answer) Need(what, name string) (Marker, error) {
	if t := a.Trap(name); t != nil {
		t.What = what
		return Marker{}, t
	}
	m, ok := a.Find(name)
	if !ok {
		return Marker{}, a.NoAnswer(what)
	}
	return m, nil
}

// NoAnswer returns the error for a statement whose marker is missing: the session
// ended before, or something went wrong that no trap caught.
func (a *Answer) NoAnswer(what string) *NoAnswerError {
	e := explain(what, a.Said, a.exit)
	e.Refused = false // it began
	return e
}

// Transcript returns as a text for people what the session was told and what it
// answered. err is what running it returned; nil is fine.
func (a *Answer) Transcript(err error) string {
	var b strings.Builder
	if len(a.command) > 0 {
		fmt.Fprintf(&b, "$ %s\n", strings.Join(a.command, " "))
	}
	for _, line := range a.script {
		fmt.Fprintf(&b, "> %s\n", line)
	}
	b.WriteString(a.Said)
	if a.exit != nil {
		fmt.Fprintf(&b, "\n(%v)", a.exit)
	}
	b.WriteString("\n\n")
	if err != nil {
		fmt.Fprintf(&b, "(%v)\n\n", err)
	}
	return b.String()
}

// A TrapError is an error trap of the instance: a statement could not be carried
// out.
type TrapError struct {
	What                 string // the statement: "CLRINC^DBACK"
	Name, Location, Data string // as the instance gives them: "<PROTECT>", "CLRINC+12^DBACK", ""
}

func (e *TrapError) Error() string {
	s := e.What + " ended with the error " + e.Name
	if e.Location != "" {
		s += " at " + e.Location
	}
	if e.Data != "" {
		s += " (" + e.Data + ")"
	}
	if do := e.next(); do != "" {
		s += ": " + do
	}
	return s
}

// next returns what to do about it, where that is known.
func (e *TrapError) next() string {
	switch e.Name {
	case "<PROTECT>":
		return "the user of the session needs the resource %Admin_Operate and read and write access to the database IRISSYS (CACHESYS)"
	case "<NOROUTINE>", "<CLASS DOES NOT EXIST>":
		return "the session is not in the namespace %SYS, or this version does not have it"
	}
	return ""
}

// An AnswerError means that a statement was carried out and its answer is not
// success.
type AnswerError struct {
	What   string // the statement: "CLRINC^DBACK"
	Answer string // what it returned
	Why    string // what is known beside, such as the end of a log
}

func (e *AnswerError) Error() string {
	s := fmt.Sprintf("%s answered %q, which is not success", e.What, e.Answer)
	if e.Why != "" {
		s += ": " + e.Why
	}
	return s
}

// A NamespaceError means that the session is not in the namespace %SYS.
type NamespaceError struct{ Namespace string }

func (e *NamespaceError) Error() string {
	return fmt.Sprintf("the session is in the namespace %q, not in %%SYS: -U is ignored for a user who has a Startup Namespace", e.Namespace)
}

// A DisagreeError means that a statement answered success, but what else it said,
// or what it left, says otherwise.
type DisagreeError struct {
	What string   // the statement: "EXTSELCT^DBREST"
	With []string // what does not fit, as sentences
}

func (e *DisagreeError) Error() string {
	return fmt.Sprintf("%s answered success, but %s", e.What, strings.Join(e.With, "; "))
}

// A NoAnswerError means that no session could be had, or that one ended before it
// had answered.
type NoAnswerError struct {
	What string // what was wanted
	Why  string // what it probably means, "" if nothing is known
	Do   string // what to do about it
	Said string // the end of what the session said, without passwords
	Err  error  // how its process ended, nil if in good order

	Down bool // as far as can be told the instance is down, or closed to all users

	// Refused means that no statement was carried out, and that another session may
	// be accepted a moment later: there is no licence unit, or no known reason.
	Refused bool
}

func (e *NoAnswerError) Error() string {
	s := e.What + ": "
	switch {
	case e.Why != "":
		s += e.Why
	default:
		s += "the session ended before it had answered"
	}
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	if e.Said != "" {
		s += "; it said: " + e.Said
	}
	return s
}

// Unwrap returns how the process ended.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// Refused returns whether an error is of a session that was refused, and may be
// accepted a moment later.
func Refused(err error) bool {
	e, ok := errors.AsType[*NoAnswerError](err)
	return ok && e.Refused
}

// meanings are what is known to make a session fail, by what it says then. The
// texts were seen in public reports, except that an instance which is down is
// refused in some way that is not documented. The first that matches counts.
var meanings = []struct {
	said    *regexp.Regexp
	down    bool
	stays   bool // to be tried again only when somebody has changed something
	why, do string
}{
	{
		regexp.MustCompile(`(?i)license limit exceeded`), false, false,
		"the licence has no unit left for this session",
		"End a session, or back up when fewer users are signed on",
	},
	{
		regexp.MustCompile(`(?i)inhibited|switch 12`), true, false,
		"sign-on is inhibited: the instance is starting, stopping, or closed to users (switch 12)",
		"Wait until users can sign on, and run it again",
	},
	{
		regexp.MustCompile(`(?i)access denied`), false, true,
		"the instance denies access to this user",
		"Check user and password, or run as the instance's owner with operating system authentication",
	},
	{
		regexp.MustCompile(`(?i)username:|password:`), false, true,
		"the session asks for a user and a password, and accepted none",
		"Give --user and the password, or enable operating system authentication for the terminal service and run as the instance's owner",
	},
	{
		regexp.MustCompile(`(?i)command not found|executable file not found|no such file or directory|permission denied`), false, true,
		"the command that opens a session cannot be run",
		"Check --command, and that this user may run it",
	},
	{
		regexp.MustCompile(`(?i)not running|not up|is down|no such instance|not the name of an instance|does not exist`), true, true,
		"the instance is down or has another name",
		"Start it, or check its name with: iris list",
	},
}

// refusal returns the error for a session that did not even say that it is ready.
// One that was waited for in vain, or that said anything else, may have done
// something.
func (a *Answer) refusal(what string, err error) *NoAnswerError {
	e := explain(what, a.Said, err)
	_, ended := errors.AsType[*EndedError](err)
	e.Refused = e.Refused && !ended && len(a.markers) == 0
	return e
}

// explain returns the *NoAnswerError for a session that did not answer.
func explain(what, said string, err error) *NoAnswerError {
	e := &NoAnswerError{What: what, Said: LastLines(said), Err: err, Refused: true}
	text := said
	if err != nil {
		text += "\n" + err.Error()
	}
	for _, m := range meanings {
		if m.said.MatchString(text) {
			e.Down, e.Refused, e.Why, e.Do = m.down, !m.stays, m.why, m.do
			break
		}
	}
	return e
}
