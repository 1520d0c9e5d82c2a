package iris

import (
	"strconv"
	"strings"

	"datfs/dbback/iris/session"
)

// restorable warns of databases that a set can hold, but no restore bring back: the
// incremental is applied to a list of directories, which cannot have theirs.
func (l *look) restorable() {
	var names []string
	for _, db := range l.survey.Databases {
		if !session.Listable(db.Directory) {
			names = append(names, db.Name+" ("+strconv.Quote(db.Directory)+")")
		}
	}
	if len(names) > 0 {
		l.warn(checkDirectories, "Move them to directories without such characters",
			"these are backed up and cannot be restored, as ^DBREST's list of directories has no commas, quotes or control characters in a name: %s", strings.Join(names, ", "))
		return
	}
	l.ok(checkDirectories, "^DBREST can restore to all of them")
}
