package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/gtm"
)

func restoreGTMCommand() *cli.Command {
	return &cli.Command{
		Name:      "gtm",
		Usage:     "bring GT.M or YottaDB databases back, ready for use",
		ArgsUsage: "SET",
		UsageText: "datfs [--repo DIR] restore gtm SET --to DIR [--until TIME] [--journals PATH]... [options]",
		Description: `restore gtm brings the databases of a set back below DIR, each at its original
absolute path, and makes them consistent: mupip restore lays the incremental over
the copies, mupip integ checks them, then the journals of the set are applied, and
it checks again. Beside them comes a global directory that leads to the restored
databases. Transactions over several regions are in all of them or in none.

It may be done on the host of the running databases: these are not touched, and no
database that is there already is ever written over.

--journals takes the databases on, beyond the end of the backup: with journal
files, or directories of them, that were written since. Those that do not belong
to the set are left out; a gap between them is an error. --until stops at a time.

A restore that failed or was cut off is begun anew by repeating it.

   datfs restore gtm mumps/latest --to /restore
   datfs restore gtm mumps/latest --to /restore --journals /data
   datfs restore gtm mumps/latest --to /restore --journals /data --until '2026-11-22 14:30:00'
   gtmgbldir=/restore/data/mumps.gld mumps -direct         (look into the result)`,
		Flags: append([]cli.Flag{
			pathFlag("to", "restore below `DIR`"),
			regionFlag(),
			&cli.StringFlag{Name: "until", Usage: "apply the journals up to this `TIME`, such as '2026-11-22 14:30:00'"},
			&cli.StringSliceFlag{Name: "journals", Usage: "journal files written since, or a directory of them: `PATH`"},
			boolFlag("no-journals", "stop at the moment of the incremental"),
			boolFlag("consistent", "take the consistent databases of the set"),
			boolFlag("keep-work", "leave the working directory with what the engine said"),
			boolFlag("allow-incomplete", "restore also from a set that is not complete"),
			gtmDistFlag(),
			jsonFlag(),
		}, globalFlags(true, true)...),
		Action: func(c *cli.Context) error {
			if err := needFlag(c, "to", "DIR"); err != nil {
				return err
			}
			if c.Bool("no-journals") && (c.IsSet("journals") || c.IsSet("until")) {
				return usageErrorf(c, "--no-journals does not go with --journals or --until")
			}
			if _, err := parseTime(c.String("until")); err != nil {
				return usageErrorf(c, "--until: %w", err)
			}
			return withRepo(catalog.Shared, runRestoreGTM)(c)
		},
	}
}

// timeForms are how times can be given: with a zone, or in the local one.
var timeForms = []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04"}

// parseTime reads a time; "" is the zero time.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-11-22 14:30:00", s)
}

func runRestoreGTM(c *cli.Context, repo *catalog.Repository) error {
	name, err := resolve(repo, c.Args().First())
	if err != nil {
		return err
	}
	until, err := parseTime(c.String("until"))
	if err != nil {
		return usageErrorf(c, "--until: %w", err)
	}
	start := time.Now()
	s := newScreen(c, "restore", inBytes)
	report, err := gtm.Restore(c.Context, repo, gtm.RestoreOptions{
		Set: name, To: c.Path("to"), Regions: regions(c),
		Until: until, Journals: c.StringSlice("journals"), NoJournals: c.Bool("no-journals"),
		Consistent: c.Bool("consistent"), AllowIncomplete: c.Bool("allow-incomplete"),
		Dist: c.Path("gtm-dist"), Keep: c.Bool("keep-work"), Progress: s.progress,
		Log: func(format string, args ...any) { s.say(format, args...) },
	})
	s.stop()
	if err != nil {
		return gtmRestoreHint(c, err)
	}
	for _, warning := range report.Warnings {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", printable(warning))
	}
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, report)
	} else {
		printRestoreGTM(c.App.Writer, report, time.Since(start))
	}
	if err == nil && len(report.Warnings) > 0 {
		err = warningErrorf("restore %s: done with %s", name, count(len(report.Warnings), "warning"))
	}
	return err
}

// gtmRestoreHint says what to do about a restore that failed.
func gtmRestoreHint(c *cli.Context, err error) error {
	if gap, ok := errors.AsType[*gtm.JournalGapError](err); ok {
		return withHint(err, fmt.Sprintf("find the journal file of region %s that begins at transaction %#x and name its directory "+
			"with --journals, or leave the later ones out", gap.Region, gap.From))
	}
	if errors.Is(err, gtm.ErrNoEngine) {
		return gtmUsage(c, err)
	}
	return err
}

func printRestoreGTM(w io.Writer, r *gtm.RestoreReport, d time.Duration) {
	t := newTable(w, column{title: "REGION"}, column{"BLOCKS", true}, column{"JOURNALS", true}, column{title: "TN"}, column{title: "DATABASE"})
	for _, db := range r.Databases {
		t.AppendRow(row(db.Region, fmt.Sprint(db.Blocks), fmt.Sprint(len(db.Journals)), fmt.Sprintf("%#x", db.TN), printable(db.Target)))
	}
	t.Render()
	upTo := "the end of the journals"
	if !r.Until.IsZero() {
		upTo = localTime(r.Until)
	} else if !hasJournals(r) {
		upTo = "the moment of the incremental"
	}
	fmt.Fprintf(w, "restored %s of %s to %s, up to %s, in %v; mupip integ found no errors\n",
		count(len(r.Databases), "database"), r.Set, printable(r.To), upTo, took(d))
	fmt.Fprintf(w, "next: gtmgbldir=%s; journaling of the restored databases is disabled: turn it on before they are used\n",
		shellWord(r.Gbldir))
	if r.Work != "" {
		fmt.Fprintf(w, "what the engine said is in %s\n", printable(strings.TrimSuffix(r.Work, "/")+"/transcript.txt"))
	}
}

func hasJournals(r *gtm.RestoreReport) bool {
	for _, db := range r.Databases {
		if len(db.Journals) > 0 {
			return true
		}
	}
	return false
}
