package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
)

// A product is a database product whose instances can be checked and backed up
// while they are in use: a subcommand of check and one of backup.
type product struct {
	name  string // of the subcommands
	title string // what people call it

	connect func() []cli.Flag // how to reach an instance: flags of check and backup
	tune    func() []cli.Flag // flags of backup alone

	checkText, checkHelp   string // usage line, description
	backupText, backupHelp string

	// What a restore applies the incremental and the journals with, and checks
	// the databases with: names of the product's own tools.
	applyWith, journalsWith, checkWith string

	// runbooks returns how a set of the product is restored, "en" first. Texts that
	// are "" count as none. Nil if there never are.
	runbooks func(set *catalog.SetInfo, at bookPlace) []runbook

	// noRunbook returns why a set has none. Nil if that is not known.
	noRunbook func(set *catalog.SetInfo) error

	// restore is the command that does all of a restore, with %s for the set, "" if
	// there is none, and first what must be done to copies before anything else, if it is not used.
	restore, first string

	// restoreInUse says, with %s for the set, how databases are restored that are in
	// use; "" if that is not possible.
	restoreInUse string

	// engine returns what talks to the instance, and the name that its sets get
	// unless --name says another.
	engine func(*cli.Context) (e dbback.Engine, name string, err error)
}

// products are all that can be backed up in use.
func products() []product { return []product{irisProduct(), gtmProduct()} }

// productOf returns the product whose engine has the name; one without words of
// its own if there is none, as in a set of a later datfs.
func productOf(engine string) product {
	for _, p := range products() {
		if p.name == engine {
			return p
		}
	}
	return product{name: engine}
}

// open returns the product's engine and the name that the sets of the instance
// have. Whatever is wrong with flags is a usage error.
func (p product) open(c *cli.Context) (dbback.Engine, string, error) {
	engine, name, err := p.engine(c)
	if err != nil {
		return nil, "", err
	}
	if given := c.String("name"); given != "" {
		name = given
	}
	if err := catalog.ValidBackup(name); err != nil {
		return nil, "", withHint(usageErrorf(c, "%w", err), "--name NAME gives the sets a name of their own")
	}
	return engine, name, nil
}

// nameFlag is the flag of every product that names sets.
func nameFlag() cli.Flag {
	return &cli.StringFlag{Name: "name", Usage: "`NAME` that the sets get; without it the instance's"}
}

// parseRate reads a number of bytes a second: "200MB/s", "1GiB". "" is no limit.
func parseRate(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(strings.TrimSuffix(s, "/s"))
	if err != nil || n == 0 || n > 1<<62 {
		return 0, fmt.Errorf("%q is not a rate such as 200MB/s", s)
	}
	return int64(n), nil
}

var errWords = errors.New("a quote is not closed")

// splitWords parts a command line into words as a shell does: at blanks, but not
// within '…' or "…", nor after a backslash outside of '…'. Nothing is expanded.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte // that is open
	in, escaped := false, false
	for _, b := range []byte(line) { // names need not be UTF-8
		switch {
		case escaped:
			word.WriteByte(b)
			escaped = false
		case b == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0 && b == quote:
			quote = 0
		case quote == 0 && (b == '\'' || b == '"'):
			in, quote = true, b
		case quote == 0 && strings.IndexByte(" \t\n", b) >= 0:
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			in = true
			word.WriteByte(b)
		}
	}
	if quote != 0 || escaped {
		return nil, errWords
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// noPasswordFlag is said to whoever looks for one.
const noPasswordFlag = "there is no --password: every user of the machine can see a command line, and the shell keeps it. " +
	"Use --password-file, or a variable of the environment"

// warnIfShared says of a file with a password that every user can read it.
func warnIfShared(w io.Writer, name string) {
	if st, err := os.Stat(name); err == nil && st.Mode().Perm()&0o004 != 0 {
		fmt.Fprintf(w, "warning: %s holds a password and can be read by every user; chmod 600 it\n", printable(name))
	}
}
