package fs

import (
	"maps"
	"path"
	"slices"
	"syscall"
	"time"
)

// newTree makes the tree that shows sets, which are in the order of
// catalog.Repository.Sets: by instance, then time. readme is called when
// README.txt is looked at; started is the time of an empty repository.
//
// An instance has no latest set while a sealed one that is newer than all others
// cannot be read: an older one must not pass for it.
func newTree(sets []*set, broken unreadable, started time.Time, readme func(newest *set) []byte) *entry {
	complete, other := split(sets)
	backups := withoutArchives(complete)
	top := newChildren("")
	root := &entry{attr: dirAttr(newestTime(sets, started)), children: func() *children { return top }}

	top.addText("README.txt", textAttr(newestTime(backups, started)), false,
		func() []byte { return readme(newest(backups)) })
	top.addDir("latest", dirAttr(newestTime(backups, started)), false, func(c *children) {
		for _, in := range byInstance(backups) {
			if last := in.sets[len(in.sets)-1]; broken[in.name].Compare(last.info.SetName()) <= 0 {
				c.add(in.name, linkTo(last))
			}
		}
	})
	top.addDir("sets", dirAttr(newestTime(complete, started)), false, setDirs(complete))
	top.addDir("databases", privateDirAttr(newestTime(backups, started)), false, func(c *children) {
		for _, in := range byInstance(backups) {
			c.addDir(in.name, dirAttr(newestTime(in.sets, started)), false, databaseDirs(in.sets))
		}
	})
	addJournals(top, sets, started)
	top.addDir("incomplete", dirAttr(newestTime(other, started)), false, setDirs(other))
	return root
}

// linkTo returns a link to a complete set, for the directory "latest".
func linkTo(s *set) *entry {
	a := attr{mode: syscall.S_IFLNK | 0o777, mtime: s.info.Time}
	return &entry{attr: a, link: path.Join("..", s.path())}
}

// setDirs fills a directory with a directory for each instance, and these with
// one for each of its sets.
func setDirs(sets []*set) func(*children) {
	return func(c *children) {
		for _, in := range byInstance(sets) {
			last := in.sets[len(in.sets)-1].info.Time
			c.addDir(in.name, dirAttr(last), false, func(c *children) {
				for _, s := range in.sets {
					e := c.add(s.info.Name, &entry{attr: dirAttr(s.info.Time), fixed: s.sealed()})
					e.children = s.dir
				}
			})
		}
	}
}

// databaseDirs fills an instance's directory below "databases": a directory for
// each database, in it one for each set that has files of it.
func databaseDirs(sets []*set) func(*children) {
	return func(c *children) {
		having := make(map[string][]*set) // by database
		for _, s := range sets {
			for db := range s.databases() {
				having[db] = append(having[db], s)
			}
		}
		for _, db := range slices.Sorted(maps.Keys(having)) {
			its := having[db]
			c.addDir(db, dirAttr(newest(its).info.Time), false, func(c *children) {
				for _, s := range its {
					c.addDir(s.info.Name, dirAttr(s.info.Time), s.sealed(), databaseFiles(s, db))
				}
			})
		}
	}
}

// databaseFiles fills a directory with a set's files of one database.
func databaseFiles(s *set, db string) func(*children) {
	return func(c *children) {
		for _, i := range s.databases()[db] {
			c.add(plainName(path.Base(original(s.info.Files[i].Path))), s.fileEntry(i))
		}
	}
}

// An instance is a name with its sets, oldest first.
type instance struct {
	name string
	sets []*set
}

// byInstance groups sets, which are in order.
func byInstance(sets []*set) []instance {
	var out []instance
	for _, s := range sets {
		if n := len(out); n == 0 || out[n-1].name != s.info.Instance {
			out = append(out, instance{name: s.info.Instance})
		}
		in := &out[len(out)-1]
		in.sets = append(in.sets, s)
	}
	return out
}

// split parts the sets that can be restored from all others (I6).
func split(sets []*set) (complete, other []*set) {
	for _, s := range sets {
		if s.complete() {
			complete = append(complete, s)
		} else {
			other = append(other, s)
		}
	}
	return complete, other
}

// newest returns the set that was begun last, or nil.
func newest(sets []*set) *set {
	var last *set
	for _, s := range sets {
		if last == nil || s.info.Time.After(last.info.Time) {
			last = s
		}
	}
	return last
}

// newestTime returns the time of the newest set, or none if there is no set.
func newestTime(sets []*set, none time.Time) time.Time {
	if s := newest(sets); s != nil {
		return s.info.Time
	}
	return none
}
