package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
)

func restoreIrisCommand() *cli.Command {
	return &cli.Command{
		Name:      "iris",
		Usage:     "bring databases of InterSystems IRIS or Caché back, ready for use",
		ArgsUsage: "SET",
		UsageText: `datfs [--repo DIR] restore iris SET --database NAME... --instance IRIS [options]
datfs [--repo DIR] restore iris SET --all --instance IRIS --second-instance OTHER [options]
datfs [--repo DIR] restore iris SET [--database NAME...] --to DIR --instance IRIS [options]
datfs [--repo DIR] restore iris SET ... --give-up`,
		Description: restoreIrisHelp,
		Flags: append(append(restoreIrisWhat(), irisRestoreConnect()...),
			append([]cli.Flag{
				boolFlag("dry-run", "change nothing: look, and print the steps"),
				boolFlag("yes", "do not ask before anything is changed", "y"),
				boolFlag("anew", "begin again, do not go on with a restore that failed"),
				boolFlag("give-up", "end a restore that failed: remove what it keeps"),
				boolFlag("damaged", "restore a set that is known to be damaged"),
				boolFlag("other-host", "this machine replaces the one of the set"),
				jsonFlag(),
			}, globalFlags(true, true)...)...),
		Action: func(c *cli.Context) error {
			if err := needFlag(c, "instance", "NAME"); err != nil {
				return err
			}
			if _, err := restoreIrisOptions(c); err != nil {
				return err
			}
			if c.Bool("give-up") && c.Bool("dry-run") {
				return usageErrorf(c, "--dry-run does not go with --give-up, which says what it is going to do, and asks")
			}
			return withRepo(catalog.Shared, runRestoreIris)(c)
		},
	}
}

const restoreIrisHelp = `restore iris brings databases of a set of "datfs backup iris" back through the
instance's own utilities, in one of three ways:

   --database NAME    these databases, to where they were, into the running
                      instance: dismount, copy (only blocks that differ), mount,
                      incremental, journals, integrity check
   --all              everything, with the instance down: a second instance of the
                      machine (--second-instance) applies incremental and journals,
                      then the instance is started without its old WIJ
   --to DIR           below another directory, or with --redirect NAME=DIR to any
                      other one: of this instance, or of another one

It looks first, says what it is going to overwrite, and asks (or --yes). It stops at
the first step that does not end as it must, and says in which state the databases
are; it prints the command that goes on from there. The same with --give-up ends it:
it says what it is going to do, and asks; it removes what the restore keeps, and
leaves the databases as they are. Until one of these is done, no other restore of
the same databases begins (but with --anew), and "backup iris" does not back them
up. A database that is not mounted for writing at
the end, or that the integrity check finds damaged, is a failure. A set of which
that is known (see "datfs sets") is only restored with --damaged.

The journals are applied from the oldest file that the set requires: into the
running instance up to its current one, otherwise as far as the set and the journal
archive go. --until stops earlier, at the last file that was not written to after
that time: the engine applies whole files only. The time is a local one, or has a
zone: 2026-11-22T10:00:00+09:00.

On a machine that has taken the place of the set's, say --other-host. Its own
journals do not belong to the set, and are not applied: only those of the set, and
those that "datfs journal archive" copied of the machine before. Into a running
instance that needs --until, or --no-journals.

Nobody may use the databases until it is done. "datfs runbook SET" prints the same
steps for doing them by hand.

   datfs restore iris IRIS/latest --database USER --instance IRIS --dry-run
   datfs restore iris IRIS/latest --database USER --instance IRIS
   datfs restore iris IRIS/latest --all --instance IRIS --second-instance IRISREST
   datfs restore iris IRIS/latest --database USER --redirect USER=/iris/mgr/user2 --instance IRIS
   datfs restore iris IRIS/latest --database USER --instance IRIS --until '2026-11-22 10:00'`

// restoreIrisWhat are the flags that say what is restored, and to where: those of
// the run-book too.
func restoreIrisWhat() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "database", Usage: "the database `NAME`, or its directory"},
		boolFlag("all", "all databases of the set"),
		&cli.StringFlag{Name: "second-instance", Usage: "with --all: `NAME` of the instance that helps"},
		pathFlag("to", "restore below `DIR`, each database at its original path"),
		&cli.StringSliceFlag{Name: "redirect", Usage: "restore the database NAME (or directory) to DIR: `NAME=DIR`"},
		&cli.StringFlag{Name: "until", Usage: "apply the journal files that end before `TIME`"},
		boolFlag("no-journals", "apply none: open transactions stay half done"),
		boolFlag("define", "add it to the configuration, with --to, --redirect"),
	}
}

