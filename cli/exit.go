package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/restore"
	"datfs/dbback/iris/session"
)

// Exit codes. They are an interface: scripts depend on them, so they are never
// reused or renumbered.
const (
	exitOK           = 0
	exitFailure      = 1
	exitUsage        = 2
	exitWarnings     = 3
	exitUnfit        = 4
	exitNoRepository = 10
	exitLocked       = 11
	exitInterrupted  = 130 // 128 + SIGINT, as shells have it
)

// exits is the one table from errors to exit codes: the first row that matches
// decides. Its texts are part of the help.
var exits = []struct {
	code    int
	means   string
	matches func(error) bool
}{
	{exitOK, "done", func(err error) bool { return err == nil }},
	{exitUsage, "wrong flags or arguments; nothing was done", isUsage},
	// Damage comes before the causes it wraps: a pack of an unknown format is
	// damage of a repository, not the lack of one.
	{exitFailure, "failed, or damage was found", is(catalog.ErrCorrupt)},
	{exitWarnings, "done, but with warnings: the set is incomplete, something is missing", isWarning},
	{exitUnfit, "the preflight found what would make the backup or the restore fail; nothing was done to the instance", isUnfit},
	{exitNoRepository, "there is no repository", is(catalog.ErrNotRepository)},
	{exitLocked, "the repository, or the instance in it, is locked by another process", isLocked},
	{exitInterrupted, "interrupted; the repository is as good as before", is(context.Canceled)},
	{exitFailure, "", func(error) bool { return true }},
}

func exitCode(err error) int {
	if child, ok := errors.AsType[*childError](err); ok {
		return child.Code
	}
	for _, row := range exits {
		if row.matches(err) {
			return row.code
		}
	}
	return exitFailure
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func isUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}

func isWarning(err error) bool {
	_, ok := errors.AsType[*warningError](err)
	return ok
}

// isLocked matches what the end of another datfs is going to set right.
func isLocked(err error) bool {
	return errors.Is(err, catalog.ErrLocked) || errors.Is(err, session.ErrBusy)
}

func isUnfit(err error) bool {
	if _, ok := errors.AsType[*dbback.PreflightError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*dbback.InUseError](err); ok {
		return true
	}
	_, ok := errors.AsType[*unfitError](err)
	return ok || errors.Is(err, restore.ErrRefused)
}

// exitHelp is the end of the help.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("\nEXIT CODES:\n")
	for code := range exitInterrupted + 1 { // in the order of the codes, not of the table
		for _, row := range exits {
			if row.code == code && row.means != "" {
				fmt.Fprintf(&b, "   %3d  %s\n", row.code, row.means)
			}
		}
	}
	return b.String()
}

// A usageError is the caller's mistake on the command line.
type usageError struct {
	err     error
	command string // whose help to read
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usageErrorf makes a usage error about the command that c runs.
func usageErrorf(c *cli.Context, format string, a ...any) error {
	err := fmt.Errorf(format, a...)
	command := c.Command.HelpName
	if name, ok := strings.CutPrefix(command, "datfs "); ok {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return &usageError{err, command}
}

// A warningError is a result that is there, but not all that was asked for.
type warningError struct{ error }

func (e *warningError) Unwrap() error { return e.error }

func warningErrorf(format string, a ...any) error {
	return &warningError{fmt.Errorf(format, a...)}
}

// An unfitError is the answer that an instance cannot be backed up as it is.
type unfitError struct{ error }

func (e *unfitError) Unwrap() error { return e.error }
