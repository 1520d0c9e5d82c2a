package practice

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Failure is something that can go wrong on demand.
type Failure struct {
	Name   string `json:"name"`
	Args   string `json:"args"`   // WORD is needed, [WORD] is not
	Does   string `json:"does"`   // what happens, a sentence without its subject
	Stays  bool   `json:"stays"`  // by nature until cleared; others happen once
	Source string `json:"source"` // where the behaviour is from

	check func(args []string) error
}

// arity returns how many arguments the failure takes.
func (f *Failure) arity() (low, high int) {
	for word := range strings.FieldsSeq(f.Args) {
		high++
		if !strings.HasPrefix(word, "[") {
			low++
		}
	}
	return low, high
}

// Failures returns the table of all failures: what "practice fail --list" shows.
func Failures() []Failure { return slices.Clone(failures) }

func findFailure(name string) *Failure {
	for i := range failures {
		if failures[i].Name == name {
			return &failures[i]
		}
	}
	return nil
}

// Where a failure's behaviour is from.
const (
	srcDBACK     = "InterSystems manual, BACKUP^DBACK"
	srcEntry     = "InterSystems manual, ^DBACK entry points"
	srcCLRINC    = "InterSystems manual, CLRINC^DBACK"
	srcDBSIZE    = "InterSystems manual, ^DBSIZE"
	srcDBREST    = "InterSystems manual, Unattended Restore Using ^DBREST"
	srcGuide     = "InterSystems manual, Backup and Restore"
	srcJournal   = "InterSystems manual, Data Integrity Guide, journaling"
	srcMessages  = "InterSystems Error Reference; that ^DBACK says it here is a guess"
	srcShell     = "InterSystems manual, Using the ObjectScript Shell"
	srcInstance  = "InterSystems manual, Controlling InterSystems IRIS Instances"
	srcField     = "seen in public reports"
	srcOwn       = "no document: what any program can meet"
	srcUnknown   = "unknown which form a version uses; both must be understood"
	srcMirrors   = "InterSystems manual, ^DBREST mirrored databases"
	srcVolumes   = "InterSystems manual, Configuring Databases"
	srcClass     = "InterSystems class reference, Journal.Restore"
	srcStart     = "InterSystems manual, Backup and Restore, starting without automatic WIJ and journal recovery"
	srcMethods   = "what these methods do then is in no document: the status, and what is left, are guesses"
	srcEncrypted = "InterSystems manual, Security Administration Guide: all but the label block is encrypted"
)

// whatHelp says what WHAT stands for in the table.
const whatHelp = `WHAT is a routine, method or moment as it is written in a statement:
CLRINC^DBACK, BACKUP^DBACK:I (or :E, :F, :C), LISTDIRS^DBACK, INT^DBSIZE,
EXTSELCT^DBREST, ^JRNSWTCH, CheckList^Integrity, SYS.Database.Mount,
SYS.Database.MountDatabase, Journal.Restore.CheckJournalIntegrity,
Journal.Restore.Run, Config.Databases.Create, or "session" for the sign-on.

NAME is the name of a database or its directory. Where it may be left out, the
first database that comes is meant.`

// WhatHelp returns what WHAT stands for in the arguments of failures.
func WhatHelp() string { return whatHelp }

// failures is the one table. Those on any statement come first, then by theme.
var failures = slices.Concat(anyFailures, signOnFailures, startFailures, backupFailures, databaseFailures, journalFailures, mountFailures, restoreFailures, variants)

var anyFailures = []Failure{
	{Name: "answer", Args: "WHAT VALUE", Does: "WHAT does nothing and returns VALUE", Source: srcOwn},
	{Name: "trap", Args: "WHAT ERROR [LOCATION]", Does: "WHAT ends with the error trap ERROR, such as <PROTECT>", Source: srcShell},
	{Name: "hang", Args: "WHAT", Does: "WHAT never answers", Source: srcOwn},
	{Name: "slow", Args: "WHAT DURATION", Does: "WHAT begins only after DURATION", Source: srcOwn, check: durationAt(1)},
	{Name: "crash", Args: "WHEN WHAT", Does: `the instance ends as by kill -9, "before" or "after" WHAT`, Source: srcOwn, check: beforeOrAfter},
	{Name: "end", Args: "WHAT [CODE]", Does: "the session's process ends before WHAT, with exit code CODE", Source: srcOwn, check: numberAt(1)},
	{Name: "prompt", Args: "WHAT", Does: "WHAT asks a question and waits; a BACKUP with NOINPUT aborts instead", Source: srcDBACK},
}

