package catalog

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var noteTime = time.Date(2026, 11, 23, 10, 4, 0, 0, time.UTC)

// goldenNote is a note as it lies on disk. It must be readable for ever, and a
// new one must be the same: see goldenSet.
const goldenNote = "datfs note 1 drill-report 2026-11-23T10:04:00Z 26c7827d889f6da3\nhello"

func TestNoteGolden(t *testing.T) {
	if got := string(encodeNote("drill-report", noteTime, []byte("hello"))); got != goldenNote {
		t.Errorf("encoded\n%q, want\n%q", got, goldenNote)
	}
	kind, at, body, err := parseNote([]byte(goldenNote))
	if kind != "drill-report" || !at.Equal(noteTime) || string(body) != "hello" || err != nil {
		t.Errorf("parsed %q, %v, %q, %v", kind, at, body, err)
	}
	if got := noteLineSize("drill-report") + len("hello"); got != len(goldenNote) {
		t.Errorf("its size is reckoned as %d, not %d", got, len(goldenNote))
	}
}

func TestParseNote_Invalid(t *testing.T) {
	swap := func(old, by string) []byte { return []byte(strings.Replace(goldenNote, old, by, 1)) }
	tests := []struct {
		name string
		note []byte
		want error
	}{
		{"Empty", nil, errNote},
		{"NoLine", swap("\n", " "), errNote},
		{"Magic", swap("datfs", "dotfs"), errNote},
		{"Older", swap("1 drill", "0 drill"), errNote},
		{"VersionWithSign", swap("1 drill", "+1 drill"), errNote},
		{"Newer", swap("1 drill", "2 drill"), ErrNewerFormat},
		{"NewerWithOtherWords", []byte("datfs note 17 whatever comes\n"), ErrNewerFormat},
		{"Kind", swap("drill-", "Drill-"), errNote},
		{"OtherKind", swap("drill-report", strings.Repeat("x", maxNoteKind+1)), errNote},
		{"Words", swap("Z 26", "Z  26"), errNote},
		{"NoTime", swap("T10", " 10"), errNote},
		{"Fraction", swap("00Z", "00.5Z"), errNote},
		{"Zone", swap("10:04:00Z", "11:04:00+01:00"), errNote},
		{"UpperCaseSum", swap("6da3", "6DA3"), errNote},
		{"Sum", swap("6da3", "6da4"), errNote},
		{"Body", swap("hello", "hellO"), errNote},
		{"Shorter", []byte(goldenNote[:len(goldenNote)-1]), errNote},
		{"Longer", []byte(goldenNote + "x"), errNote},
		{"TooLong", encodeNote("x", noteTime, make([]byte, MaxNote+1)), errNote},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, body, err := parseNote(tt.note); !errors.Is(err, tt.want) || body != nil {
				t.Errorf("parsed, with %d bytes and %v; want %v", len(body), err, tt.want)
			}
		})
	}
	if _, _, body, err := parseNote(encodeNote("x", noteTime, make([]byte, MaxNote))); err != nil || len(body) != MaxNote {
		t.Errorf("the longest note: %d bytes, %v", len(body), err)
	}
}

// FuzzParseNote parses arbitrary bytes. What parses is a note: written again, it
// is the same.
func FuzzParseNote(f *testing.F) {
	f.Add([]byte(goldenNote))
	f.Add(encodeNote("x", time.Time{}, nil))
	f.Add([]byte("datfs note 2 x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, at, body, err := parseNote(b)
		if err != nil {
			if !errors.Is(err, errNote) || body != nil {
				t.Errorf("%v, with %d bytes", err, len(body))
			}
			return
		}
		if again := encodeNote(kind, at, body); !bytes.Equal(again, b) {
			t.Errorf("%q is written as %q", b, again)
		}
	})
}

func TestNoteName(t *testing.T) {
	const at = "2026-11-23T10-04-00Z-"
	for _, want := range []noteName{
		{noteTime, "validated", 1, "json"}, {noteTime, "drill-report", 2, "md"}, {noteTime, "x", 10, "7z"},
	} {
		if got, ok := parseNoteName(want.String()); got != want || !ok || want.check() != nil {
			t.Errorf("%v: %+v, %t, %v", want, got, ok, want.check())
		}
	}
	for _, bad := range []string{
		"", at, at + "x", at + "x.", at + ".md", at + "x.md.tmp", at + "x.MD", at + "x.md/y", at + "-x.md", at + "x-.md",
		at + "X.md", at + "x--y.md", at + "x-1.md", at + "x-0.md", at + "x-02.md", at + "x-99999999999999999999.md",
		at + strings.Repeat("x", 33) + ".md", at + "x.123456789", "2026-13-23T10-04-00Z-x.md", "2026-11-23T10-04-00Z-2-x.md", "../" + at + "x.md", at + "x.md\n",
	} {
		if n, ok := parseNoteName(bad); ok {
			t.Errorf("%q is the name %+v", bad, n)
		}
	}
	for _, bad := range []noteName{
		{noteTime, "", 1, "md"},
		{noteTime, "../x", 1, "md"},
		{noteTime, "x2", 1, "md"},
		{noteTime, "x", 1, ""},
		{noteTime, "x", 1, ".md"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "x", 1, "md"},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), "x", 1, "md"},
	} {
		if bad.check() == nil {
			t.Errorf("%v can be given", bad)
		}
	}
	order := []string{at + "a.md", at + "a-2.md", at + "a-10.md", at + "b.json", at + "b.md", "2026-11-23T10-04-01Z-a.md"}
	names := make([]noteName, 0, len(order))
	for _, s := range slices.Backward(order) {
		n, _ := parseNoteName(s)
		names = append(names, n)
	}
	slices.SortFunc(names, noteName.compare)
	for i, n := range names {
		if n.String() != order[i] {
			t.Errorf("%d. is %v, want %s", i, n, order[i])
		}
	}
}
