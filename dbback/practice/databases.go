package practice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"datfs/dbback/practice/storage"
)

// databases returns the local databases of the configuration, in its order.
func (i *Instance) databases() []cpfDatabase {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.DeleteFunc(i.conf.databases(), func(db cpfDatabase) bool { return db.Server != "" })
}

// byName returns a database of the configuration; names are not case-sensitive.
func (i *Instance) byName(name string) (cpfDatabase, bool) {
	for _, db := range i.databases() {
		if strings.EqualFold(db.Name, name) {
			return db, true
		}
	}
	return cpfDatabase{}, false
}

// nameOf returns the name that the configuration has for a directory, "" for none.
func (i *Instance) nameOf(dir string) string {
	dir = slashed(dir)
	for _, db := range i.databases() {
		if db.Directory == dir {
			return db.Name
		}
	}
	return ""
}

// flagged returns the failure of that name that is armed for the database in dir,
// nil if there is none. Flags name databases or directories.
func (i *Instance) flagged(name, dir string) *Armed {
	return i.arms.peek(name, func(args []string) bool { return len(args) > 0 && i.isNamed(args[0], dir) })
}

// isNamed reports whether word is the name of the database in dir, or dir.
func (i *Instance) isNamed(word, dir string) bool {
	db := i.nameOf(dir)
	return db != "" && strings.EqualFold(word, db) || slashed(word) == slashed(dir)
}

// strikes uses up a failure of that name that waits for the database in dir or for
// any, and reports whether there was one.
func (i *Instance) strikes(name, dir string) bool {
	return i.arms.take(name, func(args []string) bool { return len(args) == 0 || i.isNamed(args[0], dir) }) != nil
}

// backupSet returns the databases that a backup includes, in the order of the
// configuration: those in the backup list, or, if that is empty, all but IRISTEMP,
// IRISLIB and IRISLOCALDATA (InterSystems manual, LISTDIRS^DBACK).
func (i *Instance) backupSet() []cpfDatabase {
	list := i.backups.list()
	return slices.DeleteFunc(i.databases(), func(db cpfDatabase) bool {
		if len(list) == 0 {
			return notBackedUp[strings.ToUpper(db.Name)]
		}
		return !slices.ContainsFunc(list, func(n string) bool { return strings.EqualFold(n, db.Name) })
	})
}

// journalDirs returns the primary and the alternate journal directory.
func (i *Instance) journalDirs() (primary, alternate string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slashed(i.conf.get("Journal", "CurrentDirectory")), slashed(i.conf.get("Journal", "AlternateDirectory"))
}

func directories(databases []cpfDatabase) []string {
	dirs := make([]string, len(databases))
	for n, db := range databases {
		dirs[n] = db.Directory
	}
	return dirs
}

// addDatabase adds a database to the configuration, and, as happens to every new
// one, to the backup list (InterSystems manual, Backup and Restore). Whether an
// empty list, which means all, gets it too is not documented; here it does not.
func (i *Instance) addDatabase(name, dir string) error {
	if _, ok := i.byName(name); ok {
		return fmt.Errorf("database %s exists", name)
	}
	i.mu.Lock()
	i.conf.add("Databases", name, slashed(dir))
	err := i.conf.write(i.l.cpf())
	i.mu.Unlock()
	if err != nil || len(i.backups.list()) == 0 {
		return err
	}
	return i.backups.include(name)
}

// mount mounts a database.
func (i *Instance) mount(ctx context.Context, dir string) error {
	err := i.db.Mount(ctx, slashed(dir), false)
	if errors.Is(err, storage.ErrMounted) {
		return nil
	}
	return err
}

// dismount dismounts a database; its simulated users leave it.
func (i *Instance) dismount(ctx context.Context, dir string) error {
	dir = slashed(dir)
	i.load.leave(dir)
	err := i.db.Dismount(ctx, dir)
	if errors.Is(err, storage.ErrNotMounted) {
		return nil
	}
	return err
}

// Status returns the state of the instance.
func (i *Instance) Status() (*Status, error) {
	st := i.db.Status()
	primary, alternate := i.journalDirs()
	out := &Status{
		Name: i.s.Name, Dir: i.l.dir, State: StateRunning, Mode: i.mode(), Since: &i.started, PID: os.Getpid(), Version: i.s.zversion(),
		Sessions: int(i.sessions.Load()), Backup: i.working(), Load: i.load.current(), Failures: i.arms.all(),
		Journal: Journal{Current: st.Journal, Offset: st.Offset, Required: st.Required, Primary: primary, Alternate: alternate},
	}
	if out.Failures == nil {
		out.Failures = []Armed{}
	}
	listed := directories(i.backupSet())
	for _, db := range i.databases() {
		d := Database{Name: db.Name, Directory: db.Directory, BlockSize: i.s.BlockSize, Journaled: true, Listed: slices.Contains(listed, db.Directory)}
		if info, err := i.db.Database(db.Directory); err == nil {
			d.Blocks, d.Mounted, d.ReadOnly, d.BlockSize = info.Blocks, info.Mounted, info.ReadOnly, int(info.BlockSize)
			d.Journaled = !info.NoJournal && i.flagged("not-journaled", db.Directory) == nil
		}
		d.Mirrored = i.flagged("mirrored", db.Directory) != nil
		d.Encrypted = i.flagged("encrypted", db.Directory) != nil
		out.Databases = append(out.Databases, d)
	}
	return out, nil
}
