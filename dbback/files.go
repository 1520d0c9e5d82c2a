package dbback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"datfs/catalog"
)

// FilesOptions says what BackupFiles stores.
type FilesOptions struct {
	Instance string            // instance that the set belongs to
	Paths    []string          // files to store; relative ones are of the working directory
	Program  string            // version of datfs, for the set
	Progress *catalog.Progress // nil is fine

	// Log is told of each problem as it is recorded in the set. nil is fine.
	Log func(format string, args ...any)

	wrap func(path string, src catalog.Source) catalog.Source // for tests
}

// BackupFiles stores files as one sealed set of the section "databases".
//
// A file that cannot be stored makes the set incomplete: it is sealed all the
// same, with the others, and the returned info says what is missing. If no file
// can be stored, or the repository fails, or ctx ends, there is an error and no
// sealed set. See the package comment for what the copy of a live database is
// worth.
func BackupFiles(ctx context.Context, repo *catalog.Repository, opts FilesOptions) (*catalog.SetInfo, error) {
	paths, err := absolutePaths(opts.Paths)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if isInside(resolve(p), resolve(repo.Dir())) {
			return nil, fmt.Errorf("back up %s: it lies inside the repository %s", p, repo.Dir())
		}
	}
	total, err := sumSizes(paths)
	if err != nil {
		return nil, noneStored(opts.Instance, err)
	}
	opts.Progress.SetTotal(total)
	w, err := repo.Begin(catalog.BeginOptions{
		Instance: opts.Instance,
		Engine:   "files",
		Program:  opts.Program,
		Args:     opts.Paths,
		Progress: opts.Progress,
	})
	if err != nil {
		return nil, err
	}
	if err := copyFiles(ctx, w, opts, paths); err != nil {
		return nil, errors.Join(err, w.Abort(err))
	}
	info, err := w.Seal(ctx)
	if err != nil {
		return nil, errors.Join(err, w.Abort(err))
	}
	return info, nil
}

// copyFiles copies all files. It returns an error if the set is not to be
// sealed.
func copyFiles(ctx context.Context, w *catalog.SetWriter, opts FilesOptions, paths []string) error {
	c := &copier{w: w, progress: opts.Progress, log: opts.Log, wrap: opts.wrap, dirs: make(map[string]bool)}
	if c.log == nil {
		c.log = func(string, ...any) {}
	}
	names := databaseNames(paths)
	for _, p := range paths {
		if err := c.copy(ctx, p, catalog.SectionDatabases, names[p]); err != nil {
			return err
		}
	}
	if c.stored == 0 {
		return noneStored(opts.Instance, errors.Join(c.failed...))
	}
	return nil
}

func noneStored(instance string, err error) error {
	return fmt.Errorf("back up %s: none of the files can be stored: %w", instance, err)
}

// absolutePaths returns the paths absolute and clean, each once, in the order
// given.
func absolutePaths(paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, errors.New("back up files: no files named")
	}
	var out []string
	for _, p := range paths {
		if p == "" {
			return nil, errors.New("back up files: empty file name")
		}
		abs, err := catalog.AbsPath(p)
		if err != nil {
			return nil, fmt.Errorf("back up %s: %w", p, err)
		}
		if !slices.Contains(out, abs) {
			out = append(out, abs)
		}
	}
	return out, nil
}

// sumSizes returns the size of all files that can be opened. It returns an error
// if none can: a mistyped name should not leave an interrupted set behind.
func sumSizes(paths []string) (total int64, err error) {
	var failed []error
	for _, p := range paths {
		src, err := openSource(p)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		total += src.opened.Size
		_ = src.Close()
	}
	if len(failed) == len(paths) {
		return 0, errors.Join(failed...)
	}
	return total, nil
}

// resolve returns path without symbolic links, as far as it exists.
func resolve(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	dir := filepath.Dir(path)
	if _, err := os.Readlink(path); err == nil || dir == path {
		return path // a link to nowhere
	}
	return filepath.Join(resolve(dir), filepath.Base(path))
}

// isInside returns whether path is dir or lies below it.
func isInside(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
