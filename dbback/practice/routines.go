package practice

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"datfs/dbback/practice/storage"
)

// A routine is a label of a routine of the product.
type routine struct {
	run func(c *call) (value, error)
	// args is how many arguments it takes at most.
	args int
}

// routineTable returns the routines by LABEL^ROUTINE; names are case-sensitive.
func routineTable() map[string]routine {
	return map[string]routine{
		"LISTDIRS^DBACK":      {runListDirs, 2},
		"CLRINC^DBACK":        {runClrinc, 1},
		"BACKUP^DBACK":        {runBackupRoutine, 12},
		"INT^DBSIZE":          {runDBSize, 1},
		"EXTALL^DBREST":       {runRestore(true), 7},
		"EXTSELCT^DBREST":     {runRestore(false), 7},
		"^JRNSWTCH":           {runJrnswtch, 0},
		"^STURECOV":           {runSturecov, 0},
		"Status^JOURNAL":      {runJournalStatus, 0},
		"PURGE^JOURNAL":       {runPurge, 0},
		"CheckList^Integrity": {runCheckList, 6},
		"Display^Integrity":   {runDisplay, 3},
		"Silent^Integrity":    {runSilent, 2},
	}
}

func runListDirs(c *call) (value, error) {
	if c.str(1) == "" {
		return "0", nil
	}
	return c.inst.listDirs(c.str(1), c.str(2), c.term), nil
}

func runClrinc(c *call) (value, error) { return c.inst.clrinc(c, c.str(1), c.term), nil }

func runDBSize(c *call) (value, error) { return c.inst.dbsize(c.str(1)), nil }

func runBackupRoutine(c *call) (value, error) {
	a, err := parseBackupArgs(c.str)
	if err != nil {
		// What a wrong argument gives is not documented: a failure.
		fmt.Fprintf(c.term, "\n%v\n", err)
		return "0", nil
	}
	return c.inst.backup(c, a, c.term), nil
}

func runRestore(all bool) func(c *call) (value, error) {
	return func(c *call) (value, error) {
		return c.inst.restore(c, parseRestoreArgs(all, c.str), c.term), nil
	}
}

func runJrnswtch(c *call) (value, error) { return "", c.inst.jrnswtch(c, c.term) }

// runJournalStatus is Status^JOURNAL. Its layout is not documented.
func runJournalStatus(c *call) (value, error) {
	st := c.inst.db.Status()
	primary, alternate := c.inst.journalDirs()
	fmt.Fprintf(c.term, "\nCurrent journal directory:    %s\nAlternate journal directory:  %s\nCurrent journal file:         %s\nOffset:                       %d\n",
		primary, alternate, st.Journal, st.Offset)
	return "", nil
}

// runPurge is PURGE^JOURNAL, with the two questions of the manual (Data Integrity
// Guide); the words around them are not documented.
func runPurge(c *call) (value, error) {
	fmt.Fprint(c.term, "\n1) Purge any journal NOT required for transaction rollback or crash recovery\n"+
		"2) Purge journals based on existing criteria\n\nOption? ")
	answer, err := c.term.ReadLine(c)
	if err != nil {
		return nil, err
	}
	var gone []string
	switch strings.TrimSpace(answer) {
	case "1":
		gone, err = c.inst.db.PurgeJournals(c, time.Now().Add(time.Hour))
	case "2":
		gone, err = c.inst.purgeByCriteria(c)
	}
	for _, name := range gone {
		fmt.Fprintf(c.term, "\nPurged %s", name)
	}
	fmt.Fprintf(c.term, "\n%d journal files purged\n", len(gone))
	return "", err
}

