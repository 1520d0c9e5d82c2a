package gtm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A restore that was cut off may write over what it made itself, and over nothing
// else. So its working directory has a list of the databases that it was about to
// make: it is written before the first of them is there, and is gone when the
// restore is done, from when on they are somebody's.

// takeLock sees to it that no two restores work on the same databases, nor one and
// a mupip that an earlier one began before it was killed.
func (r *restorer) takeLock() error {
	f, err := os.OpenFile(filepath.Join(r.work, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := takeLock(f, "restore of the set into the directory"); err != nil {
		return errors.Join(err, f.Close())
	}
	r.tools.lock = f
	return nil
}

// targetsFile returns the list of a restore's working directory.
func (r *restorer) targetsFile() string { return filepath.Join(r.work, "targets.txt") }

// targets returns the databases that an earlier run of this restore, which did
// not come to its end, may have made.
func (r *restorer) targets() ([]string, error) {
	b, err := os.ReadFile(r.targetsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"), err
}

// refuseExisting sees to it that no database is written over, but for what an
// earlier run of this same restore left half done.
func (r *restorer) refuseExisting() error {
	ours, err := r.targets()
	if err != nil {
		return err
	}
	for _, d := range r.dbs {
		if _, err := os.Lstat(d.Target); err == nil && !slices.Contains(ours, d.Target) {
			return fmt.Errorf("%s %w", d.Target, ErrTargetExists)
		}
	}
	return nil
}

// claimTargets puts the databases of this run on the list.
func (r *restorer) claimTargets() error {
	ours, err := r.targets()
	if err != nil {
		return err
	}
	for _, d := range r.dbs {
		if !slices.Contains(ours, d.Target) {
			ours = append(ours, d.Target)
		}
	}
	name := r.targetsFile()
	if err := os.WriteFile(name+".new", []byte(strings.Join(ours, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// releaseTargets takes the list away: the databases are done. That is on disk when
// it returns, as one that came back would allow to write over them.
func (r *restorer) releaseTargets() error {
	if err := os.Remove(r.targetsFile()); err != nil {
		return err
	}
	dir, err := os.Open(r.work)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
