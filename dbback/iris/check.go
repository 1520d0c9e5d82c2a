package iris

import (
	"fmt"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// labelSlack is how many bytes a size may differ that the instance gives in MB.
const labelSlack = 1 << 20

// Check implements [dbback.Engine]: label and instance must speak of the same
// database, and the file must have what they say. That it grew while it was copied
// is normal.
func (e *Engine) Check(db catalog.Database, f catalog.FileInfo) []string {
	l := f.Label
	if l == nil {
		return []string{"it does not begin with the label that InterSystems databases are known to have: it may be none. Look at the file, and at what the instance says of it in messages.log, and restore this set on trial before you rely on it"}
	}
	var out []string
	if dir := session.Slashed(l.Directory); dir != db.Directory {
		out = append(out, fmt.Sprintf("its label says that it belongs to %q, the instance says %s", l.Directory, db.Directory))
	}
	if own := e.ownDirectory(db); own != "" && own != session.Slashed(l.Directory) && own != db.Directory {
		out = append(out, fmt.Sprintf("its label says that it belongs to %q, its SYS.Database says %s", l.Directory, own))
	}
	if db.BlockSize > 0 && l.BlockSize != db.BlockSize {
		out = append(out, fmt.Sprintf("its blocks seem to have %d bytes, the instance says %d", l.BlockSize, db.BlockSize))
		return out // then the number of blocks says nothing
	}
	if db.Bytes == 0 || db.BlockSize <= 0 || len(db.Paths) > 1 {
		return out // what the label of one of several volumes says is not documented
	}
	said := int64(-1) // more than any database has
	if l.Blocks <= maxBlocks/int64(l.BlockSize) {
		said = l.Blocks * int64(l.BlockSize)
	}
	// The label of a database that has just grown may be written later than the
	// instance says so. One that was truncated since then cannot be told from one
	// of which the instance says too much; whether a copy of it is sound is unknown.
	least := db.Bytes - max(labelSlack, db.Bytes/8)
	most := max(db.Bytes, f.SizeAtOpen, f.SizeAtEnd) + labelSlack
	if said < least || said > most {
		out = append(out, fmt.Sprintf("its label says %d blocks, the instance says %d", l.Blocks, db.Bytes/int64(db.BlockSize)))
	}
	// The label was read before all else, so that growth does not explain it. Yet the
	// copy is what there is, and perhaps all right: one that was just being truncated,
	// whose label may be written last, looks the same. So the set is not refused.
	if said > 0 && f.SizeAtEnd < said {
		out = append(out, fmt.Sprintf("it has %d bytes, but its label says %d blocks of %d bytes: its end is missing, unless it was just being truncated. "+
			"Check the integrity of the database, and restore this set on trial before you rely on it", f.SizeAtEnd, l.Blocks, l.BlockSize))
	}
	return out
}

// ownDirectory returns the directory that the instance's object of a database has,
// "" if it is not known.
func (e *Engine) ownDirectory(db catalog.Database) string {
	if e.run == nil {
		return ""
	}
	for _, c := range e.run.known {
		if c.local && c.directory == db.Directory {
			return c.own
		}
	}
	return ""
}
