package iris

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 16 << 20

// A cpf is what the engine wants of a configuration parameter file, iris.cpf or
// cache.cpf (InterSystems manual, Configuration Parameter File Reference).
type cpf struct {
	databases []cpfDatabase
	values    map[string]string // "Journal/BackupsBeforePurge", "config/wijdir"
}

// A cpfDatabase is a line of [Databases]: NAME=directory,server,mount
// required,unused,unused,stream directory.
type cpfDatabase struct {
	name, directory, server, stream string
}

// parseCPF reads a configuration parameter file. Lines that it does not know are
// skipped.
func parseCPF(r io.Reader) (*cpf, error) {
	c := &cpf{values: make(map[string]string)}
	section := ""
	sc := bufio.NewScanner(io.LimitReader(r, maxConfig))
	sc.Buffer(nil, maxConfig)
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line[1 : len(line)-1]
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if section == "Databases" {
			f := strings.Split(value+",,,,,", ",")
			c.databases = append(c.databases, cpfDatabase{name: key, directory: f[0], server: f[1], stream: f[5]})
			continue
		}
		c.values[section+"/"+key] = value
	}
	return c, sc.Err()
}

// number returns a value that is a number not below zero, or what it is by
// default.
func (c *cpf) number(key string, byDefault int) int {
	n, err := strconv.Atoi(c.values[key])
	if err != nil || n < 0 {
		return byDefault
	}
	return n
}

// find returns the database of that name; its zero value if there is none.
func (c *cpf) find(name string) cpfDatabase {
	for _, db := range c.databases {
		if strings.EqualFold(db.name, name) {
			return db
		}
	}
	return cpfDatabase{}
}

// parseSettings reads lines NAME=value or NAME: value, as startup.last (of which
// wijlast= says where the write image journal was) and parameters.isc have them.
func parseSettings(r io.Reader) (map[string]string, error) {
	out := make(map[string]string)
	sc := bufio.NewScanner(io.LimitReader(r, maxConfig))
	sc.Buffer(nil, maxConfig)
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

// An instanceLine is a line of "iris qlist": fields between carets. There are 14
// (InterSystems manual, Using Multiple Instances), of older versions 8 to 10.
type instanceLine struct {
	name, directory, version, status string
	cpf                              string // relative to the directory
	health                           string // "ok", "warn", "alert", "hung"; "" if down or unknown
	data                             string // data directory, which has the manager directory mgr
}

// parseQlist returns the line of the instance of that name, which may be written
// in any case.
func parseQlist(text, name string) (instanceLine, bool) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), "^")
		if len(f) < 5 || !strings.EqualFold(strings.TrimSpace(f[0]), name) {
			continue
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		l := instanceLine{name: f[0], directory: f[1], version: f[2], status: f[3], cpf: f[4], data: f[1]}
		if len(f) > 8 {
			l.health = f[8]
		}
		if len(f) > 12 && f[12] != "" {
			l.data = f[12]
		}
		return l, true
	}
	return instanceLine{}, false
}

// manages returns whether a directory is the manager directory of the instance:
// mgr below its data directory or, as of versions without one, where it is installed.
func (l instanceLine) manages(dir string) bool {
	for _, top := range []string{l.data, l.directory} {
		mgr := filepath.Join(top, "mgr")
		a, err := os.Stat(mgr)
		b, err2 := os.Stat(dir)
		if mgr == filepath.Clean(dir) || err == nil && err2 == nil && os.SameFile(a, b) {
			return true
		}
	}
	return false
}

// A version is what $zversion says, such as "IRIS for UNIX (Red Hat Enterprise
// Linux 7 for x86-64) 2022.1 (Build 209U) Tue May 31 2022 12:16:40 EDT".
type version struct {
	product string // "IRIS", "Cache"
	number  string // "2022.1.0"
	year    int    // 2022
}

var (
	reProduct = regexp.MustCompile(`^(\S+) for `)
	reNumber  = regexp.MustCompile(`(?:^|[\s)])((\d{4})\.\d+(?:\.\d+)*)(?:\s|$)`)
)

// parseVersion reads $zversion. What is not found is empty.
func parseVersion(s string) (v version) {
	if m := reProduct.FindStringSubmatch(s); m != nil {
		v.product = m[1]
	}
	if m := reNumber.FindStringSubmatch(s); m != nil {
		v.number = m[1]
		v.year, _ = strconv.Atoi(m[2]) // four digits
	}
	return v
}
