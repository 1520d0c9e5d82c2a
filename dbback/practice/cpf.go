package practice

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A cpf is the instance's configuration parameter file, iris.cpf: sections in
// brackets, then lines NAME=value, in their order. Lines are kept as they are, so
// that what a person adds by hand survives.
//
// Sections used (InterSystems manual, Configuration Parameter File Reference):
//
//	[Databases]  NAME=directory,remote server,mount required,,,stream location
//	[Journal]    CurrentDirectory, AlternateDirectory, BackupsBeforePurge,
//	             DaysBeforePurge, CompressFiles, FileSizeLimit (MB)
//	[config]     wijdir
type cpf struct{ lines []string }

func readCPF(path string) (*cpf, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseCPF(b), nil
}

func parseCPF(text []byte) *cpf {
	c := &cpf{}
	for line := range strings.Lines(string(text)) {
		c.lines = append(c.lines, strings.TrimRight(line, "\r\n"))
	}
	return c
}

// String returns the file's text.
func (c *cpf) String() string {
	if len(c.lines) == 0 {
		return ""
	}
	return strings.Join(c.lines, "\n") + "\n"
}

// write replaces the file at path whole: a reader sees the old or the new one.
func (c *cpf) write(path string) error {
	return replaceFile(path, []byte(c.String()), 0o660)
}

// A pair is one NAME=value line.
type pair struct{ name, value string }

// section returns the lines of a section, in order. Names of sections are
// compared as written.
func (c *cpf) section(name string) []pair {
	var out []pair
	in := false
	for _, line := range c.lines {
		line = strings.TrimSpace(line)
		if isHeading(line) {
			in = line == "["+name+"]"
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if in && ok {
			out = append(out, pair{strings.TrimSpace(key), strings.TrimSpace(value)})
		}
	}
	return out
}

func isHeading(line string) bool {
	return strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]")
}

// get returns a value, "" if there is none.
func (c *cpf) get(section, name string) string {
	for _, p := range c.section(section) {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// add appends a line to a section, which is made if it is not there.
func (c *cpf) add(section, name, value string) {
	line := name + "=" + value
	at := -1
	for i, l := range c.lines {
		switch l = strings.TrimSpace(l); {
		case l == "["+section+"]":
			at = i + 1
		case at < 0:
		case isHeading(l):
			c.lines = append(c.lines[:at], append([]string{line}, c.lines[at:]...)...)
			return
		case l != "":
			at = i + 1 // behind the last line that says something
		}
	}
	if at < 0 {
		c.lines = append(c.lines, "", "["+section+"]", line)
		return
	}
	c.lines = append(c.lines[:at], append([]string{line}, c.lines[at:]...)...)
}

// A cpfDatabase is one line of [Databases].
type cpfDatabase struct {
	Name      string
	Directory string // with its trailing slash
	Server    string // of a remote database, else ""
}

func (c *cpf) databases() []cpfDatabase {
	var out []cpfDatabase
	for _, p := range c.section("Databases") {
		fields := strings.Split(p.value, ",")
		db := cpfDatabase{Name: p.name, Directory: fields[0]}
		if len(fields) > 1 {
			db.Server = fields[1]
		}
		if db.Server == "" && strings.HasPrefix(db.Directory, "/") {
			db.Directory = slashed(db.Directory)
		}
		out = append(out, db)
	}
	return out
}

// slashed returns a directory as the product writes it: with a slash at the end.
func slashed(dir string) string {
	if dir == "" {
		return ""
	}
	return strings.TrimRight(filepath.Clean(dir), "/") + "/"
}

// newCPF returns the file of a new instance.
func newCPF(l layout, databases []cpfDatabase) *cpf {
	var b bytes.Buffer
	fmt.Fprintf(&b, "[ConfigFile]\nProduct=IRIS\nVersion=%s\n\n[Databases]\n", cpfVersion)
	for _, db := range databases {
		fmt.Fprintf(&b, "%s=%s\n", db.Name, db.Directory)
	}
	fmt.Fprintf(&b, "\n[Namespaces]\n%%SYS=IRISSYS\n")
	for _, db := range databases {
		if !strings.HasPrefix(db.Name, "IRIS") {
			fmt.Fprintf(&b, "%s=%s\n", db.Name, db.Name)
		}
	}
	fmt.Fprintf(&b, "\n[Journal]\nAlternateDirectory=%s\nBackupsBeforePurge=2\nCompressFiles=1\nCurrentDirectory=%s\nDaysBeforePurge=2\n"+
		"FileSizeLimit=1024\nJournalFilePrefix=\nPurgeArchived=0\n", slashed(l.alternate()), slashed(l.journal()))
	fmt.Fprintf(&b, "\n[Startup]\nDefaultPort=1972\nWebServerPort=52773\n\n[config]\nwijdir=\n")
	return parseCPF(b.Bytes())
}
