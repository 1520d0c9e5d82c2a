package dbback

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// An InUseError means that a restore would write into databases that are in use,
// and that nothing was written.
type InUseError struct {
	By []string // which, and by whom or how that is known
}

func (e *InUseError) Error() string {
	return "databases in use would be written over: " + strings.Join(e.By, "; ")
}

// checkUse refuses to write into files that are in use: what uses them would go on
// with half of the old file and half of the stored one. Of what exists nobody can
// know whether it is the original, which a path does not tell: /alias/data may be
// /data. So every target is looked at.
func (r *restorer) checkUse() error {
	if r.opts.InUse {
		return nil
	}
	var paths, by []string
	locks := make(map[string]bool)
	for _, j := range r.jobs {
		if j.size < 0 {
			continue
		}
		paths = append(paths, j.target)
		why, err := gtmInUse(j)
		if err != nil {
			return err
		}
		if why != "" {
			by = append(by, why)
		}
		if lock := lockBeside(j); lock != "" && !locks[lock] {
			locks[lock] = true
			by = append(by, lock+" says that the database beside it is mounted, or was when its instance crashed")
		}
	}
	users, err := OpenBy(paths)
	if err != nil {
		return err
	}
	if by = append(users, by...); len(by) == 0 {
		return nil
	}
	used := &InUseError{by}
	if r.opts.DryRun {
		r.warn("%v: this will be refused", used)
		return nil
	}
	return used
}

// lockBeside returns the lock file that an InterSystems instance has beside a
// mounted database, "" if there is none. A crash leaves it there; who made it, and
// whether that lives, its content does not tell: it has the directory and the
// name of the node.
func lockBeside(j *job) string {
	if j.info.Section != catalog.SectionDatabases && j.info.Section != catalog.SectionConsistent {
		return ""
	}
	for _, name := range []string{"iris.lck", "cache.lck"} {
		path := filepath.Join(filepath.Dir(j.target), name)
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return ""
}

// Of the header of a GT.M database, little endian: dbback/gtm has all of it.
const (
	gtmSemID   = 512 // i32; the ID of the shared memory follows. -1: none
	gtmIDsEnd  = gtmSemID + 8
	gtmProject = 43 // of the key that GT.M makes of a database's path (MUPIP FTOK shows it)
)

// gtmInUse returns how it is known that a target is a GT.M database in use, or ""
// if it is none. A header names semaphores and shared memory while the database is
// in use, after a kill, and in every copy that was made then. What tells a copy
// from the database is the semaphore whose key GT.M makes of the file: an engine
// that has it open, or was killed, has one. The original is in use also if only
// those are there that its header names. A killed engine counts: its shared
// memory may hold changes, which the next one would write into the file.
func gtmInUse(j *job) (string, error) {
	f, err := os.OpenFile(j.target, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, gtmIDsEnd)
	if _, err := f.ReadAt(head, 0); errors.Is(err, io.EOF) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	if format, _ := gtmLabel(head); format == "" {
		return "", nil
	}
	sem, shm := gtmIDs(head)
	if sem == -1 && shm == -1 {
		return "", nil
	}
	semaphores, err := sysvipc("sem")
	if err != nil {
		return "", err
	}
	memory, err := sysvipc("shm")
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", &fs.PathError{Op: "stat", Path: j.target, Err: err}
	}
	key := int32(gtmProject<<24 | st.Dev&0xff<<16 | st.Ino&0xffff) // ftok(3)
	named := slices.ContainsFunc(semaphores, func(i ipc) bool { return i.id == sem }) ||
		slices.ContainsFunc(memory, func(i ipc) bool { return i.id == shm })
	switch {
	case slices.ContainsFunc(semaphores, func(i ipc) bool { return i.key == key }):
	case named && filepath.Clean(j.info.Path) == resolve(j.target):
	default:
		return "", nil
	}
	return fmt.Sprintf("%s has a header that says so (semaphore %d, shared memory %d; after a kill MUPIP RUNDOWN sets it right)", j.target, sem, shm), nil
}

func gtmIDs(head []byte) (sem, shm int32) {
	return int32(binary.LittleEndian.Uint32(head[gtmSemID:])), int32(binary.LittleEndian.Uint32(head[gtmSemID+4:]))
}

// An ipc is a semaphore set or a segment of shared memory of this machine.
type ipc struct{ key, id int32 }

// sysvipc returns those that there are: of "sem" or "shm". A kernel without any has
// no list of them.
func sysvipc(kind string) (out []ipc, err error) {
	b, err := os.ReadFile("/proc/sysvipc/" + kind)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 2 {
			continue
		}
		key, err1 := strconv.ParseInt(string(f[0]), 10, 64)
		id, err2 := strconv.ParseInt(string(f[1]), 10, 32)
		if err1 == nil && err2 == nil { // else it is the heading
			out = append(out, ipc{int32(key), int32(id)})
		}
	}
	return out, err
}

// Overwritten returns the databases that a restore with these options puts a copy
// over which was taken in use, each where it was: until its incremental is applied
// it is damaged. None if the restore will not be begun. It changes nothing.
func Overwritten(repo *catalog.Repository, opts RestoreOptions) (paths []string) {
	set, err := repo.OpenSet(opts.Set)
	if err != nil {
		return nil
	}
	defer func() { _ = set.Close() }()
	opts.Progress = nil // it is the restore's own
	r := &restorer{opts: opts, info: set.Info(), report: &RestoreReport{}}
	if r.info.Method == nil || r.plan(set, repo.Dir()) != nil {
		return nil
	}
	for _, j := range r.jobs {
		was, err := os.Stat(j.info.Path)
		if j.info.Section != catalog.SectionDatabases || err != nil {
			continue
		}
		if now, err := os.Stat(j.target); err == nil && os.SameFile(was, now) {
			paths = append(paths, j.target)
		}
	}
	return paths
}
