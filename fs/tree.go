package fs

import (
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// An entry is a file, directory or link of the tree. It does not change once it
// is reachable; a changed repository gives a new tree.
type entry struct {
	path  string // in the mount, without a leading slash; "" is the root
	attr  attr
	fixed bool // it and everything below it stay as they are (I2)

	children func() *children       // of a directory, made when first asked for
	link     string                 // target of a symbolic link
	text     func() []byte          // content of a file that this package makes
	body     func() ([]byte, error) // content of a note; its size is in attr
	changed  func() time.Time       // if not nil, what is now in place of attr.mtime
	set      *set                   // of a stored file
	index    int                    // of a stored file, in the set's Files
}

func (e *entry) name() string { return path.Base(e.path) }

func (e *entry) isDir() bool { return e.attr.mode&syscall.S_IFMT == syscall.S_IFDIR }

// size returns st_size.
func (e *entry) size() int64 {
	switch {
	case e.text != nil:
		return int64(len(e.text()))
	case e.link != "":
		return int64(len(e.link))
	}
	return e.attr.size
}

// child returns the entry called name in a directory, or nil.
func (e *entry) child(name string) *entry {
	if e.children == nil {
		return nil
	}
	return e.children().byName[name]
}

// find returns the entry at p below e, or nil.
func (e *entry) find(p string) *entry {
	if p == "" {
		return e
	}
	for name := range strings.SplitSeq(p, "/") {
		if e = e.child(name); e == nil {
			return nil
		}
	}
	return e
}

// children are the entries of one directory, while and after they are made.
type children struct {
	dir    string // path of the directory
	list   []*entry
	byName map[string]*entry
}

func newChildren(dir string) *children {
	return &children{dir: dir, byName: make(map[string]*entry)}
}

// add puts e into the directory as name, or as name-2 and so on if that is
// taken, and returns it.
func (c *children) add(name string, e *entry) *entry {
	name = uniqueName(name, func(s string) bool { return c.byName[s] != nil })
	e.path = path.Join(c.dir, name)
	c.list = append(c.list, e)
	c.byName[name] = e
	return e
}

// addDir puts a directory with the given children into c. fill is called when
// they are first asked for.
func (c *children) addDir(name string, a attr, fixed bool, fill func(*children)) *entry {
	e := c.add(name, &entry{attr: a, fixed: fixed})
	e.children = sync.OnceValue(func() *children {
		kids := newChildren(e.path)
		fill(kids)
		return kids
	})
	return e
}

// addText puts a file with generated content into c.
func (c *children) addText(name string, a attr, fixed bool, text func() []byte) {
	c.add(name, &entry{attr: a, fixed: fixed, text: sync.OnceValue(text)})
}

// uniqueName returns name, or name with the first number from 2 that makes it
// one that is not taken.
func uniqueName(name string, taken func(string) bool) string {
	unique := name
	for i := 2; taken(unique); i++ {
		unique = name + "-" + strconv.Itoa(i)
	}
	return unique
}

// maxName is the longest name of a directory entry on Linux, in bytes.
const maxName = 255

var unsafeInNames = strings.NewReplacer("/", "_", "\x00", "_")

// plainName makes a name for a directory entry of any string: a database may be
// called anything, and an empty name or a ".." must not bring the mount down.
func plainName(s string) string {
	s = unsafeInNames.Replace(s)
	switch {
	case s == "" || s == "." || s == "..":
		return "_" + s
	case len(s) > maxName:
		return s[:maxName-len("-999")]
	}
	return s
}
