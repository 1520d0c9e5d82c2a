package iris

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// notListed are the databases that are not backed up when the backup list is
// empty (InterSystems manual, LISTDIRS^DBACK), and their names in Caché.
var notListed = []string{"IRISTEMP", "IRISLIB", "IRISLOCALDATA", "CACHETEMP", "CACHELIB", "CACHE"}

// configuration reads the configuration parameter file.
func (l *look) configuration() {
	e := l.engine
	for _, name := range []string{"iris.cpf", "cache.cpf"} {
		path := filepath.Join(filepath.Dir(e.mgr), name)
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			e.cpf, err = parseCPF(f)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			e.cpf = nil
			l.warn(checkConfig, "Run datfs as the instance's owner", "the journal settings are not known: %v", err)
			return
		}
		l.ok(checkConfig, "%s", path)
		l.purge()
		return
	}
	l.warn(checkConfig, "", "neither iris.cpf nor cache.cpf is in %s: the journal settings are not known", filepath.Dir(e.mgr))
}

// purge looks at how soon journal files are purged: after so many days, or so many
// successful backups, whichever comes first; 2 and 2 by default (InterSystems
// manual, Data Integrity Guide). One run is recorded as an external full backup
// and as an incremental; whether that counts as two is not documented.
func (l *look) purge() {
	const byDefault = 2
	c := l.engine.cpf
	backups := c.number("Journal/BackupsBeforePurge", byDefault)
	days := c.number("Journal/DaysBeforePurge", byDefault)
	text := fmt.Sprintf("BackupsBeforePurge=%d, DaysBeforePurge=%d", backups, days)
	l.survey.Facts["journal purge"] = text
	if backups == 1 || backups == 2 {
		l.warn(checkPurge, "Set BackupsBeforePurge to 4 or more, or to 0 and rely on days",
			"%s: each run of datfs may count as two backups, so that a single one can be enough for older journals to be purged; a set has its own, but no later ones", text)
		return
	}
	l.ok(checkPurge, "%s", text)
}

// journals looks at where journal files are.
func (l *look) journals(a *session.Answer) {
	if t := a.Trap("JRN"); t != nil {
		t.What = "asking for the journal files"
		l.warn(checkJournals, "", "%v", t)
		return
	}
	current, dirs := a.JournalPlaces()
	if current == "" {
		l.warn(checkJournals, "Switch journaling on: without it a restore cannot roll back open transactions", "the instance names no current journal file")
		return
	}
	l.engine.journal, l.engine.places = current, dirs
	l.survey.Facts["journal"] = current
	var failed []string
	for _, dir := range dirs {
		if _, err := os.ReadDir(dir); err != nil {
			failed = append(failed, err.Error())
		}
	}
	if f, err := os.Open(current); err == nil {
		_ = f.Close()
	} else {
		failed = append(failed, err.Error())
	}
	if len(failed) > 0 {
		l.fail(checkJournals, "Run datfs as the instance's owner, where its files are", "they cannot be read: %s", strings.Join(failed, "; "))
		return
	}
	l.ok(checkJournals, "now %s", current)
}

// mirror says what this member's role means (InterSystems manual, Managing
// Mirroring: IsMember is 1 for a failover member, 2 for an async one).
func (l *look) mirror(a *session.Answer) {
	m, ok := a.Find("MIR")
	if !ok {
		return // a version without mirrors
	}
	x, _ := a.Find("MIRX")
	name := ""
	if len(x.Fields) > 2 {
		name = x.Fields[2]
	}
	switch m.Fields[0] {
	case "0":
		l.ok(checkMirror, "not a member")
		return
	case "1":
		role := "a failover member, not the primary"
		if len(m.Fields) > 1 && m.Fields[1] == "1" {
			role = "the primary failover member"
		}
		l.survey.Facts["mirror"] = name + ": " + role
		l.ok(checkMirror, "%s of %s: the set can be restored on any member", role, name)
	case "2":
		l.survey.Facts["mirror"] = name + ": async member"
		l.warn(checkMirror, "Back up a failover member if one is to be restored", "an async member of %s: the set can be restored on async members only, or as new copies", name)
	default:
		l.warn(checkMirror, "", "the instance answered %q to whether it is a member", m.Value)
	}
}

