package dbback

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// OpenBy returns who has one of the files open, a text for each process. It sees
// only processes that this user may look at: all of them for root, and its own
// for the instance's owner.
func OpenBy(paths []string) (users []string, err error) {
	type id struct{ dev, ino uint64 }
	wanted, names, inodes := make(map[id]string), make(map[string]bool), make(map[string]bool)
	for _, path := range paths {
		var st syscall.Stat_t
		err := syscall.Stat(path, &st)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
		wanted[id{st.Dev, st.Ino}] = path
		names[filepath.Base(path)] = true
		inodes[strconv.FormatUint(st.Ino, 10)] = true
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, proc := range procs {
		pid, err := strconv.Atoi(proc.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join("/proc", proc.Name(), "fd")
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended, or is another user's
		}
		for _, fd := range fds {
			// By name or number first: to look at a file of a dead network mount can
			// hang. The name is another one if it was opened by a hard link.
			link, err := os.Readlink(filepath.Join(dir, fd.Name()))
			if err != nil || !filepath.IsAbs(link) || !names[filepath.Base(link)] && !inodes[inode(pid, fd.Name())] {
				continue
			}
			var st syscall.Stat_t
			if syscall.Stat(filepath.Join(dir, fd.Name()), &st) != nil {
				continue
			}
			if path, ok := wanted[id{st.Dev, st.Ino}]; ok {
				users = append(users, fmt.Sprintf("%s by process %d (%s)", path, pid, command(pid)))
				break
			}
		}
	}
	return users, nil
}

// inode returns the number of the inode of an open file, "" if the kernel does not
// say it (before Linux 5.14).
func inode(pid int, fd string) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "\nino:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// command returns the name of a process's program.
func command(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "?"
	}
	return strings.Map(func(r rune) rune { // it is shown to people, on terminals
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.TrimSpace(string(b)))
}
