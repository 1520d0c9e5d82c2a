package storage

import (
	"cmp"
	"path/filepath"
	"time"
)

// A Config says where an instance has its files and how it behaves. Only Dir
// must be given. All paths are absolute.
type Config struct {
	Dir  string // the manager directory; it holds journal.log, startup.last and the backup history
	Node string // goes into iris.lck; two instances must have different ones; default "practice"

	// Databases are the directories of the databases to mount at the start. One
	// that cannot be mounted is in [Recovery.Failed]; it does not stop the start.
	Databases []string

	// ReadOnly are those of Databases to mount read-only.
	ReadOnly []string

	WIJDir           string // holds IRIS.WIJ; default Dir
	JournalDir       string // primary journal directory; default Dir/journal
	AlternateDir     string // used when the primary fails; default: the primary again
	JournalSize      int64  // bytes at which the journal file is switched; default 1 GiB
	CompressJournals bool   // closed journal files become gzip files with a trailing z (InterSystems: Zstd)
	CacheBlocks      int    // clean blocks a database keeps in memory; default 2048 (16 MiB)

	// FlushEvery is how long the write daemon rests between two cycles; default
	// one second. A negative value means that it writes only when told to
	// ([Instance.Flush]), which tests of single moments want.
	FlushEvery time.Duration

	// WritePause is a rest after each block that the write daemon writes to a
	// database, so that a copy has more chance to see a half-written state.
	WritePause time.Duration

	// NoRecovery starts without applying the WIJ and the journals, as the
	// restore procedures of the manual want after a crash.
	NoRecovery bool

	// Oplog is a file that receives every logical change in a format of its own,
	// independent of the journals ([ReplayOplog]); none if empty.
	Oplog string

	// CrashWriting is asked in the middle of each cycle of the write daemon, when
	// the WIJ is active and half of its blocks are in the databases: if it returns
	// true, the instance ends there as by kill -9. nil: never. It must not call the
	// instance.
	CrashWriting func() bool

	// Now tells the time; default [time.Now]. Journal files are named by it.
	Now func() time.Time

	// at is called at the named points of the write daemon; if it returns true,
	// the instance crashes there. For tests.
	at func(point string) bool
}

func (c Config) withDefaults() Config {
	c.Dir = cleanDir(c.Dir)
	c.Node = cmp.Or(c.Node, "practice")
	c.WIJDir = cleanDir(cmp.Or(c.WIJDir, c.Dir))
	c.JournalDir = cleanDir(cmp.Or(c.JournalDir, filepath.Join(c.Dir, "journal")))
	c.AlternateDir = cleanDir(cmp.Or(c.AlternateDir, c.JournalDir))
	c.JournalSize = cmp.Or(c.JournalSize, 1<<30)
	c.CacheBlocks = cmp.Or(c.CacheBlocks, 2048)
	c.FlushEvery = cmp.Or(c.FlushEvery, time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// cleanDir returns the directory as it is written everywhere: clean, with a
// trailing slash.
func cleanDir(dir string) string {
	if d := filepath.Clean(dir); d != "/" {
		return d + "/"
	}
	return "/"
}
