package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
)

// repoEnv names the environment variable that stands for --repo.
const repoEnv = "DATFS_REPO"

// memoryLimit makes the collector work harder before the heap gets there. The
// promise is 256 MiB resident for any size of input; the rest is for stacks, the
// mapped catalog and the collector's own lag.
const memoryLimit = 192 << 20

// Main runs the command line args, whose first is the program's name, and
// returns the exit code. It is the whole program but for os.Exit, so that tests
// can call it.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// The first signal asks for an orderly end. After it the default action is
	// back, so that a second one ends the process at once. That is safe: a
	// repository survives being killed at any moment.
	context.AfterFunc(ctx, stop)

	app := newApp()
	app.Reader, app.Writer, app.ErrWriter = stdin, stdout, stderr
	return runApp(ctx, app, args)
}

// runApp runs the command line and says how it ended.
func runApp(ctx context.Context, app *cli.App, args []string) int {
	err := app.RunContext(ctx, arrange(app, args))
	if err != nil {
		printError(app.ErrWriter, err)
	}
	return exitCode(err)
}

func newApp() *cli.App {
	app := &cli.App{
		Name:        "datfs",
		HelpName:    "datfs",
		Usage:       "keep backups of database files, every block once, and mount them",
		UsageText:   "datfs [--repo DIR] COMMAND [options] [arguments]",
		Version:     versionText(),
		Description: walkThrough,
		Flags:       append(globalFlags(true, true), cli.HelpFlag), // with a help command of its own the application gets none
		Commands: []*cli.Command{
			initCommand(), checkCommand(products()), backupCommand(products()), journalCommand(), setsCommand(), showCommand(),
			mountCommand(), unmountCommand(), restoreCommand(), runbookCommand(), drillCommand(), statsCommand(), verifyCommand(), rebuildCommand(),
			practiceCommand(), completionCommand(), helpCommand(),
		},
		Action:                    noCommand,
		HideHelpCommand:           true, // we have our own
		CustomAppHelpTemplate:     cli.AppHelpTemplate + exitHelp(),
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true, // a comma in a pattern or path is a comma
		OnUsageError:              onUsageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // or the library would call os.Exit itself
	}
	for _, cmd := range app.Commands {
		prepare(cmd)
	}
	return app
}

const walkThrough = `datfs init /backup/repo                             create a repository
export DATFS_REPO=/backup/repo                      instead of --repo each time
datfs check iris --instance IRIS                    is the instance fit for a backup?
datfs backup iris --instance IRIS                   back it up while it is in use
datfs backup files --name PROD /data/user/IRIS.DAT  or store a file that is at rest
datfs sets                                          see what is stored
datfs mount --background /mnt/b                     look into it, rsync from it
datfs restore IRIS/latest --to /restore             or copy it out`

// prepare tells a command and those below it what they do not inherit.
func prepare(cmd *cli.Command) {
	cmd.HideHelpCommand = true
	cmd.OnUsageError = onUsageError
	if len(cmd.Subcommands) == 0 {
		cmd.Before = checkArgs
	}
	for _, sub := range cmd.Subcommands {
		prepare(sub)
	}
}

// globalFlags are defined on the application and on every command, so that they
// may stand before and after it; arrange moves them to the command. They are
// hidden where they have no effect.
func globalFlags(usesRepo, usesProgress bool) []cli.Flag {
	return []cli.Flag{
		&cli.PathFlag{Name: "repo", Aliases: []string{"r"}, EnvVars: []string{repoEnv}, Usage: "the repository's `DIR`", TakesFile: true, Hidden: !usesRepo},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "show no progress", DisableDefaultText: true, Hidden: !usesProgress},
	}
}

// jsonFlag is the flag of every command that lists something.
func jsonFlag() cli.Flag {
	return boolFlag("json", "print JSON: sizes in bytes, times in RFC 3339")
}

func boolFlag(name, usage string, aliases ...string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: aliases, Usage: usage, DisableDefaultText: true}
}

func pathFlag(name, usage string) cli.Flag {
	return &cli.PathFlag{Name: name, Usage: usage, TakesFile: true}
}

// onUsageError turns the library's complaint about a flag into an error of ours.
func onUsageError(c *cli.Context, err error, _ bool) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return usageErrorf(c, "%s needs a value", dashed(name))
	}
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return usageErrorf(c, "%w", err)
	}
	if name == "password" {
		return withHint(usageErrorf(c, "unknown flag --password"), noPasswordFlag)
	}
	suggestion := cli.SuggestFlag(c.Command.Flags, name, false)
	if suggestion == "" {
		return usageErrorf(c, "unknown flag %s", dashed(name))
	}
	return usageErrorf(c, "unknown flag %s; did you mean %s?", dashed(name), suggestion)
}

// dashed writes a flag's name as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// noCommand runs when no command matches.
func noCommand(c *cli.Context) error {
	if c.Args().Present() {
		return unknownCommand(c, c.App.Commands, c.Args().First())
	}
	c.App.Writer = c.App.ErrWriter // help that nobody asked for is no result
	if err := cli.ShowAppHelp(c); err != nil {
		return err
	}
	return usageErrorf(c, "COMMAND is missing")
}

func unknownCommand(c *cli.Context, among []*cli.Command, name string) error {
	err := fmt.Errorf("unknown command %q", name)
	// The library always has a suggestion, the empty one when nothing is alike.
	if s := cli.SuggestCommand(among, name); !strings.Contains(s, `""`) {
		err = fmt.Errorf("%w; %s", err, strings.Replace(s, "Did", "did", 1))
	}
	return usageErrorf(c, "%w", err)
}

// printError says what went wrong and what to do about it.
func printError(w io.Writer, err error) {
	// People interrupt programs; only programs cancel contexts.
	text := strings.ReplaceAll(err.Error(), context.Canceled.Error(), "interrupted")
	if text == "" {
		return // all was said already
	}
	for line := range strings.Lines(text + "\n") {
		if !strings.HasPrefix(line, " ") { // errors that were joined have a line each
			line = "datfs: " + line
		}
		_, _ = io.WriteString(w, line)
	}
	for _, hint := range hintsFor(err) {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
}
