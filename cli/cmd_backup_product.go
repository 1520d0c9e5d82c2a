package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
)

func backupProductCommand(p product) *cli.Command {
	flags := append(p.connect(), nameFlag())
	flags = append(flags, p.tune()...)
	flags = append(flags,
		&cli.StringFlag{Name: "io-limit", Usage: "read the databases at no more than `RATE`, such as 200MB/s"},
		boolFlag("normal-io-priority", "read the databases with the I/O priority of any program, not with a low one"),
		boolFlag("keep-incremental", "leave the incremental and its log where the instance wrote them, too"),
		boolFlag("ignore-space", "go on where the space seems too small"),
		boolFlag("dry-run", "do nothing; print what would be said to the instance, and the files"),
		boolFlag("json", "print JSON: the set as \"sets --json\" does; of a dry run an object"),
	)
	return &cli.Command{
		Name:        p.name,
		Usage:       "store " + p.title + " while in use",
		UsageText:   p.backupText,
		Description: p.backupHelp,
		Flags:       append(flags, globalFlags(true, true)...),
		Action:      func(c *cli.Context) error { return runBackupProduct(c, p) },
	}
}

func runBackupProduct(c *cli.Context, p product) error {
	limit, err := parseRate(c.String("io-limit"))
	if err != nil {
		return usageErrorf(c, "--io-limit: %w", err)
	}
	engine, name, err := p.open(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return dryRun(c, engine, name)
	}
	return withRepo(catalog.Shared, func(c *cli.Context, repo *catalog.Repository) error {
		return backupProduct(c, repo, engine, dbback.BackupOptions{
			Instance:    name,
			Program:     "datfs " + version(),
			IOLimit:     limit,
			NormalIO:    c.Bool("normal-io-priority"),
			Keep:        c.Bool("keep-incremental"),
			IgnoreSpace: c.Bool("ignore-space"),
		})
	})(c)
}

func backupProduct(c *cli.Context, repo *catalog.Repository, engine dbback.Engine, opts dbback.BackupOptions) error {
	start := time.Now()
	s := newScreen(c, "copy", inBytes)
	opts.Progress = s.progress
	opts.Step = func(step, what string) {
		s.say("%s: %s", step, what)
		s.show(step == dbback.StepCopy) // nothing else is counted
	}
	opts.Log = func(format string, args ...any) { s.say("note: "+format, args...) }
	set, err := dbback.Backup(c.Context, repo, engine, opts)
	s.stop()
	if e, ok := errors.AsType[*dbback.PreflightError](err); ok {
		printFindings(c.App.ErrWriter, e.Survey.Findings, catalog.LevelWarn, catalog.LevelFail)
		return withHint(err, fmt.Sprintf("set right what the FAIL lines name; datfs check %s with the same flags looks again", engine.Name()))
	}
	if err != nil {
		return err
	}
	return reportBackup(c, set, time.Since(start))
}

// stepHints says what a step's failure means and what to do.
func stepHints(e *dbback.StepError) (hints []string) {
	for _, s := range []string{e.Means, e.Next} {
		if s != "" {
			hints = append(hints, noPeriod(s))
		}
	}
	if e.Means == "" {
		return hints
	}
	kept := "what was stored is kept, but not what the instance answered"
	if e.Kept {
		kept = "what was stored and what the instance answered is kept"
	}
	return append(hints, fmt.Sprintf("%s: datfs show %s; the next backup of %s stores none of it twice and removes what this one left",
		kept, shellWord(e.Set.String()), e.Set.Instance))
}

// A dryPlan is what a backup would do. It is the JSON of --dry-run.
type dryPlan struct {
	Instance  string               `json:"instance"`
	Version   string               `json:"product_version"`
	Databases []catalog.Database   `json:"databases"`
	Findings  []catalog.Finding    `json:"findings"`
	Steps     []dbback.PlannedStep `json:"steps"`
}

// dryRun looks at the instance, as a backup does first, and prints what the rest
// of it would be. It needs no repository, and looks at the one that is given.
func dryRun(c *cli.Context, engine dbback.Engine, name string) error {
	survey, err := engine.Preflight(c.Context)
	if err != nil {
		return fmt.Errorf("back up %s: preflight: %w", name, err)
	}
	plan := dryPlan{
		Instance: name, Version: survey.Version, Databases: orEmpty(survey.Databases), Findings: orEmpty(survey.Findings),
	}
	if dir := c.Path("repo"); dir != "" {
		plan.Findings = append(plan.Findings, checkRepository(dir, name, survey.Databases, 0)...)
	}
	run := &dbback.Run{
		Set:        catalog.SetName{Instance: name, Name: time.Now().UTC().Format("2006-01-02T15-04-05Z")},
		Transcript: func(string, string) {},
		Log:        func(string, ...any) {},
	}
	plan.Steps = orEmpty(engine.Plan(run, survey))
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, plan)
	} else {
		printFindings(c.App.ErrWriter, plan.Findings, catalog.LevelWarn, catalog.LevelFail)
		printPlan(c.App.Writer, &plan)
	}
	if n := countLevel(plan.Findings, catalog.LevelFail); err == nil && n > 0 {
		err = &unfitError{fmt.Errorf("back up %s: this would end at once, with nothing done: %s", name, count(n, "FAIL finding"))}
	}
	return err
}

func printPlan(w io.Writer, plan *dryPlan) {
	var bytes int64
	for _, db := range plan.Databases {
		bytes += db.Bytes
	}
	fmt.Fprintf(w, "dry run: nothing is done. A backup of %s would copy %s, %s:\n",
		plan.Instance, count(len(plan.Databases), "database"), size(bytes))
	for _, step := range plan.Steps {
		fmt.Fprintf(w, "\n%s: %s\n", step.Step, printable(step.What))
		for _, s := range step.Statements {
			fmt.Fprintf(w, "    > %s\n", printable(s))
		}
		for _, f := range step.Files {
			fmt.Fprintf(w, "    %s\n", printable(f))
		}
	}
}

// noPeriod ends a sentence without its period, for where another mark follows.
func noPeriod(s string) string { return strings.TrimSuffix(s, ".") }
