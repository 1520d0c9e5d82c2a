package iris

import (
	"bufio"
	"io"
	"strconv"
	"strings"

	"datfs/dbback/iris/session"
)

// parseReturn reads the return value of a function of ^DBACK: "0" is failure, "1"
// success, "1,text~text" success with warnings (InterSystems manual,
// BACKUP^DBACK). Anything else is failure too.
func parseReturn(value string) (ok bool, warnings []string) {
	first, rest, _ := strings.Cut(strings.TrimSpace(value), ",")
	if strings.TrimSpace(first) != "1" {
		return false, nil
	}
	for text := range strings.SplitSeq(rest, "~") {
		if text = strings.TrimSpace(session.Printable(text)); text != "" {
			warnings = append(warnings, text)
		}
	}
	return true, warnings
}

// parseSize reads the answer of INT^DBSIZE: pieces between carets, of which the
// first is the number of database blocks, -1 for an error, and the fifth the
// bytes that a disk file will have (InterSystems manual, ^DBSIZE).
func parseSize(value string) (bytes int64, ok bool) {
	pieces := strings.Split(strings.TrimSpace(value), "^")
	if len(pieces) < 5 {
		return -1, false
	}
	blocks, err := strconv.ParseInt(strings.TrimSpace(pieces[0]), 10, 64)
	if err != nil || blocks < 0 {
		return -1, false
	}
	bytes, err = strconv.ParseInt(strings.TrimSpace(pieces[4]), 10, 64)
	if err != nil || bytes < 0 {
		return -1, false
	}
	return bytes, true
}

// maxList bounds a file that LISTDIRS^DBACK wrote, in bytes.
const maxList = 16 << 20

// parseList reads the file of LISTDIRS^DBACK: one directory a line. Its exact
// layout is not documented, only what the terminal shows: lines may have blanks
// around, a heading, or no slash at their end. What is not an absolute path is
// skipped.
func parseList(r io.Reader) ([]string, error) {
	var dirs []string
	seen := make(map[string]bool)
	sc := bufio.NewScanner(io.LimitReader(r, maxList))
	sc.Buffer(nil, maxList)
	for sc.Scan() {
		dir := strings.TrimSpace(sc.Text())
		if !strings.HasPrefix(dir, "/") {
			continue
		}
		if dir = session.Slashed(dir); !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	return dirs, sc.Err()
}
