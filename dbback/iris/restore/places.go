package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"datfs/dbback/iris/session"
)

// What is restored elsewhere must not come to lie where something else is. Paths
// do not tell that: symbolic links, bind mounts and hard links give a place more
// names than one. So places are compared.

// A place is a path as the file system sees it: the nearest of the file and the
// directories above it that exists, and the rest of the path.
type place struct {
	dev, ino uint64
	rest     string
}

func placeOf(path string) (place, error) {
	path, rest := filepath.Clean(path), ""
	for {
		var st syscall.Stat_t
		err := syscall.Stat(path, &st)
		if err == nil {
			return place{st.Dev, st.Ino, rest}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return place{}, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
		path, rest = filepath.Dir(path), filepath.Join(filepath.Base(path), rest)
	}
}

// checkPlaces refuses to restore elsewhere into a place that is another database's,
// or an instance's own.
func (r *restoration) checkPlaces() error {
	p := r.plan
	if p.Way != WayElsewhere {
		return nil
	}
	originals := make(map[place]string) // the set's databases
	for _, db := range p.Set.Method.Databases {
		for _, path := range append([]string{db.Directory}, db.Paths...) {
			if at, err := placeOf(path); err == nil { // else it cannot be written to either
				originals[at] = db.Name
			}
		}
	}
	targets := make(map[place]string)
	for i := range p.Databases {
		db := &p.Databases[i]
		at, err := placeOf(db.To)
		if err != nil {
			return refuse("whether %s can be restored to %s cannot be told: %w", db.Name, db.To, err)
		}
		if other, ok := targets[at]; ok {
			return refuse("%s and %s would both be restored to %s", other, db.Name, db.To)
		}
		targets[at] = db.Name
		if !p.ownPlace(db) {
			if err := notOriginal(db, at, originals); err != nil {
				return err
			}
		}
		if err := r.notInstance(db); err != nil {
			return err
		}
	}
	return nil
}

// ownPlace returns whether a database goes to its own path because that was said:
// another instance may have the same paths.
func (p *Plan) ownPlace(db *Database) bool {
	_, said := p.redirection(db.Database, make(map[string]bool))
	return said > 0 && !db.moved()
}

// notOriginal refuses places that are originals by another name.
func notOriginal(db *Database, at place, originals map[place]string) error {
	name, path := originals[at], db.To
	for _, i := range sortedKeys(db.Files) {
		file, err := placeOf(db.Files[i])
		if err != nil {
			return refuse("whether %s can be restored to %s cannot be told: %w", db.Name, db.Files[i], err)
		}
		if name == "" && originals[file] != "" {
			name, path = originals[file], db.Files[i]
		}
	}
	if name == "" {
		return nil
	}
	return refuse("%s would be restored to %s, which is the place of %s by another name; without --to and --redirect it goes back to its own place", db.Name, path, name)
}

// notInstance refuses directories of instances: what they have of their own must not
// be another system's, and what other databases they have only they can be asked.
func (r *restoration) notInstance(db *Database) error {
	dir := filepath.Clean(db.To)
	own := func(dir string) bool { // of the instance with the sessions
		at, err := placeOf(dir)
		for _, path := range []string{r.mgr, filepath.Dir(r.mgr)} {
			mgr, err2 := placeOf(path)
			if err == nil && err2 == nil && at == mgr {
				return true
			}
		}
		return false
	}
	if own(dir) {
		return refuse("%s would be restored to %s, the directory of %s itself: another system's %s must never be put there", db.Name, db.To, r.plan.Instance, db.Name)
	}
	if sign := signOfInstance(dir); sign != "" {
		return refuse("%s would be restored to %s, which is an instance's own directory (%s): another system's %s must never be put there", db.Name, db.To, sign, db.Name)
	}
	above := filepath.Dir(dir)
	sign := signOfInstance(above)
	if sign == "" || own(above) || r.plan.ownPlace(db) || r.state.Copied {
		return nil
	}
	for _, i := range sortedKeys(db.Files) {
		if _, err := os.Lstat(db.Files[i]); err == nil {
			return refuse("%s would be restored over %s, below the directory of another instance (%s): which database that is, and whether it is mounted, only that instance can say; name it with --instance, or another directory",
				db.Name, db.Files[i], sign)
		}
	}
	return nil
}

// signOfInstance returns the file which tells that a directory is a manager or an
// installation directory, "" if none does.
func signOfInstance(dir string) string {
	signs := []string{filepath.Join(dir, "startup.last"), filepath.Join(dir, "iris.cpf"), filepath.Join(dir, "cache.cpf")}
	if filepath.Base(dir) == "mgr" {
		signs = append(signs, filepath.Join(dir, "../iris.cpf"), filepath.Join(dir, "../cache.cpf"))
	}
	for _, sign := range signs {
		if _, err := os.Lstat(sign); err == nil {
			return sign
		}
	}
	return ""
}

// ownersStatement asks for the databases of the configuration: whose are the
// directories that are restored to?
func ownersStatement() string {
	return session.Trapped("OWN", `set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") `+
		`while rs.Next() { write !,"@@OWN|",rs.Get("Name"),"|",rs.Get("Directory") } write !,"@@OWNEND|1",!`)
}

// judgeOwners refuses to put a database where the configuration has another one.
func judgeOwners(a *session.Answer, p *Plan) error {
	const what = "the list of the configuration's databases"
	if t := a.Trap("OWN"); t != nil {
		t.What = what
		return t
	}
	if _, ok := a.Find("OWNEND"); !ok {
		return fmt.Errorf("%s ends in the middle", what)
	}
	for _, m := range a.All("OWN") {
		name, dir := m.Fields[0], strings.Join(m.Fields[1:], "|")
		if !strings.HasPrefix(dir, "/") { // it is another instance's
			continue
		}
		at, err := placeOf(dir)
		if err != nil { // what cannot be looked at cannot be restored to
			continue
		}
		for i := range p.Databases {
			db := &p.Databases[i]
			if strings.EqualFold(name, db.Name) {
				continue
			}
			if to, err := placeOf(db.To); err == nil && to == at {
				return refuse("%s would be restored to %s, where %s has its database %s: name another directory, or take that one out of the configuration first",
					db.Name, db.To, p.Instance, session.Printable(name))
			}
		}
	}
	return nil
}
