package catalog

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// instanceLock is the file in an instance's directory that a running backup
// holds locked.
const instanceLock = ".lock"

// cachedInfo is what a listing keeps of a set file. A sealed one never changes
// (I2).
type cachedInfo struct {
	info    *SetInfo
	size    int64
	modTime time.Time
	read    time.Time
}

// partialAge is how old a listing's picture of a set may be that is still being
// written: reading its file again each time would be work that grows with it.
const partialAge = 5 * time.Second

// A damagedSet is a set whose file cannot be read.
type damagedSet struct {
	name   SetName
	sealed bool
	err    error
}

// Sets lists all sets, also running, interrupted and incomplete ones, by
// instance, then time. A set file that cannot be read yields no entry but is
// joined into the error, see SetErrors; the others are returned all the same.
//
// The list is read from sets/, the only truth, and not from catalog.db: a
// damaged catalog never stands between a user and a restore.
func (r *Repository) Sets() ([]*SetInfo, error) {
	sets, damaged, err := r.list()
	if err != nil {
		return nil, fmt.Errorf("list sets: %w", err)
	}
	var errs []error
	for _, d := range damaged {
		errs = append(errs, &SetError{Name: d.name, Sealed: d.sealed, Err: d.err})
	}
	return sets, errors.Join(errs...)
}

func (r *Repository) list() ([]*SetInfo, []damagedSet, error) {
	entries, err := os.ReadDir(r.disk.path(setsName))
	if err != nil {
		return nil, nil, err
	}
	var sets []*SetInfo
	var damaged []damagedSet
	for _, e := range entries {
		if !e.IsDir() || ValidInstance(e.Name()) != nil {
			continue
		}
		names, err := r.setFiles(e.Name())
		if err != nil {
			return nil, nil, err
		}
		for _, n := range names {
			info, err := r.info(n)
			switch {
			case errors.Is(err, os.ErrNotExist): // removed meanwhile
			case err != nil:
				damaged = append(damaged, damagedSet{n.set, n.sealed(), err})
			default:
				sets = append(sets, info)
			}
		}
	}
	slices.SortFunc(sets, func(a, b *SetInfo) int { return a.SetName().Compare(b.SetName()) })
	return sets, damaged, nil
}

// A setFileName is the name of a set and of its file.
type setFileName struct {
	set  SetName
	file string // relative to the repository
}

func (n setFileName) sealed() bool { return strings.HasSuffix(n.file, sealedSuffix) }

// setFiles lists the set files of an instance, by time.
func (r *Repository) setFiles(instance string) ([]setFileName, error) {
	dir := path.Join(setsName, instance)
	entries, err := os.ReadDir(r.disk.path(dir))
	if err != nil {
		return nil, err
	}
	var names []setFileName
	for _, e := range entries {
		base, sealed := strings.CutSuffix(e.Name(), sealedSuffix)
		if !sealed {
			var ok bool
			if base, ok = strings.CutSuffix(e.Name(), partialSuffix); !ok {
				continue
			}
		}
		if _, _, ok := splitName(base); ok {
			names = append(names, setFileName{SetName{instance, base}, path.Join(dir, e.Name())})
		}
	}
	slices.SortFunc(names, func(a, b setFileName) int { return a.set.Compare(b.set) })
	return names, nil
}

// info returns what a set file says of its set.
func (r *Repository) info(n setFileName) (*SetInfo, error) {
	st, err := os.Stat(r.disk.path(n.file))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	c, ok := r.infos[n.file]
	r.mu.Unlock()
	fresh := ok && c.size == st.Size() && c.modTime.Equal(st.ModTime())
	if ok && !fresh && !n.sealed() && time.Since(c.read) < partialAge {
		fresh = isLocked(r.disk.path(path.Join(setsName, n.set.Instance, instanceLock)))
	}
	if !fresh {
		s, err := openSetFile(r.disk.dir, n.file, r.packs.dec)
		if err != nil {
			return nil, err
		}
		if err := s.close(); err != nil {
			return nil, err
		}
		if s.info.SetName() != n.set {
			return nil, s.damaged(0, fmt.Errorf("%w: it is of the set %v", errSetFile, s.info.SetName()))
		}
		c = cachedInfo{s.info, st.Size(), st.ModTime(), time.Now()}
		r.mu.Lock()
		r.infos[n.file] = c
		r.mu.Unlock()
	}
	if n.sealed() {
		return r.withNotes(c.info), nil
	}
	return r.withLiveState(c.info, n), nil
}

// withLiveState returns the info of a partial set with the state that its
// instance's lock tells: only one backup of an instance runs at a time, and it
// writes the newest set.
func (r *Repository) withLiveState(info *SetInfo, n setFileName) *SetInfo {
	lock := r.disk.path(path.Join(setsName, n.set.Instance, instanceLock))
	if !isLocked(lock) || slices.ContainsFunc(info.Problems, func(p Problem) bool { return p.Fatal && p.Path == "" }) {
		return info
	}
	names, err := r.setFiles(n.set.Instance)
	if err != nil || len(names) == 0 || names[len(names)-1].set != n.set {
		return info
	}
	live := *info
	live.State = StateRunning
	live.Finished = time.Time{}
	live.Problems = slices.DeleteFunc(slices.Clone(info.Problems), func(p Problem) bool { return p.Fatal })
	return &live
}

// A Set is an open set. It stays readable until Close, also if the set is
// removed meanwhile. It is safe for concurrent use.
type Set struct {
	repo *Repository
	file *setFile
	info *SetInfo
}

// OpenSet opens a set for reading, in any state. It returns ErrNotFound if there
// is none of that name.
func (r *Repository) OpenSet(name SetName) (*Set, error) {
	for _, suffix := range []string{sealedSuffix, partialSuffix, sealedSuffix} { // twice: it may be sealed meanwhile
		file := path.Join(setsName, name.Instance, name.Name+suffix)
		if ValidInstance(name.Instance) != nil || strings.ContainsRune(name.Name, '/') {
			break
		}
		f, err := openSetFile(r.disk.dir, file, r.packs.dec)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open set %v: %w", name, err)
		}
		s := &Set{repo: r, file: f, info: f.info}
		if suffix == partialSuffix {
			s.info = r.withLiveState(f.info, setFileName{name, file})
		} else {
			s.info = r.withNotes(f.info)
		}
		return s, nil
	}
	return nil, fmt.Errorf("open set %v: %w", name, ErrNotFound)
}

// Info returns everything known of the set when it was opened. It must not be
// modified.
func (s *Set) Info() *SetInfo { return s.info }

// File returns the i-th file of Info().Files.
func (s *Set) File(i int) *File { return &File{set: s, number: i, info: &s.info.Files[i]} }

// Close releases the set.
func (s *Set) Close() error { return s.file.close() }
