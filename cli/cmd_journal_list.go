package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
)

func journalListCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "list the journal files in the repository, and the gaps between them",
		UsageText: "datfs [--repo DIR] journal list [--instance NAME] [--json]",
		Description: `journal list shows the journal files of an instance, or of all, by time: those of
the archive and those that sets hold. LAST WRITTEN is up to when a file leads; of
a compressed one it can be when it was compressed. STORED is what its blocks took
that were not in the repository before.

An instance whose journals were lost may count them anew: then names come twice, or
below those of before. A
file in whose line "begins anew" stands is the first of another time line, which
does not follow the files before it.

A line "gap" stands for files that must have been there: the counters in the names
and the newest stored journal.log tell. The last line says from which file on the
journals are unbroken for the newest complete set, and up to which moment a
restore of that set can go. If there is a gap behind the file that it requires, or
another time line, the exit code is 3.

With --json it prints an array with an object for each instance: instance, files,
and of the newest complete set, null if there is none, reach. In files, each has
name, missing, anew, and copies: objects with set, stored_as, archive, open (it was
still written to), origin, size, stored_bytes, last_written. reach has set,
required, last, until, missing (names), beyond (how many files are behind) and
begins_anew (the file with which another time line begins, as stored).

   datfs journal list --instance IRIS`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "instance", Usage: "the journals of the sets called `NAME`"},
			jsonFlag(),
		}, globalFlags(true, false)...),
		Action: withRepo(catalog.Shared, runJournalList),
	}
}

func runJournalList(c *cli.Context, repo *catalog.Repository) error {
	sets, err := repo.Sets()
	if sets == nil && err != nil {
		return err
	}
	names := journaled(sets)
	if name := c.String("instance"); name != "" {
		if !slices.Contains(names, name) {
			return errors.Join(err, withHint(fmt.Errorf("journals of %s: %w", printable(name), catalog.ErrNotFound),
				"datfs sets lists the sets: NAME is what they are called; datfs journal archive copies journal files"))
		}
		names = []string{name}
	}
	lists := []journalListing{}
	var errs []error
	for _, name := range names {
		h, err := dbback.ReadJournalHistory(repo, name)
		if h == nil {
			return err
		}
		errs = append(errs, err)
		lists = append(lists, newJournalListing(h, dbback.NewestRestorable(sets, name)))
	}
	switch {
	case c.Bool("json"):
		errs = append(errs, writeJSON(c.App.Writer, lists))
	case len(lists) == 0:
		fmt.Fprintf(c.App.ErrWriter, "no journal files yet; copy those of an instance with: %s journal archive --instance NAME\n", datfsCommand(c))
	default:
		printJournals(c.App.Writer, lists)
	}
	for _, l := range lists {
		errs = append(errs, l.gap())
	}
	return errors.Join(errs...)
}

