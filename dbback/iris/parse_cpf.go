package iris

import (
	"bufio"
	"io"
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
