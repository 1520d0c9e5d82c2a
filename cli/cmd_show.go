package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "print everything known of one set",
		ArgsUsage: "SET",
		Description: `show prints what is known of a set: its state and why, its files, what they are
and what they took. SET is a full name, the start of one that no other set
shares, INSTANCE/latest for the newest complete set of an instance, or latest if
there is but one instance.

With --json it prints the object that set.json in the mount holds.

   datfs show PROD/latest
   datfs show PROD/2026-11-22T03-00-00Z --json`,
		Flags:  append([]cli.Flag{jsonFlag()}, globalFlags(true, false)...),
		Action: withRepo(catalog.Shared, runShow),
	}
}

func runShow(c *cli.Context, repo *catalog.Repository) (err error) {
	name, err := resolve(repo, c.Args().First())
	if err != nil {
		return err
	}
	set, err := repo.OpenSet(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	if c.Bool("json") {
		info := *set.Info()
		info.Files = orEmpty(info.Files)
		return writeJSON(c.App.Writer, &info)
	}
	printSet(c.App.Writer, set.Info())
	return nil
}

func printSet(w io.Writer, s *catalog.SetInfo) {
	t := newPairs(w, false)
	t.AppendRows(rows(
		pair("set", s.SetName().String()),
		pair("state", string(s.State)),
		pair("started", localTime(s.Time)),
		pair("sealed", localTime(s.Finished)),
		pair("taken by", fmt.Sprintf("engine %s, host %s, %s", orDash(s.Engine), orDash(s.Host), orDash(s.Program))),
		pair("databases", fmt.Sprint(s.Databases)),
		pair("size", size(s.Bytes)),
		pair("zeros", size(s.ZeroBytes)),
		pair("new", size(s.NewBytes)),
		pair("stored", size(s.StoredBytes)),
	))
	t.Render()
	if len(s.Files) > 0 {
		fmt.Fprintln(w)
		printFiles(w, s.Files)
	}
	if len(s.Problems) > 0 {
		fmt.Fprintln(w)
		printProblems(w, s.Problems)
	}
}

func printFiles(w io.Writer, files []catalog.FileInfo) {
	t := newTable(w, column{title: "DATABASE"}, column{title: "FORMAT"}, column{"BLOCK", true}, column{"SIZE", true},
		column{"ZEROS", true}, column{"NEW", true}, column{"STORED", true}, column{title: "XXH64"}, column{title: "PATH"})
	for _, f := range files {
		t.AppendRow(row(orDash(printable(f.Database)), orDash(f.Format), size(int64(f.BlockSize)), size(f.Size),
			size(f.ZeroBytes), size(f.NewBytes), size(f.StoredBytes), orDash(f.XXH64), printable(f.Path)))
	}
	t.Render()
}
