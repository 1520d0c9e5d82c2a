package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func statsCommand() *cli.Command {
	return &cli.Command{
		Name:  "stats",
		Usage: "report what was saved",
		Description: `stats compares what the sets hold with what they take on disk, and tells apart
what storing every block once saved and what compression saved.

The tables count for each set and database the blocks that it was the first to
bring (NEW) and what these took compressed (STORED). A journal archive has one
line, NAME.journals, in the second table. With --json it prints one
object with the same figures in bytes.

   datfs stats
   datfs stats --json`,
		Flags:  append([]cli.Flag{jsonFlag()}, globalFlags(true, false)...),
		Action: withRepo(catalog.Shared, runStats),
	}
}

func runStats(c *cli.Context, repo *catalog.Repository) error {
	// As with sets, what could be read is shown in any case.
	stats, err := repo.Stats()
	if stats == nil {
		return err
	}
	if c.Bool("json") {
		stats.PerSet = orEmpty(stats.PerSet)
		stats.PerDatabase = orEmpty(stats.PerDatabase)
		return errors.Join(err, writeJSON(c.App.Writer, stats))
	}
	printStats(c.App.Writer, stats)
	return err
}

func printStats(w io.Writer, s *catalog.Stats) {
	what := "%s hold %s and take %s on disk: %.1f %% saved\n\n"
	if s.Sets == 1 {
		what = "%s holds %s and takes %s on disk: %.1f %% saved\n\n"
	}
	fmt.Fprintf(w, what, count(s.Sets, "set"), size(s.LogicalBytes), size(s.StoredBytes+s.MetaBytes), s.SavedPercent)
	t := newTable(w, column{}, column{right: true}, column{})
	t.ResetHeaders()
	t.AppendRows(rows(
		row("size of all files in all sets", size(s.LogicalBytes), ""),
		row("of this: zeros, which take no space", size(s.ZeroBytes), ""),
		row("different blocks", size(s.UniqueBytes), times(s.DedupRatio, "smaller for storing a block once")),
		row("these compressed, in "+count(s.Packs, "pack"), size(s.StoredBytes), times(s.CompressionRatio, "smaller for compression")),
		row("set files and catalog", size(s.MetaBytes), ""),
		row("saved", size(s.SavedBytes), ""),
	))
	t.Render()
	if len(s.PerSet) > 0 {
		fmt.Fprintln(w)
		printSetStats(w, s.PerSet)
	}
	if len(s.PerDatabase) > 0 {
		fmt.Fprintln(w)
		printDatabaseStats(w, s.PerDatabase)
	}
}

// times writes a ratio, which is zero while there is nothing to compare.
func times(ratio float64, why string) string {
	if ratio <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f times %s", ratio, why)
}

func printSetStats(w io.Writer, sets []catalog.SetStats) {
	t := newTable(w, column{title: "SET"}, column{title: "STATE"},
		column{"SIZE", true}, column{"ZEROS", true}, column{"NEW", true}, column{"STORED", true})
	for _, s := range sets {
		name := catalog.SetName{Instance: s.Instance, Name: s.Name}
		t.AppendRow(row(name.String(), string(s.State),
			size(s.LogicalBytes), size(s.ZeroBytes), size(s.NewBytes), size(s.StoredBytes)))
	}
	t.Render()
}

func printDatabaseStats(w io.Writer, databases []catalog.DatabaseStats) {
	t := newTable(w, column{title: "INSTANCE"}, column{title: "DATABASE"}, column{"SETS", true},
		column{"SIZE", true}, column{"ZEROS", true}, column{"NEW", true}, column{"STORED", true})
	for _, d := range databases {
		t.AppendRow(row(d.Instance, orDash(printable(d.Database)), fmt.Sprint(d.Sets),
			size(d.LogicalBytes), size(d.ZeroBytes), size(d.NewBytes), size(d.StoredBytes)))
	}
	t.Render()
}
