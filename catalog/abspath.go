package catalog

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// AbsPath returns the absolute, clean form of a path as the kernel understands
// it. filepath.Abs goes by the text alone: "link/../f", or "../f" in a working
// directory that was reached through a link, are other files to it.
func AbsPath(path string) (string, error) {
	if !filepath.IsAbs(path) {
		cwd, err := syscall.Getwd() // not os.Getwd, which believes $PWD
		if err != nil {
			return "", err
		}
		path = cwd + "/" + path
	}
	parts := strings.Split(path, "/")
	last := len(parts) - 1
	for last >= 0 && parts[last] != ".." {
		last--
	}
	if !slices.Contains(parts, "..") {
		return filepath.Clean(path), nil
	}
	// Links are resolved only as far as there is a "..": the rest of the name is
	// the caller's.
	dir, err := filepath.EvalSymlinks(strings.Join(parts[:last+1], "/"))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, strings.Join(parts[last+1:], "/")), nil
}