// history keeps what the instance says of its last full backup.
func (l *look) history(a *session.Answer) {
	m, ok := a.Find("LF")
	if !ok {
		return
	}
	text := strings.TrimSpace(session.Printable(m.Value))
	l.survey.Facts["last full backup"] = text
	l.ok(checkHistory, "%s; this backup replaces the history", text)
}

// daemon looks whether the write daemon is suspended: by the last pass of a backup,
// by a freeze for a snapshot, or because one of them was cut off (InterSystems class
// reference, Backup.General; what IsWDSuspended returns is not said, so that only 0
// and 1 are taken for an answer).
func (l *look) daemon(a *session.Answer) {
	m, _ := a.Find("WDS")
	switch m.Value {
	case "0":
		l.ok(checkDaemon, "not suspended")
	case "1":
		l.warn(checkDaemon, "Wait for it to end; if there is none, messages.log says since when, and this resumes it: iris stat "+l.engine.instance.Name()+" -W",
			"it is suspended, as by another backup or a freeze")
	}
}

// space looks at the room for the incremental. How large it will be is known only
// after the copy, when it is asked for; before that, with less than is always kept
// free the backup cannot succeed, and less than a hundredth of the databases is
// little.
func (l *look) space() {
	dir := l.engine.workDir()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		l.warn(checkSpace, "", "%s: %v", dir, err)
		return
	}
	var bytes int64
	for _, db := range l.survey.Databases {
		bytes += db.Bytes
	}
	free := int64(min(st.Bavail, 1<<62/uint64(max(st.Bsize, 1)))) * st.Bsize
	little := bytes/100 + dbback.SpareSpace
	text := fmt.Sprintf("%s has %d MiB free", dir, free>>20)
	switch {
	case free < dbback.SpareSpace:
		l.fail(checkSpace, "Make room there, or give another --work-dir", "%s; no incremental is taken with less than %d MiB", text, dbback.SpareSpace>>20)
	case free < little:
		l.warn(checkSpace, "Make room there, or give another --work-dir", "%s; if all that changes during the copy needs more, the backup fails after it", text)
	default:
		l.ok(checkSpace, "%s", text)
	}
}

// databases looks at the list and at every database in it.
func (l *look) databases(ctx context.Context, a *session.Answer) {
	e := l.engine
	list, known, err := e.lookDatabases(ctx)
	if trap, ok := errors.AsType[*session.TrapError](err); ok && trap.Name == "<PROTECT>" {
		l.fail(checkPrivileges, "Give the user %Admin_Operate:Use and read and write access to IRISSYS (CACHESYS)", "%v", err)
		return
	}
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		l.fail(checkWorkDir, "Give a --work-dir that both the instance and datfs can write to, under the same path", "%v", err)
		return
	}
	if err != nil {
		l.fail(checkList, "", "%v", err)
		return
	}
	l.ok(checkWorkDir, "%s", e.workDir())
	l.survey.Databases = describe(list, known)
	l.listed(a, list, known)
	l.described(known)
	l.remote(known)
	l.mounted()
	l.restorable()
	l.files()
	l.streams()
	l.kinds()
}

// listed compares the list with the configuration.
func (l *look) listed(a *session.Answer, list []string, known []configured) {
	if len(list) == 0 {
		l.fail(checkList, "Put databases into the backup list, or empty it, which means all", "there is no database in it")
		return
	}
	var out, system []string
	for _, c := range known {
		if !c.local || slices.Contains(list, c.directory) || slices.Contains(notListed, strings.ToUpper(c.name)) {
			continue
		}
		switch strings.ToUpper(c.name) {
		case "IRISSYS", "CACHESYS", "IRISSECURITY":
			system = append(system, c.name)
		default:
			out = append(out, c.name)
		}
	}
	if len(system) > 0 {
		l.warn(checkSystem, "Add them to the backup list", "not in the backup list: %s. Users, security and the instance's own data cannot be restored from this set", strings.Join(system, ", "))
	} else {
		l.ok(checkSystem, "all of them are in the list")
	}
	text := fmt.Sprintf("%d databases", len(list))
	if _, ok := a.Find("BLEND"); ok && len(a.All("BL")) == 0 {
		text += "; the list itself is empty, which means all but IRISTEMP, IRISLIB and IRISLOCALDATA"
	}
	if len(out) > 0 {
		l.warn(checkList, "Add them to the backup list if they are worth anything", "%s; not among them: %s", text, strings.Join(out, ", "))
		return
	}
	l.ok(checkList, "%s", text)
}

