package restore

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// isAside returns whether the first path is a write image journal where the instance
// has its own, and the second one what this restore moves it aside to. What moved is
// read from a file that the instance's owner can write, and moved back by root.
func (p *Plan) isAside(from, to string) bool {
	name := filepath.Base(from)
	if !slices.Contains(wijNames, name) || from != filepath.Join(p.wijDir(), name) {
		return false
	}
	again, ok := strings.CutPrefix(to, filepath.Join(p.wijDir(), p.asideName(name)))
	return ok && (again == "" || isAgain(again))
}

// isAgain returns whether a suffix is the one of a name that was taken: "-" and the
// time of day.
func isAgain(suffix string) bool {
	digits, ok := strings.CutPrefix(suffix, "-")
	return ok && len(digits) == len(asideAgain) && strings.Trim(digits, "0123456789") == ""
}

// asideAgain is the layout of that time.
const asideAgain = "150405"

// syncWIJ makes the names of the write image journals durable: a restore that has
// ended, or was given up, does not look for them again.
func (p *Plan) syncWIJ() error {
	if err := syncDir(filepath.Clean(p.wijDir())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
