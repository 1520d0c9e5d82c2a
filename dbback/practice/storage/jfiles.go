package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// journalFiles returns the paths of the files to read, in order, without the z of
// compressed ones.
func (in *Instance) journalFiles(opts JournalRestore) ([]string, error) {
	if opts.First == "" {
		return nil, fmt.Errorf("no first journal file is named: %w", ErrJournalMissing)
	}
	list, err := in.journalList(opts)
	if err != nil {
		return nil, err
	}
	first, last := plainName(filepath.Base(opts.First)), plainName(filepath.Base(opts.Last))
	from := slices.IndexFunc(list, func(name string) bool { return filepath.Base(name) == first })
	if from < 0 {
		return nil, fmt.Errorf("%s: %w: no list names it", opts.First, ErrJournalMissing)
	}
	to := len(list) - 1
	if opts.Last != "" {
		to = slices.IndexFunc(list, func(name string) bool { return filepath.Base(name) == last })
		if to < from {
			return nil, fmt.Errorf("%s: %w: no list names it after %s", opts.Last, ErrJournalMissing, opts.First)
		}
	}
	var files []string
	for _, name := range list[from : to+1] {
		path, err := locate(name, opts)
		if err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}

// journalList returns the names of journal files in their order.
func (in *Instance) journalList(opts JournalRestore) ([]string, error) {
	if opts.JournalLog != "" {
		list, err := readJournalLog(opts.JournalLog)
		if err == nil && list == nil {
			err = fmt.Errorf("%s: %w: it names no files", opts.JournalLog, ErrJournalMissing)
		}
		return list, err
	}
	own, err := in.Journals()
	if err != nil {
		return nil, err
	}
	first := plainName(filepath.Base(opts.First))
	if filepath.IsAbs(opts.First) {
		if slices.Contains(own, plainName(opts.First)) {
			return own, nil
		}
		return journalsIn(filepath.Dir(opts.First))
	}
	if slices.ContainsFunc(own, func(name string) bool { return filepath.Base(name) == first }) {
		return own, nil
	}
	for _, dir := range opts.Locations {
		list, err := journalsIn(dir)
		if err == nil && slices.ContainsFunc(list, func(name string) bool { return filepath.Base(name) == first }) {
			return list, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", opts.First, ErrJournalMissing)
}

// journalsIn returns the journal files in a directory, by their names.
func journalsIn(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(globQuote(dir), "*.[0-9][0-9][0-9]*"))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, path := range paths {
		if !strings.HasSuffix(path, ".tmp") {
			list = append(list, plainName(path))
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// globQuote makes a directory a pattern that matches only itself.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// locate returns where a listed file is: in one of the locations, beside the first
// file, or where it is listed.
func locate(name string, opts JournalRestore) (string, error) {
	dirs := slices.Clone(opts.Locations)
	if filepath.IsAbs(opts.First) {
		dirs = append(dirs, filepath.Dir(opts.First))
	}
	for _, dir := range append(dirs, filepath.Dir(name)) {
		path := filepath.Join(dir, filepath.Base(name))
		_, err := FindJournal(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, ErrJournalMissing) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrJournalMissing)
}
