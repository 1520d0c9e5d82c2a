package restore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"datfs/dbback/iris/session"
)

// Markdown returns the report as a text for people.
func (r *Report) Markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Restore of %s\n", r.Set)
	line("Through the instance %s, from %s to %s.\n", r.Instance, stamp(r.Began), stamp(r.Ended))
	switch {
	case len(r.Damage) > 0:
		line("**THE INTEGRITY CHECK DOES NOT FIND IT SOUND.**\n")
		for _, f := range r.Damage {
			line("%s: %s\n\n```\n%s\n```\n", f.Directory, f.Status, f.Said)
		}
	case r.Clean:
		line("The integrity check found nothing. This proves that the set can be restored, and that its databases were sound when they were backed up.\n")
	case r.Failed != "":
		line("**It did not come to its end:** %s\n", session.Printable(r.Failed))
	default:
		line("It did not come to its end.\n")
	}
	line("| database | restored to |\n|---|---|")
	for _, db := range r.Databases {
		line("| %s | `%s` |", cell(db.Name), cell(db.To))
	}
	line("\n%d bytes of database files, of which %d differed and were written.\n", r.Bytes, r.WrittenBytes)
	if !r.Reached.IsZero() {
		line("The journals, up to the end of %s, brought them to %s.\n", r.LastJournal, stamp(r.Reached))
	} else {
		line("No journals were applied.\n")
	}
	line("| step | began | took |\n|---|---|---|")
	for _, s := range r.Steps {
		line("| %s: %s | %s | %v |", s.Step, english("step."+s.Step), stamp(s.Began), s.Ended.Sub(s.Began).Round(time.Millisecond))
	}
	for i, n := range slices.Concat(r.Warnings, r.Notes) {
		if i == 0 {
			line("\nTo be known:\n")
		}
		line("* %s", session.Printable(n))
	}
	return b.String()
}
