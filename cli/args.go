package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completionFlag is what a shell appends to a command to have it completed. The
// library has fixed the name.
const completionFlag = "--generate-bash-completion"

// arrange puts args into the only order that the library reads rightly:
//
//	program command [subcommand] flags... -- arguments...
//
// The library stops looking for flags at the first argument, and it looks up
// a flag that the application and a command both define in the command only, so
// that "datfs --repo X sets" would not find X. With all flags behind the last
// command name neither can happen. What follows "--" is never a flag.
func arrange(app *cli.App, args []string) []string {
	if len(args) == 0 || args[len(args)-1] == completionFlag {
		return args // the library wants to see what was typed so far
	}
	var flags, rest []string
	names, commands := args[:1:1], app.Commands
	takesValue, help := valueFlags(app), false
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch cmd := findCommand(commands, arg); {
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case isFlag(arg):
			flags = append(flags, arg)
			help = help || slices.Contains(cli.HelpFlag.Names(), flagName(arg))
			if !takesValue[flagName(arg)] || strings.Contains(arg, "=") {
				break
			}
			if i++; i == len(args) || isKnownFlag(takesValue, args[i]) {
				// No value. The library says so if the flag is the last word,
				// and would take a following "--" for the value.
				return append(names, flags...)
			}
			flags = append(flags, args[i])
		case cmd != nil && len(rest) == 0:
			names, commands = append(names, arg), cmd.Subcommands
		default:
			rest = append(rest, arg)
		}
	}
	if help {
		rest = nil // or the library looks for a help topic of that name
	}
	if len(rest) > 0 {
		rest = slices.Insert(rest, 0, "--")
	}
	return slices.Concat(names, flags, rest)
}

func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// isKnownFlag reports whether arg is one of ours. A word that merely starts with
// a dash may be a value; "--to --dry-run" is a forgotten one.
func isKnownFlag(known map[string]bool, arg string) bool {
	_, ok := known[flagName(arg)]
	return arg == "--" || ok && isFlag(arg)
}

// flagName returns the name in "-name", "--name" and "--name=value".
func flagName(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")
}

// valueFlags maps the name of every flag of the application and its commands to
// whether it takes a value. A name means the same everywhere, so the place where
// a flag stands does not matter; a test holds that.
func valueFlags(app *cli.App) map[string]bool {
	takes := make(map[string]bool)
	var add func(flags []cli.Flag, commands []*cli.Command)
	add = func(flags []cli.Flag, commands []*cli.Command) {
		for _, f := range flags {
			doc, ok := f.(cli.DocGenerationFlag)
			for _, name := range f.Names() {
				takes[name] = ok && doc.TakesValue()
			}
		}
		for _, cmd := range commands {
			add(cmd.Flags, cmd.Subcommands)
		}
	}
	add(slices.Concat(app.Flags, []cli.Flag{cli.HelpFlag, cli.VersionFlag}), app.Commands)
	return takes
}

func findCommand(commands []*cli.Command, name string) *cli.Command {
	for _, cmd := range commands {
		if cmd.HasName(name) {
			return cmd
		}
	}
	return nil
}

// checkArgs holds the arguments of a command to its ArgsUsage, in which "SET" is
// one argument, "FILE..." at least one, and "[SET...]" any number. No argument and
// no value of a flag is empty: "--to \"$DIR\"" with DIR not set is not the same as
// no --to.
func checkArgs(c *cli.Context) error {
	if err := checkEmpty(c); err != nil {
		return err
	}
	n := c.NArg()
	for i, word := range strings.Fields(c.Command.ArgsUsage) {
		if strings.HasPrefix(word, "[") {
			return nil
		}
		if i >= n {
			return usageErrorf(c, "%s is missing", strings.TrimSuffix(word, "..."))
		}
		if strings.HasSuffix(word, "...") {
			return nil
		}
	}
	if wanted := len(strings.Fields(c.Command.ArgsUsage)); n > wanted {
		return usageErrorf(c, "unexpected argument %q", c.Args().Get(wanted))
	}
	return nil
}

// noDatabasesFlag is the flag of "practice create" that may be empty: a second
// instance needs no databases of its own.
const noDatabasesFlag = "databases"

// checkEmpty returns a usage error for a flag of the command line or an argument
// that is there, and empty.
func checkEmpty(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || !doc.TakesValue() || !c.IsSet(name) || len(doc.GetEnvVars()) > 0 || name == noDatabasesFlag {
			continue
		}
		values := []string{c.String(name)}
		if _, ok := f.(*cli.StringSliceFlag); ok {
			values = c.StringSlice(name)
		} else if _, ok := f.(*cli.PathFlag); ok {
			values = []string{c.Path(name)}
		}
		if slices.Contains(values, "") {
			return usageErrorf(c, "--%s is empty: if it is a variable of a script, it has no value", name)
		}
	}
	if i := slices.Index(c.Args().Slice(), ""); i >= 0 {
		return usageErrorf(c, "argument %d is empty: if it is a variable of a script, it has no value", i+1)
	}
	return nil
}

// needFlag returns a usage error if the flag, which takes a value, has none. The
// library's own required flags print the whole help to standard output.
func needFlag(c *cli.Context, name, value string) error {
	if c.String(name) == "" {
		return usageErrorf(c, "--%s %s is missing", name, value)
	}
	return nil
}
