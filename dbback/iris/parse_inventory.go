package iris

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"datfs/dbback/iris/session"
)

// A configured is a database of the instance's configuration, as the session
// gives it.
type configured struct {
	name      string
	directory string // with its slash; or what stands there for a remote one
	local     bool   // the properties below are known
	own       string // directory as SYS.Database has it, with its slash; "" if not known
	blockSize int32  // bytes
	bytes     int64
	mounted   bool
	readOnly  bool // mounted so
	mirrored  bool
	mirror    string // name in the mirror, "" if not known
	encrypted bool
	journal   string   // GlobalJournalState: 3 yes, 2 no, as far as seen; not documented
	volumes   []string // directories with further volumes
}

// journaled returns whether updates of the database are journaled. Only what is
// known to mean no is no.
func (c *configured) journaled() bool { return c.journal != "2" }

// remote returns whether the database is another instance's.
func (c *configured) remote() bool {
	return !c.local && (c.directory == "" || strings.HasPrefix(c.directory, ":"))
}

// What a list that has no end means.
var (
	errUnfinished        = errors.New("the list of the configuration's databases ends in the middle")
	errUnfinishedVolumes = errors.New("the list of the databases' further volumes ends in the middle: a database without one of its volumes cannot be restored")
)

// parseInventory reads the markers DB, DBX, DBD and VOL of the list script. An
// answer that lacks lines, or that cannot be understood, is an error: of a volume
// that is not known of nothing else would say that it is missing in the set.
func parseInventory(a *session.Answer) ([]configured, error) {
	if t := a.Trap("DB"); t != nil {
		t.What = "the list of the configuration's databases"
		return nil, t
	}
	if _, ok := a.Find("DBEND"); !ok {
		return nil, errUnfinished
	}
	if err := a.Whole("the list of the configuration's databases"); err != nil {
		return nil, err
	}
	var out []configured
	for _, m := range a.All("DB") {
		out = append(out, parseConfigured(m))
	}
	for _, m := range a.All("DBX") { // blocks, name in the mirror, directory
		if len(m.Fields) < 3 {
			continue
		}
		dir := session.Slashed(strings.Join(m.Fields[2:], "|"))
		blocks, err := strconv.ParseInt(m.Fields[0], 10, 64)
		for i := range out {
			if c := &out[i]; c.local && c.directory == dir {
				c.mirror = m.Fields[1]
				if err == nil && blocks > 0 && blocks < maxBlocks/int64(max(c.blockSize, 1)) {
					c.bytes = blocks * int64(c.blockSize)
				}
			}
		}
	}
	for _, m := range a.All("DBD") { // name, directory
		for i := range out {
			if c := &out[i]; c.local && c.name == m.Fields[0] {
				c.own = session.Slashed(strings.Join(m.Fields[1:], "|"))
			}
		}
	}
	return out, parseVolumes(a, out)
}

// parseVolumes reads the markers VOL: name of a database, directories with further
// volumes. Versions before 2024.1 do not have the property and answer nothing else.
func parseVolumes(a *session.Answer, dbs []configured) error {
	if t := a.Trap("VOL"); t != nil {
		if t.Name == "<PROPERTY DOES NOT EXIST>" {
			return nil
		}
		t.What = "the list of the databases' further volumes"
		return t
	}
	if _, ok := a.Find("VOLEND"); !ok {
		return errUnfinishedVolumes
	}
	for _, m := range a.All("VOL") {
		for i := range dbs {
			c := &dbs[i]
			if !c.local || c.name != m.Fields[0] {
				continue
			}
			dirs, ok := volumeDirs(m.Fields[1:], c.directory)
			if !ok {
				return fmt.Errorf("the instance has further volumes of %s in %q, and how to read that is not known: without all of its volumes it cannot be backed up", c.name, session.Printable(m.Value))
			}
			c.volumes = dirs
		}
	}
	return nil
}

// parseConfigured reads a marker DB: name, directory, and of a database of this
// instance's own seven properties: block size, size in MB, mounted, mounted
// read-only, mirrored, encrypted, journal state.
func parseConfigured(m session.Marker) configured {
	const properties = 7
	n := len(m.Fields) - properties
	if n < 2 {
		c := configured{name: m.Fields[0], directory: strings.Join(m.Fields[1:], "|")}
		if strings.HasPrefix(c.directory, "/") {
			c.directory = session.Slashed(c.directory)
		}
		return c
	}
	p := m.Fields[n:]
	c := configured{
		name: m.Fields[0], directory: session.Slashed(strings.Join(m.Fields[1:n], "|")), local: true,
		mounted: p[2] == "1", readOnly: p[3] == "1", mirrored: p[4] == "1", encrypted: p[5] == "1", journal: p[6],
	}
	if bs, err := strconv.ParseInt(p[0], 10, 32); err == nil && bs > 0 {
		c.blockSize = int32(bs)
	}
	if mb, err := strconv.ParseInt(p[1], 10, 64); err == nil && mb > 0 && mb < maxBlocks>>20 {
		c.bytes = mb << 20
	}
	return c
}

// volumeDirs returns the directories of a VolumeDirectoryList that are others
// than the database's own, each once; ok is false if there is anything else in it.
func volumeDirs(fields []string, own string) (out []string, ok bool) {
	seen := map[string]bool{own: true}
	for _, dir := range session.WithBars(fields) {
		if dir = session.Slashed(dir); dir == "" {
			continue
		}
		if !strings.HasPrefix(dir, "/") {
			return nil, false
		}
		if !seen[dir] {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	return out, true
}
