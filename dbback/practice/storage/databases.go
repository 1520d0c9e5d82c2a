package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A DatabaseSpec says what database to make.
type DatabaseSpec struct {
	Directory  string // made if missing
	Resource   string // default %DB_%DEFAULT
	Size       int64  // bytes at first; default 1 MiB; rounded up to whole MiB
	Expansion  int64  // bytes to grow by; default 1 MiB
	MaxSize    int64  // bytes; default and most: the 62464 blocks of one map, 488 MiB
	NoJournal  bool   // SETs and KILLs are not journaled
	DoNotMount bool   // leave it dismounted
}

// blocksPerMiB is what a database is made and grown in.
const blocksPerMiB = 1 << 20 / BlockSize

func (s DatabaseSpec) label() (label, error) {
	l := label{directory: s.Directory, resource: s.Resource, noJournal: s.NoJournal, max: blocksPerMap}
	if l.resource == "" {
		l.resource = "%DB_%DEFAULT"
	}
	if s.Size < 0 || s.Expansion < 0 || s.MaxSize < 0 || s.Size > blocksPerMap*BlockSize || len(s.Directory) > labelResource-labelDirectory-2 {
		return l, ErrTooLong
	}
	mib := func(n int64) uint32 { return uint32(max(1, (n+1<<20-1)>>20) * blocksPerMiB) }
	l.blocks, l.expansion = mib(s.Size), mib(min(s.Expansion, blocksPerMap*BlockSize))
	if s.MaxSize > 0 {
		l.max = uint32(min(s.MaxSize/BlockSize, blocksPerMap))
	}
	if l.blocks > l.max {
		return l, ErrFull
	}
	return l, nil
}

// CreateDatabase makes an empty database and mounts it. A file that is there is
// an error.
func (in *Instance) CreateDatabase(ctx context.Context, spec DatabaseSpec) error {
	spec.Directory = cleanDir(spec.Directory)
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := spec.label()
	if err == nil {
		err = createFile(spec.Directory, l)
	}
	if err != nil {
		return &DatabaseError{Op: "create", Directory: spec.Directory, Err: err}
	}
	if spec.DoNotMount {
		return nil
	}
	return in.Mount(ctx, spec.Directory, false)
}

// createFile makes the file of an empty database.
func createFile(dir string, l label) error {
	if err := os.MkdirAll(dir, 0o770); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, datName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o660)
	if err != nil {
		return err
	}
	_, err = f.Write(newDatabase(l))
	if err == nil {
		err = f.Truncate(int64(l.blocks) * BlockSize)
	}
	return errors.Join(err, f.Close())
}

// Mount mounts a database. A left-over iris.lck of another mount makes it mount
// read-only (seen in the field), which is not an error: look at
// [Instance.Database]. A damaged database is mounted, as degraded. To mount what
// is mounted is an error.
func (in *Instance) Mount(ctx context.Context, dir string, readOnly bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead.Load() {
		return ErrCrashed
	}
	return in.mount(cleanDir(dir), readOnly)
}

// mount mounts a database, with the mutex held.
func (in *Instance) mount(dir string, readOnly bool) error {
	if old := in.dbs[dir]; old != nil && old.mounted {
		return old.fail("mount", ErrMounted)
	}
	db := &database{dir: dir}
	free := false
	var err error
	if _, err = os.Stat(db.file()); err == nil && !readOnly {
		free, err = takeLck(dir, in.cfg.Node, in.session, in.past)
	}
	if err == nil {
		err = db.open(!free)
	}
	if err != nil {
		if free {
			err = errors.Join(err, dropLck(dir, in.cfg.Node, in.session))
		}
		return db.fail("mount", err)
	}
	in.dbs[dir] = db
	return nil
}

// Dismount writes what is in memory of a database and lets go of its files.
func (in *Instance) Dismount(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in.mu.Lock()
	db, err := in.mounted("dismount", dir)
	if err == nil && db.leaving {
		err = db.fail("dismount", ErrNotMounted)
	}
	if err == nil {
		db.leaving = true
	}
	in.mu.Unlock()
	if err != nil {
		return err
	}
	err = in.cycle()
	in.mu.Lock()
	defer in.mu.Unlock()
	if err == nil && in.dead.Load() {
		err = ErrCrashed
	}
	if err != nil {
		db.leaving = false
		return db.fail("dismount", err)
	}
	db.info = db.describe()
	db.info.Mounted, db.info.ReadOnly, db.info.Degraded = false, false, nil
	db.mounted = false
	db.since = nil
	err = db.f.Close()
	if !db.readOnly {
		err = errors.Join(err, dropLck(db.dir, in.cfg.Node, in.session))
	}
	db.cache = cache{}
	return err
}

// mounted returns a mounted database, with the mutex held.
func (in *Instance) mounted(op, dir string) (*database, error) {
	if in.dead.Load() {
		return nil, ErrCrashed
	}
	dir = cleanDir(dir)
	if db := in.dbs[dir]; db != nil && db.mounted {
		return db, nil
	}
	return nil, &DatabaseError{Op: op, Directory: dir, Err: ErrNotMounted}
}

// DatabaseInfo describes a database.
type DatabaseInfo struct {
	Directory  string // with a trailing slash
	File       string // absolute path of IRIS.DAT
	Resource   string
	Mounted    bool
	ReadOnly   bool  // mounted read-only
	Degraded   error // what is wrong with the structure, as far as mounting saw; nil if nothing
	NoJournal  bool
	BlockSize  int64
	Blocks     int64 // in the file
	FreeBlocks int64 // known only while it is mounted
	MaxSize    int64 // bytes
	Expansion  int64 // bytes
	LastMark   time.Time
}

// Databases returns the databases that were mounted since the start, in the order
// of their directories. Dismounted ones stay in the list.
func (in *Instance) Databases() []DatabaseInfo {
	in.mu.Lock()
	defer in.mu.Unlock()
	var list []DatabaseInfo
	for _, dir := range slices.Sorted(maps.Keys(in.dbs)) {
		list = append(list, in.dbs[dir].describe())
	}
	return list
}

// Database returns one of them, or reads the label of a database that was not
// mounted since the start.
func (in *Instance) Database(dir string) (DatabaseInfo, error) {
	dir = cleanDir(dir)
	in.mu.Lock()
	defer in.mu.Unlock()
	if db := in.dbs[dir]; db != nil && db.mounted {
		return db.describe(), nil
	}
	f, err := os.Open(filepath.Join(dir, datName))
	if err != nil {
		return DatabaseInfo{}, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, BlockSize)
	if err := readBlock(f, blockLabel, b); err != nil {
		return DatabaseInfo{}, err
	}
	l, err := parseLabel(b)
	if err != nil {
		return DatabaseInfo{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return labelInfo(dir, l), nil
}

// exists tells whether a directory has a database file.
func exists(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, datName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
