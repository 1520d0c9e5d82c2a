package dbback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"datfs/catalog"
)

// A copier copies files into one set. It is the path that every backup takes
// from an open file to a stored one, whatever says which files those are.
type copier struct {
	w        *catalog.SetWriter
	progress *catalog.Progress
	log      func(format string, args ...any)
	wrap     func(path string, src catalog.Source) catalog.Source // for tests, may be nil
	dirs     map[string]bool                                      // recorded already
	live     bool                                                 // files are written to meanwhile, and what follows takes care of it
	stored   int                                                  // files
	failed   []error
}

// copy stores the file at path, which must be absolute. A file that cannot be
// stored is recorded in the set and in c.failed and is no error: the others are
// still worth having. An error means that the set cannot be gone on with.
func (c *copier) copy(ctx context.Context, path string, section catalog.Section, database string) error {
	c.progress.SetCurrent(path)
	err := c.store(ctx, path, section, database)
	if err == nil {
		c.stored++
		c.addDirs(filepath.Dir(path))
		return nil
	}
	if _, ok := errors.AsType[*catalog.RepositoryError](err); ok || ctx.Err() != nil {
		return fmt.Errorf("back up %s: %w", path, err)
	}
	c.failed = append(c.failed, err)
	c.problem(catalog.Problem{Path: path, Error: reason(err), Fatal: true})
	return nil
}

func (c *copier) store(ctx context.Context, path string, section catalog.Section, database string) error {
	src, err := openSource(path)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	head, err := src.head()
	if err != nil {
		return err
	}
	info := src.fileInfo(path)
	info.Section, info.Database = section, database
	info.Format, info.BlockSize, info.Label = Recognise(head, info.SizeAtOpen)

	var changed bool
	end := func(info *catalog.FileInfo) error {
		info.SizeAtEnd, changed, err = src.finish()
		return err
	}
	var from catalog.Source = src
	if c.wrap != nil {
		from = c.wrap(path, from)
	}
	if info, err = c.w.Store(ctx, info, from, end); err != nil {
		return err
	}
	c.warn(&info, changed, sizeSaid(head, info.Format, info.Label))
	return nil
}

// warn records what is to be known of a file that is stored: said is the size
// that its label implies, or 0.
func (c *copier) warn(info *catalog.FileInfo, changed bool, said int64) {
	warning := func(format string, args ...any) {
		c.problem(catalog.Problem{Path: info.Path, Error: fmt.Sprintf(format, args...)})
	}
	if _, err := os.Lstat(markerPath(info.Path)); err == nil {
		warning("a restore of it was not finished: see %s", filepath.Base(markerPath(info.Path)))
	}
	if c.live {
		return // written to, growing, a label that is behind: all of that is expected, and in the incremental
	}
	if said != 0 && said != info.SizeAtOpen {
		warning("has %d bytes, but its label says %d", info.SizeAtOpen, said)
	}
	switch {
	case info.SizeAtEnd > info.Size:
		warning("grew while it was read, faster than it could be read: %d bytes of %d are stored", info.Size, info.SizeAtEnd)
	case info.SizeAtEnd > info.SizeAtOpen:
		warning("grew from %d to %d bytes while it was read", info.SizeAtOpen, info.SizeAtEnd)
	case changed:
		warning("was written to, or its attributes changed, while it was read: blocks may be of different moments")
	}
}

func (c *copier) problem(p catalog.Problem) {
	c.w.Fail(p)
	c.log("%v", p)
}

// addDirs records the attributes of dir and of the directories above it, the
// outermost first, each once.
func (c *copier) addDirs(dir string) {
	if c.dirs[dir] {
		return
	}
	c.dirs[dir] = true
	if parent := filepath.Dir(dir); parent != dir {
		c.addDirs(parent)
	}
	// Stat, not Lstat: a symbolic link to a directory is restored as a directory,
	// with the attributes of the one it led to.
	info, err := os.Stat(dir)
	if err != nil {
		c.problem(catalog.Problem{Path: dir, Error: reason(err)})
		return
	}
	st := info.Sys().(*syscall.Stat_t)
	c.w.AddDir(catalog.DirInfo{
		Path:    dir,
		Mode:    st.Mode & 0o7777,
		UID:     st.Uid,
		GID:     st.Gid,
		ModTime: info.ModTime(),
	})
}

// fileInfo describes the file as it was at open.
func (s *source) fileInfo(path string) catalog.FileInfo {
	return catalog.FileInfo{
		Path:       path,
		Mode:       s.opened.Mode & 0o7777,
		UID:        s.opened.Uid,
		GID:        s.opened.Gid,
		ModTime:    time.Unix(s.opened.Mtim.Unix()),
		SizeAtOpen: s.opened.Size,
	}
}

// reason returns what went wrong without the path, which a Problem has already.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Op + ": " + pe.Err.Error()
	}
	return err.Error()
}
