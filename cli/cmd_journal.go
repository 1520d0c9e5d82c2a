package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/restore"
)

func journalCommand() *cli.Command {
	return &cli.Command{
		Name:      "journal",
		Usage:     "keep the journal files between backups, and see how far they lead",
		ArgsUsage: "COMMAND",
		Description: `A set holds the journal files that its restore begins with. journal archive copies
those that come after, again and again, so that a restore can go on past the set;
journal list shows what there is, and what is missing.

   datfs journal archive --help`,
		Subcommands: []*cli.Command{journalArchiveCommand(irisProduct()), journalListCommand()},
		Flags:       globalFlags(true, false),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c, c.Command.Subcommands, c.Args().First())
			}
			return usageErrorf(c, "COMMAND is missing")
		},
	}
}

func journalArchiveCommand(p product) *cli.Command {
	flags := slices.DeleteFunc(p.connect(), func(f cli.Flag) bool { return f.Names()[0] == "work-dir" }) // nothing is written there
	flags = append(flags, nameFlag(),
		timeFlag("step-timeout", "for the one question to the instance", 2*time.Minute),
		boolFlag("json", "print JSON: what was stored"))
	return &cli.Command{
		Name:        "archive",
		Usage:       "copy the closed journal files that the repository does not have yet",
		UsageText:   "datfs [--repo DIR] journal archive --instance IRIS [options]",
		Description: journalArchiveHelp,
		Flags:       append(flags, globalFlags(true, true)...),
		Action:      func(c *cli.Context) error { return runJournalArchive(c, p) },
	}
}

const journalArchiveHelp = `journal archive asks an InterSystems IRIS or Caché instance which journal file it
writes to, and copies all older ones in its journal directories into the
repository, with journal.log. A file that is there already is not copied again,
whether it was compressed since or not. If nothing is new, nothing is written.
It changes nothing of the instance, and may run while a backup does.

What one run copied is a set of NAME.journals, which "datfs sets --all" lists; in
the mount, journals/NAME has the files of all of them. The file that the instance
writes to is copied once it is closed: by the next midnight, when it is full, or
when a backup or ^JRNSWTCH switches to another. How much can be lost is what lies
between two switches.

A file whose name another file in the archive has is stored under another name.
A file that cannot be read is tried again by the next run. In both cases there is
a warning, and the exit code is 3.

With --json it prints an object with instance, set (null if nothing was new),
stored, known, current, unsure (left out, as they may still be written to) and
warnings.

   datfs journal archive --instance IRIS

From cron, each quarter of an hour:

   */15 * * * *  datfs --repo /backup/repo journal archive --instance IRIS --quiet

Or by systemd, in /etc/systemd/system/datfs-journal.service:

   [Service]
   Type=oneshot
   User=irisowner
   Environment=DATFS_REPO=/backup/repo
   ExecStart=/usr/local/bin/datfs journal archive --instance IRIS --quiet

and datfs-journal.timer, for "systemctl enable --now datfs-journal.timer":

   [Timer]
   OnCalendar=*:0/15
   Persistent=true

   [Install]
   WantedBy=timers.target`

func runJournalArchive(c *cli.Context, p product) error {
	engine, name, err := p.open(c)
	if err != nil {
		return err
	}
	if err := catalog.ValidArchived(name); err != nil {
		return withHint(usageErrorf(c, "%w", err), "--name NAME gives the sets a name of their own")
	}
	source, ok := engine.(dbback.JournalSource)
	if !ok {
		return fmt.Errorf("archive journals of %s: not known how for the engine %s", name, engine.Name())
	}
	return withRepo(catalog.Shared, func(c *cli.Context, repo *catalog.Repository) error {
		return journalArchive(c, repo, source, name)
	})(c)
}

func journalArchive(c *cli.Context, repo *catalog.Repository, source dbback.JournalSource, name string) error {
	progress, stop := startProgress(c, "archive", inBytes)
	report, err := dbback.ArchiveJournals(c.Context, repo, source, dbback.ArchiveOptions{
		Instance: name, Program: "datfs " + version(), Progress: progress,
	})
	stop()
	if err != nil {
		return goOnHint(err)
	}
	for _, text := range report.Warnings {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", printable(text))
	}
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, archiveOutput(name, report))
	} else {
		printArchive(c, name, report)
	}
	if n := len(report.Warnings); n > 0 {
		err = errors.Join(err, warningErrorf("archive journals of %s: done, but with %s: see above", name, count(n, "warning")))
	}
	return err
}

// laterJournals gives a restore the archived journal files of the instance, with
// which it can go on past its set, and the names of those that are missing in the set's
// time line. Those that cannot be read are told of: the restore ends before them.
func laterJournals(c *cli.Context, repo *catalog.Repository, name catalog.SetName, opts *restore.Options) {
	var err error
	if opts.Later, err = dbback.ArchivedJournals(repo, name.Instance); err != nil {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", printable(err.Error()))
	}
	history, _ := dbback.ReadJournalHistory(repo, name.Instance) // its error is the same one
	set, err := repo.OpenSet(name)
	if history == nil || err != nil { // the restore says so itself
		return
	}
	defer func() { _ = set.Close() }()
	opts.Missing = history.Lacks(set.Info())
}

// An archiveResult is the JSON of journal archive.
type archiveResult struct {
	Instance string      `json:"instance"`
	Set      *setSummary `json:"set"`     // nil: nothing was new
	Stored   []string    `json:"stored"`  // names in the set
	Known    int         `json:"known"`   // closed files that were there already
	Current  string      `json:"current"` // the file that the instance writes to
	Unsure   []string    `json:"unsure"`  // of other prefixes, and may still be written to: not copied
	Warnings []string    `json:"warnings"`
}

func archiveOutput(name string, r *dbback.ArchiveReport) archiveResult {
	out := archiveResult{Instance: name, Stored: orEmpty(r.Stored), Known: r.Known, Current: r.Current, Unsure: orEmpty(r.Unsure), Warnings: orEmpty(r.Warnings)}
	if r.Set != nil {
		s := summaryOf(r.Set)
		out.Set = &s
	}
	return out
}

func printArchive(c *cli.Context, name string, r *dbback.ArchiveReport) {
	w, current := c.App.Writer, printable(filepath.Base(r.Current))
	for _, path := range r.Unsure {
		fmt.Fprintf(w, "left out: %s, the newest of another prefix than %s: nothing says that it is closed\n", printable(path), current)
	}
	if r.Set == nil {
		fmt.Fprintf(w, "nothing new: the archive lacks none of %s of %s; %s is still written to\n", count(r.Known, "closed journal file"), name, current)
		return
	}
	files := printable(r.Stored[0])
	if n := len(r.Stored); n > 1 {
		files = fmt.Sprintf("%s, %s to %s", count(n, "journal file"), files, printable(r.Stored[n-1]))
	}
	fmt.Fprintf(w, "stored %s: %s\n", r.Set.SetName(), files)
	t := newPairs(w)
	t.AppendRows(rows(
		pair("  size", size(r.Set.Bytes)),
		pair("  new", size(r.Set.NewBytes)+" in blocks that the repository did not hold"),
		pair("  stored", size(r.Set.StoredBytes)+" on disk for these, compressed"),
		pair("  before", count(r.Known, "file")+" that the archive had already"),
		pair("  not yet", current+", which is still written to"),
	))
	t.Render()
	fmt.Fprintf(w, "next: %s journal list --instance %s\n", datfsCommand(c), shellWord(name))
}
