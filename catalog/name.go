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
	if !instanceRE.MatchString(name) {
		return fmt.Errorf("instance name %q: use 1 to 63 letters, digits, dots, dashes and underscores, the first a letter or digit", name)
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
// the beginning of a single set's full name. It returns ErrNotFound or
// ErrAmbiguous.
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
	var found []string
	for _, s := range sets {
		full := s.SetName().String()
		if full == spec {
			return s.SetName(), nil
		}
		if spec != "" && strings.HasPrefix(full, spec) {
			found = append(found, full)
		}
	}
	switch len(found) {
	case 0:
		for _, d := range damaged {
			if spec != "" && strings.HasPrefix(d.name.String(), spec) {
				return SetName{}, fmt.Errorf("set %q: %w", spec, d.err)
			}
		}
		return SetName{}, fmt.Errorf("set %q: %w", spec, ErrNotFound)
	case 1:
		instance, name, _ = strings.Cut(found[0], "/")
		return SetName{instance, name}, nil
	}
	return SetName{}, ambiguous(spec, found)
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
	if newest.Name == "" {
		return SetName{}, fmt.Errorf("set \"%s/latest\": no complete set: %w", instance, ErrNotFound)
	}
	return newest, nil
}
