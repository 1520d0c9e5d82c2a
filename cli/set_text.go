package cli

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"datfs/catalog"
)

// sectionOrder is how the sections of a set are shown; any other comes after.
var sectionOrder = []catalog.Section{
	catalog.SectionDatabases, catalog.SectionConsistent, catalog.SectionIncremental,
	catalog.SectionJournals, catalog.SectionConfiguration, catalog.SectionTranscripts,
}

// sections returns the files of a set by section, in the order to show them.
func sections(set *catalog.SetInfo) (names []catalog.Section, files map[catalog.Section][]catalog.FileInfo) {
	files = make(map[catalog.Section][]catalog.FileInfo)
	for _, f := range set.Files {
		files[f.Section] = append(files[f.Section], f)
	}
	rank := func(s catalog.Section) int {
		if i := slices.Index(sectionOrder, s); i >= 0 {
			return i
		}
		return len(sectionOrder)
	}
	names = slices.SortedFunc(maps.Keys(files), func(a, b catalog.Section) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
	return names, files
}

// sectionSize returns the sum of the sizes of a section's files, in bytes.
func sectionSize(set *catalog.SetInfo, section catalog.Section) (sum int64) {
	for _, f := range set.Files {
		if f.Section == section {
			sum += f.Size
		}
	}
	return sum
}

// incrementalSize returns the size of what is applied to the copies, in bytes.
func incrementalSize(set *catalog.SetInfo) (sum int64) {
	for _, f := range set.Files {
		if f.Section == catalog.SectionIncremental && slices.Contains(set.Method.Incrementals, f.Path) {
			sum += f.Size
		}
	}
	return sum
}

// methodRows says how the parts of a set belong together: what a restore needs.
func methodRows(set *catalog.SetInfo) []table.Row {
	m := set.Method
	r := rows(pair("  incremental", fmt.Sprintf("%s, %s: what changed during the copy",
		orDash(printable(strings.Join(m.Incrementals, ", "))), size(incrementalSize(set)))))
	if m.Journal != nil {
		r = append(r, pair("  journals", journalText(m.Journal)))
	}
	if n := countLevel(set.Findings, catalog.LevelWarn); n > 0 {
		r = append(r, pair("  findings", count(n, "warning")+" of the preflight"))
	}
	return r
}

// journalText says which journal files a restore needs.
func journalText(j *catalog.JournalRange) string {
	s := "required from " + printable(filepath.Base(j.Required))
	if j.Marker != "" {
		s += fmt.Sprintf(" to %s, where the backup's marker is at offset %d", printable(filepath.Base(j.Marker)), j.Offset)
	}
	return s + "; " + count(len(j.Files), "file") + " stored"
}

// printSteps writes a table of the steps: when each began and how long it took.
func printSteps(w io.Writer, set *catalog.SetInfo) {
	t := newTable(w, column{title: "STEP"}, column{title: "BEGAN"}, column{"TOOK", true})
	for i, s := range set.Steps {
		end := set.Finished
		if i+1 < len(set.Steps) {
			end = set.Steps[i+1].Time
		}
		duration := "-"
		if !end.IsZero() && set.State != catalog.StateInterrupted || i+1 < len(set.Steps) {
			duration = "<1s" // sets have the times of steps in seconds
			if d := end.Sub(s.Time); d >= time.Second {
				duration = d.String()
			}
		}
		t.AppendRow(row(printable(s.Name), localTime(s.Time), duration))
	}
	t.Render()
}

// stepAdvice says of a backup that did not come to its end at which step it is
// or was, and then what that means for the instance and what to do, in lines.
func stepAdvice(set *catalog.SetInfo) (lines []string) {
	step := set.LastStep()
	if step == nil {
		return nil
	}
	switch set.State {
	case catalog.StateRunning:
		return []string{fmt.Sprintf("%s is at the step %s, begun %s", set.SetName(), printable(step.Name), localTime(step.Time))}
	case catalog.StateInterrupted:
	default:
		return nil
	}
	lines = append(lines, fmt.Sprintf("%s ended within the step %s, begun %s",
		set.SetName(), printable(step.Name), localTime(step.Time)))
	if step.Means != "" {
		lines = append(lines, "  it means:   "+printable(step.Means))
	}
	if step.Next != "" {
		lines = append(lines, "  what to do: "+printable(step.Next))
	}
	return lines
}

// validatedText says in a word or two what the validations of a set come to.
func validatedText(v *catalog.Validation) string {
	if v == nil {
		return "-"
	}
	text := v.Time.Local().Format("2006-01-02 15:04") + ", " + printable(v.Check)
	const most = 3
	if !v.Whole {
		names := v.Databases
		if n := len(names); n > most {
			names = append(slices.Clone(names[:most]), fmt.Sprintf("%d more", n-most))
		}
		text = "part: " + printable(strings.Join(append(slices.Clone(names), text), ", "))
	}
	if !v.Clean {
		text = "DAMAGED " + text
	}
	return text
}

// validationRows says where a set was validated and what was found.
func validationRows(v *catalog.Validation) []table.Row {
	if v == nil {
		return nil
	}
	r := rows(
		pair("validated", validatedText(v)),
		pair("", fmt.Sprintf("restored to %s, host %s, by %s", orDash(printable(v.Instance)), orDash(printable(v.Host)), orDash(printable(v.Program)))),
		pair("", fmt.Sprintf("%s checked: %s", count(len(v.Databases), "database"), orDash(printable(strings.Join(v.Databases, ", "))))),
	)
	if !v.Clean {
		r = append(r, pair("", count(v.Findings, "finding")+" of damage"))
	}
	if v.Report != "" {
		r = append(r, pair("", "report: "+printable(v.Report)))
	}
	return r
}

// printNotes writes a table of the notes.
func printNotes(w io.Writer, notes []catalog.Note) {
	t := newTable(w, column{title: "NOTE"}, column{title: "KIND"}, column{title: "TIME"}, column{"SIZE", true})
	for _, n := range notes {
		t.AppendRow(row(n.Name, n.Kind, localTime(n.Time), size(n.Bytes)))
	}
	t.Render()
}

// printMethod writes what the product said of its databases, and what else is
// known of the instance.
func printMethod(w io.Writer, m *catalog.Method) {
	t := newTable(w, column{title: "DATABASE"}, column{"SIZE", true}, column{"FILES", true}, column{title: "STATE"}, column{title: "DIRECTORY"})
	for _, db := range m.Databases {
		t.AppendRow(row(orDash(printable(db.Name)), size(db.Bytes), strconv.Itoa(len(db.Paths)), databaseState(&db), printable(db.Directory)))
	}
	t.Render()
	if len(m.Facts) == 0 {
		return
	}
	fmt.Fprintln(w)
	facts := newPairs(w)
	for _, name := range slices.Sorted(maps.Keys(m.Facts)) {
		facts.AppendRow(pair(printable(name), printable(m.Facts[name])))
	}
	facts.Render()
}

func databaseState(db *catalog.Database) string {
	words := []string{"not mounted"}
	switch {
	case db.Mounted && db.ReadOnly:
		words[0] = "read-only"
	case db.Mounted:
		words[0] = "mounted"
	}
	if db.Mirror != "" {
		words = append(words, "mirrored as "+printable(db.Mirror))
	}
	if db.Encrypted {
		words = append(words, "encrypted")
	}
	if !db.Journaled {
		words = append(words, "not journaled")
	}
	return strings.Join(words, ", ")
}

// printFiles writes the files of one section.
func printFiles(w io.Writer, section catalog.Section, files []catalog.FileInfo) {
	fmt.Fprintf(w, "%s:\n", section)
	if section == catalog.SectionDatabases || section == catalog.SectionConsistent {
		printDatabaseFiles(w, files)
		return
	}
	t := newTable(w, column{"SIZE", true}, column{"STORED", true}, column{title: "MODE"}, column{title: "OWNER"},
		column{title: "XXH64"}, column{title: "NAME"}, column{title: "WAS"})
	for _, f := range files {
		t.AppendRow(row(size(f.Size), size(f.StoredBytes), modeText(&f), ownerText(&f), orDash(f.XXH64), printable(f.Path), orDash(printable(f.Origin))))
	}
	t.Render()
}

// printDatabaseFiles writes two tables: what the files took, and what they are.
func printDatabaseFiles(w io.Writer, files []catalog.FileInfo) {
	t := newTable(w, column{title: "DATABASE"}, column{title: "FORMAT"}, column{"BLOCK", true}, column{"SIZE", true},
		column{"ZEROS", true}, column{"NEW", true}, column{"STORED", true}, column{title: "XXH64"}, column{title: "PATH"})
	attrs := newTable(w, column{title: "MODE"}, column{title: "OWNER"}, column{title: "MODIFIED"}, column{title: "PATH"}, column{title: "LABEL"})
	for _, f := range files {
		t.AppendRow(row(orDash(printable(f.Database)), orDash(f.Format), size(int64(f.BlockSize)), size(f.Size),
			size(f.ZeroBytes), size(f.NewBytes), size(f.StoredBytes), orDash(f.XXH64), printable(f.Path)))
		attrs.AppendRow(row(modeText(&f), ownerText(&f), localTime(f.ModTime), printable(f.Path), labelText(f.Label)))
	}
	t.Render()
	fmt.Fprintln(w)
	attrs.Render()
}

func modeText(f *catalog.FileInfo) string { return f.FileMode().String() }

// ownerText has numbers: names are another machine's.
func ownerText(f *catalog.FileInfo) string { return fmt.Sprintf("%d:%d", f.UID, f.GID) }

// labelText is what the file says of itself.
func labelText(l *catalog.Label) string {
	if l == nil {
		return "-"
	}
	var words []string
	if l.Blocks > 0 {
		words = append(words, fmt.Sprintf("%d blocks of %s", l.Blocks, size(int64(l.BlockSize))))
	}
	if l.Resource != "" {
		words = append(words, "resource "+printable(l.Resource))
	}
	if l.Directory != "" {
		words = append(words, printable(l.Directory))
	}
	return orDash(strings.Join(words, ", "))
}
