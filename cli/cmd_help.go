package cli

import (
	"slices"

	"github.com/urfave/cli/v2"
)

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:        "help",
		Usage:       "explain a command",
		ArgsUsage:   "[COMMAND...]",
		Description: "help explains a command, as COMMAND --help does.\n\n   datfs help restore\n   datfs help backup files",
		Flags:       globalFlags(false, false),
		Action:      runHelp,
	}
}

func runHelp(c *cli.Context) error {
	commands, words := c.App.Commands, c.Args().Slice()
	for _, word := range words {
		cmd := findCommand(commands, word)
		if cmd == nil {
			return unknownCommand(c, commands, word)
		}
		commands = cmd.Subcommands
	}
	// The library fills in what its help shows of a command only on the way to
	// running it, so we let it run.
	app := newApp()
	app.Writer, app.ErrWriter = c.App.Writer, c.App.ErrWriter
	return app.RunContext(c.Context, slices.Concat([]string{"datfs"}, words, []string{"--help"}))
}