var signOnFailures = []Failure{
	{Name: "login-prompt", Stays: true, Does: "a session asks for a user and a password and accepts none", Source: srcGuide},
	{Name: "access-denied", Does: "a session ends with Access Denied", Source: srcField},
	{Name: "license-limit", Does: "a session ends with <LICENSE LIMIT EXCEEDED>", Source: srcField},
	{Name: "signon-inhibited", Stays: true, Does: "switch 12 is set: no session begins", Source: srcField},
	{Name: "wrong-namespace", Args: "[NAMESPACE]", Stays: true, Does: "-U is ignored, as for a user with a Startup Namespace", Source: srcInstance},
	{Name: "welcome", Stays: true, Does: "a session begins with noise, as ^ZWELCOME makes it", Source: srcShell},
	{Name: "health", Args: "VALUE", Stays: true, Does: "iris qlist shows the health VALUE: warn, alert, hung", Source: srcInstance},
}

var startFailures = []Failure{
	{Name: "start-refused", Does: "a start ends without an instance", Source: "no document: the text and the exit code are guesses"},
	{Name: "sturecov", Stays: true, Does: "a start with EmergencyId does not come fully up: sign-on is inhibited but for sessions with -B, until item 8 of ^STURECOV was chosen in one and the instance was started anew", Source: srcStart + ": so it is normally; texts, exit code and what else works are guesses"},
	{Name: "crash-writing", Does: "the instance ends as by kill -9 when the write daemon has written half of its blocks: the WIJ is active", Source: "InterSystems manual, Data Integrity Guide, write image journaling"},
}

var backupFailures = []Failure{
	{Name: "listdirs-fails", Does: "LISTDIRS^DBACK returns 0", Source: srcEntry},
	{Name: "clrinc-fails", Does: "CLRINC^DBACK returns 0", Source: srcCLRINC},
	{Name: "clear-without-flush", Does: "CLRINC^DBACK clears the bitmaps without what is not yet written: the backup is broken and does not know it", Source: "unknown: no document says which moment CLRINC relies on"},
	{Name: "dbsize-fails", Does: "INT^DBSIZE returns -1", Source: srcDBSIZE},
	{Name: "backup-fails", Args: "[TYPE] [MESSAGE]", Does: "BACKUP^DBACK of TYPE (I) returns 0, with MESSAGE in its log", Source: srcDBACK},
	{Name: "backup-warns", Args: "[WARNINGS]", Does: "BACKUP^DBACK returns 1,warning~warning", Source: srcDBACK},
	{Name: "backup-running", Stays: true, Does: "another backup is at work: BACKUP^DBACK returns 0, a restore -3", Source: srcMessages},
	{Name: "daemon-suspended", Stays: true, Does: "Backup.General.IsWDSuspended returns 1, as during the last pass of a backup or a freeze", Source: "InterSystems class reference, Backup.General; the value is a guess"},
	{Name: "other-backup", Does: "somebody else takes a full backup as soon as CLRINC^DBACK has cleared the bitmaps", Source: srcGuide},
	{Name: "no-quiesce", Does: "BACKUP^DBACK gives up after its quiesce timeout: System failed to quiesce", Source: srcMessages},
	{Name: "no-marker", Does: "BACKUP^DBACK fails in its last pass: Failed to place journal marker", Source: srcMessages},
	{Name: "no-switch", Does: "BACKUP^DBACK fails to switch the journal file", Source: srcMessages},
	{Name: "disk-full", Args: "[BYTES]", Does: "the disk is full after BYTES (65536) of the backup file", Source: srcGuide, check: numberAt(0)},
	{Name: "output-empty", Does: "BACKUP^DBACK returns 1 and leaves an empty file", Source: srcOwn},
	{Name: "output-missing", Does: "BACKUP^DBACK returns 1 and leaves no file", Source: srcOwn},
	{Name: "log-missing", Does: "BACKUP^DBACK returns 1 and leaves no log", Source: srcOwn},
	{Name: "log-cut", Does: "the log ends before ***FINISHED BACKUP***", Source: srcOwn},
	{Name: "log-other-directories", Does: "the log names other directories than LISTDIRS^DBACK", Source: srcOwn},
	{Name: "slow-backup", Args: "DURATION", Stays: true, Does: "each pass of BACKUP^DBACK over a database takes DURATION longer", Source: srcField, check: durationAt(0)},
}

