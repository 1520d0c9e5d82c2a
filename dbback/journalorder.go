package dbback

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// An orderKey orders journal files by their names: by days, then by prefixes in
// the order in which they were first written that day, then by counters. What is
// no journal file's name comes before all others, by time.
type orderKey struct {
	day    string
	began  time.Time
	prefix string
	count  int
	name   string
}

func (k orderKey) compare(o orderKey) int {
	return cmp.Or(strings.Compare(k.day, o.day), k.began.Compare(o.began), strings.Compare(k.prefix, o.prefix),
		cmp.Compare(k.count, o.count), strings.Compare(k.name, o.name))
}

// orderJournals returns the plain names of journal files, which were last written
// at the given times (zero: not known), oldest first. log are the names that a
// journal.log lists: among themselves these are in its order.
func orderJournals(written map[string]time.Time, log []string) []string {
	type group struct{ day, prefix string }
	began := make(map[group]time.Time)
	for name, at := range written {
		n, ok := ParseJournalName(name)
		if first, known := began[group{n.Day, n.Prefix}]; ok && !at.IsZero() && (!known || at.Before(first)) {
			began[group{n.Day, n.Prefix}] = at
		}
	}
	key := func(name string) orderKey {
		n, ok := ParseJournalName(name)
		if !ok {
			return orderKey{began: written[name], name: name}
		}
		return orderKey{n.Day, began[group{n.Day, n.Prefix}], n.Prefix, n.Count, name}
	}
	keys := make([]orderKey, 0, len(written))
	for name := range written {
		keys = append(keys, key(name))
	}
	slices.SortFunc(keys, orderKey.compare)
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}

	// Those that the log names change places among themselves.
	var listed []string
	for _, name := range log {
		if _, ok := written[name]; ok {
			listed = append(listed, name)
		}
	}
	isListed := make(map[string]bool, len(listed))
	for _, name := range listed {
		isListed[name] = true
	}
	for i, name := range names {
		if isListed[name] {
			names[i], listed = listed[0], listed[1:]
		}
	}
	return names
}

// maxGap bounds how many names of missing files are made up between two that are
// there.
const maxGap = 1000

// missingNames returns the names of journal files that are not among those stored
// and must have been between them: by the counters of each prefix, and by the
// names that journal.log lists.
func missingNames(stored map[string]time.Time, log []string) []string {
	missing := make(map[string]bool)
	groups := make(map[string][]JournalName) // by prefix
	for name := range stored {
		if n, ok := ParseJournalName(name); ok {
			groups[n.Prefix] = append(groups[n.Prefix], n)
		}
	}
	for _, there := range groups {
		slices.SortFunc(there, JournalName.Compare)
		for i, n := range there[1:] {
			for _, m := range MissingJournals(nil, there[i], n, maxGap) {
				if m != n && m != there[i] {
					missing[m.String()] = true
				}
			}
		}
	}
	isStored := func(name string) bool { _, ok := stored[name]; return ok }
	first := slices.IndexFunc(log, isStored)
	for last := len(log) - 1; last > first && first >= 0; last-- {
		if !isStored(log[last]) {
			continue
		}
		for _, name := range log[first:last] {
			if !isStored(name) {
				missing[name] = true
			}
		}
		break
	}
	return slices.Sorted(maps.Keys(missing))
}
