package session

import (
	"bytes"
	"strings"
)

// A Marker is one answer of a session: a line that begins with @@.
type Marker struct {
	Name   string
	Value  string   // all behind the name
	Fields []string // the same, cut at the bars
}

// parseMarkers returns the markers of an output in their order. All else, such as
// prompts and greetings, is noise; a line that a terminal echoes is no marker,
// since the marker is not at its start.
func parseMarkers(text []byte) []Marker {
	var out []Marker
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(line, []byte("@@"))
		if !ok {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimRight(string(rest), "\r\n"), "|")
		if !ok || !isMarkerName(name) {
			continue
		}
		out = append(out, Marker{Name: name, Value: value, Fields: strings.Split(value, "|")})
	}
	return out
}

func isMarkerName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
