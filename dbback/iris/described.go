package iris

import (
	"slices"
	"strings"
)

// described finds databases of the list that the configuration does not describe:
// nothing is known of their state.
func (l *look) described(known []configured) {
	var names []string
	for _, db := range l.survey.Databases {
		if slices.ContainsFunc(known, func(c configured) bool { return c.local && c.directory == db.Directory }) {
			l.known = append(l.known, db)
		} else {
			names = append(names, db.Directory)
		}
	}
	if len(names) > 0 {
		l.warn(checkDescribed, "Look for them in the instance's list of databases, and take out of the backup list what is no longer used",
			"the configuration does not describe: %s. Whether they are mounted, journaled or encrypted, and whether they have volumes elsewhere, is not known", strings.Join(names, ", "))
	}
}

// okDescribed reports what is so of all databases that the configuration describes.
func (l *look) okDescribed(check, are string) {
	switch described, all := len(l.known), len(l.survey.Databases); described {
	case 0: // nothing is known
	case all:
		l.ok(check, "all databases are %s", are)
	default:
		l.ok(check, "%d of %d databases are %s; of the others it is not known", described, all, are)
	}
}
