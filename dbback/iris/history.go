package iris

import (
	"fmt"
	"slices"
	"strings"

	"datfs/dbback/iris/session"
)

// An entry is one backup in the instance's history.
type entry struct {
	index        string // its number, made of date and time
	kind, status string // as the instance has them: which values there are is not documented
	description  string
}

// parseHistory reads the markers BH: index, type, status, description. known is
// false if the instance did not give them all.
func parseHistory(a *session.Answer) (entries []entry, known bool) {
	for _, m := range a.All("BH") {
		if f := strings.SplitN(m.Value, "|", 4); len(f) == 4 { // the description may have bars
			entries = append(entries, entry{f[0], session.Printable(f[1]), session.Printable(f[2]), strings.TrimSpace(session.Printable(f[3]))})
		}
	}
	_, known = a.Find("BHEND")
	return entries, known
}

// others returns the backups that came into the history beside those with our
// descriptions, and whether that is certain: it is if ours are recognised, or if
// there are more than one run makes, an external full one and an incremental.
func others(before, after []entry, ours ...string) (foreign []entry, certain bool) {
	added := 0
	for _, e := range after {
		if slices.Contains(before, e) {
			continue
		}
		added++
		// The product may keep less than all of a description.
		if e.description != "" && slices.ContainsFunc(ours, func(d string) bool { return strings.HasPrefix(d, e.description) }) {
			certain = true
			continue
		}
		foreign = append(foreign, e)
	}
	return foreign, len(foreign) > 0 && (certain || added > len(ours))
}

// A MeanwhileError means that somebody else backed up the instance between the
// mark and the end of the incremental. A backup clears the record of changed
// blocks, so that the incremental does not have all that changed since the mark.
type MeanwhileError struct{ Entries []string }

func (e *MeanwhileError) Error() string {
	return "somebody else backed up the instance after CLRINC^DBACK, so that the incremental may lack what changed before that: " +
		strings.Join(e.Entries, "; ") + ". Have only one backup of an instance at a time"
}

// alone returns a *MeanwhileError if the history, as it is after the incremental,
// has backups of others.
func (r *attempt) alone(a *session.Answer, ours ...string) error {
	after, known := parseHistory(a)
	if !known || !r.historyKnown {
		return nil // of what is not documented, only what is seen counts
	}
	foreign, certain := others(r.history, after, ours...)
	if !certain {
		return nil
	}
	err := &MeanwhileError{}
	for _, e := range foreign {
		err.Entries = append(err.Entries, fmt.Sprintf("type %s, %s, %q", e.kind, e.status, e.description))
	}
	return err
}
