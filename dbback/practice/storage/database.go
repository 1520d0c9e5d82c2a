package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Names of files in the directory of a database (InterSystems manual).
const (
	datName = "IRIS.DAT"
	lckName = "iris.lck"
)

// A database is one that was mounted since the start. The instance's mutex guards
// all of it.
type database struct {
	dir      string
	mounted  bool
	readOnly bool
	leaving  bool // is being dismounted
	degraded error
	info     DatabaseInfo // as it was when dismounted

	cache   // while mounted
	label   label
	usn     uint64
	globals []*global // in the order of their names
	hint    uint32    // no block below it is free
	since   bitmap    // blocks changed since a pass of a backup began; nil if there is none
}

func (db *database) file() string { return filepath.Join(db.dir, datName) }

// fail returns err with the database in it.
func (db *database) fail(op string, err error) error {
	return &DatabaseError{Op: op, Directory: db.dir, Err: err}
}

// open reads what is needed of the file to work with it. Damage to anything but
// the label makes the database degraded.
func (db *database) open(readOnly bool) error {
	flags := os.O_RDWR
	if readOnly {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(db.file(), flags, 0)
	if err != nil {
		return err
	}
	db.cache = newCache(f)
	db.since = nil
	p, err := db.get(blockLabel)
	if err == nil {
		db.label, err = parseLabel(p.b)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	db.mounted, db.readOnly, db.leaving = true, readOnly, false
	if db.label.directory != db.dir && !readOnly {
		db.label.directory = db.dir
		if err := db.writeLabel(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	db.load()
	return nil
}

// load reads the structure anew: the maps and the index of every global.
func (db *database) load() {
	db.globals, db.hint, db.degraded = nil, firstDataBlock, nil
	if !db.readOnly {
		db.healMap(blockChanged)
		db.healMap(blockCumulative)
	}
	db.degraded = db.loadGlobals()
}

// healMap makes a map of changed blocks that cannot be read say that every block
// has changed. The copy of a live database may have such a map, which no
// incremental brings: to back up too much is safe.
func (db *database) healMap(n uint32) {
	p, err := db.get(n)
	if err == nil && (p.dirty || verify(p.b, n, typeMap) == nil) {
		return
	}
	p = db.fresh(n)
	initMap(p.b, n, mapNameChanged)
	bitmap(p.b[offBitmap:]).fill()
	db.touch(p)
}

// loadGlobals reads the directory of globals and walks every chain.
func (db *database) loadGlobals() error {
	for n, typ := range map[uint32]byte{blockLabel: 0, blockMap: typeMap, blockDirectory: typeGlobals} {
		p, err := db.get(n)
		if err != nil {
			return err
		}
		if !p.dirty {
			if err := verify(p.b, n, typ); err != nil {
				return err
			}
		}
	}
	p, err := db.get(blockDirectory)
	if err != nil {
		return err
	}
	db.usn = le.Uint64(p.b[offUSN:])
	entries, err := parseDirectory(p.b)
	if err != nil {
		return err
	}
	w := newWalker(db.sealed, db.label.blocks)
	for _, e := range entries {
		g := &global{globalEntry: e}
		err := w.global(e, func(n uint32, rows []row) {
			low := ""
			if len(g.index) > 0 {
				low = string(rows[0].key)
			}
			g.index = append(g.index, indexEntry{low, n})
		})
		if err != nil {
			return err
		}
		db.globals = append(db.globals, g)
	}
	return nil
}

// usable returns why the logical content cannot be worked with, or nil.
func (db *database) usable(write bool) error {
	switch {
	case !db.mounted || db.leaving:
		return ErrNotMounted
	case write && db.readOnly:
		return ErrReadOnly
	case db.degraded != nil:
		return fmt.Errorf("%w: %w", ErrDegraded, db.degraded)
	}
	return nil
}

// edit returns block n to be changed: it becomes dirty, is marked as changed, and
// carries the update sequence number.
func (db *database) edit(n uint32) ([]byte, error) {
	p, err := db.get(n)
	if err != nil {
		return nil, err
	}
	if err := db.changed(n); err != nil {
		return nil, err
	}
	db.touch(p)
	if n == blockLabel {
		le.PutUint64(p.b[labelUSN:], db.usn)
	} else {
		le.PutUint64(p.b[offUSN:], db.usn)
	}
	return p.b, nil
}

// changed sets the bits of block n.
func (db *database) changed(n uint32) error {
	if db.since != nil {
		db.since.set(n)
	}
	for _, m := range []uint32{blockChanged, blockCumulative} {
		p, err := db.get(m)
		if err != nil {
			return err
		}
		if bits := bitmap(p.b[offBitmap:]); !bits.has(n) {
			bits.set(n)
			db.touch(p)
		}
	}
	return nil
}

// bits returns the bitmap in a map block, to be read.
func (db *database) bits(n uint32) (bitmap, error) {
	p, err := db.get(n)
	if err != nil {
		return nil, err
	}
	return bitmap(p.b[offBitmap:]), nil
}

func (db *database) writeLabel() error {
	b, err := db.edit(blockLabel)
	if err == nil {
		db.label.put(b)
	}
	return err
}

// describe returns what others may know of the database.
func (db *database) describe() DatabaseInfo {
	if !db.mounted {
		return db.info
	}
	info := labelInfo(db.dir, db.label)
	info.Mounted, info.ReadOnly, info.Degraded = true, db.readOnly, db.degraded
	if bits, err := db.bits(blockMap); err == nil {
		info.FreeBlocks = bits.count()
	}
	if p, err := db.get(blockChanged); err == nil {
		if ns := int64(le.Uint64(p.b[offMarkTime:])); ns != 0 {
			info.LastMark = time.Unix(0, ns)
		}
	}
	return info
}

// labelInfo returns what the label of a database says.
func labelInfo(dir string, l label) DatabaseInfo {
	return DatabaseInfo{
		Directory: dir, File: filepath.Join(dir, datName), Resource: l.resource, NoJournal: l.noJournal,
		BlockSize: BlockSize, Blocks: int64(l.blocks),
		MaxSize: int64(l.max) * BlockSize, Expansion: int64(l.expansion) * BlockSize,
	}
}

// global returns a global, or nil, and where it is or belongs.
func (db *database) global(name string) (*global, int) {
	i, found := slices.BinarySearchFunc(db.globals, name, func(g *global, name string) int {
		switch {
		case g.name < name:
			return -1
		case g.name > name:
			return 1
		}
		return 0
	})
	if !found {
		return nil, i
	}
	return db.globals[i], i
}
