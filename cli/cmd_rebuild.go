package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func rebuildCommand() *cli.Command {
	return &cli.Command{
		Name:  "rebuild",
		Usage: "make the catalog anew from packs and set files",
		Description: `rebuild makes catalog.db anew. The catalog is an index: packs/ and sets/ hold
everything, so a lost or damaged catalog loses nothing. Nothing else may use the
repository meanwhile.

   datfs rebuild`,
		Flags:  globalFlags(true, true),
		Action: withRepo(catalog.Exclusive, runRebuild),
	}
}

func runRebuild(c *cli.Context, repo *catalog.Repository) error {
	progress, stop := startProgress(c, "rebuild", inPacks)
	err := repo.Rebuild(c.Context, progress)
	stop()
	if err != nil {
		return err
	}
	sets, err := repo.Sets()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "rebuilt the catalog of %s: %s\n", printable(repo.Dir()), count(len(sets), "set"))
	return nil
}
