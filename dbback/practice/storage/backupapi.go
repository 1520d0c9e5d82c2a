package storage

import (
	"os"
	"time"
)

// BackupOptions says what to back up.
type BackupOptions struct {
	Type          BackupType // not ExternalFull
	Databases     []string
	Path          string // the backup file; replaced if it exists
	Description   string
	Log           string // goes into the history
	SwitchJournal bool
	BlockPause    time.Duration           // rest after each block of a pass that is not the last: a slow backup
	Limit         int64                   // bytes after which writing fails as on a full disk; 0: none
	Digests       bool                    // return the content of the databases at the marker
	Progress      func(ev BackupProgress) // called in order, from one goroutine; may be nil
}

// BackupEvent says what a [BackupProgress] is about.
type BackupEvent string

// Events of a backup, in the order they come.
const (
	BackupSwitched BackupEvent = "switched"  // Journal
	PassBegins     BackupEvent = "pass"      // Pass, Last
	MarkerSet      BackupEvent = "marker"    // Journal, Offset, Required; after the last PassBegins
	CopyBegins     BackupEvent = "copy"      // Pass, Directory
	CopyEnds       BackupEvent = "copied"    // Pass, Directory, Blocks, Elapsed
	PassEnds       BackupEvent = "pass-done" // Pass
)

// BackupProgress is one event of a backup.
type BackupProgress struct {
	Event     BackupEvent
	Time      time.Time
	Pass      int // from 1
	Last      bool
	Directory string
	Blocks    int64
	Elapsed   time.Duration
	Journal   string
	Offset    int64
	Required  string
}

// BackupResult is what a backup did.
type BackupResult struct {
	Began, Ended time.Time
	Switched     string // the journal file switched to, "" if not asked for
	Required     string // oldest journal file needed to restore
	Marker       string // journal file with the marker
	Offset       int64  // of the marker
	Passes       []BackupPass
	Blocks       int64
	Bytes        int64             // of the backup file
	Digests      map[string]Digest // by directory, if asked for
}

// BackupPass is one pass over all databases.
type BackupPass struct {
	Databases []PassDatabase
	Ended     time.Time
}

// PassDatabase is one database in one pass.
type PassDatabase struct {
	Directory string
	Began     time.Time
	Blocks    int64
	Elapsed   time.Duration
}

// An Estimate is the size of a backup that would be made now.
type Estimate struct {
	Blocks    int64
	Databases int
	Bytes     int64 // of the backup file
}

// EstimateBackup returns the size of a backup that would be made now.
func (in *Instance) EstimateBackup(t BackupType, dirs []string) (e Estimate, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	dbs, err := in.marked("estimate", dirs)
	if err != nil {
		return e, err
	}
	for _, db := range dbs {
		todo, err := db.toCopy(t)
		if err != nil {
			return e, db.fail("estimate", err)
		}
		e.Blocks += todo.count()
	}
	e.Databases = len(dbs)
	e.Bytes = e.Blocks*(partHead+4+BlockSize+4) + int64(os.Getpagesize())*int64(1+len(dbs))
	return e, nil
}
