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

// WithBars returns the fields of a marker that are absolute paths, or empty: one
// that is neither is the rest of a path that has a bar itself. The first one stays
// what it is.
func WithBars(fields []string) (out []string) {
	for _, f := range fields {
		trimmed := strings.TrimSpace(f)
		if last := len(out) - 1; last >= 0 && strings.HasPrefix(out[last], "/") && trimmed != "" && trimmed[0] != '/' {
			out[last] += "|" + strings.TrimRight(f, " ")
			continue
		}
		out = append(out, trimmed)
	}
	return out
}
