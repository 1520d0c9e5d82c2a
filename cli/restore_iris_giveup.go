package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/iris/restore"
	"datfs/dbback/iris/session"
)

// giveUpIris ends a restore that has not come to its end.
func giveUpIris(c *cli.Context, repo *catalog.Repository, in *session.Instance, name catalog.SetName, opts restore.RunOptions) error {
	given, err := restore.GiveUp(c.Context, in, repo, name, opts, func(does []string) error {
		fmt.Fprintf(c.App.ErrWriter, "the restore of %s is going to be given up:\n", name)
		for _, text := range does {
			fmt.Fprintf(c.App.ErrWriter, "  %s\n", printable(text))
		}
		return agree(c, "Give it up?")
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, given)
	}
	w := c.App.Writer
	step := "an unknown step"
	if given.Step != "" {
		step = "the step " + given.Step
	}
	fmt.Fprintf(w, "given up: the restore of %s, which came to %s; removed %s\n", given.Set, step, printable(given.Removed))
	fmt.Fprintf(w, "%s\n", given.State)
	for _, note := range given.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(note))
	}
	return nil
}
