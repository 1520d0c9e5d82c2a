package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/practice"
)

func practiceCommand() *cli.Command {
	return &cli.Command{
		Name:      "practice",
		Usage:     "an InterSystems instance to practise with",
		ArgsUsage: "COMMAND",
		Description: `practice makes and runs a practice instance: one process that behaves as an
InterSystems IRIS instance as far as backup and restore see it, with databases
that are written to all the time, journals, ^DBACK, ^DBREST, and every failure on
demand. It needs no licence and no installation, and is no product of
InterSystems: what their manuals say is what it does; what they leave open is a
guess, and its texts say so.

   datfs practice create /tmp/p                  make it
   datfs practice start /tmp/p                   start it, under load
   PATH=/tmp/p/bin:$PATH                         the iris command
   iris session PRACTICE -U %SYS                 a terminal; halt ends it
   datfs practice fail /tmp/p --list             what can go wrong
   datfs practice stop /tmp/p`,
		Flags: globalFlags(false, false),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c, c.Command.Subcommands, c.Args().First())
			}
			return usageErrorf(c, "COMMAND is missing")
		},
		Subcommands: []*cli.Command{
			practiceCreateCommand(), practiceStartCommand(), practiceStopCommand(), practiceCrashCommand(),
			practiceStatusCommand(), practiceLoadCommand(), practiceFailCommand(), practiceToolCommand(),
		},
	}
}

func practiceCreateCommand() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "make a practice instance",
		ArgsUsage: "DIR",
		UsageText: "datfs practice create [options] DIR",
		Description: `create makes a practice instance in DIR, which must be empty or not exist yet. It
is laid out as a real one: iris.cpf, mgr/ with IRIS.DAT of the system database,
mgr/user/IRIS.DAT and so on, mgr/journal/, mgr/journal.log. It is not started.

With --password, sessions ask for a user and a password, as a real instance
without operating-system authentication does. They guard nothing: they are for
trying out how a backup signs on.

A whole instance is restored by way of a second one, with another name and other
directories, that needs no databases of its own. The iris command of either knows
both when both are on the PATH:

   datfs practice create /tmp/p
   datfs practice create --databases USER,APP,HISTORY --size 64MiB /tmp/p
   datfs practice create --name IRISREST --databases '' /tmp/second
   PATH=/tmp/p/bin:/tmp/second/bin:$PATH`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "name", Value: practice.DefaultName, Usage: "the instance's `NAME`"},
			&cli.StringFlag{Name: noDatabasesFlag, Value: strings.Join(practice.DefaultDatabases(), ","), Usage: "`NAMES` of the user's databases, with commas between; '' for none"},
			&cli.StringFlag{Name: "size", Value: "32MiB", Usage: "`SIZE` of each of these at the start; they grow"},
			&cli.StringFlag{Name: "user", Usage: "the `USER` that may sign on, with --password"},
			&cli.StringFlag{Name: "password", Usage: "make sessions ask for a user and this `PASSWORD`; it protects nothing"},
		}, globalFlags(false, false)...),
		Action: runPracticeCreate,
	}
}

func runPracticeCreate(c *cli.Context) error {
	bytes, err := humanize.ParseBytes(c.String("size"))
	if err != nil {
		return usageErrorf(c, "--size: %w", err)
	}
	if c.String("password") == "" && c.String("user") != "" {
		return usageErrorf(c, "--user needs --password")
	}
	dir, err := catalog.AbsPath(c.Args().First())
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	err = practice.Create(c.Context, practice.CreateOptions{
		Dir: dir, Name: c.String("name"), Databases: splitNames(c.String("databases")), Size: int64(min(bytes, 1<<50)),
		User: c.String("user"), Password: c.String("password"), Executable: self,
	})
	switch {
	case errors.Is(err, practice.ErrNotEmpty):
		return withHint(err, "name a directory that is empty or does not exist yet")
	case err != nil:
		return practiceUsage(c, err)
	}
	name := c.String("name")
	_, err = fmt.Fprintf(c.App.Writer, `created the practice instance %s in %s
next: datfs practice start %s
      PATH=%s:$PATH
      iris session %s -U %%SYS
`, name, printable(dir), shellWord(dir), shellWord(dir+"/bin"), name)
	return err
}

// splitNames reads NAME,NAME.
func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// practiceUsage makes a usage error of a mistake that the practice instance
// found, and gives other errors their hints.
func practiceUsage(c *cli.Context, err error) error {
	if u, ok := errors.AsType[*practice.UsageError](err); ok {
		return usageErrorf(c, "%w", u)
	}
	switch {
	case errors.Is(err, practice.ErrNotInstance):
		return withHint(err, "datfs practice create DIR makes one")
	case errors.Is(err, practice.ErrDown):
		return withHint(err, "datfs practice start DIR starts it")
	}
	return err
}

// withPractice makes an action of fn that works on the instance in DIR.
func withPractice(fn func(*cli.Context, *practice.Remote) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		dir, err := catalog.AbsPath(c.Args().First())
		if err != nil {
			return err
		}
		r, err := practice.At(dir)
		if err == nil {
			err = fn(c, r)
		}
		return practiceUsage(c, err)
	}
}

func practiceStopCommand() *cli.Command {
	return &cli.Command{
		Name: "stop", Usage: "stop it in an orderly way", ArgsUsage: "DIR",
		Description: `stop flushes everything, dismounts the databases and ends the process, as "iris
stop" does.

   datfs practice stop /tmp/p`,
		Flags: globalFlags(false, false),
		Action: withPractice(func(c *cli.Context, r *practice.Remote) error {
			if err := r.Stop(c.Context); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.App.Writer, "stopped %s\n", r.Name())
			return err
		}),
	}
}

func practiceCrashCommand() *cli.Command {
	return &cli.Command{
		Name: "crash", Usage: "end it as kill -9 would", ArgsUsage: "DIR",
		Description: `crash ends the process at once: nothing is flushed, and iris.lck and the WIJ stay
as they are. The next start recovers.

   datfs practice crash /tmp/p`,
		Flags: globalFlags(false, false),
		Action: withPractice(func(c *cli.Context, r *practice.Remote) error {
			if err := r.Crash(c.Context); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.App.Writer, "crashed %s; datfs practice start %s recovers it\n", r.Name(), shellWord(r.Dir()))
			return err
		}),
	}
}
