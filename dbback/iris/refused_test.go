package iris

import (
	"os"
	"strings"
	"testing"
	"time"

	"datfs/dbback"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

// A session that is refused is tried again where nothing was carried out, and only
// there; without one the last step goes on with what is known.
func TestRefused(t *testing.T) {
	w := played.New(t)
	e := engine(t, w)
	e.instance.Options.RefusedPause = time.Millisecond
	l := begin(t, e)
	if _, err := e.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	sessions := 0
	e.instance.Options.Started = func(int) { sessions++ }
	refuse := func(text string) {
		w.Refuse = text
		w.Tell()
		sessions = 0
	}
	for _, tt := range []struct {
		refuse string
		times  int
	}{
		{"<LICENSE LIMIT EXCEEDED>\n", 4},
		{"Sign-on inhibited: switch 12\n", 4},
		{"something else\n", 4},
		{"Access Denied\n", 1}, // or the account gets locked
		{"Instance 'IRIS' is not running\n", 1},
		{"@@NS|USER\n", 1}, // something was carried out
	} {
		refuse(tt.refuse)
		if err := e.Mark(t.Context()); err == nil || sessions != tt.times {
			t.Errorf("%s: %d sessions, %v; want %d", tt.refuse, sessions, err, tt.times)
		}
	}

	refuse("<LICENSE LIMIT EXCEEDED>\n")
	if size, _, err := e.Estimate(t.Context()); err != nil || size != -1 {
		t.Errorf("an estimate that is refused: %d, %v", size, err)
	}
	file, _ := e.incrementalFiles(l.Run)
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	sessions = 0
	if _, err := e.Incremental(t.Context()); !session.Refused(err) || sessions != 1 {
		t.Errorf("an incremental that left a file is taken again: %d sessions, %v", sessions, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refuse("")
	if _, err := e.Incremental(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuse("<LICENSE LIMIT EXCEEDED>\n")
	j, err := e.Journals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(j.Range.Files, " "); got != "20261121.014z 20261122.001z 20261122.002" || len(j.Missing) != 0 {
		t.Errorf("journals without a session: %s, missing %q", got, j.Missing)
	}
	if got := strings.Join(j.Warnings, "; "); !strings.Contains(got, "no unit left") || j.Facts[dbback.FactJournal] != dbback.JournalOpen {
		t.Errorf("warnings %q, facts %q", got, j.Facts)
	}
}
