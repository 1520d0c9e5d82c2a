package cli

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
	"datfs/dbback/iris/session"
)

// notRepeated are flags of a restore that are not part of what is restored to where:
// a command that goes on with it goes without them.
var notRepeated = []string{"dry-run", "yes", "anew", "give-up", "json", "quiet", "repo", "redirect"}

// restoreIrisAgain returns the whole command, "restore iris" or "drill", that does the same
// restore again, with the full name of the set: what "latest" means may change until then.
func restoreIrisAgain(c *cli.Context, command string, name catalog.SetName, what restore.Options) string {
	words := []string{datfsCommand(c), command, shellWord(name.String())}
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
	case e.Again == "" && e.Work != "": // a drill that could not clean up
		return append(lines, "set right what is wrong, and run the drill again: it begins anew, and removes what this one has left:",
			"   "+e.Command, fmt.Sprintf("what was said is in %s/transcript.txt; the incremental in that directory is not encrypted", e.Work))
	case e.Again == "":
		return append(lines, "set right what is wrong, and run the same command again: it begins anew")
	case e.Work == "":
		return lines
	}
	if damage, ok := errors.AsType[*restore.DamageError](e.Err); ok && damage.Instead != "" {
		lines = append(lines, damage.Instead)
	}
	return append(lines, fmt.Sprintf("set right what is wrong, and run it again: it goes on with the step %s (--anew begins again):", e.Again),
		"   "+e.Command,
		fmt.Sprintf("what was said is in %s/transcript.txt; datfs runbook %s has the steps for doing them by hand", e.Work, e.Set),
		"if it is not gone on with, give it up with --give-up: the incremental in that directory is not encrypted")
}

// unfinishedHints says what to do about another restore that has not ended.
func unfinishedHints(e *restore.UnfinishedError) []string {
	const over = "--anew begins the new restore all the same, over what that one has left"
	from := printable(filepath.Join(e.Other.Dir, session.StateName))
	switch {
	case e.Other.Command == "" && e.Other.Drill:
		return []string{"it is a drill; the command that began it runs it again, and removes what it has left", over}
	case e.Other.Command == "":
		return []string{
			"the command that began it goes on with it; the same with --give-up gives it up, and leaves the databases as they are",
			"the command in " + from + " is not shown: it may do more than that restore",
			over,
		}
	}
	before := "before you type it as root: it is from " + from + ", which the instance's owner can change"
	if e.Other.Drill {
		return []string{"it is a drill; this runs it again, and removes what it has left: " + e.Other.Command, before, over}
	}
	return []string{
		"this goes on with it: " + e.Other.Command,
		"this gives it up, and leaves the databases as they are: " + e.Other.EndCommand(),
		before,
		over,
	}
}

// olderSet returns the hint what to restore instead of a set whose databases the
// integrity check does not find sound.
func olderSet(repo *catalog.Repository, name catalog.SetName, again string) string {
	again = strings.Replace(again, " --damaged", "", 1)
	sets, _ := repo.Sets() // those that can be read
	for _, s := range slices.Backward(sets) {
		if s.Instance == name.Instance && s.SetName().Compare(name) < 0 && s.State == catalog.StateComplete &&
			s.Validated != nil && s.Validated.Clean && s.Validated.Whole {
			return fmt.Sprintf("the set is not to be relied on. %s was found sound: %s --anew", s.SetName(),
				strings.Replace(again, shellWord(name.String()), shellWord(s.SetName().String()), 1))
		}
	}
	return fmt.Sprintf("the set is not to be relied on, and no older one of %s was found sound as a whole: a drill of an older one tells (datfs sets lists them); restore that with --anew", name.Instance)
}
