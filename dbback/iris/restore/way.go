package restore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// A Way is one of the three ways back (InterSystems manual, Backup and Restore).
type Way string

// The ways back.
const (
	WayDatabases  Way = "databases"  // some databases to where they were, into the running instance
	WayEverything Way = "everything" // all, while the instance is down, through a second one
	WayElsewhere  Way = "elsewhere"  // to other directories, of this instance or of another one
)

// Options says what comes back, and to where. They and the set determine
// all that a restore does: the run-book and the command are made of one plan.
type Options struct {
	Instance string // whose sessions are used; "": the set's own name
	Target   string // of WayEverything: the instance that gets its databases back; "": the set's own name

	Databases  []string          // names or directories; empty: all of the set
	Everything bool              // WayEverything
	To         string            // restore below this directory, each at its original path: WayElsewhere
	Redirect   map[string]string // name or directory of a database to its new directory: WayElsewhere
	Define     bool              // add what is restored elsewhere to the configuration, under its own names
	Drill      bool              // dismount what was restored at the end, and remove it
	OtherHost  bool              // this machine has taken the place of the set's: its journals are not the set's

	// Until is the time up to which journals are applied. The engine applies whole
	// files: the last one is the newest that was not written to after Until.
	Until      time.Time
	NoJournals bool                     // apply none: open transactions stay as they are
	Later      []dbback.ArchivedJournal // journal files beyond the set, oldest first
	Missing    []string                 // journal files that are known to have been, and are in no set

	// WorkDir is where a restore makes the directory for what it needs, as in
	// session.Options: "" is the usual one below the manager directory of the set's instance.
	WorkDir string
	Book    BookPlace // of the run-book

	owner *dbback.Owner // of what is restored elsewhere
	found foundJournals // of the instance itself
}

// A Plan is a restore of one set: what it does, step by step.
type Plan struct {
	Set       *catalog.SetInfo
	Way       Way
	Instance  string // whose sessions are used
	Target    string // the instance that the databases are for
	Databases []Database
	Work      string

	opts     Options
	journals journalPlan
	steps    []planStep
}

// A Database is one database of a plan.
type Database struct {
	catalog.Database
	To    string         // its directory after the restore, with a slash
	Files map[int]string // where each of its files goes, by index in the set's Files

	redirected bool // it was said where it goes
}

// moved returns whether the database goes to another directory than its own.
func (r *Database) moved() bool { return r.To != r.Directory }

// ErrRefused means that what was asked for is not to be done.
var ErrRefused = errors.New("not restored")

// refuse returns an error that says why something is not done.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}

// NewPlan makes the plan of a restore. It looks at nothing but the set and
// the options. The error is ErrRefused if what is asked for must not be done.
func NewPlan(info *catalog.SetInfo, opts Options) (*Plan, error) {
	if info.Engine != engineName || info.Method == nil {
		return nil, refuse("%s is not a set of an InterSystems instance", info.SetName())
	}
	if info.State != catalog.StateComplete {
		return nil, refuse("the set %s is %s: what it lacks may be what the databases need; \"datfs show\" says what that is", info.SetName(), info.State)
	}
	if err := checkIncremental(info); err != nil {
		return nil, err
	}
	p := &Plan{Set: info, Way: WayDatabases, Instance: opts.Instance, opts: opts}
	switch {
	case opts.Everything && (opts.To != "" || len(opts.Redirect) > 0 || len(opts.Databases) > 0):
		return nil, errors.New("everything is restored to where it was: no database, directory or redirection goes with that")
	case opts.Everything:
		p.Way = WayEverything
	case opts.To != "" || len(opts.Redirect) > 0:
		p.Way = WayElsewhere
	}
	if p.Instance == "" {
		p.Instance = info.Instance
	}
	p.Target = p.Instance
	if p.Way == WayEverything {
		if p.Target = opts.Target; p.Target == "" {
			p.Target = info.Instance
		}
		if opts.Instance == "" {
			p.Instance = secondName // until it is said
		}
	}
	switch {
	case opts.Drill && p.Way != WayElsewhere:
		return nil, errors.New("a drill removes what it restored: it needs a directory of its own")
	case p.Way == WayEverything && !filepath.IsAbs(p.manager()):
		return nil, refuse("the set %s does not say where the manager directory of its instance is: its WIJ, which must not be left there, cannot be found", info.SetName())
	case opts.WorkDir != "" && !filepath.IsAbs(opts.WorkDir):
		return nil, fmt.Errorf("the work directory %s is not an absolute path", opts.WorkDir)
	}
	if err := p.choose(); err != nil {
		return nil, err
	}
	if err := p.chooseJournals(); err != nil {
		return nil, err
	}
	p.Work = runDir(p.workDir(), info.SetName(), p.key())
	if !session.Listable(p.Work) {
		return nil, fmt.Errorf("the work directory %q has a character that ^DBREST cannot take; name another one", p.Work)
	}
	p.steps = p.makeSteps()
	for _, s := range p.Statements() {
		if session.HasControl(s) {
			return nil, refuse("a name in the set %s has a control character: %q", info.SetName(), s)
		}
	}
	return p, nil
}

