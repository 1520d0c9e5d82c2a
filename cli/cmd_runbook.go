package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
)

func runbookCommand() *cli.Command {
	return &cli.Command{
		Name:      "runbook",
		Usage:     "print how a set is restored, step by step",
		ArgsUsage: "SET",
		Description: `runbook prints the run-book of a set that was taken in use, in Markdown: every step
of its restore, with the paths, names and statements of this very set, by datfs and
by hand. A mount has it as RESTORE.md in the set's directory. It changes nothing.

Of a set of InterSystems databases it prints all three ways back, or the one that
the flags of "datfs restore iris" choose; with the same flags it has the very
statements that the command sends. No instance is needed, or asked. If the repository
is mounted it names that mount.

Sets of "backup files" have none: "datfs restore SET --to DIR" is all there is to
do.

   datfs runbook mumps/latest
   datfs runbook IRIS/latest --lang ja > restore.md
   datfs runbook IRIS/latest --database USER --instance IRIS
   datfs runbook IRIS/latest --all --instance IRIS --second-instance IRISREST`,
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "lang", Value: "en", Usage: "`LANGUAGE`: en or ja"},
			&cli.StringFlag{Name: "instance", Usage: "the instance's `NAME`; without it the set's"},
			pathFlag("work-dir", "`DIR` for what the instance reads"),
		}, restoreIrisWhat()...), globalFlags(true, false)...),
		Action: func(c *cli.Context) error {
			if lang := c.String("lang"); !slices.Contains([]string{"en", "ja"}, lang) {
				return usageErrorf(c, "--lang: unknown language %q: en or ja", lang)
			}
			if _, err := restoreIrisOptions(c); err != nil {
				return err
			}
			return withRepo(catalog.Shared, runRunbook)(c)
		},
	}
}

func runRunbook(c *cli.Context, repo *catalog.Repository) (err error) {
	name, err := resolve(repo, c.Args().First())
	if err != nil {
		return err
	}
	set, err := repo.OpenSet(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	info := set.Info()
	if chosen(c) {
		return planBook(c, repo, info)
	}
	books := runbooksOf(info, placeOf(repo, name))
	if len(books) == 0 {
		return noRunbook(c, info)
	}
	i := slices.IndexFunc(books, func(b runbook) bool { return b.lang == c.String("lang") })
	if i < 0 {
		err := fmt.Errorf("runbook of set %v: there is none in the language %q", name, c.String("lang"))
		return withHint(err, "--lang "+books[0].lang+" prints the one that there is")
	}
	_, err = io.WriteString(c.App.Writer, books[i].text)
	return err
}

// chosen returns whether the flags choose one way back.
func chosen(c *cli.Context) bool {
	names := []string{"database", "all", "to", "redirect", "until", "no-journals", "define", "instance", "second-instance", "work-dir"}
	return slices.ContainsFunc(names, c.IsSet)
}

// planBook prints the run-book of the way that the flags choose.
func planBook(c *cli.Context, repo *catalog.Repository, info *catalog.SetInfo) error {
	if info.Engine != "iris" {
		return usageErrorf(c, "the set %s is of the engine %q: only --lang goes with it", info.SetName(), info.Engine)
	}
	opts, err := restoreIrisOptions(c)
	if err != nil {
		return err
	}
	opts.Instance, opts.WorkDir = c.String("instance"), c.Path("work-dir")
	if opts.Everything {
		opts.Instance = c.String("second-instance")
	}
	opts.Book = irisPlace(repo, info.SetName())
	laterJournals(c, repo, info.SetName(), &opts)
	plan, err := restore.NewPlan(info, opts)
	if err != nil {
		return fmt.Errorf("runbook of set %v: %w", info.SetName(), err)
	}
	_, err = io.WriteString(c.App.Writer, plan.RunBook(c.String("lang")))
	return err
}

// irisPlace is placeOf for a plan of a restore.
func irisPlace(repo *catalog.Repository, set catalog.SetName) restore.BookPlace {
	at := placeOf(repo, set)
	return restore.BookPlace{SetDir: at.dir, Datfs: at.datfs}
}

// noRunbook says why a set has no run-book, and how it is restored all the same.
func noRunbook(c *cli.Context, info *catalog.SetInfo) error {
	name, datfs := info.SetName(), datfsCommand(c)
	switch {
	case info.State == catalog.StateInterrupted || info.State == catalog.StateRunning:
		err := fmt.Errorf("runbook of set %v: it is %s: it cannot be restored", name, info.State)
		return withHint(err, datfs+" sets lists the sets; a complete one can be restored")
	case info.Engine == "files":
		err := fmt.Errorf("runbook of set %v: a set of files needs none: they were at rest, and are ready for use when they are copied back", name)
		return withHint(err, fmt.Sprintf("%s restore %v --to DIR brings them back; / for DIR puts them where they came from", datfs, name))
	}
	if p := productOf(info.Engine); p.noRunbook != nil {
		if reason := p.noRunbook(info); reason != nil {
			return withHint(fmt.Errorf("runbook of set %v: %w", name, reason), fmt.Sprintf("%s show %v says what the set has, and what it lacks", datfs, name))
		}
	}
	err := fmt.Errorf("runbook of set %v: this datfs has none for sets of the engine %q", name, info.Engine)
	return withHint(err, fmt.Sprintf("%s show %v says what a restore needs, and in which order", datfs, name))
}
