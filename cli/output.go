package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"datfs/catalog"
)

// writeJSON writes v for programs, indented because people look at it too.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // a path is a path, not part of a web page
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// orEmpty makes an empty list of none, which JSON shows as [] and not as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// A column is the heading of a table's column; those of numbers stand right.
type column struct {
	title string
	right bool
}

// newTable makes a table without lines or colours: it reads as well in a pipe or
// a mail as on a screen, and awk finds its columns.
func newTable(w io.Writer, columns ...column) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SuppressTrailingSpaces()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	header := make(table.Row, len(columns))
	configs := make([]table.ColumnConfig, len(columns))
	for i, c := range columns {
		header[i] = c.title
		configs[i] = table.ColumnConfig{Number: i + 1}
		if c.right {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	return t
}

// newPairs makes a table of names and values without a heading.
func newPairs(w io.Writer) table.Writer {
	t := newTable(w, column{}, column{})
	t.ResetHeaders()
	return t
}

// size writes a number of bytes for people: "1.2 GiB".
func size(n int64) string {
	if n < 0 {
		return "-" + humanize.IBytes(uint64(-n))
	}
	return humanize.IBytes(uint64(n))
}

// count writes a number with its noun: "1 file", "1,234 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(int64(n)) + " " + noun + "s"
}

// rate writes how much is done in a time for people: "310 MiB/s".
func rate(in unit, n int64, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return in.write(int64(float64(n)/d.Seconds())) + "/s"
}

// took rounds a duration to what people care about.
func took(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// localTime writes a time for people, in their own zone.
func localTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// printable quotes a path or name that would disturb a line or a terminal, such
// as one with a line feed in it.
func printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

// printProblems writes a line for each problem of a set.
func printProblems(w io.Writer, problems []catalog.Problem) {
	for _, p := range problems {
		kind := "warning"
		if p.Fatal {
			kind = "error"
		}
		fmt.Fprintf(w, "%s: %s\n", kind, printable(p.String()))
	}
}

func row(cells ...string) table.Row {
	r := make(table.Row, len(cells))
	for i, cell := range cells {
		r[i] = cell
	}
	return r
}

func pair(name, value string) table.Row { return row(name, value) }

func rows(r ...table.Row) []table.Row { return r }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
