package practice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"datfs/dbback/practice/storage"
)

// A journalFile is an object of %SYS.Journal.File.
type journalFile struct{ name string }

func (f *journalFile) class() string { return "%SYS.Journal.File" }

func (f *journalFile) get(name string) (value, bool) {
	if name == "Name" {
		return f.name, true
	}
	return nil, false
}

func (f *journalFile) set(string, value) bool { return false }

func (f *journalFile) call(*call, string) (value, bool, error) { return nil, false, nil }

// A journalRestore is an object of Journal.Restore (InterSystems class reference,
// Journal.Restore). What it prints was published by InterSystems staff
// (ZRestore/Journal.cls, OnlineBackup.md).
type journalRestore struct {
	inst      *Instance
	settings  map[string]value
	locations []string
	selected  []string
	redirect  map[string]string
	sources   []string // of the files that CheckJournalIntegrity(1) read
}

// The properties that can be set. RollBack's default is unknown; here it is 0, so
// that a script which forgets it sees open transactions stay.
var restoreSettings = map[string]value{
	"FirstFile": "", "LastFile": "", "JournalLog": "", "JournalLocation": "", "AbortOnDatabaseError": 0, "AbortOnJournalError": 0,
	"DisableJournaling": 0, "Dismount": 0, "Filter": "", "MarkerTrigger": "", "RollBack": 0, "SwitchOnCurrentJournal": 0,
}

func newJournalRestore(i *Instance) *journalRestore {
	return &journalRestore{inst: i, settings: maps.Clone(restoreSettings), redirect: make(map[string]string)}
}

func (j *journalRestore) class() string { return "Journal.Restore" }

func (j *journalRestore) get(name string) (value, bool) {
	if name == "SourceDatabases" {
		l := list{}
		for _, dir := range j.sources {
			l = append(l, dir)
		}
		return l, true
	}
	v, ok := j.settings[name]
	return v, ok
}

func (j *journalRestore) set(name string, v value) bool {
	if _, ok := j.settings[name]; !ok {
		return false
	}
	j.settings[name] = v
	return true
}

func (j *journalRestore) str(name string) string { return toString(j.settings[name]) }

func (j *journalRestore) call(c *call, method string) (value, bool, error) {
	switch method {
	case "UseJournalLocation":
		j.locations = append(j.locations, slashed(c.str(1)))
		return statusOK, true, nil
	case "SelectUpdates":
		j.selected = append(j.selected, slashed(c.str(1)))
		return statusOK, true, nil
	case "RedirectDatabase":
		j.redirect[slashed(c.str(1))] = slashed(c.str(2))
		return statusOK, true, nil
	case "CheckJournalIntegrity":
		return statusError(j.check(c)), true, nil
	case "Run":
		if j.inst.arms.take("journal-restore-fails", nil) != nil {
			return statusError(fmt.Errorf("journal file %s cannot be read", j.str("FirstFile"))), true, nil
		}
		status := statusError(j.run(c))
		return status, true, c.Err() // not a status if the session was interrupted
	case "%Close":
		return "", true, nil
	}
	return nil, false, nil
}

// options returns what was asked for, as the storage wants it.
func (j *journalRestore) options(progress func(string)) storage.JournalRestore {
	locations := j.locations
	if dir := j.str("JournalLocation"); dir != "" {
		locations = append(slices.Clone(locations), slashed(dir))
	}
	return storage.JournalRestore{
		First: j.str("FirstFile"), Last: j.str("LastFile"), JournalLog: j.str("JournalLog"), Locations: locations,
		Select: j.selected, Redirect: j.redirect, Rollback: atoi(j.str("RollBack")) != 0, Progress: progress,
	}
}

// check is CheckJournalIntegrity(1): it also finds out which databases have
// records.
func (j *journalRestore) check(c *call) error {
	if j.inst.arms.take("journal-check-fails", nil) != nil {
		return fmt.Errorf("journal file %s: %w", j.str("FirstFile"), errArmed)
	}
	infos, err := j.inst.db.CheckJournals(c, j.options(nil))
	if err != nil {
		return err
	}
	found := make(map[string]bool)
	for _, info := range infos {
		for _, dir := range info.Databases {
			found[dir] = true
		}
	}
	j.sources = slices.Sorted(maps.Keys(found))
	return nil
}

func (j *journalRestore) run(c *call) error {
	ctx, done, err := j.inst.begin(c, "journal restore")
	if err != nil {
		return err
	}
	defer done()
	// A restore to the end cannot end in a file that is still written to.
	if j.str("LastFile") == "" || atoi(j.str("SwitchOnCurrentJournal")) != 0 {
		if _, _, err := j.inst.db.SwitchJournal(ctx); err != nil {
			return err
		}
	}
	opts := j.options(func(file string) {
		fmt.Fprintf(c.term, "\nJournal file being applied: %s\n%s\n  2.91%% 100.00%%\n", strings.TrimSuffix(file, "z"), strings.TrimSuffix(file, "z"))
	})
	leftOut := j.leaveOut(ctx, &opts)
	result, err := j.inst.db.RestoreJournals(ctx, opts)
	if err != nil {
		return err
	}
	if leftOut != "" { // it is there already if there were records of it
		result.Skipped, result.Errors = slices.Compact(slices.Sorted(slices.Values(append(result.Skipped, leftOut)))), nil
	}
	fmt.Fprintf(c.term, "\n[Journal restore completed at %s]\n", time.Now().Format("20060102 15:04:05"))
	number(c, "The following databases have been updated:", result.Updated)
	number(c, "The following databases have been skipped:", result.Skipped)
	if len(result.Errors) > 0 {
		return result.Errors[0]
	}
	return nil
}

// leaveOut is the failure journal-restore-skips: it sends the records of a database
// to where there is none, and returns which, "" if that failure does not wait.
func (j *journalRestore) leaveOut(ctx context.Context, opts *storage.JournalRestore) string {
	sources := opts.Select
	if len(sources) == 0 {
		if infos, err := j.inst.db.CheckJournals(ctx, *opts); err == nil {
			for _, info := range infos {
				sources = append(sources, info.Databases...)
			}
		}
	}
	for _, source := range sources {
		if j.inst.strikes("journal-restore-skips", source) {
			opts.Redirect = maps.Clone(opts.Redirect)
			opts.Redirect[source] = "/nowhere/"
			return source
		}
	}
	return ""
}

func number(c *call, heading string, dirs []string) {
	if len(dirs) == 0 {
		return
	}
	fmt.Fprintf(c.term, "\n%s\n\n", heading)
	for n, dir := range dirs {
		fmt.Fprintf(c.term, "%d. %s\n", n+1, dir)
	}
}
