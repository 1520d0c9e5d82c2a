package cli

import (
	"context"
	"errors"
	"syscall"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/restore"
	"datfs/dbback/iris/session"
)

// hints is the one table from errors to what to do next: the first row that
// matches speaks. An error that carries its own hint (withHint) needs no row.
var hints = []struct {
	matches func(error) bool
	text    string
}{
	{damagedFile("config"), "config holds the key of the block IDs: bring it back from a copy of the repository, or of that file. Packs and sets are not touched"},
	{damagedFile("catalog.db"), "datfs rebuild makes catalog.db anew from packs/ and sets/, which hold everything"},
	{is(catalog.ErrCorrupt), "datfs verify lists everything that is damaged; all else can still be read and restored"},
	{is(catalog.ErrNewerFormat), "it was written by a newer datfs; use that version or a later one. Nothing was changed"},
	{is(catalog.ErrNotRepository), "datfs init DIR creates a repository; is the path right, and is its disk mounted?"},
	{isLocked, "wait until the other datfs is done, then run this again; a lock ends with its process and is never left behind"},
	{is(catalog.ErrNotEmpty), "name a directory that is empty or does not exist yet"},
	{is(dbback.ErrIncomplete), "--allow-incomplete restores what there is of it"},
	{repositoryFull, "make room on the repository's disk and run it again. No set was lost, and what is stored already is not stored twice"},
	{diskFull, "make room and run it again: what is there already is not written twice"},
}

// hintsFor returns what to do about err, in lines.
func hintsFor(err error) []string {
	if child, ok := errors.AsType[*childError](err); ok {
		return child.Hints
	}
	if h, ok := errors.AsType[*hintError](err); ok {
		return []string{h.hint}
	}
	if u, ok := errors.AsType[*usageError](err); ok {
		return []string{"see " + u.command + " --help"}
	}
	var lines []string
	if step, ok := errors.AsType[*dbback.StepError](err); ok {
		lines = stepHints(step)
	}
	if failed, ok := errors.AsType[*restore.StepError](err); ok {
		lines = append(lines, restoreHints(failed)...)
	}
	if other, ok := errors.AsType[*restore.UnfinishedError](err); ok {
		return append(lines, unfinishedHints(other)...)
	}
	if s, ok := errors.AsType[*session.NoAnswerError](err); ok && s.Do != "" {
		return append(lines, noPeriod(s.Do))
	}
	for _, row := range hints {
		if row.matches(err) {
			return append(lines, row.text)
		}
	}
	return lines
}

// damagedFile matches damage of a single file of the repository.
func damagedFile(name string) func(error) bool {
	return func(err error) bool {
		c, ok := errors.AsType[*catalog.CorruptError](err)
		return ok && c.Path == name
	}
}

func repositoryFull(err error) bool {
	_, ok := errors.AsType[*catalog.RepositoryError](err)
	return ok && diskFull(err)
}

func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// A hintError is an error that knows what to do about it.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// withHint gives err a hint of its own. A nil error stays nil.
func withHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hintError{err, hint}
}

// goOnHint says of work that was interrupted that it can be gone on with.
func goOnHint(err error) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return withHint(err, "run it again to go on: what is done already is not done twice")
}
