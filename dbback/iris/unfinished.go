package iris

import (
	"fmt"
	"strings"

	"datfs/dbback/iris/session"
)

// restores tells of restores that were begun and have not ended. A set of databases
// that are half restored would pass for one of the instance as it was, and be the
// newest one. What they have in their directories is not encrypted.
func (l *look) restores() {
	e := l.engine
	var own []string
	for _, db := range l.survey.Databases {
		own = append(own, session.Slashed(db.Directory))
	}
	for _, u := range session.UnfinishedRestores(e.workDir(), session.UsualWorkDir(e.mgr)) {
		if u.Set == "" {
			l.warn(checkRestores, "If no restore goes on with it, remove that directory: the incremental in it is not encrypted",
				"of a restore that was begun, and of which nothing can be read: %s", session.Printable(u.Dir))
			continue
		}
		what := fmt.Sprintf("the restore of %s, begun at %s, has not ended: it came to the step %s", u.Set, u.Begun.Local().Format("2006-01-02 15:04:05 MST"), u.Step)
		do := fmt.Sprintf("Go on with it: %s; or give it up: %s", u.Command, u.EndCommand())
		switch {
		case u.Drill && u.Command != "":
			do = "Run the drill again, which removes what it has left: " + u.Command
		case u.Drill:
			do = "Run the drill again, which removes what it has left"
		case u.Command == "":
			do = "Go on with it by the command that began it, or give it up: the same with --give-up"
		}
		if half := u.Overlap(own); u.Half && len(half) > 0 {
			l.fail(checkRestores, do, "%s, and these are half restored: %s", what, strings.Join(half, ", "))
			continue
		}
		l.warn(checkRestores, do, "%s; the incremental in %s is not encrypted", what, session.Printable(u.Dir))
	}
}
