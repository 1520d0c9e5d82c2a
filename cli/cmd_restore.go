package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "copy the files of a set to a directory",
		ArgsUsage: "SET",
		UsageText: "datfs [--repo DIR] restore SET --to DIR [--only PATTERN]... [options]",
		Description: `restore writes the files of a set below DIR, each at its original absolute path:
/data/user/IRIS.DAT becomes DIR/data/user/IRIS.DAT. With "--to /" everything goes
back to where it was; the database must be down or have the file dismounted.
Databases that are in use are not written over (exit code 4): files that a process
has open, that have an iris.lck beside them, or whose header says so (GT.M). Close
them first; --in-use does it all the same.

Where a file is there already, only the blocks that differ are written. Holes,
owner, mode and times are restored. Restored bytes are checked as they are read,
and synced before restore says that it is done.

--only takes a file's original path, a directory for all that was below it, or,
without a slash, the name of a file or of a database. *, **, ?, [] and {} work as
in a shell. It may be given several times.

Databases that were backed up while in use are damaged as they come back: their
incremental has to be applied to them, then the journals. restore copies these too,
below DIR/incremental, DIR/journals and so on, and says at the end what to do. With
"--to /" only the databases are restored.

An incomplete set is refused unless you say --allow-incomplete: what it lacks may
be what the database needs.

   datfs restore PROD/latest --to /restore
   datfs restore PROD/latest --to /restore --only /data/user --dry-run
   datfs restore PROD/2026-11-22T03-00-00Z --to / --only user`,
		Flags: append([]cli.Flag{
			pathFlag("to", "write below `DIR`"),
			&cli.StringSliceFlag{Name: "only", Usage: "only the files that `PATTERN` matches"},
			boolFlag("dry-run", "write nothing; say what would be written"),
			boolFlag("in-use", "write over databases in use, too: what uses them loses data"),
			boolFlag("allow-incomplete", "restore also from a set that is not complete"),
			jsonFlag(),
		}, globalFlags(true, true)...),
		Subcommands: []*cli.Command{restoreIrisCommand(), restoreGTMCommand()},
		Action: func(c *cli.Context) error {
			if err := checkArgs(c); err != nil { // not done for a command that has others below it
				return err
			}
			if err := needFlag(c, "to", "DIR"); err != nil {
				return err
			}
			return withRepo(catalog.Shared, runRestore)(c)
		},
	}
}

func runRestore(c *cli.Context, repo *catalog.Repository) error {
	name, err := resolve(repo, c.Args().First())
	if err != nil {
		return err
	}
	info, err := infoOf(repo, name)
	if err != nil {
		return err
	}
	opts := dbback.RestoreOptions{
		Set:             name,
		To:              c.Path("to"),
		Only:            c.StringSlice("only"),
		InUse:           c.Bool("in-use"),
		AllowIncomplete: c.Bool("allow-incomplete"),
		DryRun:          c.Bool("dry-run"),
	}
	for _, path := range dbback.Overwritten(repo, opts) {
		fmt.Fprintf(c.App.ErrWriter, "%s exists: a copy that was taken in use goes over it, DAMAGED until its incremental is applied\n", printable(path))
	}
	start := time.Now()
	var stop func()
	opts.Progress, stop = startProgress(c, "restore", inBytes)
	report, err := dbback.Restore(c.Context, repo, opts)
	stop()
	err = inUseHint(datfsCommand(c), info, goOnHint(err))
	if report == nil {
		return err
	}
	// A file that could not be restored does not take the others back, so what
	// was done is reported in any case.
	for _, warning := range report.Warnings {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", printable(warning))
	}
	if c.Bool("json") {
		err = errors.Join(err, writeJSON(c.App.Writer, report))
	} else {
		printRestore(c.App.Writer, report, time.Since(start))
	}
	if !report.DryRun {
		printDirty(c.App.ErrWriter, datfsCommand(c), info, report)
	}
	if err == nil && len(report.Warnings) > 0 {
		err = warningErrorf("restore %s: done with %s", name, count(len(report.Warnings), "warning"))
	}
	return err
}

// inUseHint says of databases that are in use how they are restored instead.
func inUseHint(datfs string, set *catalog.SetInfo, err error) error {
	if _, ok := errors.AsType[*dbback.InUseError](err); !ok {
		return err
	}
	instead := "close them (shut down what uses them, or dismount them)"
	if p := productOf(set.Engine); p.restoreInUse != "" {
		instead = fmt.Sprintf("%s "+p.restoreInUse, datfs, shellWord(set.SetName().String()))
	}
	return withHint(err, "nothing was written. "+instead+"; if you are sure that nothing uses them, --in-use writes all the same")
}

func printRestore(w io.Writer, r *dbback.RestoreReport, d time.Duration) {
	t := newTable(w, column{"SIZE", true}, column{"WRITTEN", true}, column{"UNCHANGED", true}, column{"HOLES", true}, column{title: "TARGET"})
	restored := 0
	for _, f := range r.Files {
		note := ""
		if f.Error != "" {
			note = "  (not restored)"
		} else {
			restored++
		}
		t.AppendRow(row(size(f.Size), size(f.WrittenBytes), size(f.UnchangedBytes), size(f.HoleBytes), printable(f.Target)+note))
	}
	t.Render()
	verb := "restored"
	if r.DryRun {
		verb = "would restore"
	}
	fmt.Fprintf(w, "%s %s of %s to %s: %s written, %s left alone because they were right, %s of holes, in %v\n",
		verb, count(restored, "file"), r.Set, printable(r.To),
		size(r.WrittenBytes), size(r.UnchangedBytes), size(r.HoleBytes), took(d))
}
