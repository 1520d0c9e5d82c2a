package iris

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// reLookDir is how the directories of looks are called in the work directory: as
// no directory of a run is.
var reLookDir = regexp.MustCompile(`^look-[a-z2-7]{12}$`)

// lookDatabases asks for the list and the configuration while there is no run. What
// the instance writes goes to a new directory: whether LISTDIRS^DBACK overwrites a
// file is not documented. The session holds its lock, so that what a killed datfs left
// is removed by the next one, and only once nobody works in it.
func (e *Engine) lookDatabases(ctx context.Context) (list []string, known []configured, err error) {
	dir := filepath.Join(e.workDir(), "look-"+strings.ToLower(rand.Text()[:12]))
	if err := session.NewDir(dir); err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	lock, err := dbback.LockDir(dir)
	if err != nil {
		return nil, nil, err
	}
	e.instance.Hold(lock)
	list, known, err = e.listDatabases(ctx, stepPreflight, filepath.Join(dir, "list.txt"))
	return list, known, errors.Join(err, e.instance.Unlock())
}

// removeLooks removes what looks left that were killed.
func (e *Engine) removeLooks() {
	entries, _ := os.ReadDir(e.workDir()) // that it cannot be read is found elsewhere
	for _, entry := range entries {
		if entry.IsDir() && reLookDir.MatchString(entry.Name()) {
			_ = dbback.RemoveUnused(filepath.Join(e.workDir(), entry.Name())) // the next one will
		}
	}
}