// remote names databases of other instances.
func (l *look) remote(known []configured) {
	var names, lost []string
	for _, c := range known {
		switch {
		case c.remote() || l.engine.cpf != nil && l.engine.cpf.find(c.name).server != "":
			names = append(names, c.name)
		case !c.local:
			lost = append(lost, c.name+" ("+c.directory+")")
		}
	}
	if len(names) > 0 {
		l.ok(checkRemote, "of other instances, and not part of the set: %s", strings.Join(names, ", "))
	}
	if len(lost) > 0 {
		l.warn(checkMounted, "Take them out of the configuration if they are no longer there", "the instance cannot open: %s", strings.Join(lost, ", "))
	}
}

// mounted looks whether all databases are mounted: one that is not makes
// BACKUP^DBACK fail (InterSystems manual, Backup and Restore).
func (l *look) mounted() {
	var down, readOnly []string
	for _, db := range l.known {
		switch {
		case !db.Mounted:
			down = append(down, db.Name+" ("+db.Directory+")")
		case db.ReadOnly:
			readOnly = append(readOnly, db.Name+" ("+db.Directory+")")
		}
	}
	if len(down) > 0 {
		l.fail(checkMounted, "Mount them, or take them out of the backup list", "dismounted, but in the backup list: %s", strings.Join(down, ", "))
	}
	if len(readOnly) > 0 {
		l.warn(checkMounted, "Look for a left-over iris.lck if that is not on purpose", "mounted read-only: %s", strings.Join(readOnly, ", "))
	}
	if len(down)+len(readOnly) == 0 {
		l.okDescribed(checkMounted, "mounted for reading and writing")
	}
}

// files looks whether all database files can be read.
func (l *look) files() {
	var failed []string
	n := 0
	for _, db := range l.survey.Databases {
		for _, path := range db.Paths {
			n++
			f, err := os.Open(path)
			if err != nil {
				failed = append(failed, err.Error())
				continue
			}
			if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
				failed = append(failed, path+" is no regular file")
			}
			_ = f.Close()
		}
	}
	if len(failed) > 0 {
		l.fail(checkFiles, "Run datfs as the instance's owner, where its files are", "cannot be read: %s", strings.Join(failed, "; "))
		return
	}
	l.ok(checkFiles, "%d files can be read", n)
}

// streams warns of what no incremental covers.
func (l *look) streams() {
	var names []string
	for _, db := range l.survey.Databases {
		configured := ""
		if c := l.engine.cpf; c != nil {
			configured = c.find(db.Name).stream
		}
		if streamFiles(db.Directory, configured) {
			names = append(names, db.Name)
		}
	}
	if len(names) > 0 {
		l.warn(checkStreams, "Back up their stream directories by other means", "these have file streams, which are not part of the set: %s", strings.Join(names, ", "))
		return
	}
	l.ok(checkStreams, "none")
}

// kinds says which databases are of kinds that a restore has to know of.
func (l *look) kinds() {
	var several, encrypted, unjournaled []string
	for _, db := range l.survey.Databases {
		if slices.ContainsFunc(db.Paths, isVolume) {
			several = append(several, db.Name)
		}
	}
	for _, db := range l.known {
		if db.Encrypted {
			encrypted = append(encrypted, db.Name)
		}
		if !db.Journaled {
			unjournaled = append(unjournaled, db.Name)
		}
	}
	l.kind(several, checkVolumes, "Try a restore before you rely on it",
		"these have further volumes, which are copied too; whether this method is supported for them is not documented: ", "without further volumes")
	l.kind(encrypted, checkEncryption, "Protect the repository as you protect the data",
		"these are encrypted, but the incremental and thus the set has changed blocks in the clear: ", "not encrypted")
	l.kind(unjournaled, checkJournaling, "Set their Global Journal State to Yes if more than the state of the backup is wanted",
		"these are not journaled; a restore ends at the backup and does not roll back open transactions: ", "journaled")
}

func (l *look) kind(names []string, check, do, text, none string) {
	if len(names) > 0 {
		l.warn(check, do, "%s%s", text, strings.Join(names, ", "))
		return
	}
	l.okDescribed(check, none)
}

func isVolume(path string) bool {
	name := filepath.Base(path)
	return reVolume.MatchString(name) || name == cacheExt
}