// purgeByCriteria purges as the nightly task does: files older than
// DaysBeforePurge, or, when BackupsBeforePurge backups were successful since the
// last time, all that the newest full backup does not need (InterSystems manual,
// Data Integrity Guide: "whichever first"; which files the number of backups lets
// go is a guess).
func (i *Instance) purgeByCriteria(c *call) ([]string, error) {
	i.mu.Lock()
	days, backups := i.conf.get("Journal", "DaysBeforePurge"), i.conf.get("Journal", "BackupsBeforePurge")
	i.mu.Unlock()
	before := time.Time{}
	if n := atoi(days); n > 0 {
		before = time.Now().AddDate(0, 0, -n)
	}
	if n := atoi(backups); n > 0 && i.backups.counted() >= n {
		history, err := i.db.History()
		if err != nil {
			return nil, err
		}
		if last := lastFull(history); last != nil && last.Time.After(before) {
			before = last.Time
		}
		if err := i.backups.update(func() { i.backups.Counted = 0 }); err != nil {
			return nil, err
		}
	}
	return i.db.PurgeJournals(c, before)
}

func atoi(s string) int {
	n := 0
	_, _ = fmt.Sscan(s, &n) // what is no number is 0, as in the product
	return n
}

// runCheckList is CheckList^Integrity(output,dirlist,…): a %Status that is OK if
// it ran and found nothing (InterSystems manual, Data Integrity Guide). What it
// found is kept for Display^Integrity.
func runCheckList(c *call) (value, error) {
	dirs := c.strs(2)
	if len(dirs) == 0 {
		dirs = directories(c.inst.databases())
	}
	if c.inst.arms.take("integrity-incomplete", nil) != nil {
		return statusError(fmt.Errorf("the integrity check did not complete: %w", errArmed)), nil
	}
	report := &integrity{}
	*c.report = report
	for _, dir := range dirs {
		findings, err := c.inst.check(c, slashed(dir))
		if err != nil {
			return statusError(err), nil
		}
		report.add(slashed(dir), findings)
	}
	if report.errors > 0 {
		return statusError(fmt.Errorf("%d errors found by the integrity check", report.errors)), nil
	}
	return statusOK, nil
}

// check checks one database.
func (i *Instance) check(c *call, dir string) ([]storage.Finding, error) {
	findings, err := i.db.Check(c, dir)
	if err == nil && i.arms.take("integrity-errors", nil) != nil {
		findings = append(findings, storage.Finding{Block: 1, Kind: "armed", Text: "an error that the failure integrity-errors made up"})
	}
	return findings, err
}

// An integrity is what CheckList^Integrity found, by directory in its order.
type integrity struct {
	dirs   []string
	lines  map[string][]string
	errors int
}

func (r *integrity) add(dir string, findings []storage.Finding) {
	if r.lines == nil {
		r.lines = make(map[string][]string)
	}
	r.dirs = append(r.dirs, dir)
	for _, f := range findings {
		r.errors++
		r.lines[dir] = append(r.lines[dir], fmt.Sprintf("**** ERROR in block %d: %s (%s)", f.Block, f.Text, f.Kind))
	}
}

func (r *integrity) print(w io.Writer) {
	for _, dir := range r.dirs {
		fmt.Fprintf(w, "\nDirectory: %s\n", dir)
		if len(r.lines[dir]) == 0 {
			fmt.Fprint(w, "No Errors were found in this directory.\n")
		}
		for _, line := range r.lines[dir] {
			fmt.Fprintln(w, line)
		}
	}
	if r.errors == 0 {
		fmt.Fprint(w, "\nNo Errors were found.\n")
		return
	}
	fmt.Fprintf(w, "\n%d Errors were found.\n", r.errors)
}

// runDisplay is Display^Integrity: what the last check of this session found.
func runDisplay(c *call) (value, error) {
	if report := *c.report; report != nil {
		report.print(c.term)
	}
	return "", nil
}

// runSilent is Silent^Integrity(logfile,dirlist). The product's runs in the
// background; this one ends before it returns.
func runSilent(c *call) (value, error) {
	var b strings.Builder
	report := &integrity{}
	dirs := c.strs(2)
	if len(dirs) == 0 {
		dirs = directories(c.inst.databases())
	}
	for _, dir := range dirs {
		findings, err := c.inst.check(c, slashed(dir))
		if err != nil {
			return nil, err
		}
		report.add(slashed(dir), findings)
	}
	report.print(&b)
	return "", os.WriteFile(c.str(1), []byte(b.String()), 0o660)
}