// checkIncremental refuses a set that has not the one incremental which the steps
// apply.
func checkIncremental(info *catalog.SetInfo) error {
	names := info.Method.Incrementals
	if len(names) == 0 {
		return refuse("the set %s has no incremental: its copies alone are damaged databases", info.SetName())
	}
	if len(names) > 1 {
		return refuse("the set %s has %d incrementals: this datfs applies one only", info.SetName(), len(names))
	}
	if !slices.ContainsFunc(info.Files, func(f catalog.FileInfo) bool { return f.Section == catalog.SectionIncremental && f.Path == names[0] }) {
		return fmt.Errorf("the set %s does not have its incremental %s: %w", info.SetName(), names[0], catalog.ErrNotFound)
	}
	return nil
}

const engineName = "iris"

// systemNames are databases with the instance's own data, which are not put in
// place of a running instance's, nor of another system's (InterSystems manual,
// Backup and Restore).
var systemNames = []string{"IRISSYS", "CACHESYS"}

// securityName is the database with users and roles, of versions since 2025.
const securityName = "IRISSECURITY"

func isSystem(db catalog.Database) bool {
	return slices.Contains(systemNames, strings.ToUpper(db.Name))
}

// choose finds the databases that are restored, and where each goes.
func (p *Plan) choose() error {
	used := make(map[string]bool)
	for _, db := range p.Set.Method.Databases {
		if len(p.opts.Databases) > 0 && !named(p.opts.Databases, db, used) {
			continue
		}
		r := Database{Database: db, To: db.Directory}
		switch to, n := p.redirection(db, used); {
		case n > 1:
			return fmt.Errorf("%s is redirected more than once", db.Name)
		case n == 1:
			r.To, r.redirected = session.Slashed(to), true
		case p.Way == WayElsewhere && p.opts.To != "":
			r.To, r.redirected = session.Slashed(filepath.Join(p.opts.To, db.Directory)), true
		case p.Way == WayElsewhere && len(p.opts.Databases) == 0:
			continue // only what is redirected
		case p.Way == WayElsewhere:
			return fmt.Errorf("it is not said where %s goes: give --to DIR, or --redirect %s=DIR", db.Name, db.Name)
		}
		if err := p.check(&r); err != nil {
			return err
		}
		p.Databases = append(p.Databases, r)
	}
	for _, name := range slices.Concat(p.opts.Databases, slices.Sorted(maps.Keys(p.opts.Redirect))) {
		if !used[name] {
			return fmt.Errorf("database %q of %s: %w; it has %s", name, p.Set.SetName(), catalog.ErrNotFound, names(p.Set.Method.Databases))
		}
	}
	if len(p.Databases) == 0 {
		return fmt.Errorf("%s has no database to be restored: %w", p.Set.SetName(), catalog.ErrNotFound)
	}
	return p.checkApart()
}

// named returns whether one of the names means the database, and notes which.
func named(list []string, db catalog.Database, used map[string]bool) (found bool) {
	for _, name := range list {
		if strings.EqualFold(name, db.Name) || session.Slashed(name) == db.Directory {
			found, used[name] = true, true
		}
	}
	return found
}

// redirection returns where a database is redirected to, and how often it is said.
func (p *Plan) redirection(db catalog.Database, used map[string]bool) (dir string, n int) {
	for from, to := range p.opts.Redirect {
		if strings.EqualFold(from, db.Name) || session.Slashed(from) == db.Directory {
			used[from] = true
			dir = to
			n++
		}
	}
	return dir, n
}

func names(dbs []catalog.Database) string {
	var out []string
	for _, db := range dbs {
		out = append(out, db.Name)
	}
	return strings.Join(out, ", ")
}

