package dbback

import (
	"time"

	"datfs/catalog"
)

// An ArchivedJournal is a journal file of the repository that a backup set does
// not have.
type ArchivedJournal struct {
	Name    string          // base name, without the suffix of compression
	Stored  string          // as it is called in its set
	Set     catalog.SetName //
	File    int             // index in the set's Files
	Size    int64           // bytes
	ModTime time.Time       // when it was written to last
	Origin  string          // where it was, absolute
}
