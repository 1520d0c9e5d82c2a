package session

import (
	"path/filepath"
	"strings"
	"unicode"
)

// Slashed returns a directory as the product writes it: clean, with a slash at
// its end.
func Slashed(dir string) string {
	if dir == "" {
		return ""
	}
	if dir = filepath.Clean(dir); dir == "/" {
		return dir
	}
	return dir + "/"
}

// HasControl reports whether s has a character that would end a line of a script
// or do something else to a terminal.
func HasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// Listable reports whether ^DBREST's list of directories can have a directory: its
// fields are parted by commas, and how a quote would be written is not documented.
func Listable(dir string) bool { return !strings.ContainsAny(dir, ",\"") && !HasControl(dir) }

// scrubbed is what stands where a password was.
const scrubbed = "********"

// Scrub replaces a password wherever it stands; without one the text stays as it
// is. A session that asks for none takes it for a command, and repeats it in its
// complaint.
func Scrub(text string, password []byte) string {
	if len(password) == 0 {
		return text
	}
	return strings.ReplaceAll(text, string(password), scrubbed)
}

// LastLines returns the end of a text for an error: some lines, without blank
// ones and the noise of terminals, on one line.
func LastLines(text string) string {
	const lines, most = 6, 600
	var last []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(Printable(line)); line != "" {
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

// Printable returns a text without what would do something to a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7F && r < 0xA0) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