// check refuses a database that must not be restored this way, and says where
// its files go.
func (p *Plan) check(r *Database) error {
	switch {
	case isSystem(r.Database) && p.Way == WayDatabases:
		return refuse("%s cannot be put back into a running instance. The manual restores it to another directory "+
			"(--redirect %s=DIR) and puts it in its place when the instance is down", r.Name, r.Name)
	case len(r.Paths) == 0:
		return fmt.Errorf("the set does not say which files %s has: %w", r.Name, catalog.ErrNotFound)
	case strings.EqualFold(r.Name, securityName) && p.Way == WayDatabases:
		return refuse("whether %s can be dismounted while the instance is up is not known: restore it to another directory (--redirect %s=DIR), or everything", r.Name, r.Name)
	case !filepath.IsAbs(r.To):
		return fmt.Errorf("%s is not an absolute path", r.To)
	case !session.Listable(r.To + r.Directory):
		return refuse("the directory of %s has a comma, a quote or a control character, which ^DBREST's list of directories cannot have: %q", r.Name, r.To)
	}
	r.Files = make(map[int]string)
	for _, path := range r.Paths {
		i := slices.IndexFunc(p.Set.Files, func(f catalog.FileInfo) bool {
			return f.Section == catalog.SectionDatabases && f.Path == filepath.Clean(path)
		})
		if i < 0 {
			return fmt.Errorf("the set does not have %s: %w", path, catalog.ErrNotFound)
		}
		rel, inside := strings.CutPrefix(filepath.Clean(path), r.Directory)
		if r.moved() && !inside {
			return refuse("%s has volumes in other directories, such as %s: how to move those is not known; restore it to where it was", r.Name, path)
		}
		if r.Files[i] = filepath.Clean(path); r.redirected {
			r.Files[i] = filepath.Join(r.To, rel)
		}
	}
	return nil
}

// checkApart refuses two databases in one place.
func (p *Plan) checkApart() error {
	at := make(map[string]string)
	for _, r := range p.Databases {
		if other, ok := at[r.To]; ok {
			return fmt.Errorf("%s and %s would both be restored to %s", other, r.Name, r.To)
		}
		at[r.To] = r.Name
	}
	if p.Way != WayElsewhere {
		return nil
	}
	for _, db := range p.Set.Method.Databases {
		name, ok := at[db.Directory]
		// Its own place, if that was said: another instance may have the same paths.
		if _, said := p.redirection(db, make(map[string]bool)); ok && (name != db.Name || said == 0) {
			return refuse("%s would be restored to %s, where %s belongs; without --to and --redirect it goes back to its own place", name, db.Directory, db.Name)
		}
	}
	return nil
}

// key tells plans of one set apart that have their files in one work directory.
func (p *Plan) key() string {
	switch p.Way {
	case WayEverything:
		return "everything"
	case WayDatabases:
		if len(p.Databases) == len(p.Set.Method.Databases) {
			return "all"
		}
	}
	var parts []string
	for _, r := range p.Databases {
		parts = append(parts, r.Name)
		if r.redirected {
			parts = append(parts, r.To)
		}
	}
	return shortSum(strings.Join(parts, "\x00"))
}

// workDir returns the directory that the restore makes its own in.
func (p *Plan) workDir() string {
	switch mgr := p.manager(); {
	case p.opts.WorkDir != "":
		return filepath.Clean(p.opts.WorkDir)
	case mgr != "" && p.Way != WayEverything:
		return session.UsualWorkDir(mgr)
	}
	return "/var/tmp/datfs" // where the second instance is, is not known
}

// factManager is the fact of a set with the manager directory.
const factManager = "manager directory"

// cacheDat is the file of a Caché database, which IRIS calls IRIS.DAT.
const cacheDat = "CACHE.DAT"

// cacheNames reports whether the databases are of Caché, whose files are called
// otherwise.
func (p *Plan) cacheNames() bool {
	return len(p.Databases) > 0 && filepath.Base(p.Databases[0].Paths[0]) == cacheDat
}

// lockFiles returns the files that a mounted database has and a dismounted one
// must not have.
func (p *Plan) lockFiles() (out []string) {
	name := "iris.lck"
	if p.cacheNames() {
		name = "cache.lck"
	}
	for _, r := range p.Databases {
		out = append(out, filepath.Join(r.To, name))
	}
	return out
}

// dirs returns the directories of the databases after the restore.
func (p *Plan) dirs() (out []string) {
	for _, r := range p.Databases {
		out = append(out, r.To)
	}
	return out
}

// Overwrites returns the files that a restore which begins with the step next
// overwrites, as lines for people.
func (p *Plan) Overwrites(next string) (out []string) {
	at := func(name string) int {
		return slices.IndexFunc(p.steps, func(s planStep) bool { return s.name == name })
	}
	if at(next) > at(stepCopy) {
		return nil
	}
	for _, db := range p.Databases {
		for _, i := range sortedKeys(db.Files) {
			path := db.Files[i]
			if info, err := os.Stat(path); err == nil {
				out = append(out, fmt.Sprintf("%s, %d MiB, written to last at %s, is overwritten", path, info.Size()>>20, stamp(info.ModTime())))
			}
		}
	}
	return out
}
