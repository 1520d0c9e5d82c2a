package iris

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

func TestMain(m *testing.M) { os.Exit(played.Main(m)) }

// engine returns the engine of the played instance.
func engine(t *testing.T, w *played.Instance, change ...func(*session.Options)) *Engine {
	t.Helper()
	opts := session.Options{Instance: "IRIS", Command: w.Tell()}
	for _, c := range change {
		c(&opts)
	}
	in, err := session.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A listener is a run that remembers what it is told.
type listener struct {
	*dbback.Run
	survey             *dbback.Survey
	transcript, logged strings.Builder
	told               map[string]string // the transcript by step
}

func newListener() *listener {
	l := &listener{told: make(map[string]string)}
	l.Run = &dbback.Run{
		Set: catalog.SetName{Instance: "PROD", Name: "2026-11-22T03-00-00Z"},
		Transcript: func(step, text string) {
			fmt.Fprintf(&l.transcript, "[%s] %s", step, text)
			l.told[step] += text
		},
		Log: func(format string, args ...any) { fmt.Fprintf(&l.logged, format+"\n", args...) },
	}
	return l
}

// begin brings an engine to where a run has begun.
func begin(t *testing.T, e *Engine) *listener {
	t.Helper()
	survey, err := e.Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if survey.Failed() {
		t.Fatalf("preflight: %v", survey.Findings)
	}
	l := newListener()
	l.survey = survey
	if err := e.Begin(t.Context(), l.Run); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.End(t.Context(), false); err != nil {
			t.Error(err)
		}
	})
	return l
}
