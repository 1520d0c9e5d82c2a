package cli

import (
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
)

// withRepo makes an action of fn that opens the repository named by the flags
// in the given mode, and closes it afterwards.
func withRepo(mode catalog.LockMode, fn func(*cli.Context, *catalog.Repository) error) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
		dir := c.Path("repo")
		if dir == "" {
			return withHint(usageErrorf(c, "no repository given"),
				"name it with --repo DIR or "+repoEnv+"; datfs init DIR creates one")
		}
		repo, err := catalog.Open(dir, mode)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, repo.Close()) }()
		return fn(c, repo)
	}
}

// datfsCommand returns what to type to run a command on the repository that c
// uses: with --repo, unless the environment names the same one.
func datfsCommand(c *cli.Context) string {
	dir := c.Path("repo")
	if dir == os.Getenv(repoEnv) {
		return "datfs"
	}
	return "datfs --repo " + shellWord(dir)
}

// shellWord quotes a word for a shell where it needs it.
func shellWord(s string) string { return dbback.ShellWord(s) }

// resolve finds the set that a user names.
func resolve(repo *catalog.Repository, spec string) (catalog.SetName, error) {
	name, err := repo.Resolve(spec)
	switch {
	case errors.Is(err, catalog.ErrAmbiguous):
		err = withHint(err, "give more of the name")
	case errors.Is(err, catalog.ErrNotFound):
		err = withHint(err, "datfs sets lists the sets; INSTANCE/latest is the newest complete one")
	}
	return name, err
}
