package fs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Errors that callers act on.
var (
	// ErrMountPoint means that a directory cannot be mounted on.
	ErrMountPoint = errors.New("unusable mount point")

	// ErrNotMounted means that no datfs is mounted at a directory.
	ErrNotMounted = errors.New("not a datfs mount")

	// ErrBusy means that a mount is in use and stays.
	ErrBusy = errors.New("mount is in use")
)

// A mountPoint is one mount, as the kernel lists it.
type mountPoint struct {
	dir    string // without symbolic links
	device string // "0:57"
	fsType string // "fuse.datfs"
}

// Unmount ends the datfs mount at dir, no matter which process serves it or
// whether that is still alive.
func Unmount(dir string) error {
	at, err := realPath(dir)
	if err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	p, err := findMount(at)
	if err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	if p.fsType != fsType {
		return fmt.Errorf("unmount %s: %w (its type is %q)", dir, ErrNotMounted, p.fsType)
	}
	return p.unmount()
}

// checkMountPoint returns the path of dir without symbolic links if a
// repository can be mounted there.
func checkMountPoint(dir, repo string) (string, error) {
	at, err := realPath(dir)
	if err == nil {
		err = checkDir(at)
	}
	if err == nil {
		err = checkApart(at, repo)
	}
	if err == nil {
		err = checkEmpty(at)
	}
	if err != nil {
		return "", fmt.Errorf("%w %s: %w", ErrMountPoint, dir, err)
	}
	return at, nil
}

// checkDir refuses what is no directory, or a mount already.
func checkDir(dir string) error {
	st, err := os.Stat(dir)
	p, findErr := findMount(dir)
	if err == nil && findErr == nil {
		// The kernel answers stat for a second after the process that served the
		// mount has died, statfs never.
		err = syscall.Statfs(dir, new(syscall.Statfs_t))
	}
	switch {
	case errors.Is(err, syscall.ENOTCONN):
		return fmt.Errorf("%w: the process that served it has ended; run `datfs unmount %[2]s` or `fusermount3 -u %[2]s` first",
			syscall.ENOTCONN, quote(dir))
	case err != nil:
		return err
	case !st.IsDir():
		return syscall.ENOTDIR
	case findErr == nil:
		return fmt.Errorf("a file system of type %q is mounted there already", p.fsType)
	}
	return nil
}

// checkApart refuses a directory above or below the repository. The serving
// process would wait for itself as soon as it opens a pack.
func checkApart(dir, repo string) error {
	repo, err := realPath(repo)
	if err != nil {
		return err
	}
	if inside, err := within(dir, repo); err != nil {
		return err
	} else if inside {
		return fmt.Errorf("it is in the repository %s", repo)
	}
	if inside, err := within(repo, dir); err != nil {
		return err
	} else if inside {
		return fmt.Errorf("the repository %s is in it", repo)
	}
	return nil
}

// checkEmpty refuses a directory whose content the mount would hide.
func checkEmpty(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = f.Readdirnames(1)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return syscall.ENOTEMPTY
	default:
		return err
	}
}

// realPath returns the absolute path of dir without symbolic links. Unlike
// filepath.EvalSymlinks it does so too for the mount of a process that has died.
func realPath(dir string) (string, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }()
	return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
}

// within reports whether dir is root or lies below it. It compares directories,
// not names, so that a bind mount does not deceive it.
func within(dir, root string) (bool, error) {
	want, err := os.Stat(root)
	if err != nil {
		return false, err
	}
	for {
		st, err := os.Stat(dir)
		if err != nil {
			return false, err
		}
		if os.SameFile(st, want) {
			return true, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false, nil
		}
		dir = up
	}
}

// findMount returns the uppermost mount at dir, which must be a path without
// symbolic links. It asks the kernel's list and not the mount itself, which may
// be dead, or be our own and not ready.
func findMount(dir string) (mountPoint, error) {
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mountPoint{}, err
	}
	found := mountPoint{}
	for lines := bufio.NewScanner(bytes.NewReader(list)); lines.Scan(); {
		if p, ok := parseMountInfo(lines.Text()); ok && p.dir == dir {
			found = p // later ones lie over it
		}
	}
	if found.dir == "" {
		return mountPoint{}, ErrNotMounted
	}
	return found, nil
}

// parseMountInfo reads a line of /proc/self/mountinfo: number, parent, device,
// root, mount point, options, any number of optional fields, "-", type and more.
func parseMountInfo(line string) (mountPoint, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, rest := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 6 || len(rest) < 1 {
		return mountPoint{}, false
	}
	return mountPoint{dir: unescape(fields[4]), device: fields[2], fsType: rest[0]}, true
}

// unescape undoes what the kernel does to spaces, tabs, line breaks and
// backslashes in mountinfo: a backslash and three octal digits.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unmount ends the mount, unless something else is mounted there by now. It
// tries for a moment, because files that were just closed can still count as open.
func (p mountPoint) unmount() error {
	var err error
	for delay := 5 * time.Millisecond; delay < 200*time.Millisecond; delay *= 2 {
		now, findErr := findMount(p.dir)
		if findErr != nil || now.device != p.device {
			return fmt.Errorf("unmount %s: %w", p.dir, ErrNotMounted)
		}
		if err = unmountOnce(p.dir); err == nil || !errors.Is(err, ErrBusy) {
			break
		}
		time.Sleep(delay)
	}
	if errors.Is(err, ErrBusy) {
		return fmt.Errorf("unmount %s: %w; `fuser -vm %s` shows by whom", p.dir, ErrBusy, quote(p.dir))
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", p.dir, err)
	}
	return nil
}

// unmountOnce asks the kernel, or fusermount3 where only that may.
func unmountOnce(dir string) error {
	if os.Geteuid() == 0 {
		err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, syscall.EBUSY) {
			return ErrBusy
		}
		return err
	}
	cmd := exec.Command("fusermount3", "-u", "--", dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case bytes.Contains(out, []byte("busy")):
		return ErrBusy
	default:
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
}
