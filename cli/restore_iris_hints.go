package cli

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
)

// notRepeated are flags of a restore that are not part of what is restored to where:
// a command that goes on with it goes without them.
var notRepeated = []string{"dry-run", "yes", "anew", "give-up", "json", "quiet", "repo", "redirect"}

// restoreIrisAgain returns the whole command that does the same restore again, with
// the full name of the set: what "latest" means may change until then.
func restoreIrisAgain(c *cli.Context, name catalog.SetName, what restore.Options) string {
	words := []string{datfsCommand(c), "restore", "iris", shellWord(name.String())}
	add := func(flag, value string) { words = append(words, "--"+flag, shellWord(value)) }
	for _, f := range c.Command.Flags {
		flag := f.Names()[0]
		if !c.IsSet(flag) || slices.Contains(notRepeated, flag) {
			continue
		}
		switch f := f.(type) {
		case *cli.BoolFlag:
			words = append(words, "--"+flag)
		case *cli.StringSliceFlag:
			for _, value := range c.StringSlice(flag) {
				add(flag, value)
			}
		case *cli.PathFlag:
			value := c.Path(flag)
			if dir, err := filepath.Abs(value); err == nil && value != "" {
				value = dir
			}
			add(flag, value)
		case *cli.DurationFlag:
			add(flag, c.Duration(flag).String())
		default:
			add(f.Names()[0], c.String(flag))
		}
	}
	for _, from := range slices.Sorted(maps.Keys(what.Redirect)) {
		add("redirect", from+"="+what.Redirect[from])
	}
	return strings.Join(words, " ")
}

// restoreHints says in which state a restore that failed left the databases, and
// how to go on.
func restoreHints(e *restore.StepError) []string {
	lines := []string{e.State}
	switch {
	case e.Again == "":
		return append(lines, "set right what is wrong, and run the same command again: it begins anew")
	case e.Work == "":
		return lines
	}
	return append(lines, fmt.Sprintf("set right what is wrong, and run it again: it goes on with the step %s (--anew begins again):", e.Again),
		"   "+e.Command,
		fmt.Sprintf("what was said is in %s/transcript.txt; datfs runbook %s has the steps for doing them by hand", e.Work, e.Set),
		"if it is not gone on with, give it up with --give-up: the incremental in that directory is not encrypted")
}

// unfinishedHints says what to do about another restore that has not ended.
func unfinishedHints(e *restore.UnfinishedError) []string {
	return []string{
		"this goes on with it: " + e.Other.Command,
		"this gives it up, and leaves the databases as they are: " + e.Other.Command + " --give-up",
		"--anew begins the new restore all the same, over what that one has left",
	}
}
