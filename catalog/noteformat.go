package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"datfs/catalog/pack"
)

// The format of a note, version 1: a file of its own beside the set that it is
// of, SET.notes/NAME. It is a line of ASCII, then the body as it was given:
//
//	datfs note 1 KIND TIME SUM\n
//	body
//
//	KIND  what sort of note it is: words of lower-case letters joined by single
//	      dashes, 32 bytes at most
//	TIME  RFC 3339 in UTC, whole seconds: 2026-11-23T10:04:00Z
//	SUM   XXH64 with seed 0 of the body, 16 lower-case hex digits
//
// The words are parted by one space each. Any other way to write the same line
// is an error. The body has at most MaxNote bytes and may be empty. The first
// three words keep their places in all versions.
//
// The file's name has the time, in the form of set names, and the kind again:
//
//	2026-11-23T10-04-00Z-validated.json
//	2026-11-23T10-04-00Z-validated-2.json   the second of that second
//
// A line that does not agree with the name is damage: the sum guards the body,
// the name guards the line. What ends in ".tmp" was being written.
const (
	noteMagic   = "datfs note "
	noteVersion = 1

	// MaxNote is how long the body of a note may be, in bytes.
	MaxNote = 4 << 20

	maxNoteKind   = 32
	noteTempEnd   = ".tmp"                                                        // as disk.replace has it
	noteLineFixed = len(noteMagic + "1  2026-11-23T10:04:00Z 0123456789abcdef\n") // without the kind
)

// errNote is wrapped by every error about bytes that are not a note.
var errNote = errors.New("invalid note")

var (
	noteKindRE = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	noteExtRE  = regexp.MustCompile(`^[a-z0-9]{1,8}$`)
	noteNameRE = regexp.MustCompile(`^(.{20})-([a-z]+(?:-[a-z]+)*)(?:-([0-9]+))?\.([a-z0-9]{1,8})$`)
)

func validNoteKind(kind string) bool { return len(kind) <= maxNoteKind && noteKindRE.MatchString(kind) }

// noteLine returns a note's first line without its end.
func noteLine(kind string, t time.Time, body []byte) string {
	return fmt.Sprintf("%s%d %s %s %016x", noteMagic, noteVersion, kind, t.UTC().Format(time.RFC3339), pack.Sum64(body))
}

// noteLineSize is the length of a note's first line with its end.
func noteLineSize(kind string) int { return noteLineFixed + len(kind) }

// encodeNote returns a whole note.
func encodeNote(kind string, t time.Time, body []byte) []byte {
	return append([]byte(noteLine(kind, t, body)+"\n"), body...)
}

// parseNote decodes a whole note and checks its sum (I3).
func parseNote(b []byte) (kind string, t time.Time, body []byte, err error) {
	first, body, ended := bytes.Cut(b, []byte("\n"))
	line := string(first[:min(len(first), 2*noteLineSize("")+maxNoteKind)])
	rest, ok := strings.CutPrefix(line, noteMagic)
	if !ok || !ended {
		return "", time.Time{}, nil, fmt.Errorf("%w: it does not begin with the line of one", errNote)
	}
	words := strings.Split(rest, " ")
	if v, err := strconv.ParseUint(words[0], 10, 32); err == nil && v > noteVersion {
		return "", time.Time{}, nil, fmt.Errorf("%w: version %d: %w", errNote, v, ErrNewerFormat)
	}
	if len(words) != 4 || !validNoteKind(words[1]) {
		return "", time.Time{}, nil, fmt.Errorf("%w: first line %q", errNote, line)
	}
	kind = words[1]
	if t, err = time.Parse(time.RFC3339, words[2]); err != nil {
		return "", time.Time{}, nil, fmt.Errorf("%w: time %q", errNote, words[2])
	}
	if len(body) > MaxNote {
		return "", time.Time{}, nil, fmt.Errorf("%w: body of more than %d bytes", errNote, MaxNote)
	}
	if line != noteLine(kind, t, body) { // there is one way to write it, and it has the sum
		return "", time.Time{}, nil, fmt.Errorf("%w: sum mismatch", errNote)
	}
	return kind, t.UTC(), body, nil
}

// A noteName is a note's file name, taken apart.
type noteName struct {
	time time.Time // UTC, whole seconds
	kind string
	n    int // of those of that name in that second, counted from 1
	ext  string
}

func (n noteName) String() string {
	s := n.time.Format(nameLayout) + "-" + n.kind
	if n.n > 1 {
		s += "-" + strconv.Itoa(n.n)
	}
	return s + "." + n.ext
}

// check returns what is wrong with the parts of a name that is to be given.
func (n noteName) check() error {
	if !validNoteKind(n.kind) {
		return fmt.Errorf("kind of note %q: use words of lower-case letters with dashes between, at most %d", n.kind, maxNoteKind)
	}
	if !noteExtRE.MatchString(n.ext) {
		return fmt.Errorf("extension %q: use 1 to 8 lower-case letters and digits", n.ext)
	}
	if _, ok := parseNoteName(n.String()); !ok {
		return fmt.Errorf("time %v: it cannot be in a name", n.time)
	}
	return nil
}

// parseNoteName takes a name apart. What is not just as String writes it is none.
func parseNoteName(name string) (noteName, bool) {
	m := noteNameRE.FindStringSubmatch(name)
	if m == nil || !validNoteKind(m[2]) {
		return noteName{}, false
	}
	t, err := time.Parse(nameLayout, m[1])
	if err != nil {
		return noteName{}, false
	}
	n := noteName{time: t, kind: m[2], n: 1, ext: m[4]}
	if m[3] != "" {
		if n.n, err = strconv.Atoi(m[3]); err != nil || n.n < 2 {
			return noteName{}, false
		}
	}
	return n, n.String() == name
}

// compare orders notes by time, then as they were added.
func (n noteName) compare(o noteName) int {
	return cmp.Or(n.time.Compare(o.time), cmp.Compare(n.kind, o.kind), cmp.Compare(n.n, o.n), cmp.Compare(n.ext, o.ext))
}
