package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrBusy means that another backup or restore of the instance is at work.
var ErrBusy = errors.New("another datfs is backing up or restoring this instance, or one that was killed has left a session that is still at work")

// RestorePrefix begins the names of the directories that restores have in the work
// directory; those of backups begin with the name of the set's instance.
const RestorePrefix = "restore-"

// WorkDir returns the directory that runs have theirs in: the one of the options,
// or the usual one for the manager directory mgr; "" if that is needed and "".
func (in *Instance) WorkDir(mgr string) string {
	switch {
	case in.Options.WorkDir != "":
		return filepath.Clean(in.Options.WorkDir)
	case mgr == "":
		return ""
	}
	return UsualWorkDir(mgr)
}

// UsualWorkDir returns the work directory of the instance with the manager directory
// mgr, where no other is given.
func UsualWorkDir(mgr string) string { return filepath.Join(mgr, "Backup", "datfs") }

// MakeDir makes a directory that both this process and the instance can write to:
// of the same owner and group as the one above it. Those above are made too.
func MakeDir(dir string) error {
	if HasControl(dir) {
		return fmt.Errorf("%q has a control character", dir)
	}
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return nil
	}
	above := filepath.Dir(dir)
	if err := MakeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o770); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return makeShared(dir)
}

// NewDir makes a directory like [MakeDir] does, which must not exist yet; the one
// above it must.
func NewDir(dir string) error {
	if err := os.Mkdir(dir, 0o770); err != nil {
		return err
	}
	return makeShared(dir)
}

// makeShared gives a directory that was just made owner and group of the one
// above it, and lets both write.
func makeShared(dir string) error {
	info, err := os.Stat(filepath.Dir(dir))
	if err != nil {
		return err
	}
	uid, gid := -1, -1
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		uid, gid = int(st.Uid), int(st.Gid)
	}
	return GiveDir(dir, uid, gid)
}

// GiveDir gives a directory that this process has just made to a user and a group,
// and lets both write. The directory above may be another user's, who can put
// something else in its place meanwhile: that is refused.
func GiveDir(dir string, uid, gid int) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && st.Uid != 0 {
		return fmt.Errorf("%s was replaced as soon as it was made: it belongs to the user %d; look what it is, and remove it", dir, st.Uid)
	}
	// Only root may; anybody else is the owner, or the instance will complain.
	_ = f.Chown(uid, gid)
	return f.Chmod(0o770) // whatever the umask
}

// locks are what keeps other backups of the instance away. Sessions inherit them:
// one that outlives a datfs that was killed still clears or copies blocks of the
// instance, and a new backup beside it would miss what that one took. The kernel
// lets go of them when the last process that has them ends, however that happens.
type locks []*os.File

// Close lets go of the locks, as far as it is up to this process.
func (l locks) Close() error {
	var errs []error
	for _, f := range l {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Lock takes the locks of the instance with the manager directory mgr: one in the
// work directory, so that it holds between datfs of different repositories, and one
// in the usual work directory, so that it holds between those with different work
// directories too. Whoever may not write there does without that one. A usual
// directory that is missing is made only to begin a run: without it, nobody has its
// lock. Sessions hold them too, until Unlock. The error is ErrBusy if another datfs
// has them.
func (in *Instance) Lock(mgr string, begin bool) error {
	var held locks
	usualDir, workDir := UsualWorkDir(mgr), in.WorkDir(mgr)
	usual := filepath.Join(usualDir, "instance.lock")
	own := usual
	if workDir != usualDir {
		own = filepath.Join(workDir, strings.ToUpper(in.Name())+".lock")
		if begin {
			_ = MakeDir(usualDir)
		}
		f, err := lockFile(usual)
		if errors.Is(err, ErrBusy) {
			return err
		}
		if err == nil {
			held = append(held, f)
		}
	}
	f, err := lockFile(own)
	if err != nil {
		return errors.Join(err, held.Close())
	}
	in.held = append(held, f)
	return nil
}

// Hold makes the sessions that follow hold a lock too, until Unlock.
func (in *Instance) Hold(lock *os.File) { in.held = append(in.held, lock) }

// Unlock lets go of the locks; sessions that live on keep them.
func (in *Instance) Unlock() error {
	held := in.held
	in.held = nil
	return held.Close()
}

// lockFile makes a file, if it is missing, and locks it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o660)
	if err != nil {
		return nil, err
	}
	if err := giveLock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s is locked: %w", path, ErrBusy)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// giveLock gives a lock file that root has made to the owner of its directory, whom
// it must not keep out. The owner can put there what is not his: a file that has
// another name too, and what is not a file, is no lock.
func giveLock(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || ok && st.Nlink != 1 {
		return fmt.Errorf("%s is not a lock file that datfs made: it is no file, or has another name too; look what it is, and remove it", f.Name())
	}
	above, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil || os.Geteuid() != 0 {
		return nil //nolint:nilerr // the lock is what counts
	}
	if dir, isDir := above.Sys().(*syscall.Stat_t); ok && isDir && st.Uid == 0 {
		_ = errors.Join(f.Chown(int(dir.Uid), int(dir.Gid)), f.Chmod(0o660))
	}
	return nil
}