// journaled returns the names of the instances of which there are journal files.
func journaled(sets []*catalog.SetInfo) []string {
	var names []string
	for _, s := range sets {
		if slices.ContainsFunc(s.Files, func(f catalog.FileInfo) bool { return f.Section == catalog.SectionJournals }) {
			name, _ := catalog.ArchivedInstance(s.Instance)
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A journalListing is the JSON of journal list for one instance.
type journalListing struct {
	Instance string          `json:"instance"`
	Files    []journalLine   `json:"files"` // oldest first
	Reach    *journalReaches `json:"reach"` // of the newest complete set, nil if there is none
}

type journalLine struct {
	Name    string        `json:"name"`
	Missing bool          `json:"missing"` // it must have been, and is nowhere
	Anew    bool          `json:"anew"`    // another time line begins with it
	Copies  []journalCopy `json:"copies"`  // the best first
}

type journalCopy struct {
	Set         string    `json:"set"`
	StoredAs    string    `json:"stored_as"`
	Archive     bool      `json:"archive"`
	Open        bool      `json:"open"`
	Origin      string    `json:"origin"`
	Size        int64     `json:"size"`
	StoredBytes int64     `json:"stored_bytes"`
	LastWritten time.Time `json:"last_written"`
}

type journalReaches struct {
	Set      string    `json:"set"`
	Required string    `json:"required"`
	Last     string    `json:"last"`
	Until    time.Time `json:"until,omitzero"`
	Missing  []string  `json:"missing"`
	Beyond   int       `json:"beyond"`
	Anew     string    `json:"begins_anew,omitempty"`
}

func newJournalListing(h *dbback.JournalHistory, newest *catalog.SetInfo) journalListing {
	l := journalListing{Instance: h.Instance, Files: []journalLine{}}
	for _, e := range h.Entries {
		line := journalLine{Name: e.Name, Missing: len(e.Copies) == 0, Anew: e.Anew, Copies: []journalCopy{}}
		for _, c := range e.Copies {
			line.Copies = append(line.Copies, journalCopy{
				Set: c.Set.String(), StoredAs: c.Stored, Archive: c.Set.IsArchive(), Open: c.Open, Origin: c.Origin,
				Size: c.Size, StoredBytes: c.StoredBytes, LastWritten: c.ModTime,
			})
		}
		l.Files = append(l.Files, line)
	}
	if newest == nil {
		return l
	}
	reach, err := h.Reach(newest)
	if err != nil {
		return l
	}
	last, until := reach.Last()
	l.Reach = &journalReaches{
		Set: reach.Set.String(), Required: reach.Required, Last: last, Until: until, Missing: orEmpty(reach.Missing), Beyond: reach.Beyond,
	}
	if reach.Other != nil {
		l.Reach.Anew = reach.Other.Stored
	}
	return l
}

// gap returns a warning if journals are missing that a restore of the newest set
// would go on with, or do not follow it.
func (l *journalListing) gap() error {
	switch {
	case l.Reach == nil:
		return nil
	case l.Reach.Anew != "":
		err := warningErrorf("journals of %s: with %s the instance has begun anew, and what it wrote since cannot be applied to %s",
			printable(l.Instance), printable(l.Reach.Anew), l.Reach.Set)
		return withHint(err, "take a backup soon: no set leads to what the instance has now")
	case len(l.Reach.Missing) == 0:
		return nil
	}
	err := warningErrorf("journals of %s: %s missing, and %s behind cannot be applied to %s", printable(l.Instance),
		namesText(l.Reach.Missing), count(l.Reach.Beyond, "file"), l.Reach.Set)
	return withHint(err, "if the instance still has them, journal archive copies them; else take a backup soon: a restore cannot come past the gap")
}

// namesText writes the names of missing files with their verb.
func namesText(names []string) string {
	if len(names) == 1 {
		return printable(names[0]) + " is"
	}
	return fmt.Sprintf("%s to %s, %s, are", printable(names[0]), printable(names[len(names)-1]), count(len(names), "file"))
}

func printJournals(w io.Writer, lists []journalListing) {
	for i, l := range lists {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if len(lists) > 1 {
			fmt.Fprintf(w, "%s:\n", printable(l.Instance))
		}
		printJournalTable(w, l.Files)
		fmt.Fprintln(w, reachText(l.Reach))
	}
}

func printJournalTable(w io.Writer, files []journalLine) {
	t := newTable(w, column{title: "FILE"}, column{"SIZE", true}, column{"STORED", true}, column{title: "LAST WRITTEN"}, column{title: "WHERE"})
	for len(files) > 0 {
		if n := slices.IndexFunc(files, func(l journalLine) bool { return !l.Missing }); n != 0 {
			if n < 0 {
				n = len(files)
			}
			name := printable(files[0].Name)
			if n > 1 {
				name += " to " + printable(files[n-1].Name)
			}
			t.AppendRow(row(name, "-", "-", "-", "gap: "+count(n, "file")+" missing"))
			files = files[n:]
			continue
		}
		best := files[0].Copies[0]
		var stored int64
		var where []string
		for _, c := range files[0].Copies {
			stored += c.StoredBytes
			where = append(where, copyText(c))
		}
		if files[0].Anew {
			where[0] = "begins anew: " + where[0]
		}
		t.AppendRow(row(printable(files[0].Name), size(best.Size), size(stored), localTime(best.LastWritten), strings.Join(where, ", ")))
		files = files[1:]
	}
	t.Render()
}

// copyText says where a copy is.
func copyText(c journalCopy) string {
	what := "set "
	if c.Archive {
		what = "archive "
	}
	_, name, _ := strings.Cut(c.Set, "/")
	if c.Open {
		name += " (open when copied)"
	}
	return what + name
}

// reachText says up to which moment a restore can go.
func reachText(r *journalReaches) string {
	switch {
	case r == nil:
		return "no complete set that journals could be applied to"
	case r.Last == "":
		return fmt.Sprintf("%s, which %s requires, is missing: no journals can be applied to it", printable(r.Required), r.Set)
	}
	return fmt.Sprintf("unbroken from %s (required by %s) to %s: a restore of that set can go up to %s",
		printable(r.Required), r.Set, printable(r.Last), localTime(r.Until))
}
