package restore

import (
	"errors"
	"fmt"
	"strings"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// setWays plans the ways of a set's run-book: those that can be gone, and why others
// cannot.
func setWays(info *catalog.SetInfo, at BookPlace) (plans []*Plan, not map[Way]error) {
	not = make(map[Way]error)
	dirs := plainDatabases(info)
	for way, opts := range []Options{
		{Book: at, Databases: dirs},
		{Book: at, Everything: true},
		{Book: at, Databases: dirs, To: "/restore"},
	} {
		p, err := NewPlan(info, opts)
		if err != nil {
			not[ways[way]] = err
			continue
		}
		plans = append(plans, p)
	}
	return plans, not
}

// ways are all of them, in the order of a run-book.
var ways = []Way{WayDatabases, WayEverything, WayElsewhere}

// A BookPlace is where a run-book is read: what its reader has to type for the mount
// and for datfs.
type BookPlace struct {
	SetDir string // the set's directory in a mount; "": the repository is not mounted
	Datfs  string // what runs datfs on the set's repository, for a shell: "datfs --repo /repo"; "": datfs
}

// SetBook returns the run-book of a set as the mount shows it: all three ways. It is
// "" if the set cannot be restored: [NoBook] says why.
func SetBook(info *catalog.SetInfo, lang string, at BookPlace) string {
	plans, not := setWays(info, at)
	if len(plans) == 0 {
		return ""
	}
	b := &book{lang: lang, p: plans[0], all: true}
	b.head()
	if left := unlistable(info); len(left) > 0 {
		b.say("unlistable", names(left))
	}
	b.line("%s\n", say(lang, "ways"))
	for _, p := range plans {
		b.line("* %s", say(lang, "way."+string(p.Way)))
	}
	for _, way := range ways {
		if err := not[way]; err != nil {
			b.line("* %s", say(lang, "noway", say(lang, "way."+string(way)), cell(err.Error())))
		}
	}
	for _, p := range plans {
		b.p = p
		b.way(2)
	}
	b.after(plans)
	return b.String()
}

// NoBook returns why a set has no run-book: why none of the ways can be gone. nil if
// it has one.
func NoBook(info *catalog.SetInfo) error {
	plans, not := setWays(info, BookPlace{})
	if len(plans) > 0 {
		return nil
	}
	var reasons []error
	said := make(map[string]bool)
	for _, way := range ways {
		if err := not[way]; !said[err.Error()] {
			said[err.Error()] = true
			reasons = append(reasons, err)
		}
	}
	if len(reasons) == 1 {
		return reasons[0]
	}
	return fmt.Errorf("no way can be gone: %w", errors.Join(reasons...))
}

// plainDatabases returns the directories of the databases that are not the instance's
// own, and that can be restored.
func plainDatabases(info *catalog.SetInfo) (out []string) {
	if info.Method == nil {
		return nil
	}
	for _, db := range info.Method.Databases {
		if !isSystem(db) && !strings.EqualFold(db.Name, securityName) && session.Listable(db.Directory) {
			out = append(out, db.Directory)
		}
	}
	return out
}

// unlistable returns the databases that no restore can bring back: ^DBREST's list of
// directories cannot have theirs.
func unlistable(info *catalog.SetInfo) (out []catalog.Database) {
	for _, db := range info.Method.Databases {
		if !session.Listable(db.Directory) {
			out = append(out, db)
		}
	}
	return out
}
