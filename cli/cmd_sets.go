package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func setsCommand() *cli.Command {
	return &cli.Command{
		Name:  "sets",
		Usage: "list the sets",
		Description: `sets lists every set by instance and time, also those that did not succeed. The
state is

   complete      every step succeeded; the only state to restore from as a whole
   incomplete    came to its end, but something is missing
   interrupted   its process ended before the end
   running       is being written now

SIZE is what the files of the set add up to, STORED what its new blocks took on
disk. VALIDATED is when the set was restored and checked last, and by which check;
"part" names the databases if that were not all, "DAMAGED" says that damage was
found and that no later check has looked at the same again. The sets of journal
archives, which are many, are listed with --all.

Below the table it says of a backup in use that was cut off, if none succeeded
since, at which step that was, what it means for the instance, and what to do.

With --json it prints an array of objects with instance, name, time, finished,
state, engine, host, program, databases, bytes, zero_bytes, new_bytes,
stored_bytes, and for backups in use steps: objects with name, time, means, next
and leaves. validated, if the set ever was, has time, check, instance, host,
program, databases, whole, clean, findings and report.

   datfs sets
   datfs sets --json`,
		Flags: append([]cli.Flag{
			boolFlag("all", "also those of journal archives (see journal list)"),
			jsonFlag(),
		}, globalFlags(true, false)...),
		Action: withRepo(catalog.Shared, runSets),
	}
}

func runSets(c *cli.Context, repo *catalog.Repository) error {
	// One set file that is damaged must not hide the others: what could be read
	// is printed, then the error ends the command.
	sets, err := repo.Sets()
	if !c.Bool("all") {
		sets = slices.DeleteFunc(sets, func(s *catalog.SetInfo) bool { return s.SetName().IsArchive() })
	}
	if c.Bool("json") {
		list := make([]setSummary, len(sets))
		for i, set := range sets {
			list[i] = summaryOf(set)
		}
		return errors.Join(err, writeJSON(c.App.Writer, list))
	}
	if len(sets) == 0 && err == nil {
		fmt.Fprintf(c.App.ErrWriter, "no sets yet; store one with: %[1]s backup iris --instance NAME, or %[1]s backup files --name INSTANCE FILE...\n", datfsCommand(c))
		return nil
	}
	printSets(c.App.Writer, sets)
	return err
}

func printSets(w io.Writer, sets []*catalog.SetInfo) {
	t := newTable(w, column{title: "SET"}, column{title: "TIME"}, column{title: "STATE"},
		column{"DATABASES", true}, column{"SIZE", true}, column{"STORED", true}, column{title: "VALIDATED"})
	for _, s := range sets {
		t.AppendRow(row(s.SetName().String(), localTime(s.Time), string(s.State),
			fmt.Sprint(s.Databases), size(s.Bytes), size(s.StoredBytes), validatedText(s.Validated)))
	}
	t.Render()
	for _, s := range sets {
		if advice := stepAdvice(s); len(advice) > 0 && stillCutOff(sets, s) {
			fmt.Fprintf(w, "\n%s\n", strings.Join(advice, "\n"))
		}
	}
}

// stillCutOff returns whether no later backup of the instance made something
// else of it: one that came to its end, is at work, or was cut off as well.
func stillCutOff(sets []*catalog.SetInfo, set *catalog.SetInfo) bool {
	return !slices.ContainsFunc(sets, func(s *catalog.SetInfo) bool {
		step := s.LastStep()
		return s.Instance == set.Instance && s.SetName().Compare(set.SetName()) > 0 &&
			step != nil && (s.State != catalog.StateInterrupted || step.Means != "")
	})
}

// A setSummary is a set without what has no fixed length: a line of a listing.
// A field here hides the one of the same name in SetInfo, so that whatever else
// SetInfo has, now or later, is in the JSON without being named again.
type setSummary struct {
	*catalog.SetInfo
	Args     *struct{} `json:"files_asked,omitempty"`
	Files    *struct{} `json:"files,omitempty"`
	Dirs     *struct{} `json:"dirs,omitempty"`
	Problems *struct{} `json:"problems,omitempty"`
	Method   *struct{} `json:"method,omitempty"`
	Findings *struct{} `json:"findings,omitempty"`
	Notes    *struct{} `json:"notes,omitempty"`
}

func summaryOf(set *catalog.SetInfo) setSummary { return setSummary{SetInfo: set} }
