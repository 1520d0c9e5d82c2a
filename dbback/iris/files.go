package iris

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"datfs/catalog"
)

// Names of database files (InterSystems manual, Configuring Databases). A
// database is a directory with IRIS.DAT, of Caché CACHE.DAT; since 2024.1 it can
// have further volumes IRIS-0001.VOL, IRIS-0002.VOL and so on, there or in other
// directories, each of which then has a file iris.dbdir that names the first.
// iris.lck is there while the database is mounted and is never copied.
const (
	irisDat   = "IRIS.DAT"
	cacheDat  = "CACHE.DAT"
	cacheExt  = "CACHE.EXT" // seen with old Caché databases
	dbdirName = "iris.dbdir"
)

var reVolume = regexp.MustCompile(`^IRIS-\d+\.VOL$`)

// databaseFiles returns the files that a database consists of, the one with the
// label first. If that is not there, it is named all the same, and so is a directory
// that cannot be looked into: that it cannot be read is then found where files are
// read.
func databaseFiles(directory string, volumes []string) []string {
	first := filepath.Join(directory, irisDat)
	if _, err := os.Lstat(first); errors.Is(err, fs.ErrNotExist) {
		old := filepath.Join(directory, cacheDat)
		if _, err := os.Lstat(old); err == nil {
			first = old
		}
	}
	paths := []string{first}
	for _, dir := range append([]string{directory}, volumes...) {
		entries, err := os.ReadDir(dir)
		if err != nil && (dir != directory || !errors.Is(err, fs.ErrNotExist)) { // else the first file is not there
			paths = append(paths, dir)
		}
		for _, e := range entries {
			name := e.Name()
			if reVolume.MatchString(name) || name == cacheExt && dir == directory || name == dbdirName && dir != directory {
				paths = append(paths, filepath.Join(dir, name))
			}
		}
	}
	return paths
}

// describe returns the listed directories as databases, in the order of the list.
// One that the configuration does not know is described by its directory alone.
func describe(list []string, known []configured) []catalog.Database {
	out := make([]catalog.Database, 0, len(list))
	for _, dir := range list {
		i := slices.IndexFunc(known, func(c configured) bool { return c.local && c.directory == dir })
		if i < 0 {
			out = append(out, catalog.Database{
				Name: strings.ToUpper(filepath.Base(dir)), Directory: dir, Paths: databaseFiles(dir, nil), Mounted: true, Journaled: true,
			})
			continue
		}
		c := known[i]
		db := catalog.Database{
			Name: c.name, Directory: dir, Paths: databaseFiles(dir, c.volumes), BlockSize: c.blockSize, Bytes: c.bytes,
			Mounted: c.mounted, ReadOnly: c.readOnly, Encrypted: c.encrypted, Journaled: c.journaled(),
		}
		if c.mirrored {
			db.Mirror = cmp.Or(c.mirror, c.name)
		}
		out = append(out, db)
	}
	return out
}

// streamFiles returns whether there is anything in the directory where a database
// keeps file streams: by default stream below its own (InterSystems manual, CPF
// [Databases]).
func streamFiles(directory, configured string) bool {
	dir := configured
	if dir == "" {
		dir = filepath.Join(directory, "stream")
	}
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	names, _ := f.Readdirnames(1)
	return len(names) > 0
}
