package practice

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A real iris command knows all instances of its machine from a registry. Those of
// the practice instances are the ones whose DIR/bin is on the PATH, so that
// nothing is left behind when a directory is removed.

// neighbours returns the instance itself and the others on the PATH. Of two with
// the same name the first counts.
func (r *Remote) neighbours() []*Remote {
	all := []*Remote{r}
	for _, bin := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Base(bin) != "bin" {
			continue
		}
		other, err := At(filepath.Dir(bin))
		if err != nil {
			continue // anything else that has programs
		}
		if !slices.ContainsFunc(all, func(r *Remote) bool { return strings.EqualFold(r.s.Name, other.s.Name) }) {
			all = append(all, other)
		}
	}
	return all
}

// named returns the instance that the first of args names; if there is none, the
// instance itself, which will say so.
func (r *Remote) named(args []string) *Remote {
	if len(args) > 0 {
		for _, other := range r.neighbours() {
			if strings.EqualFold(other.s.Name, args[0]) {
				return other
			}
		}
	}
	return r
}
