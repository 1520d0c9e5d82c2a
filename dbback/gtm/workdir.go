package gtm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"datfs/catalog"
	"datfs/dbback"
)

// workDir returns the directory of a run: beside the database, or in the
// directory for work.
func (e *Engine) workDir(run *dbback.Run) string {
	parent := e.opts.Work
	if parent == "" && len(e.regions) > 0 {
		parent = filepath.Dir(e.regions[0].path)
	}
	if parent == "" {
		parent = filepath.Dir(e.opts.Gbldir)
	}
	return filepath.Join(parent, "datfs-"+run.Set.Instance+"-"+run.Set.Name)
}

// makeWorkDir makes the directory of a run. Whoever has the databases open, under
// whatever user, saves before-images in it while a backup is taken, so all may
// enter it; MUPIP gives the files in it the permissions of the databases.
func makeWorkDir(dir string) error {
	const enter = 0o711
	if err := os.Mkdir(dir, enter); err != nil {
		return err
	}
	return os.Chmod(dir, enter) // whatever the umask
}

// workFinding looks whether the incremental can be written, by MUPIP and by those
// who have the databases open.
func (e *Engine) workFinding() catalog.Finding {
	run := &dbback.Run{Set: catalog.SetName{Instance: "x", Name: "x"}}
	dir := filepath.Dir(e.workDir(run))
	f := catalog.Finding{Level: catalog.LevelOK, Check: "work directory", Text: dir + " can be written to"}
	const writable = 2 // W_OK of access(2)
	err := syscall.Access(dir, writable)
	if err != nil {
		err = fmt.Errorf("%s cannot be written to: %w", dir, err)
	} else {
		err = checkPath(dir)
	}
	if err != nil {
		f.Level, f.Text, f.Do = catalog.LevelFail, err.Error(), "Name a directory with room for the incremental with --work-dir"
		return f
	}
	for _, r := range e.regions {
		if at, who := shutOut(dir, r.path); at != "" {
			f.Level = catalog.LevelWarn
			if who.class == 2 { // the engine runs as the owner; whether others do is not known
				f.Level = catalog.LevelFail
			}
			f.Text = fmt.Sprintf("%s cannot be entered by %s, who may write to %s: what they change while a backup is taken "+
				"they must save in %s, or it fails", at, who, r.path, dir)
			f.Do = "Let them enter it (chmod " + who.bit() + "+x), or name another directory with --work-dir"
			return f
		}
	}
	return f
}

// users are some of those who may write to a database, by its file's mode.
type users struct {
	class    uint // 0 others, 1 the group, 2 the owner: a mode has three bits for each
	uid, gid uint32
}

func (u users) String() string {
	switch u.class {
	case 2:
		return fmt.Sprintf("user %d", u.uid)
	case 1:
		return fmt.Sprintf("group %d", u.gid)
	}
	return "other users"
}

// bit returns what CHMOD calls those to whom a directory must be opened so that
// these users may enter it.
func (u users) bit() string {
	if u.class == 1 {
		return "g"
	}
	return "o"
}

// enters returns whether these users may enter a directory, as far as modes say. Of
// an owner the groups are not known: that of the directory may be one of them.
func (u users) enters(dir *syscall.Stat_t) bool {
	const enter = 1
	allowed := func(class uint) bool { return dir.Mode>>(3*class)&enter != 0 }
	switch {
	case u.class == 2 && u.uid == 0, allowed(0):
		return true
	case u.class == 2 && dir.Uid == u.uid:
		return allowed(2)
	case u.class == 2, u.class == 1 && dir.Gid == u.gid:
		return allowed(1)
	}
	return false
}

// shutOut returns a directory, dir or one above it, that users of a database may
// not enter who may write to it, and them. "" if there is none, or if it cannot
// be seen.
func shutOut(dir, database string) (string, users) {
	var st syscall.Stat_t
	if syscall.Stat(database, &st) != nil {
		return "", users{}
	}
	for class := range uint(3) {
		const write = 2
		who := users{2 - class, st.Uid, st.Gid}
		if st.Mode>>(3*who.class)&write == 0 || barred(filepath.Dir(database), who) != "" {
			continue
		}
		if at := barred(dir, who); at != "" {
			return at, who
		}
	}
	return "", users{}
}

// barred returns the first directory on the way to dir that users may not enter.
func barred(dir string, who users) string {
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	at := "/"
	for name := range strings.SplitSeq(resolved, "/") {
		at = filepath.Join(at, name)
		var st syscall.Stat_t
		if syscall.Stat(at, &st) == nil && !who.enters(&st) {
			return at
		}
	}
	return ""
}

// mayNot adds to the error of a backup that failed for want of permission what to
// do about it: the process that was refused is often not MUPIP.
func (e *Engine) mayNot(err error) error {
	if c, ok := errors.AsType[*CommandError](err); ok && strings.Contains(c.Output, "%SYSTEM-E-ENO13,") {
		return fmt.Errorf("%w: every user who has the databases open must be able to enter %s: "+
			"let them enter the directories that it is in, or name another with --work-dir", err, e.work)
	}
	return err
}
