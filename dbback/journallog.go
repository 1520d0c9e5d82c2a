package dbback

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// JournalLog is the file in which an instance lists its journal files.
const JournalLog = "journal.log"

// MaxJournalLog bounds how much is read of a journal.log, and maxLogLine a line
// of it, in bytes.
const (
	MaxJournalLog = 16 << 20
	maxLogLine    = 64 << 10
)

// ReadJournalLog returns the journal files that a journal.log names, in its order,
// as it writes them (with directories, where it has them) but without the z of
// compressed ones; of a name that is there twice the last counts. That the file
// lists all journal files is documented (InterSystems manual, Data Integrity
// Guide); how its lines look is not: the first thing in a line that ends like a
// journal file's name is taken for one, and a line without is passed over. A file
// that cannot be read to its end gives what was read, and the error.
func ReadJournalLog(r io.Reader) ([]string, error) {
	var names []string
	lines := bufio.NewScanner(io.LimitReader(r, MaxJournalLog))
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		if name, ok := journalInLine(lines.Text()); ok {
			names = append(names, name)
		}
	}
	seen := make(map[string]bool)
	var out []string
	for _, name := range slices.Backward(names) {
		if !seen[path.Base(name)] {
			seen[path.Base(name)] = true
			out = append(out, name)
		}
	}
	slices.Reverse(out)
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return out, nil // nothing that anybody writes by lines
	}
	return out, lines.Err()
}

// ListedJournals returns the journal files that the journal.log in a manager directory
// names, as [ReadJournalLog] does. One that cannot be read names none.
func ListedJournals(mgr string) []string {
	f, err := os.Open(filepath.Join(mgr, JournalLog))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	names, _ := ReadJournalLog(f)
	return names
}

// journalInLine returns the first journal file that a line of journal.log names.
func journalInLine(line string) (string, bool) {
	ends := func(r rune) bool { return r <= ' ' || strings.ContainsRune(`,;|^="'<>()`, r) }
	for _, word := range strings.FieldsFunc(line, ends) {
		_, file := path.Split(word) // "" of a directory
		if _, ok := ParseJournalName(file); ok {
			return PlainJournal(word), true
		}
	}
	return "", false
}

// baseNames returns the last elements of paths.
func baseNames(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = path.Base(p)
	}
	return out
}
