package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"datfs/catalog"
	"datfs/dbback"
)

// printFindings writes a line for each finding of the given levels.
func printFindings(w io.Writer, findings []catalog.Finding, levels ...catalog.Level) {
	for _, level := range levels {
		for _, f := range findings {
			if f.Level == level {
				fmt.Fprintln(w, printable(f.String()))
			}
		}
	}
}

func countLevel(findings []catalog.Finding, level catalog.Level) int {
	n := 0
	for _, f := range findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

// checkRepository looks at the repository as preflight looks at the instance:
// would it take a set of these databases, and were those of before ever validated
// within so many days? It changes nothing.
func checkRepository(dir, instance string, dbs []catalog.Database, days int) (findings []catalog.Finding) {
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		f := catalog.Finding{Level: catalog.LevelFail, Check: "repository", Text: err.Error()}
		for _, hint := range hintsFor(err) {
			f.Do = hint
		}
		return []catalog.Finding{f}
	}
	defer func() {
		if err := repo.Close(); err != nil {
			findings = append(findings, catalog.Finding{Level: catalog.LevelWarn, Check: "repository", Text: err.Error()})
		}
	}()
	sets, err := repo.Sets()
	findings = append(findings, checkWritable(repo.Dir()))
	if err != nil {
		findings = append(findings, catalog.Finding{
			Level: catalog.LevelWarn, Check: "repository sets", Text: err.Error(), Do: "datfs verify lists everything that is damaged",
		})
	}
	findings = append(findings, checkSets(sets, instance)...)
	findings = append(findings, checkValidated(sets, instance, days, time.Now())...)
	space, err := dbback.CheckSpace(repo, instance, dbs)
	if err != nil {
		space.Level, space.Text = catalog.LevelFail, err.Error()
	}
	return append(findings, space)
}

// checkWritable says whether this process may add to the repository.
func checkWritable(dir string) catalog.Finding {
	var failed []string
	for _, name := range []string{"sets", "packs"} {
		path := filepath.Join(dir, name)
		if err := unix.Access(path, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", path, err))
		}
	}
	if len(failed) > 0 {
		return catalog.Finding{
			Level: catalog.LevelFail, Check: "repository", Text: "it cannot be written to: " + strings.Join(failed, "; "),
			Do: "Back up as the user that owns the repository, and look whether its disk is mounted for writing",
		}
	}
	return catalog.Finding{Level: catalog.LevelOK, Check: "repository", Text: dir + " can be written to"}
}

// checkSets says what the sets of the instance mean for the next one.
func checkSets(sets []*catalog.SetInfo, instance string) []catalog.Finding {
	var own []*catalog.SetInfo
	for _, s := range sets {
		if s.Instance == instance {
			own = append(own, s)
		}
	}
	if len(own) == 0 {
		return []catalog.Finding{{Level: catalog.LevelOK, Check: "last backup", Text: "the repository has no set of " + instance + " yet"}}
	}
	last := own[len(own)-1]
	f := catalog.Finding{Level: catalog.LevelOK, Check: "last backup", Text: fmt.Sprintf("%s is %s", last.SetName(), last.State)}
	switch last.State {
	case catalog.StateRunning:
		f.Level, f.Check = catalog.LevelFail, "running backup"
		f.Text = fmt.Sprintf("%s is being written by another datfs", last.SetName())
		f.Do = "Wait until it is done"
	case catalog.StateInterrupted, catalog.StateIncomplete:
		f.Level = catalog.LevelWarn
		f.Do = "Run the backup again"
		if step := last.LastStep(); step != nil && last.State == catalog.StateInterrupted && step.Means != "" {
			f.Text = fmt.Sprintf("%s was cut off at the step %s: %s", last.SetName(), step.Name, noPeriod(step.Means))
			f.Do = step.Next
		}
	}
	return []catalog.Finding{f}
}

// maxDays is the longest time that --validate-within takes, a century.
const maxDays = 36500

const day = 24 * time.Hour

// checkValidated warns if the newest set is known to be damaged; and if the newest
// complete set that is older than so many days was never validated as a whole, nor any
// newer one: nobody knows then whether what is being stored can be restored. Nothing is said while there is
// no such set, and with 0 days. Sets of files at rest do not count.
func checkValidated(sets []*catalog.SetInfo, instance string, days int, now time.Time) []catalog.Finding {
	var due, newest, valid *catalog.SetInfo // sets are in the order of their time
	for _, s := range sets {
		if s.Instance != instance || s.State != catalog.StateComplete || s.Method == nil {
			continue
		}
		newest = s
		if now.Sub(s.Time) > time.Duration(days)*day {
			due, valid = s, nil
		}
		if s.Validated != nil && s.Validated.Clean && s.Validated.Whole {
			valid = s
		}
	}
	f := catalog.Finding{Level: catalog.LevelOK, Check: "validation"}
	if newest != nil && newest.Validated != nil && !newest.Validated.Clean {
		f.Level = catalog.LevelWarn
		f.Text = fmt.Sprintf("%s, the newest set, is not to be relied on: %s", newest.SetName(), validatedText(newest.Validated))
		f.Do = "Check the integrity of the originals, take a new backup, and drill that"
		return []catalog.Finding{f}
	}
	if due == nil || days == 0 {
		return nil
	}
	if valid != nil {
		f.Text = fmt.Sprintf("%s was validated: %s", valid.SetName(), validatedText(valid.Validated))
		return []catalog.Finding{f}
	}
	f.Level = catalog.LevelWarn
	f.Text = fmt.Sprintf("%s is %s old, and neither it nor a newer set was ever validated as a whole", due.SetName(), count(int(now.Sub(due.Time)/day), "day"))
	f.Do = fmt.Sprintf("Restore one to a staging instance and have it checked: datfs drill %s --instance STAGE", newest.SetName())
	return []catalog.Finding{f}
}
