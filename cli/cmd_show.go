package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "print everything known of one set",
		ArgsUsage: "SET",
		Description: `show prints what is known of a set: its state and why, its files by section, what
they are and what they took. Of a backup that was taken in use it also prints the
steps, what the instance said of its databases, what the preflight found, and what
a restore needs: the incremental and the journals. SET is a full name, the start of one that no other set
shares, INSTANCE/latest for the newest complete set of an instance, or latest if
there is but one instance.

Notes are what was said of the set after it was sealed, such as the report of a
restore that was tried; --note prints one of them as it is.

With --json it prints the object that set.json in the mount holds.

   datfs show PROD/latest
   datfs show PROD/2026-11-22T03-00-00Z --json
   datfs show PROD/latest --note 2026-11-23T10-04-00Z-drill.md`,
		Flags: append([]cli.Flag{
			jsonFlag(),
			&cli.StringFlag{Name: "note", Usage: "print the note `NAME` and nothing else"},
		}, globalFlags(true, false)...),
		Action: withRepo(catalog.Shared, runShow),
	}
}

func runShow(c *cli.Context, repo *catalog.Repository) (err error) {
	name, err := resolve(repo, c.Args().First())
	if err != nil {
		return err
	}
	if note := c.String("note"); note != "" {
		return showNote(c, repo, name, note)
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

// showNote prints the body of a note.
func showNote(c *cli.Context, repo *catalog.Repository, set catalog.SetName, name string) error {
	if c.Bool("json") {
		return usageErrorf(c, "--json does not go with --note: a note is printed as it is")
	}
	body, err := repo.ReadNote(set, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return withHint(err, fmt.Sprintf("%s show %v lists the notes of the set", datfsCommand(c), set))
	}
	if err != nil {
		return err
	}
	_, err = c.App.Writer.Write(body)
	return err
}

func printSet(w io.Writer, s *catalog.SetInfo) {
	t := newPairs(w)
	t.AppendRows(rows(
		pair("set", s.SetName().String()),
		pair("state", string(s.State)),
		pair("started", localTime(s.Time)),
		pair("sealed", localTime(s.Finished)),
		pair("taken by", fmt.Sprintf("engine %s, host %s, %s", orDash(s.Engine), orDash(s.Host), orDash(s.Program))),
	))
	if s.Method != nil {
		t.AppendRow(pair("product", orDash(printable(s.Method.ProductVersion))))
	}
	t.AppendRows(rows(
		pair("databases", fmt.Sprint(s.Databases)),
		pair("size", size(s.Bytes)),
		pair("zeros", size(s.ZeroBytes)),
		pair("new", size(s.NewBytes)),
		pair("stored", size(s.StoredBytes)),
	))
	if s.Method != nil {
		t.AppendRows(restoreRows(s))
	}
	t.AppendRows(validationRows(s.Validated))
	t.Render()
	part := func(there bool, write func()) {
		if there {
			fmt.Fprintln(w)
			write()
		}
	}
	part(len(s.Steps) > 0, func() { printSteps(w, s) })
	advice := stepAdvice(s)
	part(len(advice) > 0, func() { fmt.Fprintln(w, strings.Join(advice, "\n")) })
	part(s.Method != nil, func() { printMethod(w, s.Method) })
	names, files := sections(s)
	for _, name := range names {
		part(true, func() { printFiles(w, name, files[name]) })
	}
	part(len(s.Findings) > 0, func() { printFindings(w, s.Findings, catalog.LevelOK, catalog.LevelWarn, catalog.LevelFail) })
	part(len(s.Problems) > 0, func() { printProblems(w, s.Problems) })
	part(len(s.Notes) > 0, func() { printNotes(w, s.Notes) })
}

// restoreRows says what a restore of the set does, in order.
func restoreRows(s *catalog.SetInfo) []table.Row {
	m := s.Method
	r := rows(
		pair("to restore", "1. the copies below databases/, which are damaged by themselves"),
		pair("", "2. apply to them "+orDash(printable(strings.Join(m.Incrementals, ", then ")))+" of incremental/"),
	)
	if m.Journal != nil {
		r = append(r, pair("", "3. the journals: "+journalText(m.Journal)))
	}
	consistent := 0
	for _, f := range s.Files {
		if f.Section == catalog.SectionConsistent {
			consistent++
		}
	}
	if consistent > 0 {
		r = append(r, pair("", fmt.Sprintf("in place of 1. and 2.: the copies below consistent/, %s with that applied", count(consistent, "database"))))
	} else if len(m.Incrementals) > 0 {
		r = append(r, pair("", "there is no consistent/: datfs cannot read this incremental, the product must apply it"))
	}
	if p := productOf(s.Engine); p.restore != "" {
		r = append(r, pair("", "all of it: datfs "+fmt.Sprintf(p.restore, shellWord(s.SetName().String()))))
	}
	return r
}
