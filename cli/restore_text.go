package cli

import (
	"fmt"
	"io"
	"path"
	"path/filepath"

	"datfs/catalog"
	"datfs/dbback"
)

// infoOf returns what is known of a set.
func infoOf(repo *catalog.Repository, name catalog.SetName) (*catalog.SetInfo, error) {
	set, err := repo.OpenSet(name)
	if err != nil {
		return nil, err
	}
	return set.Info(), set.Close()
}

// printDirty says of databases that were backed up while in use what is still to
// be done to them. It is written in any case: whoever starts an instance on such
// copies loses the data a second time.
func printDirty(w io.Writer, datfs string, set *catalog.SetInfo, r *dbback.RestoreReport) {
	m := set.Method
	if m == nil || !holdsDatabase(m, r) {
		return
	}
	fmt.Fprint(w, `
ATTENTION: these databases are not usable yet. They were copied while in use, and
each is DAMAGED until the incremental is applied to it. Do not start an instance
on them and do not mount them for use before that. In this order:
`)
	n := 0
	step := func(format string, args ...any) {
		n++
		fmt.Fprintf(w, "  %d. %s\n", n, printable(fmt.Sprintf(format, args...)))
	}
	p := productOf(set.Engine)
	if p.first != "" {
		step("%s", p.first)
	}
	for _, name := range m.Incrementals {
		step("apply %s%s", whereIs(datfs, r, catalog.SectionIncremental, name), with(p.applyWith))
	}
	if j := m.Journal; j != nil && len(j.Files) > 0 {
		step("restore the journals from %s on, which begin with %s%s",
			filepath.Base(j.Required), whereIs(datfs, r, catalog.SectionJournals, j.Files[0]), with(p.journalsWith))
	}
	step("check the integrity of the databases%s; only then let users in", with(p.checkWith))
	if p.restore != "" {
		fmt.Fprintf(w, "all of this does, into another directory: %s "+p.restore+"\n", datfs, shellWord(set.SetName().String()))
	}
}

// with names a tool, if there is one to name.
func with(tool string) string {
	if tool == "" {
		return ""
	}
	return ", with " + tool
}

// holdsDatabase returns whether the report has a database of the method.
func holdsDatabase(m *catalog.Method, r *dbback.RestoreReport) bool {
	for _, db := range m.Databases {
		for _, p := range db.Paths {
			for _, f := range r.Files {
				if f.Path == filepath.Clean(p) && f.Error == "" {
					return true
				}
			}
		}
	}
	return false
}

// whereIs says where a file of a section came to lie, or how to get it.
func whereIs(datfs string, r *dbback.RestoreReport, section catalog.Section, name string) string {
	target := filepath.Join(r.To, string(section), path.Clean("/"+name))
	for _, f := range r.Files {
		if f.Target == target && f.Error == "" {
			return target
		}
	}
	to := shellWord(r.To)
	if r.To == "/" { // where nothing but databases is restored to
		to = "DIR"
	}
	return fmt.Sprintf("%s (not restored: %s restore %s --to %s --only %s)", name, datfs, shellWord(r.Set), to, shellWord(name))
}
