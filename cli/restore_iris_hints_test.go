package cli

import (
	"strings"
	"testing"

	"datfs/dbback/iris/restore"
	"datfs/dbback/iris/session"
)

// What goes on with another restore is read from a file of the instance's owner: the
// hints say so, and show none that was not read.
func TestUnfinishedHints(t *testing.T) {
	for command, want := range map[string][]string{
		"datfs restore iris IRIS/x": {
			"this goes on with it: datfs restore iris IRIS/x",
			"this gives it up, and leaves the databases as they are: datfs restore iris IRIS/x --give-up",
			`it is from "/w\x1b/restore-x/state.json", which the instance's owner can change`,
		},
		"": {
			"the command that began it goes on with it; the same with --give-up gives it up",
			`the command in "/w\x1b/restore-x/state.json" is not shown`,
		},
	} {
		got := hintsFor(&restore.UnfinishedError{Other: session.Unfinished{Command: command, Dir: "/w\x1b/restore-x"}})
		wantAll(t, "hints", strings.Join(got, "\n"), append(want, "--anew begins the new restore")...)
		if strings.Contains(strings.Join(got, "\n"), "it: \n") {
			t.Errorf("%q", got)
		}
	}
}