var databaseFailures = []Failure{
	{Name: "database-added", Args: "[NAME]", Does: "database NAME (ADDED) is made while CLRINC^DBACK runs, and joins the backup list", Source: srcGuide},
	{Name: "dismounted", Args: "NAME", Stays: true, Does: "database NAME is dismounted", Source: srcGuide},
	{Name: "read-only", Args: "NAME", Stays: true, Does: "database NAME is mounted read-only", Source: "seen in public reports (a left-over iris.lck)"},
	{Name: "mirrored", Args: "NAME [ROLE]", Stays: true, Does: "database NAME is mirrored; this member is primary, backup or async", Source: srcMirrors, check: role},
	{Name: "encrypted", Args: "NAME", Stays: true, Does: "SYS.Database says that NAME is encrypted", Source: srcEncrypted},
	{Name: "not-journaled", Args: "NAME", Stays: true, Does: "the Global Journal State of NAME is No", Source: srcJournal},
	{Name: "extension-volume", Args: "NAME", Stays: true, Does: "NAME has a further volume, IRIS-0001.VOL", Source: srcVolumes},
	{Name: "unlisted", Args: "NAME", Stays: true, Does: "NAME is not in the backup list", Source: srcGuide},
	{Name: "wrong-blocks", Args: "NAME", Stays: true, Does: "SYS.Database gives NAME another number of blocks than its label", Source: srcOwn},
	{Name: "wrong-directory", Args: "NAME", Stays: true, Does: "SYS.Database gives NAME another directory than its label and the backup list", Source: srcOwn},
}

var journalFailures = []Failure{
	{Name: "open-transaction", Stays: true, Does: "a user begins a transaction and leaves it open, and the journal is switched: REQUIRED is older", Source: "seen in a log of IRIS 2022.1"},
	{Name: "journal-purged", Does: "when ^JRNSWTCH has switched the journal next, all closed files are gone", Source: srcJournal},
	{Name: "journal-alternate", Stays: true, Does: "from the next start on, journal files go to the alternate directory, as when the primary is full", Source: srcJournal},
	{Name: "switch-refused", Does: "^JRNSWTCH ends with <PROTECT>", Source: "InterSystems manual: it needs %Admin_Operate"},
}

var mountFailures = []Failure{
	{Name: "stale-lock", Args: "NAME", Stays: true, Does: "an iris.lck of another node lies beside NAME: from its next mount on it is read-only, until the file is removed before a mount", Source: srcField},
	{Name: "dismount-fails", Args: "[NAME]", Does: "Dismount and DismountDatabase return an error status and do nothing", Source: srcMethods},
	{Name: "dismount-does-nothing", Args: "[NAME]", Does: "Dismount and DismountDatabase return 1 and do nothing", Source: srcMethods},
	{Name: "dismount-leaves-lock", Args: "[NAME]", Does: "Dismount and DismountDatabase leave an iris.lck", Source: srcMethods},
	{Name: "mount-fails", Args: "[NAME]", Does: "Mount and MountDatabase return an error status and do nothing", Source: srcMethods},
	{Name: "mount-does-nothing", Args: "[NAME]", Does: "Mount and MountDatabase return 1 and do nothing", Source: srcMethods},
	{Name: "mount-read-only", Args: "[NAME]", Does: "Mount and MountDatabase return 1, and the database is read-only: an iris.lck of another node has come just before", Source: srcField},
	{Name: "create-fails", Does: "Config.Databases.Create returns an error status and does nothing", Source: srcMethods},
}

