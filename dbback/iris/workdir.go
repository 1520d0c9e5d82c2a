package iris

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"datfs/dbback"
)

// ErrBusy means that another backup of the instance is at work.
var ErrBusy = errors.New("another datfs is backing up or restoring this instance, or one that was killed has left a session that is still at work")

// workDir returns the directory that runs have theirs in, "" as long as the
// manager directory is not known.
func (e *Engine) workDir() string {
	switch {
	case e.opts.WorkDir != "":
		return filepath.Clean(e.opts.WorkDir)
	case e.mgr == "":
		return ""
	}
	return e.usualDir()
}

// usualDir returns the work directory that is used where no other is given.
func (e *Engine) usualDir() string { return workDirIn(e.mgr) }

// workDirIn returns the work directory of the instance with a manager directory.
func workDirIn(mgr string) string { return filepath.Join(mgr, "Backup", "datfs") }

// runDir returns the directory of a run.
func (e *Engine) runDir(run *dbback.Run) string {
	base := e.workDir()
	if base == "" {
		return ""
	}
	return filepath.Join(base, run.Set.Instance+"-"+run.Set.Name)
}

// Leaves implements [dbback.Engine].
func (e *Engine) Leaves(run *dbback.Run) []string {
	if dir := e.runDir(run); dir != "" {
		return []string{dir}
	}
	return nil
}

// makeDir makes a directory that both this process and the instance can write to:
// of the same owner and group as the one above it. Those above are made too.
func makeDir(dir string) error {
	if hasControl(dir) {
		return fmt.Errorf("%q has a control character", dir)
	}
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return nil
	}
	above := filepath.Dir(dir)
	if err := makeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o770); err != nil && !errors.Is(err, fs.ErrExist) {
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
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		// Only root may; anybody else is the owner, or the instance will complain.
		_ = os.Lchown(dir, int(st.Uid), int(st.Gid))
	}
	return os.Chmod(dir, 0o770) // whatever the umask
}

// tempName returns the path of a file in the work directory that does not exist:
// whether LISTDIRS^DBACK overwrites one that does is not documented.
func tempName(dir, prefix string) string {
	return filepath.Join(dir, prefix+strings.ToLower(rand.Text()[:12])+".txt")
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

// takeLocks takes the locks of the instance: one in the work directory, so that it
// holds between datfs of different repositories, and one in the usual work
// directory, so that it holds between those with different work directories too.
// Whoever may not write there does without that one. A usual directory that is
// missing is made only to begin a run: without it, nobody has its lock.
func (e *Engine) takeLocks(begin bool) (locks, error) {
	var held locks
	usual := filepath.Join(e.usualDir(), "instance.lock")
	own := usual
	if e.workDir() != e.usualDir() {
		own = filepath.Join(e.workDir(), strings.ToUpper(e.opts.Instance)+".lock")
		if begin {
			_ = makeDir(e.usualDir())
		}
		f, err := lockFile(usual)
		if errors.Is(err, ErrBusy) {
			return nil, err
		}
		if err == nil {
			held = append(held, f)
		}
	}
	f, err := lockFile(own)
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return append(held, f), nil
}

// lockFile makes a file, if it is missing, and locks it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o660)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(filepath.Dir(path)); err == nil && os.Geteuid() == 0 {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			// One that root has made must not keep the instance's owner out.
			_ = errors.Join(f.Chown(int(st.Uid), int(st.Gid)), f.Chmod(0o660))
		}
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
