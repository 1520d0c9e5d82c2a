package practice

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Names of what is in a database directory and in the manager directory
// (InterSystems manual, Data Integrity Guide).
const (
	datName     = "IRIS.DAT"
	lckName     = "iris.lck"
	wijName     = "IRIS.WIJ"
	volumeName  = "IRIS-0001.VOL"
	cpfName     = "iris.cpf"
	cpfVersion  = "2024.1"
	systemName  = "IRISSYS"
	startupLast = "startup.last"
)

// A layout knows where things are in the directory of an instance. It is that of
// a real one, with what is the practice instance's own beside it.
type layout struct{ dir string }

func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

func (l layout) mgr() string         { return l.path("mgr") }
func (l layout) cpf() string         { return l.path(cpfName) }
func (l layout) journal() string     { return l.path("mgr", "journal") }
func (l layout) alternate() string   { return l.path("mgr", "journal2") }
func (l layout) messages() string    { return l.path("mgr", "messages.log") }
func (l layout) backups() string     { return l.path("mgr", "Backup") }
func (l layout) bin() string         { return l.path("bin") }
func (l layout) failures() string    { return l.path("practice.failures") }
func (l layout) settings() string    { return l.path("practice.json") }
func (l layout) backupState() string { return l.path("mgr", "backup.json") }

// The databases that every instance has, in the order of a real one's
// configuration file; those of the user's follow. IRISSYS lies in the manager
// directory itself.
var systemDatabases = []struct{ name, sub string }{
	{systemName, ""}, {"IRISLIB", "irislib"}, {"IRISTEMP", "iristemp"}, {"IRISLOCALDATA", "irislocaldata"},
}

// notBackedUp are left out when the backup list is empty (InterSystems manual,
// LISTDIRS^DBACK).
var notBackedUp = map[string]bool{"IRISTEMP": true, "IRISLIB": true, "IRISLOCALDATA": true}

// place returns the directory of a new database.
func (l layout) place(name string) string {
	for _, db := range systemDatabases {
		if db.name == name {
			return slashed(filepath.Join(l.mgr(), db.sub))
		}
	}
	return slashed(filepath.Join(l.mgr(), strings.ToLower(name)))
}

// replaceFile writes a file under another name and renames it into place.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, text, mode); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// open returns the layout of an instance that exists.
func openLayout(dir string) (layout, *settings, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, nil, err
	}
	l := layout{abs}
	s, err := readSettings(l.settings())
	if errors.Is(err, os.ErrNotExist) {
		return layout{}, nil, fmt.Errorf("%s: %w", abs, ErrNotInstance)
	}
	return l, s, err
}
