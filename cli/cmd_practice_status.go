package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"datfs/dbback/practice"
)

func practiceStatusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show what it does", ArgsUsage: "DIR",
		Description: `status shows the instance's state, databases, journals, load, and the failures
that are armed.

With --json it prints an object with name, dir, state, crashed, mode, since, pid,
version, sessions, backup, load, databases, journal and failures.

   datfs practice status /tmp/p`,
		Flags: append([]cli.Flag{jsonFlag()}, globalFlags(false, false)...),
		Action: withPractice(func(c *cli.Context, r *practice.Remote) error {
			st, err := r.Status(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeJSON(c.App.Writer, st)
			}
			printPracticeStatus(c.App.Writer, st)
			return nil
		}),
	}
}

func printPracticeStatus(w io.Writer, st *practice.Status) {
	state := st.State
	switch {
	case st.Since != nil:
		state += ", since " + localTime(*st.Since) + ", process " + fmt.Sprint(st.PID)
		if st.Mode != "" {
			state += ", " + st.Mode
		}
	case st.Crashed:
		state += ", after a crash: the next start recovers it"
	}
	t := newPairs(w)
	t.AppendRows(rows(
		pair("instance", st.Name), pair("directory", printable(st.Dir)), pair("version", st.Version), pair("state", state),
		pair("load", st.Load), pair("sessions", fmt.Sprint(st.Sessions)), pair("at work", orDash(st.Backup)),
		pair("journal", orDash(st.Journal.Current)), pair("required", orDash(st.Journal.Required)),
	))
	t.Render()
	fmt.Fprintln(w)
	list := newTable(w, column{title: "DATABASE"}, column{title: "STATE"}, column{"SIZE", true}, column{title: "DIRECTORY"})
	for _, db := range st.Databases {
		list.AppendRow(row(db.Name, practiceDatabaseState(db), size(db.Blocks*int64(db.BlockSize)), printable(db.Directory)))
	}
	list.Render()
	for i, f := range st.Failures {
		if i == 0 {
			fmt.Fprintln(w, "\narmed failures:")
		}
		fmt.Fprintln(w, "  "+f.String())
	}
}

func practiceDatabaseState(db practice.Database) string {
	words := []string{"dismounted"}
	switch {
	case db.Mounted && db.ReadOnly:
		words[0] = "read-only"
	case db.Mounted:
		words[0] = "mounted"
	}
	for _, w := range []struct {
		is   bool
		word string
	}{{!db.Listed && db.Mounted, "not in backups"}, {!db.Journaled, "not journaled"}, {db.Mirrored, "mirrored"}, {db.Encrypted, "encrypted"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

func practiceLoadCommand() *cli.Command {
	return &cli.Command{
		Name: "load", Usage: "change what the simulated users do", ArgsUsage: "DIR LOAD",
		Description: `load is none, light or heavy. Users leave a database that is dismounted, as
nobody may work on one that is being restored; load brings them back.

   datfs practice load /tmp/p heavy`,
		Flags: globalFlags(false, false),
		Action: withPractice(func(c *cli.Context, r *practice.Remote) error {
			return r.SetLoad(c.Context, c.Args().Get(1))
		}),
	}
}

func practiceFailCommand() *cli.Command {
	return &cli.Command{
		Name: "fail", Usage: "make something go wrong", ArgsUsage: "[DIR] [NAME] [ARGUMENT...]",
		UsageText: "datfs practice fail DIR NAME [ARGUMENT...]\ndatfs practice fail DIR --clear\ndatfs practice fail --list",
		Description: `fail arms a failure by name: the next time its moment comes, it happens. A
failure that is a state, such as a dismounted database, begins at once and stays
until --clear. The argument "keep" makes any failure stay; "after=N" lets N of its
moments pass. An instance that is down gets it at its next start.

   datfs practice fail --list
   datfs practice fail /tmp/p backup-warns
   datfs practice fail /tmp/p dismounted APP
   datfs practice fail /tmp/p trap CLRINC^DBACK '<PROTECT>' keep
   datfs practice fail /tmp/p crash after BACKUP^DBACK:E
   datfs practice fail /tmp/p --clear`,
		Flags: append([]cli.Flag{
			boolFlag("list", "list all failures, with their arguments and where the behaviour is documented"),
			boolFlag("clear", "disarm all"),
			jsonFlag(),
		}, globalFlags(false, false)...),
		Action: runPracticeFail,
	}
}

func runPracticeFail(c *cli.Context) error {
	switch {
	case c.Bool("list") && c.Bool("json"):
		return writeJSON(c.App.Writer, practice.Failures())
	case c.Bool("list"):
		return listFailures(c.App.Writer)
	case !c.Args().Present():
		return usageErrorf(c, "DIR is missing")
	case c.Bool("clear") != (c.NArg() == 1):
		return usageErrorf(c, "a failure's NAME or --clear is needed, and not both")
	}
	return withPractice(func(c *cli.Context, r *practice.Remote) error {
		if c.Bool("clear") {
			return r.Clear(c.Context)
		}
		words := c.Args().Tail()
		if err := r.Fail(c.Context, words[0], words[1:]...); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.App.Writer, "armed: %s\n", strings.Join(words, " "))
		return err
	})(c)
}

func listFailures(w io.Writer) error {
	for _, f := range practice.Failures() {
		kind := ""
		if f.Stays {
			kind = " (stays)"
		}
		fmt.Fprintf(w, "%s%s\n    %s\n    [%s]\n", strings.TrimSpace(f.Name+" "+f.Args), kind, f.Does, f.Source)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", practice.WhatHelp())
	return err
}