func irisRestoreConnect() []cli.Flag {
	return append(irisConnectFlags(), timeFlag("backup-timeout", "for long steps", 12*time.Hour),
		timeFlag("step-timeout", "for other statements", 2*time.Minute))
}

// restoreIrisOptions reads the flags of restoreIrisWhat.
func restoreIrisOptions(c *cli.Context) (restore.Options, error) {
	opts := restore.Options{
		Databases: c.StringSlice("database"), Redirect: make(map[string]string),
		NoJournals: c.Bool("no-journals"), Define: c.Bool("define"),
	}
	var err error
	if opts.Until, err = parseTime(c.String("until")); err != nil {
		return opts, usageErrorf(c, "--until: %w", err)
	}
	if to := c.Path("to"); to != "" {
		if opts.To, err = catalog.AbsPath(to); err != nil {
			return opts, err
		}
	}
	for _, r := range c.StringSlice("redirect") {
		name, dir, ok := strings.Cut(r, "=")
		if !ok || name == "" || dir == "" {
			return opts, usageErrorf(c, "--redirect %q is not of the form NAME=DIR", r)
		}
		if opts.Redirect[name], err = catalog.AbsPath(dir); err != nil {
			return opts, err
		}
	}
	elsewhere := opts.To != "" || len(opts.Redirect) > 0
	switch {
	case c.Bool("all") && len(opts.Databases) > 0:
		return opts, usageErrorf(c, "--all does not go with --database")
	case c.Bool("all") && !elsewhere:
		opts.Everything, opts.Target = true, c.String("instance")
	case c.IsSet("second-instance"):
		return opts, usageErrorf(c, "--second-instance goes with --all, which restores everything to where it was")
	case c.Bool("define") && !elsewhere:
		return opts, usageErrorf(c, "--define is for databases that are restored elsewhere, with --to or --redirect")
	case !opts.Until.IsZero() && opts.NoJournals:
		return opts, usageErrorf(c, "--no-journals does not go with --until")
	}
	return opts, nil
}

func runRestoreIris(c *cli.Context, repo *catalog.Repository) error {
	name, err := resolve(repo, c.Args().First())
	if err != nil {
		return err
	}
	what, err := restoreIrisOptions(c)
	if err != nil {
		return err
	}
	what.Book, what.OtherHost = irisPlace(repo, name), c.Bool("other-host")
	laterJournals(c, repo, name, &what)
	with := c.String("instance")
	switch {
	case what.Everything && c.String("second-instance") == "":
		return withHint(usageErrorf(c, "--second-instance NAME is missing: an instance cannot restore itself as a whole"),
			"for some databases of a running instance give --database NAME; for other directories --to DIR")
	case what.Everything:
		with = c.String("second-instance")
	case len(what.Databases) == 0 && what.To == "" && len(what.Redirect) == 0:
		return usageErrorf(c, "say what to restore: --database NAME, --all, or --to DIR")
	}
	in, err := openIris(c, with)
	if err != nil {
		return err
	}
	s := newScreen(c, "restore", inBytes)
	opts := restore.RunOptions{
		Options: what, Progress: s.progress, Anew: c.Bool("anew"), LookOnly: c.Bool("dry-run"),
		Damaged: c.Bool("damaged"), Command: restoreIrisAgain(c, "restore iris", name, what),
		Step: func(step, text string) { s.say("%s: %s", step, text); s.show(step == "copy") },
		Log:  func(format string, args ...any) { s.say("note: "+format, args...) },
	}
	if c.Bool("give-up") {
		s.stop()
		return giveUpIris(c, repo, in, name, opts)
	}
	var plan *restore.Plan
	opts.Planned = func(p *restore.Plan) { plan = p }
	opts.Confirm = func(p *restore.Plan, next string) error {
		s.stop()
		return confirmRestore(c, p, next)
	}
	report, err := restore.Run(c.Context, in, repo, name, opts)
	s.stop()
	if err == nil && c.Bool("dry-run") {
		return printRestorePlan(c, plan)
	}
	if damage, ok := errors.AsType[*restore.DamageError](err); ok {
		damage.Instead = olderSet(repo, name, opts.Command)
	}
	if err == nil || provesDamage(report, err) && !c.Bool("dry-run") {
		// The databases are restored all the same, from a repository too that cannot
		// be written to.
		if kept := keepReport(repo, plan.Set, "restore", report, err); kept != nil && err == nil {
			report.Warnings = append(report.Warnings, kept.Error())
		} else {
			err = errors.Join(err, kept)
		}
	}
	return endRestoreIris(c, name, report, err)
}

