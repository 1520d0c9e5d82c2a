package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"
)

// A work directory belongs to the instance's owner, who can put anything in the
// place of what is in it. Root reads it too: not through a link, behind which could
// be what the owner may not read; no pipe, at which it would wait; and not without end.

// OpenAlone opens a file for reading that is a regular one with no other name. Of
// another one the error says what to do; of one that is missing it is fs.ErrNotExist.
func OpenAlone(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO) { // a symbolic link, a socket
		return nil, notAlone(path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !Alone(info) {
		err = notAlone(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func notAlone(path string) error {
	return fmt.Errorf("%s is not a plain file with one name only: it is not read; look what it is, and remove it or put a plain copy in its place", path)
}

// Alone returns whether a file is a regular one with no other name.
func Alone(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().IsRegular() && (!ok || st.Nlink == 1)
}

// ReadAlone reads a file like [OpenAlone] opens one, and no more of it than most bytes.
func ReadAlone(path string, most int64) ([]byte, error) {
	f, err := OpenAlone(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, most))
	return b, errors.Join(err, f.Close())
}

// ReadState reads the state of a restore into s, of which u is the part that other
// runs read too. It is not ok if the file is torn; the error is of the file itself.
func ReadState(path string, s any, u *Unfinished) (ok bool, err error) {
	b, err := ReadAlone(path, maxState)
	if err != nil {
		return false, err
	}
	ok = json.Unmarshal(b, s) == nil
	u.Set, u.Step = oneLine(u.Set), oneLine(u.Step)
	if !pasteable(u.Command) {
		u.Command = ""
	}
	return ok, nil
}

// oneLine returns a text without what would do something to a terminal, or be a line
// of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, Printable(s))
}

// leading are flags with which datfs runs a program, or tells the instance what is in
// a file. They are the business of whoever types them.
var leading = []string{"command", "password-file"}

// pasteable returns whether a command from a file, printed for somebody to type it
// again, maybe as root, does no more than call datfs for what is in the file.
func pasteable(command string) bool {
	words, ok := splitCommand(command)
	if !ok || len(words) == 0 || words[0] != "datfs" {
		return false
	}
	for _, w := range words[1:] {
		flag, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
		for _, name := range leading {
			if strings.HasPrefix(w, "-") && flag == name {
				return false
			}
		}
	}
	return true
}

// splitCommand splits a command whose words are quoted as datfs quotes them. It is not
// ok if a shell would do anything else with it than to split it.
func splitCommand(command string) (words []string, ok bool) {
	if strings.ContainsFunc(command, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil, false
	}
	var word strings.Builder
	for i := 0; i < len(command); i++ {
		switch c := command[i]; {
		case c == ' ':
			words = append(words, word.String())
			word.Reset()
		case c == '\'':
			end := strings.IndexByte(command[i+1:], '\'')
			if end < 0 {
				return nil, false
			}
			word.WriteString(command[i+1 : i+1+end])
			i += end + 1
		case c == '\\' && strings.HasPrefix(command[i+1:], "'"):
			word.WriteByte('\'')
			i++
		case !plain(c):
			return nil, false
		default:
			word.WriteByte(c)
		}
	}
	return append(words, word.String()), true
}

// plain returns whether a character means nothing to a shell.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_./:=,+@%", c) >= 0
}
