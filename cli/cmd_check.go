package cli

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func checkCommand(products []product) *cli.Command {
	cmd := &cli.Command{
		Name:      "check",
		Usage:     "see whether an instance is fit for a backup; changes nothing",
		ArgsUsage: "ENGINE",
		Description: `check looks at a database instance that is in use, and at the repository if one
is given, for whatever would make a backup fail or its restore impossible. It
only reads. Each engine is a kind of instance:

`,
		Flags:  globalFlags(true, false),
		Action: needEngine,
	}
	for _, p := range products {
		cmd.Description += fmt.Sprintf("   %-7s %s\n", p.name, p.title)
		cmd.Subcommands = append(cmd.Subcommands, checkProductCommand(p))
	}
	cmd.Description += fmt.Sprintf("\n   datfs check %s --help", products[0].name)
	return cmd
}

// needEngine runs when no subcommand of check or backup matches.
func needEngine(c *cli.Context) error {
	if c.Args().Present() {
		return unknownCommand(c, c.Command.Subcommands, c.Args().First())
	}
	return usageErrorf(c, "ENGINE is missing")
}

func checkProductCommand(p product) *cli.Command {
	flags := append(p.connect(), nameFlag(), boolFlag("json", "print the findings as a JSON array"),
		&cli.StringFlag{Name: "validate-within", Value: "30", Usage: "warn if no set was validated since `DAYS` ago; 0: never warn"})
	return &cli.Command{
		Name:        p.name,
		Usage:       "see whether " + p.title + " is fit for a backup",
		UsageText:   p.checkText,
		Description: p.checkHelp,
		Flags:       append(flags, globalFlags(true, false)...),
		Action:      func(c *cli.Context) error { return runCheck(c, p) },
	}
}

func runCheck(c *cli.Context, p product) error {
	days, err := strconv.Atoi(c.String("validate-within"))
	if err != nil || days < 0 || days > maxDays {
		return usageErrorf(c, "--validate-within: %s is not a number of days from 0 to %d", printable(c.String("validate-within")), maxDays)
	}
	engine, name, err := p.open(c)
	if err != nil {
		return err
	}
	survey, err := engine.Preflight(c.Context)
	if err != nil {
		return fmt.Errorf("check %s: %w", name, err)
	}
	findings := survey.Findings
	if dir := c.Path("repo"); dir != "" {
		findings = append(findings, checkRepository(dir, name, survey.Databases, days)...)
	}
	if c.Bool("json") {
		if err := writeJSON(c.App.Writer, orEmpty(findings)); err != nil {
			return err
		}
	} else {
		printFindings(c.App.Writer, findings, catalog.LevelOK, catalog.LevelWarn, catalog.LevelFail)
		if c.Path("repo") == "" {
			fmt.Fprintf(c.App.ErrWriter, "no repository was looked at; --repo DIR names one\n")
		}
	}
	return checkVerdict(name, findings)
}

// checkVerdict makes an exit code of findings.
func checkVerdict(name string, findings []catalog.Finding) error {
	bad, odd := countLevel(findings, catalog.LevelFail), countLevel(findings, catalog.LevelWarn)
	switch {
	case bad > 0:
		err := &unfitError{fmt.Errorf("check %s: a backup would fail: %s", name, count(bad, "FAIL finding"))}
		return withHint(err, "set right what the FAIL lines name and check again")
	case odd > 0:
		return warningErrorf("check %s: a backup would succeed, but with %s", name, count(odd, "WARN finding"))
	}
	return nil
}
