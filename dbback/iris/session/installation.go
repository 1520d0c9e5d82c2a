package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Manager returns the manager directory, an absolute path without a slash at its
// end, as the instance answered [ManagerStatement].
func (a *Answer) Manager() (string, error) {
	m, err := a.Need("ManagerDirectory", "MGR")
	if err != nil {
		return "", err
	}
	dir := strings.TrimSpace(m.Value)
	if !filepath.IsAbs(dir) || HasControl(dir) {
		return "", fmt.Errorf("the manager directory %q is not the path of a directory", Printable(dir))
	}
	return filepath.Clean(dir), nil
}

// JournalPlaces returns the current journal file and the directories that journal
// files are in, as the instance answered [JournalStatement]; nothing if it did not.
func (a *Answer) JournalPlaces() (current string, dirs []string) {
	m, ok := a.Find("JRN")
	if !ok {
		return "", nil
	}
	for i, f := range WithBars(m.Fields) {
		if !strings.HasPrefix(f, "/") {
			continue
		}
		if i == 0 {
			current = f
			f = filepath.Dir(f)
		}
		dirs = append(dirs, filepath.Clean(f))
	}
	return current, dirs
}

// FilesIn returns the paths of the files in directories, each directory once, in
// their order. unread says which could not be looked into, if only in part; a
// directory that does not exist has no files: an alternate one for journals need not
// have been made.
func FilesIn(dirs []string) (paths []string, unread []error) {
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			unread = append(unread, err)
		}
		for _, entry := range entries {
			if !entry.IsDir() {
				paths = append(paths, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return paths, unread
}

// ReadSettings reads a file of settings, startup.last or parameters.isc; one that
// cannot be read has none.
func ReadSettings(path string) map[string]string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	settings, err := parseSettings(f)
	if err != nil {
		return nil
	}
	return settings
}

// maxSettings bounds a file of settings, in bytes.
const maxSettings = 16 << 20

// parseSettings reads lines NAME=value or NAME: value, as startup.last (of which
// wijlast= says where the write image journal was) and parameters.isc have them.
func parseSettings(r io.Reader) (map[string]string, error) {
	out := make(map[string]string)
	sc := bufio.NewScanner(io.LimitReader(r, maxSettings))
	sc.Buffer(nil, maxSettings)
	for sc.Scan() {
		line := sc.Text()
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			continue
		}
		if key := strings.TrimSpace(line[:at]); key != "" {
			out[key] = strings.TrimSpace(line[at+1:])
		}
	}
	return out, sc.Err()
}

// A QlistLine is a line of "iris qlist": fields between carets. There are 14
// (InterSystems manual, Using Multiple Instances), of older versions 8 to 10.
type QlistLine struct {
	Name      string
	Directory string // where it is installed
	Status    string // "running, since …", "down, last used …", "sign-on inhibited: …"
	Health    string // "ok", "warn", "alert", "hung"; "" if down or unknown
	Data      string // data directory, which has the manager directory mgr
}

// parseQlist returns the line of the instance of that name, which may be written
// in any case.
func parseQlist(text, name string) (QlistLine, bool) {
	for line := range strings.Lines(text) {
		f := withCarets(strings.Split(strings.TrimRight(line, "\r\n"), "^"))
		if len(f) < 5 || !strings.EqualFold(strings.TrimSpace(f[0]), name) {
			continue
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		l := QlistLine{Name: f[0], Directory: f[1], Status: f[3], Data: f[1]}
		if len(f) > 8 {
			l.Health = f[8]
		}
		if len(f) > 12 && f[12] != "" {
			l.Data = f[12]
		}
		return l, true
	}
	return QlistLine{}, false
}

// withCarets puts the installation directory of a line of qlist together again, which
// may have carets itself: the version comes after it, and the status after that, of
// which the beginnings are known. A line that has neither stays as it is.
func withCarets(f []string) []string {
	for i := 2; i+1 < len(f); i++ {
		if reVersion.MatchString(strings.TrimSpace(f[i])) && reStatus.MatchString(strings.TrimSpace(f[i+1])) {
			return append([]string{f[0], strings.Join(f[1:i], "^")}, f[i:]...)
		}
	}
	return f
}

var (
	reVersion = regexp.MustCompile(`^\d+(\.\d+)+`)
	reStatus  = regexp.MustCompile(`(?i)^(running|down|sign-on inhibited)`)
)

// Qlist asks a control program for an instance. said is what the program was told
// and answered, for a transcript; it is there with an error too, which means that
// the program does not know the instance.
func (in *Instance) Qlist(ctx context.Context, program, name string) (line QlistLine, said string, err error) {
	cmd := in.Program(ctx, program, "qlist", name)
	text, err := cmd.CombinedOutput()
	said = fmt.Sprintf("$ %s\n%s\n", strings.Join(cmd.Args, " "), text)
	line, found := parseQlist(string(text), name)
	if found {
		return line, said, nil
	}
	why := string(text)
	if err != nil {
		why += "\n" + err.Error()
	}
	return line, said, fmt.Errorf("%s qlist does not know an instance %s (%s)", program, name, LastLines(why))
}

// Manages returns whether a directory is the manager directory of the instance:
// mgr below its data directory or, as of versions without one, where it is installed.
func (l QlistLine) Manages(dir string) bool {
	for _, top := range []string{l.Data, l.Directory} {
		mgr := filepath.Join(top, "mgr")
		a, err := os.Stat(mgr)
		b, err2 := os.Stat(dir)
		if mgr == filepath.Clean(dir) || err == nil && err2 == nil && os.SameFile(a, b) {
			return true
		}
	}
	return false
}

// ProductVersion returns what the instance says of its product and version, with
// which every session begins ($zversion); "" if it said nothing.
func (a *Answer) ProductVersion() string {
	m, _ := a.Find("READY")
	return strings.TrimSpace(Printable(m.Value))
}

// A Version is what $zversion says, such as "IRIS for UNIX (Red Hat Enterprise
// Linux 7 for x86-64) 2022.1 (Build 209U) Tue May 31 2022 12:16:40 EDT".
type Version struct {
	Product string // "IRIS", "Cache"
	Number  string // "2022.1.0"
	Year    int    // 2022
}

var (
	reProduct = regexp.MustCompile(`^(\S+) for `)
	reNumber  = regexp.MustCompile(`(?:^|[\s)])((\d{4})\.\d+(?:\.\d+)*)(?:\s|$)`)
)

// ParseVersion reads $zversion. What is not found is empty.
func ParseVersion(s string) (v Version) {
	if m := reProduct.FindStringSubmatch(s); m != nil {
		v.Product = m[1]
	}
	if m := reNumber.FindStringSubmatch(s); m != nil {
		v.Number = m[1]
		v.Year, _ = strconv.Atoi(m[2]) // four digits
	}
	return v
}