var restoreFailures = []Failure{
	{Name: "restore-fails", Args: "CODE", Does: "EXTSELCT and EXTALL^DBREST return CODE, -1 to -6, and do nothing", Source: srcDBREST, check: restoreCode},
	{Name: "restore-not-mounted", Does: "EXTSELCT ends with a database that could not be mounted", Source: srcDBREST},
	{Name: "restore-omits", Args: "[NAME]", Does: "EXTSELCT^DBREST skips a directory that was asked for, and returns success", Source: srcOwn},
	{Name: "journal-check-fails", Does: "Journal.Restore.CheckJournalIntegrity returns an error status", Source: srcClass},
	{Name: "journal-restore-fails", Does: "Journal.Restore.Run returns an error status", Source: srcClass},
	{Name: "journal-restore-skips", Args: "[NAME]", Does: "Journal.Restore.Run returns OK and has NAME, the source database, under those that have been skipped", Source: "that there is such a heading was published by InterSystems staff; that the status is OK then is a guess"},
	{Name: "integrity-errors", Does: "CheckList^Integrity finds an error where there is none", Source: srcJournal},
	{Name: "integrity-incomplete", Does: "CheckList^Integrity returns the status of a check that did not complete", Source: srcJournal + "; the text is a guess"},
}

// variants are not failures: they choose between forms of which it is unknown
// which one a version of the product uses.
var variants = []Failure{
	{Name: "variant-purposes", Stays: true, Does: `logs say "recovery purposes", as in the manual, not "purpose", as IRIS 2024.1 does`, Source: srcUnknown},
	{Name: "variant-an", Stays: true, Does: `logs say "Performing an Incremental backup."`, Source: srcUnknown},
	{Name: "variant-crlf", Stays: true, Does: "lines of logs and LISTDIRS files end with CR LF", Source: srcUnknown},
	{Name: "variant-listdirs", Stays: true, Does: "the LISTDIRS file has a heading, blanks before, and no slash behind directories", Source: srcUnknown},
	{Name: "variant-restore-0", Stays: true, Does: "EXTSELCT and EXTALL^DBREST return 0 when all went well", Source: srcUnknown},
	{Name: "variant-old-qlist", Stays: true, Does: "iris qlist prints 9 fields, as an older Caché", Source: srcField},
	{Name: "variant-no-header", Stays: true, Does: "logs lack the line Performing a ... backup, as those of interactive runs", Source: "seen in a log of IRIS 2022.1"},
	{Name: "variant-overwrite", Stays: true, Does: "a backup file that exists is overwritten; else it is asked, and NOINPUT aborts", Source: srcUnknown},
}

// Roles of a mirror member.
const (
	rolePrimary = "primary"
	roleBackup  = "backup"
	roleAsync   = "async"
)

func role(args []string) error {
	if len(args) > 1 && !slices.Contains([]string{rolePrimary, roleBackup, roleAsync}, args[1]) {
		return fmt.Errorf("%q is not primary, backup or async", args[1])
	}
	return nil
}

func durationAt(i int) func([]string) error {
	return func(args []string) error {
		_, err := time.ParseDuration(args[i])
		return err
	}
}

func numberAt(i int) func([]string) error {
	return func(args []string) error {
		if len(args) <= i {
			return nil
		}
		_, err := strconv.ParseInt(args[i], 10, 64)
		return err
	}
}

func beforeOrAfter(args []string) error {
	if args[0] != "before" && args[0] != "after" {
		return fmt.Errorf(`%q is not "before" or "after"`, args[0])
	}
	return nil
}

func restoreCode(args []string) error {
	if n, err := strconv.Atoi(strings.TrimPrefix(args[0], "-")); err != nil || n < 1 || n > 6 {
		return errors.New("CODE is -1 to -6; the sign may be left out")
	}
	return nil
}
