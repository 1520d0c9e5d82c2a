package fs

import (
	"os"
	"slices"
	"strings"
)

// MountsOf returns the directories at which a repository is mounted on this machine,
// the newest first, as far as the kernel says. It does not ask the mounts, which may
// be dead.
func MountsOf(repoDir string) []string {
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return mountsOf(string(list), repoDir)
}

func mountsOf(list, repoDir string) (dirs []string) {
	for line := range strings.Lines(list) {
		p, ok := parseMountInfo(line)
		_, after, _ := strings.Cut(line, " - ")
		if rest := strings.Fields(after); ok && p.fsType == fsType && len(rest) > 1 && unescape(rest[1]) == fsName+":"+repoDir {
			dirs = append(dirs, p.dir)
		}
	}
	slices.Reverse(dirs)
	return dirs
}
