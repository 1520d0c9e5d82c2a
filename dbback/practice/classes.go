package practice

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"datfs/dbback/practice/storage"
)

// A classMethod is a class method of the product.
type classMethod func(c *call) (value, error)

// classTable returns the class methods by Class.Method; names are case-sensitive.
// $SYSTEM.X.Y() is the method Y of the class %SYSTEM.X.
func classTable() map[string]classMethod {
	return map[string]classMethod{
		// InterSystems class reference, Backup.General.
		"Backup.General.AbortBackup":            func(c *call) (value, error) { return c.inst.abort(), nil },
		"Backup.General.AddDatabaseToList":      addToList,
		"Backup.General.RemoveDatabaseFromList": removeFromList,
		"Backup.General.ClearDatabaseList":      clearList,
		"Backup.General.GetLastFullBackupInfo":  lastFullInfo,
		"Backup.General.GetAbortStatus":         func(c *call) (value, error) { return c.inst.aborting(), nil },
		"Backup.General.IsWDSuspended":          func(c *call) (value, error) { return c.inst.arms.has("daemon-suspended"), nil },

		// Listed in the class reference of %SYS.Journal.System; used by staff code.
		"%SYS.Journal.System.GetCurrentFileName":    func(c *call) (value, error) { return c.inst.db.Status().Journal, nil },
		"%SYS.Journal.System.GetCurrentFile":        func(c *call) (value, error) { return &journalFile{c.inst.db.Status().Journal}, nil },
		"%SYS.Journal.System.GetCurrentFileOffset":  func(c *call) (value, error) { return c.inst.db.Status().Offset, nil },
		"%SYS.Journal.System.GetCurrentFileCount":   func(c *call) (value, error) { return c.inst.db.Status().JournalCount, nil },
		"%SYS.Journal.System.GetPrimaryDirectory":   func(c *call) (value, error) { p, _ := c.inst.journalDirs(); return p, nil },
		"%SYS.Journal.System.GetAlternateDirectory": func(c *call) (value, error) { _, a := c.inst.journalDirs(); return a, nil },
		"%SYS.Journal.System.GetStateString":        func(*call) (value, error) { return "Enabled", nil },
		"%SYS.Journal.System.GetFreeSpace":          journalSpace,

		// InterSystems class reference, SYS.Database, Config.Databases, Journal.Restore.
		"SYS.Database.%OpenId":           openDatabase,
		"SYS.Database.%ExistsId":         func(c *call) (value, error) { return c.inst.exists(c.str(1)), nil },
		"SYS.Database.MountDatabase":     func(c *call) (value, error) { return c.inst.mountMethod(c, c.str(1)) },
		"SYS.Database.DismountDatabase":  func(c *call) (value, error) { return c.inst.dismountMethod(c, c.str(1)) },
		"SYS.Database.CreateDatabase":    createFile,
		"Config.Databases.Get":           getConfig,
		"Config.Databases.Create":        createConfig,
		"Config.Databases.Exists":        func(c *call) (value, error) { _, ok := c.inst.byName(c.str(1)); return ok, nil },
		"Journal.Restore.%New":           func(c *call) (value, error) { return newJournalRestore(c.inst), nil },
		"%ResultSet.%New":                func(c *call) (value, error) { return &resultSet{query: c.str(1)}, nil },
		"%Library.ResultSet.%New":        func(c *call) (value, error) { return &resultSet{query: c.str(1)}, nil },
		"%File.ManagerDirectory":         managerDirectory,
		"%Library.File.ManagerDirectory": managerDirectory,
		"%File.Exists":                   fileExists,
		"%Library.File.Exists":           fileExists,
		"%SYSTEM.Process.Terminate":      terminate,
		"%SYSTEM.Status.IsOK":            func(c *call) (value, error) { return isOK(c.str(1)), nil },
		"%SYSTEM.Status.IsError":         func(c *call) (value, error) { return !isOK(c.str(1)), nil },
		"%SYSTEM.Status.GetErrorText":    func(c *call) (value, error) { return statusText(c.str(1)), nil },
		"%SYSTEM.Status.GetOneErrorText": func(c *call) (value, error) { return statusText(c.str(1)), nil },
		"%SYSTEM.Status.DisplayError":    displayError,
		"%SYSTEM.Status.OK":              func(*call) (value, error) { return statusOK, nil },
		"%SYSTEM.Mirror.IsMember":        func(c *call) (value, error) { return c.inst.mirrorMember(), nil },
		"%SYSTEM.Mirror.IsPrimary":       func(c *call) (value, error) { return c.inst.mirrorRole() == rolePrimary, nil },
		"%SYSTEM.Mirror.IsBackup":        func(c *call) (value, error) { return c.inst.mirrorRole() == roleBackup, nil },
		"%SYSTEM.Mirror.IsAsyncMember":   func(c *call) (value, error) { return c.inst.mirrorRole() == roleAsync, nil },
		"%SYSTEM.Mirror.MirrorName":      mirrorName,
		"%SYSTEM.Version.GetVersion":     func(c *call) (value, error) { return c.inst.s.zversion(), nil },
		"%SYSTEM.Version.GetMajor":       func(*call) (value, error) { return 2024, nil },
		"%SYSTEM.Version.GetProduct":     func(*call) (value, error) { return "IRIS", nil },
	}
}

