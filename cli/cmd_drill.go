package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
)

func drillCommand() *cli.Command {
	return &cli.Command{
		Name:      "drill",
		Usage:     "prove that a set can be restored, and mark it as validated",
		ArgsUsage: "SET",
		UsageText: "datfs [--repo DIR] drill SET --instance STAGE [--database NAME...] [--to DIR] [options]",
		Description: `drill restores the databases of a set beside the originals, through an instance
that is up: it copies them to a directory of their own, mounts them there, applies
the incremental and the journals of the set, and checks their integrity. Then it
dismounts and removes them, keeps a report in the set, and marks the set as
validated, with the date: "datfs sets" shows it. The InterSystems manual asks for
this after every backup.

STAGE is best an instance of another machine, or one that nobody minds being busy:
a staging instance. It can be the one that was backed up: what is restored is
mounted in a directory of its own, is in nobody's configuration, and the originals
are not touched. It must be able to reach the directory; --to says where, by default
it is next to the repository. All databases of the set need room there at once.

A clean check proves that the set can be restored, and that the originals were
sound when they were backed up. Damage that is found does not prove that the
originals are damaged; it makes the exit code 1, and shows in "datfs sets" too.

   datfs drill IRIS/latest --instance STAGE
   datfs drill IRIS/latest --instance STAGE --database USER --to /big/drill
   0 5 * * 0  datfs --repo /backup/repo drill IRIS/latest --instance STAGE   (in a crontab)`,
		Flags: append(append([]cli.Flag{
			&cli.StringSliceFlag{Name: "database", Usage: "only the database `NAME`, or its directory"},
			pathFlag("to", "restore below `DIR`; without it in a directory next to the repository"),
			boolFlag("no-journals", "apply no journals"),
			boolFlag("keep", "leave what was restored where it is, mounted"),
		}, irisRestoreConnect()...), append([]cli.Flag{jsonFlag()}, globalFlags(true, true)...)...),
		Action: func(c *cli.Context) error {
			if err := needFlag(c, "instance", "NAME"); err != nil {
				return err
			}
			return withRepo(catalog.Shared, runDrill)(c)
		},
	}
}

func runDrill(c *cli.Context, repo *catalog.Repository) error {
	name, err := resolve(repo, c.Args().First())
	if err != nil {
		return err
	}
	in, err := openIris(c, c.String("instance"))
	if err != nil {
		return err
	}
	to, err := drillDir(c, repo, name)
	if err != nil {
		return err
	}
	again := "" // what is kept is a restore like others
	if !c.Bool("keep") {
		again = restoreIrisAgain(c, "drill", name, restore.Options{})
	}
	s := newScreen(c, "restore", inBytes)
	report, err := restore.Run(c.Context, in, repo, name, restore.RunOptions{
		Options: restore.Options{
			Databases: c.StringSlice("database"), To: to, Drill: !c.Bool("keep"), NoJournals: c.Bool("no-journals"),
		},
		Progress: s.progress,
		Anew:     true,
		Command:  again,
		Confirm: func(p *restore.Plan, _ string) error {
			// One that removes what it restored refuses this by itself.
			if there := p.Existing(); c.Bool("keep") && len(there) > 0 {
				return withHint(&unfitError{fmt.Errorf("drill %s: %s exists: a drill asks nobody, and overwrites nothing", name, there[0])}, "name another directory with --to, or remove it")
			}
			return nil
		},
		Step: func(step, text string) { s.say("%s: %s", step, text); s.show(step == "copy") },
		Log:  func(format string, args ...any) { s.say("note: "+format, args...) },
	})
	s.stop()
	if c.Path("to") == "" && !c.Bool("keep") { // empty, if all went well
		_ = os.Remove(to)
		_ = os.Remove(filepath.Dir(to))
	}
	return endDrill(c, repo, name, report, err)
}

// drillDir returns the directory that a drill restores to: by default next to the
// repository, named like it and the set.
func drillDir(c *cli.Context, repo *catalog.Repository, name catalog.SetName) (string, error) {
	if to := c.Path("to"); to != "" {
		return catalog.AbsPath(to)
	}
	return filepath.Join(repo.Dir()+".drill", name.Instance+"-"+name.Name), nil
}

// endDrill keeps the report in the set, and says how the drill ended.
func endDrill(c *cli.Context, repo *catalog.Repository, name catalog.SetName, report *restore.Report, err error) error {
	if err == nil || provesDamage(report, err) {
		info, ierr := infoOf(repo, name)
		if ierr == nil {
			ierr = keepReport(repo, info, "drill", report, err)
		}
		if err == nil && ierr != nil {
			ierr = withHint(ierr, "the restore and its checks ended well, but the set is not marked as validated: see that the repository can be written to, and run the drill again")
		}
		err = errors.Join(err, ierr)
	}
	if failed, ok := errors.AsType[*restore.StepError](err); ok && failed.Again == "" && !provesDamage(report, err) {
		// It has cleaned up: what was said is nowhere else.
		note, nerr := repo.AddNote(name, "drill", "txt", report.Ended, []byte(report.Transcript))
		if err = errors.Join(err, nerr); nerr == nil {
			fmt.Fprintf(c.App.ErrWriter, "what was said is kept: %s show %s --note %s\n", datfsCommand(c), shellWord(name.String()), note.Name)
		}
	}
	if c.Bool("json") {
		err = errors.Join(err, writeJSON(c.App.Writer, report))
	} else if err == nil {
		printRestoreIris(c.App.Writer, report)
		fmt.Fprintf(c.App.Writer, "%s is validated\n", name)
	}
	if damage, ok := errors.AsType[*restore.DamageError](err); ok {
		return withHint(err, fmt.Sprintf("the set is not to be relied on: take a new backup, and check the integrity of %d of the originals", len(damage.Findings)))
	}
	if err == nil && len(report.Warnings) > 0 {
		err = warningErrorf("drill %s: done with %s", name, count(len(report.Warnings), "warning"))
	}
	return err
}
