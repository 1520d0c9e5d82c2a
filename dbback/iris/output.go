package iris

import (
	"bytes"
	"fmt"
	"strings"
)

// keepOutput is how much is kept of a session's output: so many bytes from its
// start, and as many from its end.
const keepOutput = 1 << 20

// An output collects what a session says. It keeps the start and the end: a
// session that never stops talking takes no more memory than that.
type output struct {
	head, tail []byte
	lost       int64 // bytes between head and tail
}

// Write implements io.Writer. It never fails.
func (o *output) Write(p []byte) (int, error) {
	n := len(p)
	if room := keepOutput - len(o.head); room > 0 {
		room = min(room, len(p))
		o.head = append(o.head, p[:room]...)
		p = p[room:]
	}
	o.tail = append(o.tail, p...)
	if over := len(o.tail) - keepOutput; over > keepOutput { // not at every write
		o.lost += int64(over)
		o.tail = append(o.tail[:0], o.tail[over:]...)
	}
	return n, nil
}

// String returns all that was kept. A gap is named.
func (o *output) String() string {
	if o.lost == 0 {
		return string(o.head) + string(o.tail)
	}
	return fmt.Sprintf("%s\n(%d bytes are left out)\n%s", o.head, o.lost, o.tail)
}

// scrubbed is what stands where a password was.
const scrubbed = "********"

// scrub replaces the password wherever it stands. A session that asks for none
// takes it for a command, and repeats it in its complaint.
func scrub(text string, password []byte) string {
	if len(password) == 0 {
		return text
	}
	return strings.ReplaceAll(text, string(password), scrubbed)
}

// lastLines returns the end of a text for an error: some lines, without blank
// ones and the noise of terminals, on one line.
func lastLines(text string) string {
	const lines, most = 6, 600
	var last []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(printable(line)); line != "" {
			last = append(last, line)
		}
	}
	last = last[max(0, len(last)-lines):]
	s := strings.Join(last, " / ")
	if len(s) > most {
		s = "… " + strings.ToValidUTF8(s[len(s)-most:], "")
	}
	return s
}

// printable returns a text without what would do something to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7F && r < 0xA0) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// A marker is one answer of a session: a line that begins with @@.
type marker struct {
	name   string
	value  string   // all behind the name
	fields []string // the same, cut at the bars
}

// parseMarkers returns the markers of an output in their order. All else, such as
// prompts and greetings, is noise; a line that a terminal echoes is no marker,
// since the marker is not at its start.
func parseMarkers(text []byte) []marker {
	var out []marker
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(line, []byte("@@"))
		if !ok {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimRight(string(rest), "\r\n"), "|")
		if !ok || !isMarkerName(name) {
			continue
		}
		out = append(out, marker{name: name, value: value, fields: strings.Split(value, "|")})
	}
	return out
}

func isMarkerName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