func managerDirectory(c *call) (value, error) { return slashed(c.inst.l.mgr()), nil }

func fileExists(c *call) (value, error) {
	_, err := os.Stat(c.str(1))
	return err == nil, nil
}

func displayError(c *call) (value, error) {
	fmt.Fprintf(c.term, "\n%s", statusText(c.str(1)))
	return "", nil
}

// terminate is $SYSTEM.Process.Terminate(pid,code), of the own process only. The
// code argument is used in public scripts; the manual does not have it.
func terminate(c *call) (value, error) { return nil, &exitError{atoi(c.str(2))} }

// What AddDatabaseToList and the others return is not documented; a %Status is
// taken for it.
func addToList(c *call) (value, error) {
	db, ok := c.inst.byName(c.str(1))
	if !ok {
		return statusError(fmt.Errorf("Database %s does not exist", c.str(1))), nil
	}
	if db.Name == "IRISTEMP" {
		return statusError(errors.New("IRISTEMP cannot be included in a backup")), nil
	}
	return statusError(c.inst.backups.include(db.Name)), nil
}

func removeFromList(c *call) (value, error) {
	was, err := c.inst.backups.exclude(c.str(1))
	if err == nil && !was {
		err = fmt.Errorf("%s is not part of the current backup list", c.str(1))
	}
	return statusError(err), nil
}

func clearList(c *call) (value, error) {
	return statusError(c.inst.backups.update(func() { c.inst.backups.List = nil })), nil
}

// lastFullInfo is GetLastFullBackupInfo. What it gives without a history was seen
// on a live instance by the authors of "iris-mcp"; with one, date, description and
// device are what ^BACKUP shows, and their order is a guess.
func lastFullInfo(c *call) (value, error) {
	history, err := c.inst.db.History()
	if err != nil {
		return nil, err
	}
	last := lastFull(history)
	if last == nil {
		return list{0, "No information recorded about a full backup"}, nil
	}
	device := last.Device
	if device == "" && last.Type == storage.ExternalFull {
		device = "(external)"
	}
	return list{1, last.Time.Local().Format("2006-01-02 15:04:05"), last.Description, device}, nil
}

// aborting is GetAbortStatus: whether the backup that runs was told to end.
func (i *Instance) aborting() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.work != nil && i.work.aborted {
		return 1
	}
	return 0
}

// getConfig is Config.Databases.Get(name,.properties).
func getConfig(c *call) (value, error) {
	c.inst.mu.Lock()
	all := c.inst.conf.databases()
	c.inst.mu.Unlock()
	at := slices.IndexFunc(all, func(db cpfDatabase) bool { return strings.EqualFold(db.Name, c.str(1)) })
	if at < 0 {
		return statusError(fmt.Errorf("Database %s does not exist", c.str(1))), nil
	}
	c.ref(1, "Directory", all[at].Directory)
	c.ref(1, "Server", all[at].Server)
	return statusOK, nil
}

// createConfig is Config.Databases.Create(name,.properties), as public scripts
// call it: properties("Directory").
func createConfig(c *call) (value, error) {
	if c.inst.arms.take("create-fails", nil) != nil {
		return statusError(fmt.Errorf("create database %s: %w", c.str(1), errArmed)), nil
	}
	dir := ""
	if len(c.args) > 1 {
		props, _ := c.args[1].(map[string]string)
		dir = props["Directory"]
	}
	if c.str(1) == "" || dir == "" {
		return statusError(errors.New("name or properties(\"Directory\") is missing")), nil
	}
	return statusError(c.inst.addDatabase(c.str(1), dir)), nil
}

// createFile is SYS.Database.CreateDatabase(directory): it makes the file and
// mounts it. Its further arguments are not used.
func createFile(c *call) (value, error) {
	if err := os.MkdirAll(c.str(1), 0o775); err != nil {
		return statusError(err), nil
	}
	return statusError(c.inst.db.CreateDatabase(c, storage.DatabaseSpec{Directory: slashed(c.str(1)), Size: 1 << 20})), nil
}

// The role of the member is that of the first armed failure "mirrored"; without
// one the instance is not a member (InterSystems manual, Managing mirroring).
func (i *Instance) mirrorRole() string {
	if f := i.arms.peek("mirrored", nil); f != nil {
		return memberRole(f)
	}
	return ""
}

func (i *Instance) mirrorMember() int {
	switch i.mirrorRole() {
	case "":
		return 0
	case roleAsync:
		return 2
	}
	return 1
}

// mirrorNameText is the mirror that a member belongs to.
const mirrorNameText = "PRACTICEMIRROR"

func mirrorName(c *call) (value, error) {
	if c.inst.mirrorRole() == "" {
		return "", nil
	}
	return mirrorNameText, nil
}
