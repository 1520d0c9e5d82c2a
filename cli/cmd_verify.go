package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read everything back and report damage",
		ArgsUsage: "[SET...]",
		Description: `verify reads back what the sets refer to and checks every byte. With SETs it
checks only these and the packs that they need. It changes nothing. If it finds
damage it names the damaged file of the repository and the place in it, and the
set and file where it is one's own, and exits with code 1.

With --json it prints an array of objects with set, path, error, and where known
repository_file and offset; it is empty when all is well.

   datfs verify
   datfs verify PROD/latest`,
		Flags:  append([]cli.Flag{jsonFlag()}, globalFlags(true, true)...),
		Action: withRepo(catalog.Shared, runVerify),
	}
}

func runVerify(c *cli.Context, repo *catalog.Repository) error {
	var opts catalog.VerifyOptions
	for _, spec := range c.Args().Slice() {
		name, err := resolve(repo, spec)
		if err != nil {
			return err
		}
		opts.Sets = append(opts.Sets, name)
	}
	progress, stop := startProgress(c, "verify", inBytes)
	opts.Progress = progress

	out := newDamageWriter(c.App.Writer, c.Bool("json"))
	err := repo.Verify(c.Context, opts, out.add)
	stop()
	if err := errors.Join(err, out.close()); err != nil {
		return err
	}
	if out.n > 0 {
		return withHint(fmt.Errorf("verify %s: %w: %s", printable(repo.Dir()), catalog.ErrCorrupt, count(out.n, "finding")),
			"only what is damaged cannot be read: a file that needs it gives an error, never wrong bytes; all others can be restored. "+
				"Later backups would rely on it too: move a damaged pack out of the repository (or end all mounts, if it is the catalog), "+
				"run datfs rebuild, and back up again")
	}
	if !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "no damage found, %s read\n", size(progress.Done()))
	}
	return nil
}

// damage is catalog.Damage as JSON.
type damage struct {
	Set            string `json:"set,omitempty"`             // full name, if it is one set's
	Path           string `json:"path,omitempty"`            // of the set's file, if it is one file's
	Error          string `json:"error"`                     //
	RepositoryFile string `json:"repository_file,omitempty"` // the damaged file, relative to the repository
	Offset         *int64 `json:"offset,omitempty"`          // in it, in bytes
}

func damageOf(d catalog.Damage) damage {
	out := damage{Path: d.Path, Error: d.Err.Error()}
	if d.Set != (catalog.SetName{}) {
		out.Set = d.Set.String()
	}
	if c, ok := errors.AsType[*catalog.CorruptError](d.Err); ok {
		out.RepositoryFile, out.Offset = c.Path, &c.Offset
	}
	return out
}

func (d damage) String() string {
	s := d.Error
	if d.Path != "" {
		s = printable(d.Path) + ": " + s
	}
	if d.Set != "" {
		s = d.Set + ": " + s
	}
	return s
}

// A damageWriter prints damage as it is found, so that a repository in ruins
// needs no more memory than a whole one.
type damageWriter struct {
	w    io.Writer
	json bool
	n    int   // found so far
	err  error // the first of writing
}

func newDamageWriter(w io.Writer, json bool) *damageWriter {
	return &damageWriter{w: w, json: json}
}

func (d *damageWriter) add(found catalog.Damage) {
	text := damageOf(found).String()
	if d.json {
		b, err := json.Marshal(damageOf(found))
		d.keep(err)
		text = ",\n  " + string(b)
		if d.n == 0 {
			text = "[\n  " + string(b)
		}
	} else {
		text += "\n"
	}
	d.n++
	_, err := io.WriteString(d.w, text)
	d.keep(err)
}

// close ends the array.
func (d *damageWriter) close() error {
	if d.json {
		end := "\n]\n"
		if d.n == 0 {
			end = "[]\n"
		}
		_, err := io.WriteString(d.w, end)
		d.keep(err)
	}
	return d.err
}

func (d *damageWriter) keep(err error) {
	if d.err == nil {
		d.err = err
	}
}
