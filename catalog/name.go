package catalog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const nameLayout = "2006-01-02T15-04-05Z"

var instanceRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ValidInstance returns an error that says why name cannot be an instance's
// name, or nil.
func ValidInstance(name string) error {
	if !instanceRE.MatchString(name) || name == "latest" {
		return fmt.Errorf("instance name %q: use 1 to 63 letters, digits, dots, dashes and underscores, the first a letter or digit, and not \"latest\"", name)
	}
	return nil
}

// nameAt returns the name of the n-th set, counted from 1, of the second t.
func nameAt(t time.Time, n int) string {
	s := t.UTC().Format(nameLayout)
	if n > 1 {
		s += "-" + strconv.Itoa(n)
	}
	return s
}

// splitName returns the second of a set's name and its number in that second.
func splitName(name string) (second string, n int, ok bool) {
	if len(name) < len(nameLayout) {
		return "", 0, false
	}
	second, rest := name[:len(nameLayout)], name[len(nameLayout):]
	if _, err := time.Parse(nameLayout, second); err != nil {
		return "", 0, false
	}
	if rest == "" {
		return second, 1, true
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "-"))
	if err != nil || n < 2 || rest != "-"+strconv.Itoa(n) {
		return "", 0, false
	}
	return second, n, true
}

// compareNames orders the names of one instance's sets by time.
func compareNames(a, b string) int {
	sa, na, oka := splitName(a)
	sb, nb, okb := splitName(b)
	if !oka || !okb {
		return strings.Compare(a, b)
	}
	return cmp.Or(strings.Compare(sa, sb), cmp.Compare(na, nb))
}

// Resolve finds the set that spec names: a full name, "PROD/latest" for the
// newest complete set of an instance, "latest" if there is but one instance, or
// the beginning of a single set's full name. Sets of a journal archive are found
// only by the archive's whole name: PROD means no PROD.journals. It returns
// ErrNotFound or ErrAmbiguous.
func (r *Repository) Resolve(spec string) (SetName, error) {
	sets, damaged, err := r.list()
	if err != nil {
		return SetName{}, fmt.Errorf("set %q: %w", spec, err)
	}
	instance, name, _ := strings.Cut(spec, "/")
	if spec == "latest" {
		instance, name = "", spec
	}
	if name == "latest" {
		return latest(sets, damaged, instance)
	}
	for _, s := range sets {
		damaged = append(damaged, damagedSet{name: s.SetName()})
	}
	return choose(damaged, spec)
}

// choose finds the set that spec names or begins. Sets that cannot be read, the
// others have no err, count: another one must not pass for them.
func choose(all []damagedSet, spec string) (SetName, error) {
	instance, name, _ := strings.Cut(spec, "/")
	known := slices.ContainsFunc(all, func(s damagedSet) bool { return s.name.Instance == instance })
	_, _, whole := splitName(name) // is the beginning of no other, if a set of that second was removed
	var found []damagedSet
	var names []string
	for _, s := range all {
		full := s.name.String()
		if full == spec {
			found = []damagedSet{s}
			break
		}
		if spec != "" && !whole && strings.HasPrefix(full, spec) && (s.name.Instance == instance || !known && !s.name.IsArchive()) {
			found, names = append(found, s), append(names, full)
		}
	}
	switch {
	case len(found) == 0:
		return SetName{}, fmt.Errorf("set %q: %w", spec, ErrNotFound)
	case len(found) > 1:
		slices.Sort(names)
		return SetName{}, ambiguous(spec, names)
	case found[0].err != nil:
		return SetName{}, fmt.Errorf("set %q: %w", spec, found[0].err)
	}
	return found[0].name, nil
}

func ambiguous(spec string, found []string) error {
	const most = 5
	if n := len(found); n > most {
		found = append(found[:most:most], fmt.Sprintf("and %d more", n-most))
	}
	return fmt.Errorf("set %q: %w: %s", spec, ErrAmbiguous, strings.Join(found, ", "))
}

// latest returns the newest complete set of an instance; an empty instance
// means the only one there is. A sealed set that cannot be read and is newer is
// an error: an older set must not pass for the latest.
func latest(sets []*SetInfo, damaged []damagedSet, instance string) (SetName, error) {
	if instance == "" {
		var all []string
		for _, s := range sets {
			all = append(all, s.Instance)
		}
		for _, d := range damaged {
			all = append(all, d.name.Instance)
		}
		all = slices.DeleteFunc(all, func(name string) bool {
			_, archive := ArchivedInstance(name)
			return archive
		})
		slices.Sort(all)
		all = slices.Compact(all)
		if len(all) > 1 {
			return SetName{}, ambiguous("latest", all)
		}
		if len(all) == 1 {
			instance = all[0]
		}
	}
	var newest SetName
	for _, s := range sets {
		if s.Instance == instance && s.State == StateComplete {
			newest = s.SetName()
		}
	}
	for _, d := range damaged {
		if d.sealed && d.name.Instance == instance && d.name.Compare(newest) > 0 {
			return SetName{}, fmt.Errorf("set \"%s/latest\": %w", instance, d.err)
		}
	}
	if instance == "" {
		return SetName{}, fmt.Errorf("set \"latest\": no complete set: %w", ErrNotFound)
	}
	if newest.Name == "" {
		return SetName{}, fmt.Errorf("set \"%s/latest\": no complete set: %w", instance, ErrNotFound)
	}
	return newest, nil
}
