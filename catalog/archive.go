package catalog

import (
	"fmt"
	"strings"
)

// The journal archive of an instance is a row of sets under a name of its own,
// so that it has a lock of its own: it is added to while a backup of the instance
// is at work.
const (
	// EngineJournal is the engine of the sets of a journal archive.
	EngineJournal = "journal"

	archiveSuffix = ".journals"

	// maxArchived is how long the name of an instance may be that has a journal
	// archive.
	maxArchived = 63 - len(archiveSuffix)
)

// ArchiveOf returns the instance name that the sets of an instance's journal
// archive have: "PROD.journals".
func ArchiveOf(instance string) string { return instance + archiveSuffix }

// ArchivedInstance returns the instance whose journal archive has the sets of
// that name. ok is false if it is the name of an instance.
func ArchivedInstance(name string) (instance string, ok bool) {
	return strings.CutSuffix(name, archiveSuffix)
}

// IsArchive reports whether the set is one of a journal archive.
func (n SetName) IsArchive() bool {
	_, ok := ArchivedInstance(n.Instance)
	return ok
}

// ValidBackup is [ValidInstance] for the name of what is backed up: it must not be
// that of a journal archive.
func ValidBackup(name string) error {
	if instance, ok := ArchivedInstance(name); ok {
		return fmt.Errorf("instance name %q: names that end in %q are those of journal archives, this one of %q", name, archiveSuffix, instance)
	}
	return ValidInstance(name)
}

// ValidArchived is [ValidBackup] for an instance that has a journal archive: the
// name of that must be valid too.
func ValidArchived(name string) error {
	if err := ValidBackup(name); err != nil {
		return err
	}
	if len(name) > maxArchived {
		return fmt.Errorf("instance name %q: with a journal archive it has at most %d characters", name, maxArchived)
	}
	return nil
}

// checkName returns why a set of that instance cannot be begun by that engine.
func checkName(instance, engine string) error {
	if engine != EngineJournal {
		return ValidBackup(instance)
	}
	if _, ok := ArchivedInstance(instance); !ok {
		return fmt.Errorf("instance name %q: that of a journal archive ends in %q", instance, archiveSuffix)
	}
	return ValidInstance(instance)
}
