package cli

import (
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// Sets have the times of steps in seconds: one that took less did not take none.
func TestPrintSteps(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	var b strings.Builder
	printSteps(&b, &catalog.SetInfo{State: catalog.StateComplete, Finished: at.Add(90 * time.Second), Steps: []catalog.Step{
		{Name: "prepare", Time: at}, {Name: "copy", Time: at}, {Name: "seal", Time: at.Add(90 * time.Second)},
	}})
	var took []string
	for line := range strings.Lines(b.String()) {
		f := strings.Fields(line)
		took = append(took, f[len(f)-1])
	}
	if got := strings.Join(took, " "); got != "TOOK <1s 1m30s <1s" {
		t.Errorf("took %q, of\n%s", got, b.String())
	}
}
