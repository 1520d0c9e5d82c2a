package iris

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/dbback"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

// Every line must fit a terminal that takes one command a line and of which the
// longest is not documented.
func TestScripts(t *testing.T) {
	const file = `/a "quoted"/x.cbk`
	tests := []struct {
		script session.Script
		has    string
	}{
		{lookScript(), `##class(%File).ManagerDirectory()`},
		{listScript(file), `$$LISTDIRS^DBACK("/a ""quoted""/x.cbk","QUIET")`},
		{markScript(), `$$CLRINC^DBACK("QUIET")`},
		{recordScript(`say "x"`), `$$BACKUP^DBACK("","E","say ""x""","","","")`},
		{sizeScript(), `$$INT^DBSIZE(1)`},
		{incrementalScript("d", file, "/l", 5*time.Minute), `$$BACKUP^DBACK("","I","d","/a ""quoted""/x.cbk","N","/l","NOINPUT","N","Y","",300)`},
		{incrementalScript("d", "/f", "/l", 1500*time.Millisecond), `"",2)`},
		{incrementalScript("d", "/f", "/l", -1), `"",0)`},
		{abortScript(), `##class(Backup.General).AbortBackup()`},
		{closeJournalScript(), `do ^JRNSWTCH`},
	}
	for _, tt := range tests {
		text := tt.script.String()
		if !strings.Contains(text, tt.has) {
			t.Errorf("%s\nlacks %s", text, tt.has)
		}
		if !strings.HasPrefix(text, "write !,\"@@READY|\"") || !strings.HasSuffix(text, "\nhalt\n") {
			t.Errorf("%s\nhas not the right first and last line", text)
		}
		for _, line := range tt.script {
			if len(line) > 4000 || strings.ContainsAny(line, "\r\n") || strings.Count(line, "{") != strings.Count(line, "}") || strings.Count(line, `"`)%2 != 0 {
				t.Errorf("line %s", line)
			}
		}
	}
}

// What a dry run shows is what is run.
func TestPlanIsRun(t *testing.T) {
	w := played.New(t)
	e := engine(t, w)
	l := begin(t, e)
	plan := e.Plan(l.Run, l.survey)
	steps := []func() error{
		func() error { _, err := e.List(t.Context()); return err },
		func() error { return e.Mark(t.Context()) },
		func() error { _, err := e.List(t.Context()); return err },
		func() error { return e.Record(t.Context()) },
		func() error { _, _, err := e.Estimate(t.Context()); return err },
		func() error { _, err := e.Incremental(t.Context()); return err },
		func() error { _, err := e.Journals(t.Context()); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	var names, files []string
	for _, p := range plan {
		names = append(names, p.Step)
		files = append(files, p.Files...)
		if p.What == "" {
			t.Errorf("step %s is not explained", p.Step)
		}
		for _, line := range p.Statements {
			if !strings.Contains(l.told[p.Step], "> "+line+"\n") {
				t.Errorf("step %s: %s was not run", p.Step, line)
			}
		}
	}
	want := []string{
		dbback.StepPrepare, dbback.StepMark, dbback.StepCopy, dbback.StepList, dbback.StepRecord, dbback.StepEstimate,
		dbback.StepIncremental, dbback.StepJournals, dbback.StepSeal,
	}
	if !slices.Equal(names, want) {
		t.Errorf("steps %q", names)
	}
	for _, path := range []string{w.At("mgr/user/IRIS.DAT"), e.Leaves(l.Run)[0], w.At("mgr/journal.log")} {
		if !slices.Contains(files, path) {
			t.Errorf("%s is not planned: %q", path, files)
		}
	}
}

func TestSentences(t *testing.T) {
	e := &Engine{instance: &session.Instance{Options: session.Options{Instance: "IRIS"}}}
	for _, step := range []string{"preflight", dbback.StepPrepare} {
		if means, next := e.Sentences(step); means != "" || next != "" {
			t.Errorf("step %s, before the mark: %q, %q", step, means, next)
		}
	}
	for _, step := range []string{
		dbback.StepMark, dbback.StepCopy, dbback.StepList, dbback.StepRecord, dbback.StepEstimate,
		dbback.StepIncremental, dbback.StepJournals, dbback.StepSeal,
	} {
		if means, next := e.Sentences(step); means == "" || next == "" {
			t.Errorf("step %s means nothing", step)
		}
	}
}

// The script for people asks what the preflight asks.
func TestAcceptance(t *testing.T) {
	b, err := os.ReadFile("testdata/acceptance.sh")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	asked := append(slices.Clone(lookScript()), listScript("LISTFILE")...)
	for _, line := range asked {
		if !slices.Contains(lines, line) {
			t.Errorf("acceptance.sh lacks %s", line)
		}
	}
}
