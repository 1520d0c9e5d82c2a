package practice

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// failEnv names the environment variable with failures to arm at the start:
// "NAME ARGS; NAME ARGS".
const failEnv = "DATFS_PRACTICE_FAIL"

// An Armed is a failure that waits for its moment.
type Armed struct {
	Name string   `json:"name"`
	Args []string `json:"args,omitempty"`
	Keep bool     `json:"keep"` // until it is cleared; else it happens once
	Skip int      `json:"skip"` // how many of its moments pass before
}

// String returns the failure as it is written in the file and in the environment
// variable.
func (a Armed) String() string {
	words := append([]string{a.Name}, a.Args...)
	if a.Skip > 0 {
		words = append(words, "after="+strconv.Itoa(a.Skip))
	}
	if a.Keep {
		words = append(words, "keep")
	}
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t;\"") {
			words[i] = strconv.Quote(w)
		}
	}
	return strings.Join(words, " ")
}

// parseArmed checks a failure's name and arguments against the table.
func parseArmed(name string, args []string) (Armed, error) {
	a := Armed{Name: name}
	f := findFailure(name)
	if f == nil {
		return a, &UsageError{fmt.Errorf("unknown failure %q", name)}
	}
	a.Keep = f.Stays
	for _, arg := range args {
		after, isAfter := strings.CutPrefix(arg, "after=")
		switch {
		case arg == "keep":
			a.Keep = true
		case isAfter:
			n, err := strconv.Atoi(after)
			if err != nil || n < 0 {
				return a, &UsageError{fmt.Errorf("%s: after=%s is not a number", name, after)}
			}
			a.Skip = n
		default:
			a.Args = append(a.Args, arg)
		}
	}
	low, high := f.arity()
	if len(a.Args) < low || len(a.Args) > high {
		return a, &UsageError{fmt.Errorf("failure %s takes: %s", name, strings.TrimSpace(name+" "+f.Args))}
	}
	if n := slices.Index(strings.Fields(f.Args), "WHAT"); n >= 0 && !knownWhat(a.Args[n]) {
		return a, &UsageError{fmt.Errorf("failure %s: %q is no routine, method or moment of the practice instance; practice fail --list says how they are written", name, a.Args[n])}
	}
	if f.check != nil {
		if err := f.check(a.Args); err != nil {
			return a, &UsageError{fmt.Errorf("failure %s: %w", name, err)}
		}
	}
	return a, nil
}

// parseLine reads one failure as String writes it. An empty line and one that
// begins with # is none.
func parseLine(line string) (Armed, bool, error) {
	words, err := splitWords(line)
	if err != nil || len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return Armed{}, false, err
	}
	a, err := parseArmed(words[0], words[1:])
	return a, err == nil, err
}

// splitWords splits at blanks; a word in double quotes may have any character,
// written as in Go.
func splitWords(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, " \t\r\n")
		if line == "" {
			return words, nil
		}
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, &UsageError{fmt.Errorf("%s: a quote has no end", line)}
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, &UsageError{fmt.Errorf("%s: %w", quoted, err)}
			}
			words, line = append(words, word), line[len(quoted):]
			continue
		}
		end := strings.IndexAny(line, " \t\r\n")
		if end < 0 {
			end = len(line)
		}
		words, line = append(words, line[:end]), line[end:]
	}
}

// An armory is the list of armed failures. It is kept in a file, so that failures
// can be armed before a start and survive a crash.
type armory struct {
	path string
	mu   sync.Mutex
	list []Armed
}

// loadArmory reads the file at path; that it is missing means that nothing is
// armed.
func loadArmory(path string) (*armory, error) {
	a := &armory{path: path}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return a, a.parse(string(text), "\n", path)
}

func (a *armory) parse(text, sep, from string) error {
	for line := range strings.SplitSeq(text, sep) {
		f, ok, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		if ok {
			a.list = append(a.list, f)
		}
	}
	return nil
}

// save is called with mu held, or before anybody else knows of a.
func (a *armory) save() error {
	var b strings.Builder
	for _, f := range a.list {
		b.WriteString(f.String() + "\n")
	}
	return replaceFile(a.path, []byte(b.String()), 0o600)
}

// add arms a failure.
func (a *armory) add(f Armed) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, f)
	return a.save()
}

// clear disarms everything and returns what was armed.
func (a *armory) clear() ([]Armed, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.list
	a.list = nil
	return old, a.save()
}

// all returns what is armed.
func (a *armory) all() []Armed {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// take returns the first armed failure of that name whose arguments match, nil
// if there is none. It is used up by that, unless it is to be kept.
func (a *armory) take(name string, match func(args []string) bool) *Armed {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.list {
		f := &a.list[i]
		if f.Name != name || match != nil && !match(f.Args) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			_ = a.save() // a count that is lost is harmless
			continue
		}
		found := *f
		if !f.Keep {
			a.list = slices.Delete(a.list, i, i+1)
			_ = a.save()
		}
		return &found
	}
	return nil
}

// drop disarms all failures of that name.
func (a *armory) drop(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = slices.DeleteFunc(a.list, func(f Armed) bool { return f.Name == name })
	return a.save()
}

// has reports whether a failure of that name is armed, without using it up.
func (a *armory) has(name string) bool {
	return a.peek(name, nil) != nil
}

// peek is take without using anything up.
func (a *armory) peek(name string, match func(args []string) bool) *Armed {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.list {
		if f.Name == name && f.Skip == 0 && (match == nil || match(f.Args)) {
			return &f
		}
	}
	return nil
}
