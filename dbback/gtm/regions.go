package gtm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"datfs/catalog"
)

// A region is a part of a global directory: one database file.
type region struct {
	name   string
	path   string  // of the database file, absolute
	header *Header // nil if it cannot be read: see err
	err    error
}

// listCode writes the version, then a line for each region: name, "=", file, or
// name, "=!", what is wrong with it. The file is what the region's segment says,
// with variables and relative paths resolved; GT.M opens it for that.
const listCode = `write $zversion,! set r=$view("GVFIRST") for  quit:r=""  write r,"=" ` +
	`xecute "new $etrap set $etrap=""set $ecode="""""""" write """"!"""",$zstatus,! quit"" write $view(""GVFILE"",r),!" ` +
	`set r=$view("GVNEXT",r)`

// listRegions asks the engine for the regions of the global directory and reads
// their headers from the files.
func (t *tools) listRegions(ctx context.Context) (version string, all []region, err error) {
	out, err := t.m(ctx, listCode)
	if err != nil {
		return "", nil, err
	}
	version, list, _ := strings.Cut(strings.TrimLeft(out, "\n"), "\n")
	for line := range strings.Lines(list) {
		name, path, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		r := region{name: name, path: path}
		wrong, bad := strings.CutPrefix(path, "!")
		switch {
		case bad:
			r.path, r.err = "", errors.New(afterPlace(wrong))
		case !filepath.IsAbs(path):
			r.err = fmt.Errorf("its file %q is not an absolute path", path)
		default:
			r.header, r.err = readHeaderFile(path)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return "", nil, fmt.Errorf("%s: it has no regions; the engine said: %s", t.gbldir, strings.TrimSpace(out))
	}
	return version, all, nil
}

// afterPlace returns a $ZSTATUS without its number and place: "150372546,
// %XCMD+5^%XCMD,%GTM-E-DBFILERR, Error with database file …".
func afterPlace(status string) string {
	if parts := strings.SplitN(status, ",", 3); len(parts) == 3 {
		return parts[2]
	}
	return status
}

// readHeaderFile reads the header of the database at path.
func readHeaderFile(path string) (*Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	h, err := ReadHeader(f)
	if errors.Is(err, ErrNotDatabase) {
		err = fmt.Errorf("%s %w", path, err)
	}
	return h, err
}

// headerOf returns the bytes of the file header of the database at path.
func headerOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, HeaderSize)
	_, err = io.ReadFull(f, b)
	return b, err
}

// choose returns the regions that were asked for, all if none were, in the order
// of the global directory.
func choose(all []region, names []string) ([]region, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []region
	for _, name := range names {
		if !slices.ContainsFunc(all, func(r region) bool { return strings.EqualFold(r.name, name) }) {
			var known []string
			for _, r := range all {
				known = append(known, r.name)
			}
			return nil, fmt.Errorf("the global directory has no region %s; it has %s", name, strings.Join(known, ", "))
		}
	}
	for _, r := range all {
		if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(r.name, name) }) {
			out = append(out, r)
		}
	}
	return out, nil
}

// database describes a region for a set.
func (r *region) database() catalog.Database {
	db := catalog.Database{Name: r.name, Directory: r.path, Paths: []string{r.path}, Mounted: true}
	if h := r.header; h != nil {
		db.BlockSize, db.Bytes = int32(h.BlockSize), h.FileSize()
		db.Encrypted, db.Journaled = h.Encrypted, h.Journal == JournalOn
	}
	return db
}

// names returns the names of regions as MUPIP takes them: "A,B".
func names(regions []region) string {
	var out []string
	for _, r := range regions {
		out = append(out, r.name)
	}
	return strings.Join(out, ",")
}
