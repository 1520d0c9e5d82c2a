package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/restore"
	"datfs/dbback/iris/session"
)

func TestExitCodeAndHint(t *testing.T) {
	c := &cli.Context{Command: &cli.Command{HelpName: "datfs sets"}}
	damage := &catalog.CorruptError{Path: "packs/00/00.pack", Offset: 40, Err: errors.New("bad sum")}
	tests := []struct {
		name string
		err  error
		code int
		hint string // "" for none
	}{
		{"None", nil, 0, ""},
		{"Anything", errors.New("x"), 1, ""},
		{"Usage", usageErrorf(c, "x"), 2, "see datfs sets --help"},
		{"UsageWithHint", withHint(usageErrorf(c, "x"), "y"), 2, "y"},
		{"Warning", warningErrorf("x"), 3, ""},
		{"WarningWithHint", withHint(warningErrorf("x"), "y"), 3, "y"},
		{"Unfit", fmt.Errorf("x: %w", &unfitError{errors.New("x")}), 4, ""},
		{"InUse", fmt.Errorf("x: %w", &dbback.InUseError{By: []string{"x"}}), 4, ""},
		{"UnfitBeforeItsHint", withHint(&dbback.PreflightError{Survey: &dbback.Survey{}}, "y"), 4, "y"},
		{"Step", &dbback.StepError{Step: "mark", Means: "It is gone.", Next: "Run it.", Kept: true, Err: errors.New("x")}, 1, "It is gone\nRun it\nwhat was stored and what the instance answered is kept"},
		{"StepBeforeTheMark", &dbback.StepError{Step: "prepare", Next: "Wait.", Err: catalog.ErrLocked}, 11, "Wait\nwait until"},
		{"StepInterrupted", &dbback.StepError{Step: "copy", Means: "It is gone.", Err: context.Canceled}, 130, "It is gone\nwhat was stored"},
		{"StepOnFullRepositoryAfterTheMark", &dbback.StepError{Step: "copy", Means: "It is gone.", Err: &catalog.RepositoryError{Err: syscall.ENOSPC}}, 1, "kept, but not what the instance answered"},
		{"StepOnFullRepository", &dbback.StepError{Step: "copy", Err: &catalog.RepositoryError{Err: syscall.ENOSPC}}, 1, "repository's disk"},
		{"NotRepository", fmt.Errorf("open: %w", catalog.ErrNotRepository), 10, "datfs init"},
		{"Locked", fmt.Errorf("open: %w", catalog.ErrLocked), 11, "wait"},
		{"LockedInstance", fmt.Errorf("begin: %w", session.ErrBusy), 11, "wait"},
		{"Interrupted", fmt.Errorf("backup: %w", context.Canceled), 130, ""},
		{"InterruptedBackup", goOnHint(fmt.Errorf("backup: %w", context.Canceled)), 130, "run it again to go on"},
		{"NewerFormat", fmt.Errorf("open: %w", catalog.ErrNewerFormat), 1, "newer datfs"},
		{"NotEmpty", catalog.ErrNotEmpty, 1, "empty or does not exist"},
		{"NotFound", catalog.ErrNotFound, 1, ""},
		{"Damage", fmt.Errorf("read: %w", damage), 1, "datfs verify"},
		{"DamageBeforeItsCause", &catalog.CorruptError{Path: "packs/00/x.pack", Err: catalog.ErrNotRepository}, 1, "datfs verify"},
		{"DamagedCatalog", &catalog.CorruptError{Path: "catalog.db", Err: errors.New("bad page")}, 1, "datfs rebuild"},
		{"IncompleteSet", fmt.Errorf("restore: %w", dbback.ErrIncomplete), 1, "--allow-incomplete"},
		{"RepositoryFull", &catalog.RepositoryError{Err: fmt.Errorf("write: %w", syscall.ENOSPC)}, 1, "repository's disk"},
		{"TargetFull", fmt.Errorf("write: %w", syscall.ENOSPC), 1, "make room"},
		{"Quota", fmt.Errorf("write: %w", syscall.EDQUOT), 1, "make room"},
		{"Drill", &restore.StepError{Work: "W", Command: "datfs drill S", Err: errors.New("x")}, 1, "run the drill again: it begins anew, and removes what this one has left:\n   datfs drill S\n"},
		{"UnfinishedDrill", &restore.UnfinishedError{Other: session.Unfinished{Drill: true, Command: "datfs drill S"}}, 4, "runs it again, and removes what it has left: datfs drill S\nbefore you type it as root"},
		{"Unfinished", &restore.UnfinishedError{Other: session.Unfinished{Command: "datfs restore iris S"}}, 4, "gives it up, and leaves the databases as they are: datfs restore iris S --give-up\n"},
		{"InBackground", &childError{Text: "x", Code: 11, Hints: []string{"z"}}, 11, "z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitCode(tt.err); got != tt.code {
				t.Errorf("exitCode(%v) = %d, want %d", tt.err, got, tt.code)
			}
			hint := strings.Join(hintsFor(tt.err), "\n")
			if !strings.Contains(hint, tt.hint) || (hint == "") != (tt.hint == "") {
				t.Errorf("hint for %v is %q, want %q", tt.err, hint, tt.hint)
			}
		})
	}
}

func TestPrintError(t *testing.T) {
	var b bytes.Buffer
	printError(&b, withHint(errors.Join(
		fmt.Errorf("back up /a: %w", context.Canceled),
		errors.New("no match; there is:\n  /b"),
	), "do this"))
	want := "datfs: back up /a: interrupted\ndatfs: no match; there is:\n  /b\nhint: do this\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
