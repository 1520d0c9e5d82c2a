package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func initCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "create a repository",
		ArgsUsage: "[REPO]",
		UsageText: "datfs init REPO",
		Description: `init creates a repository in REPO, a directory that is empty or does not exist
yet. One repository may hold any number of instances and databases; the more of
them, the more blocks are stored only once. Put it on another disk than the
databases: the backup of a disk that is lost should not be lost with it.

   datfs init /backup/repo
   datfs --repo /backup/repo init`,
		Flags:  globalFlags(true, false),
		Action: runInit,
	}
}

func runInit(c *cli.Context) error {
	dir, err := initDir(c)
	if err != nil {
		return err
	}
	if err := catalog.Init(dir); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "created an empty repository in %s\n", printable(dir))
	fmt.Fprintf(c.App.Writer, "next: datfs --repo %s backup files --name INSTANCE FILE...\n", shellWord(dir))
	return nil
}

// initDir finds the directory among the places where it may be given. The
// argument beats the environment, but not another one given by hand.
func initDir(c *cli.Context) (string, error) {
	flag := c.Path("repo")
	dirs := slices.DeleteFunc([]string{c.Args().First(), flag}, func(s string) bool { return s == "" })
	switch {
	case len(dirs) == 0:
		return "", usageErrorf(c, "REPO is missing")
	case c.NArg() > 1:
		return "", usageErrorf(c, "unexpected argument %q", c.Args().Get(1))
	case len(dirs) == 2 && dirs[0] != dirs[1] && flag != os.Getenv(repoEnv):
		return "", usageErrorf(c, "two repositories given: %s and --repo %s", dirs[0], dirs[1])
	}
	return dirs[0], nil
}
