package dbback

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// databaseNames says which database each of the paths belongs to, by a name
// that is short, and distinct within the set.
//
// InterSystems databases are directories: all their files have fixed names and
// belong to the database that is called like the directory. Any other file is a
// database of its own, called like the file without its extension. Names that
// several databases would have are made longer at the front, by the directories
// above, until they differ.
func databaseNames(paths []string) map[string]string {
	stems := make(map[string]int) // files of a directory that differ in extensions only
	for _, p := range paths {
		stems[withoutExt(p)]++
	}
	names := make(map[string]*databaseName) // by key
	for _, p := range paths {
		key := databaseKey(p)
		names[key] = newDatabaseName(key, stems[withoutExt(p)] > 1)
	}
	for lengthenSame(names) {
	}
	out := make(map[string]string, len(paths))
	for _, p := range paths {
		out[p] = names[databaseKey(p)].name
	}
	return out
}

// databaseKey returns what all files of a database have in common: the directory
// with a slash at its end, or the file itself.
func databaseKey(path string) string {
	name := strings.ToUpper(filepath.Base(path))
	if name == "IRIS.DAT" || name == "CACHE.DAT" || name == "CACHE.EXT" || filepath.Ext(name) == ".VOL" {
		if dir := filepath.Dir(path); dir != "/" {
			return dir + "/"
		}
	}
	return path
}

// withoutExt returns path without the extension, but leaves names like
// ".profile" alone.
func withoutExt(path string) string {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	if strings.HasSuffix(stem, "/") {
		return path
	}
	return stem
}

// A databaseName is a name that can become longer.
type databaseName struct {
	name  string
	above []string // directories not in the name yet, the nearest last
}

// newDatabaseName returns the shortest name of the database with that key. With
// ext, the extension belongs to it. Paths may be any bytes; names are for people
// and for JSON, which has UTF-8 only.
func newDatabaseName(key string, ext bool) *databaseName {
	key = strings.ToValidUTF8(key, string(unicode.ReplacementChar))
	d := &databaseName{name: filepath.Base(key)}
	if !ext && !strings.HasSuffix(key, "/") {
		d.name = filepath.Base(withoutExt(key))
	}
	if dir := strings.Trim(filepath.Dir(strings.TrimSuffix(key, "/")), "/"); dir != "" {
		d.above = strings.Split(dir, "/")
	}
	return d
}

// lengthenSame makes the names that are the same a little longer, and returns
// whether there were any.
func lengthenSame(names map[string]*databaseName) bool {
	groups := make(map[string][]*databaseName)
	for _, key := range slices.Sorted(maps.Keys(names)) {
		d := names[key]
		groups[d.name] = append(groups[d.name], d)
	}
	again := false
	for _, same := range groups {
		if len(same) < 2 {
			continue
		}
		again = true
		whole := 0
		for _, d := range same {
			if n := len(d.above); n > 0 {
				d.name, d.above = d.above[n-1]+"-"+d.name, d.above[:n-1]
			} else if whole++; whole > 1 {
				// "/x-y/IRIS.DAT" and "/x/y/IRIS.DAT": a number is all that is left.
				d.name += "-" + strconv.Itoa(whole)
			}
		}
	}
	return again
}