// endRestoreIris says how a restore ended.
func endRestoreIris(c *cli.Context, name catalog.SetName, report *restore.Report, err error) error {
	if c.Bool("json") && len(report.Steps) > 0 { // also of one that failed: how far it came
		err = errors.Join(err, writeJSON(c.App.Writer, report))
	}
	if err != nil {
		return err
	}
	if !c.Bool("json") {
		printRestoreIris(c.App.Writer, report)
		if report.Way != restore.WayElsewhere {
			fmt.Fprintln(c.App.Writer, "next: take a backup soon; incremental backups by other means build on databases that are no more")
		}
	}
	if len(report.Warnings) > 0 {
		return warningErrorf("restore %s: done with %s", name, count(len(report.Warnings), "warning"))
	}
	return nil
}

// errNotConfirmed means that a person did not say yes.
var errNotConfirmed = errors.New("not confirmed: nothing was changed")

// confirmRestore says what is going to be overwritten, and asks.
func confirmRestore(c *cli.Context, p *restore.Plan, next string) error {
	w := c.App.ErrWriter
	fmt.Fprintf(w, "%s is going to be restored:\n", p.Set.SetName())
	for _, db := range p.Databases {
		fmt.Fprintf(w, "  %s  %s\n", printable(db.Name), printable(db.To))
	}
	for _, line := range p.Overwrites(next) {
		fmt.Fprintf(w, "%s\n", printable(line))
	}
	if text := p.UntilText(restore.English); text != "" {
		fmt.Fprintln(w, text)
	}
	fmt.Fprintln(w, printable(p.ValidatedText(restore.English)))
	return agree(c, "Nobody may use these databases until it is done. Go on?")
}

// agree asks a person, unless --yes has said it.
func agree(c *cli.Context, question string) error {
	w := c.App.ErrWriter
	if c.Bool("yes") {
		return nil
	}
	fmt.Fprint(w, question+" Type yes: ")
	answer, err := bufio.NewReader(c.App.Reader).ReadString('\n')
	if strings.TrimSpace(answer) == "yes" {
		return nil
	}
	if err != nil {
		fmt.Fprintln(w)
		return withHint(errNotConfirmed, "--yes goes on without asking")
	}
	return errNotConfirmed
}

// printRestorePlan prints what a restore would do.
func printRestorePlan(c *cli.Context, p *restore.Plan) error {
	if c.Bool("json") {
		return writeJSON(c.App.Writer, p.Summary())
	}
	fmt.Fprintln(c.App.ErrWriter, printable(p.ValidatedText(restore.English)))
	for _, line := range p.Overwrites("") {
		fmt.Fprintf(c.App.ErrWriter, "%s\n", printable(line))
	}
	_, err := io.WriteString(c.App.Writer, p.RunBook(restore.English))
	return err
}

func printRestoreIris(w io.Writer, r *restore.Report) {
	t := newTable(w, column{title: "STEP"}, column{title: "BEGAN"}, column{"TOOK", true})
	for _, s := range r.Steps {
		t.AppendRow(row(s.Step, localTime(s.Began), took(s.Ended.Sub(s.Began).Round(time.Millisecond)).String()))
	}
	t.Render()
	for _, text := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", printable(text))
	}
	for _, text := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(text))
	}
	to := "without journals"
	if !r.Reached.IsZero() {
		to = "up to " + localTime(r.Reached) + ", the end of the journal file " + r.LastJournal
	}
	wrote := ""
	if r.Bytes > 0 {
		wrote = fmt.Sprintf("%s of %s written, ", size(r.WrittenBytes), size(r.Bytes))
	}
	fmt.Fprintf(w, "restored %s of %s, %s; the integrity check found nothing; %s%s in all\n",
		count(len(r.Databases), "database"), r.Set, to, wrote, took(r.Ended.Sub(r.Began).Round(time.Second)))
}
