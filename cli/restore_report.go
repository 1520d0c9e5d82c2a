package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
)

// integrityCheck is what a restore of an InterSystems database ends with.
const integrityCheck = "CheckList^Integrity"

// readingSet is the check that a set does not stand whose blocks cannot be read.
const readingSet = "reading the set"

// provesDamage returns whether a restore that failed has found the set damaged: its
// databases, or the repository below it.
func provesDamage(report *restore.Report, err error) bool {
	_, failed := errors.AsType[*restore.StepError](err)
	return len(report.Damage) > 0 || failed && errors.Is(err, catalog.ErrCorrupt)
}

// keepReport keeps the report of a restore or of a drill in the set, for people,
// for programs, and what was said; and whether the set is validated by it. A
// restore that was gone on with has proved as much as one that came through at
// once: nothing is skipped that was not done before.
func keepReport(repo *catalog.Repository, set *catalog.SetInfo, kind string, report *restore.Report, failed error) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	name := set.SetName()
	readable, err := repo.AddNote(name, kind, "md", report.Ended, []byte(report.Markdown()))
	if err != nil {
		return fmt.Errorf("keep the report in the set: %w", err)
	}
	_, err = repo.AddNote(name, kind, "json", report.Ended, append(text, '\n'))
	if report.Transcript != "" {
		_, terr := repo.AddNote(name, kind, "txt", report.Ended, []byte(report.Transcript))
		err = errors.Join(err, terr)
	}
	if err != nil {
		return fmt.Errorf("keep the report in the set: %w", err)
	}
	host, _ := os.Hostname()
	v := catalog.Validation{
		Time: report.Ended, Check: integrityCheck, Instance: report.Instance, Host: host, Program: "datfs " + version(),
		Clean: report.Clean, Findings: len(report.Damage), Report: readable.Name,
		Whole: len(report.Databases) == len(set.Method.Databases),
	}
	if errors.Is(failed, catalog.ErrCorrupt) {
		v.Check, v.Findings = readingSet, 1
	}
	for _, db := range report.Databases {
		v.Databases = append(v.Databases, db.Name)
		if slices.ContainsFunc(report.Damage, func(f restore.IntegrityFinding) bool { return f.Directory == db.To }) {
			v.Damaged = append(v.Damaged, db.Name)
		}
	}
	if _, err := repo.AddValidation(name, v); err != nil {
		return fmt.Errorf("mark the set as validated: %w", err)
	}
	return nil
}
