package fs

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"datfs/catalog"
)

// A set is one set of the repository as the mount shows it. When the repository
// says something new of it, a new one takes its place.
type set struct {
	info *catalog.SetInfo
	said atomic.Pointer[catalog.SetInfo] // the same with the newest notes; see now
	with extras
	dir  func() *children // its directory's, made when first asked for

	databases func() map[string][]int // indexes of its files by what their database's directory is called

	// Guarded by openSets.mu.
	open *openSet // nil if nobody reads or read it lately
	gone bool     // replaced or removed: to be closed after its last reader
}

// A Document is a file that is made for a set's directory.
type Document struct {
	Name string // "RESTORE.md"
	Text []byte
}

// extras is what a set's directory has that is not in the set.
type extras struct {
	at        string // where the mount is
	documents func(set *catalog.SetInfo, dir string) []Document
	readNote  func(set catalog.SetName, name string) ([]byte, error) // catalog.Repository.ReadNote
}

func newSet(info *catalog.SetInfo, with extras) *set {
	s := &set{info: info, with: with}
	s.said.Store(info)
	s.dir = sync.OnceValue(s.build)
	s.databases = sync.OnceValue(func() map[string][]int {
		files := make(map[string][]int)
		for i := range info.Files {
			if db := info.Files[i].Database; db != "" && info.Files[i].Section != catalog.SectionConsistent {
				files[plainName(db)] = append(files[plainName(db)], i)
			}
		}
		return files
	})
	return s
}

func (s *set) complete() bool { return s.info.State == catalog.StateComplete }

// sealed reports whether the set is final: complete, or known to be incomplete.
func (s *set) sealed() bool {
	return s.complete() || s.info.State == catalog.StateIncomplete
}

// sameAs reports whether info says nothing new of the set. A sealed one never
// changes (I2), so that its files needn't be compared.
func (s *set) sameAs(info *catalog.SetInfo) bool {
	if s.sealed() {
		return s.info.State == info.State && s.info.Finished.Equal(info.Finished)
	}
	return reflect.DeepEqual(s.info, info)
}

// now returns what is known of the set, with its notes as they were listed last.
func (s *set) now() *catalog.SetInfo { return s.said.Load() }

// take takes over what info says that is new of a set that is the same: its
// notes. One listing at a time calls it.
func (s *set) take(info *catalog.SetInfo) {
	if was := s.now(); !slices.Equal(was.Notes, info.Notes) || !reflect.DeepEqual(was.Validated, info.Validated) {
		s.said.Store(info)
	}
}

// perNotes returns a function that makes something of what is known of the set,
// and makes it anew when there are new notes.
func perNotes[T any](s *set, from func(*catalog.SetInfo) T) func() T {
	var mu sync.Mutex
	var of *catalog.SetInfo
	var made T
	return func() T {
		mu.Lock()
		defer mu.Unlock()
		if now := s.now(); of != now {
			of, made = now, from(now)
		}
		return made
	}
}

// lastSaid returns when something was said of the set last.
func (s *set) lastSaid() time.Time {
	last := s.info.Time
	for _, n := range s.now().Notes {
		if n.Time.After(last) {
			last = n.Time
		}
	}
	return last
}

// path returns where the set is shown.
func (s *set) path() string {
	top := "incomplete"
	if s.complete() { // I6
		top = "sets"
	}
	return path.Join(top, s.info.Instance, s.info.Name)
}

// build makes the set's directory with everything below it.
func (s *set) build() *children {
	b := setBuilder{set: s, root: newChildren(s.path()), dirs: make(map[string]*children)}
	meta := textAttr(s.info.Time)
	b.root.add("set.json", &entry{attr: meta, text: perNotes(s, setJSON), changed: s.lastSaid})
	b.root.addText("SUMS.xxh64", meta, s.sealed(), func() []byte { return []byte(b.sums.String()) })
	if !s.complete() {
		b.root.addText("PROBLEMS.txt", meta, s.sealed(), func() []byte { return problemsText(s.info) })
	}
	// Always there, so that a command copied from elsewhere finds its source.
	b.dir(catalog.SectionDatabases, "/")
	if s.sealed() {
		b.notes()
	}
	for i := range s.info.Files {
		b.add(i)
	}
	if s.sealed() && s.with.documents != nil {
		for _, d := range s.with.documents(s.info, path.Join(s.with.at, s.path())) {
			b.root.addText(plainName(d.Name), meta, true, func() []byte { return d.Text })
		}
	}
	return b.root
}

// notesName is the directory of a set's notes.
const notesName = "notes"

// notes makes the directory of the notes. It is always there and, alone in the
// directory of a sealed set but for set.json, can change: so that directory
// itself need not.
func (b *setBuilder) notes() {
	s := b.set
	dir := b.root.add(notesName, &entry{attr: dirAttr(s.info.Time), changed: s.lastSaid})
	dir.children = perNotes(s, func(now *catalog.SetInfo) *children {
		kids := newChildren(dir.path)
		for _, n := range now.Notes {
			a := textAttr(n.Time)
			a.size = n.Bytes
			body := func() ([]byte, error) { return s.with.readNote(s.info.SetName(), n.Name) }
			kids.add(n.Name, &entry{attr: a, fixed: true, body: body})
		}
		return kids
	})
}

// A setBuilder makes the directory of one set.
type setBuilder struct {
	set  *set
	root *children
	dirs map[string]*children // by section and original path
	sums strings.Builder
}

// add puts the set's i-th file where it belongs.
func (b *setBuilder) add(i int) {
	f := &b.set.info.Files[i]
	orig := original(f.Path)
	e := b.dir(f.Section, path.Dir(orig)).add(plainName(path.Base(orig)), b.set.fileEntry(i))
	rel := strings.TrimPrefix(e.path, b.root.dir+"/")
	b.sums.WriteString(sumLine(f.XXH64, rel))
}

// dir returns the directory that stands for the original directory orig in a
// section, making what is missing.
func (b *setBuilder) dir(section catalog.Section, orig string) *children {
	key := string(section) + orig
	if c := b.dirs[key]; c != nil {
		return c
	}
	parent, name := b.root, string(section)
	if orig != "/" {
		parent, name = b.dir(section, path.Dir(orig)), path.Base(orig)
	}
	e := parent.addDir(plainName(name), b.dirAttr(section, orig), b.set.sealed(), func(*children) {})
	b.dirs[key] = e.children()
	return b.dirs[key]
}

// dirAttr returns the attributes of the original directory if they are known.
func (b *setBuilder) dirAttr(section catalog.Section, orig string) attr {
	if section == catalog.SectionDatabases || section == catalog.SectionConsistent {
		for i := range b.set.info.Dirs {
			if d := &b.set.info.Dirs[i]; original(d.Path) == orig {
				return originalDirAttr(d)
			}
		}
	}
	return dirAttr(b.set.info.Time)
}

// fileEntry returns a new entry for the set's i-th file.
func (s *set) fileEntry(i int) *entry {
	return &entry{attr: fileAttr(&s.info.Files[i]), fixed: s.sealed(), set: s, index: i}
}

// original makes an absolute path of whatever a set gives as one.
func original(p string) string { return path.Clean("/" + p) }
