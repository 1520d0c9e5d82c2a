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

func backupCommand(products []product) *cli.Command {
	cmd := &cli.Command{
		Name:      "backup",
		Usage:     "store a set of database files",
		ArgsUsage: "ENGINE",
		Description: `backup stores one set. How the files come to be consistent depends on where
they are from; each way is an engine:

   files   files that nothing writes to: the database is down, frozen, or the
           files are copies made by other means
`,
		Flags:       globalFlags(true, true),
		Action:      needEngine,
		Subcommands: []*cli.Command{backupFilesCommand()},
	}
	for _, p := range products {
		cmd.Description += fmt.Sprintf("   %-7s %s, while in use\n", p.name, p.title)
		cmd.Subcommands = append(cmd.Subcommands, backupProductCommand(p))
	}
	cmd.Description += "\n   datfs backup files --help"
	for _, p := range products {
		cmd.Description += fmt.Sprintf("\n   datfs backup %s --help", p.name)
	}
	return cmd
}

func backupFilesCommand() *cli.Command {
	return &cli.Command{
		Name:      "files",
		Usage:     "store files that nothing writes to",
		ArgsUsage: "FILE...",
		UsageText: "datfs [--repo DIR] backup files --name INSTANCE FILE...",
		Description: `backup files stores the FILEs as one set of the instance. The database must be
down or frozen, or the files be copies: a file that is written to meanwhile is
stored as it was read, which a database may not accept.

A FILE that is missing or cannot be read does not keep the others from being
stored. The set is then incomplete, and the exit code 3.

A block that the repository holds already, from whatever set or database, is not
stored again. A backup that was cut off is simply run again: it reads
everything, but writes only what is not there yet.

   datfs backup files --name PROD /data/user/IRIS.DAT /data/app/IRIS.DAT`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "name", Usage: "the `INSTANCE` that the files belong to; sets are named by it and the time"},
			boolFlag("json", "print the set as JSON, as \"sets --json\" does"),
		}, globalFlags(true, true)...),
		Action: runBackupFiles,
	}
}

func runBackupFiles(c *cli.Context) error {
	if err := needFlag(c, "name", "INSTANCE"); err != nil {
		return err
	}
	if err := catalog.ValidBackup(c.String("name")); err != nil {
		return usageErrorf(c, "--name: %w", err)
	}
	return withRepo(catalog.Shared, backupFiles)(c)
}

func backupFiles(c *cli.Context, repo *catalog.Repository) error {
	start := time.Now()
	progress, stop := startProgress(c, "backup", inBytes)
	set, err := dbback.BackupFiles(c.Context, repo, dbback.FilesOptions{
		Instance: c.String("name"),
		Paths:    c.Args().Slice(),
		Program:  "datfs " + version(),
		Progress: progress,
	})
	stop()
	if err != nil {
		return goOnHint(err)
	}
	return reportBackup(c, set, time.Since(start))
}

// reportBackup prints what a backup stored, and returns an error if that is not
// all that it should have.
func reportBackup(c *cli.Context, set *catalog.SetInfo, d time.Duration) (err error) {
	printProblems(c.App.ErrWriter, set.Problems)
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, summaryOf(set))
	} else {
		err = printBackup(c.App.Writer, datfsCommand(c), set, d)
	}
	switch {
	case set.State != catalog.StateComplete:
		err = errors.Join(err, incompleteError(set))
	case len(set.Problems) > 0:
		err = errors.Join(err, warningErrorf("backup %s: the set is complete, but with %s: see above",
			set.SetName(), count(len(set.Problems), "warning")))
	}
	return err
}

// incompleteError says what a set lacks that is sealed all the same.
func incompleteError(set *catalog.SetInfo) error {
	fatal := 0
	for _, p := range set.Problems {
		if p.Fatal {
			fatal++
		}
	}
	what := fmt.Sprintf("%s stored, %s not", count(len(set.Files), "file"), count(fatal, "file"))
	if set.Method != nil { // it may lack what is no file of it, such as a journal that is gone
		what = count(fatal, "error") + ": see above"
	}
	err := warningErrorf("backup %s: the set is %s: %s", set.SetName(), set.State, what)
	return withHint(err, "set right what the error lines name and run it again; what is stored already is not stored twice")
}

func printBackup(w io.Writer, datfs string, set *catalog.SetInfo, d time.Duration) error {
	name := set.SetName().String()
	fmt.Fprintf(w, "stored %s: %s\n", name, set.State)
	t := newPairs(w)
	if set.Method != nil {
		t.AppendRow(pair("  databases", fmt.Sprintf("%d, %s", len(set.Method.Databases), size(sectionSize(set, catalog.SectionDatabases)))))
	}
	t.AppendRows(rows(
		pair("  files", fmt.Sprint(len(set.Files))),
		pair("  size", fmt.Sprintf("%s, of which %s are zeros and take no space", size(set.Bytes), size(set.ZeroBytes))),
		pair("  new", size(set.NewBytes)+" in blocks that the repository did not hold"),
		pair("  stored", size(set.StoredBytes)+" on disk for these, compressed"),
		pair("  took", fmt.Sprintf("%v, %s", took(d), rate(inBytes, set.Bytes, d))),
	))
	if set.Method != nil {
		t.AppendRows(methodRows(set))
	}
	t.Render()
	fmt.Fprintf(w, "next: %s mount DIR, or %s show %s\n", datfs, datfs, shellWord(name))
	if set.Method == nil {
		return nil
	}
	_, err := fmt.Fprintf(w, "to restore: %s runbook %s (the copies are damaged without the incremental and the journals above)\n", datfs, shellWord(name))
	return err
}
