package iris

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"datfs/dbback"
	"datfs/dbback/iris/internal/played"
)

func TestClosedOnes(t *testing.T) {
	tests := []struct{ name, current, paths, want string }{
		{"older ones", "20261122.003", "/j/20261122.003 /j/20261122.001 /j/20261121.017", "/j/20261121.017 /j/20261122.001"},
		{"switched meanwhile", "20261122.003", "/j/20261122.002 /j/20261122.003 /j/20261122.004 /j/20261123.001", "/j/20261122.002"},
		{"both forms", "20261122.003", "/j/20261122.001 /j/20261122.001z /j/20261122.002z", "/j/20261122.001 /j/20261122.002z"},
		{"both forms, the other way round", "20261122.003", "/j/20261122.001z /j/20261122.001", "/j/20261122.001"},
		{"two directories", "20261122.003", "/j/20261122.002 /alt/20261122.001 /alt/20261122.002", "/alt/20261122.001 /j/20261122.002 /alt/20261122.002"},
		{"one path twice", "20261122.003", "/j/20261122.002 /j/20261122.002", "/j/20261122.002"},
		{"other files", "20261122.003", "/j/journal.log /j/20261122.002.tmp /j/x /j/20261122", ""},
		{
			"a mirror's, of which the newest may be written to", "20261122.003",
			"/j/MIRROR-M-20261122.007 /j/MIRROR-M-20261122.008 /j/20261122.002", "/j/20261122.002 /j/MIRROR-M-20261122.007",
		},
		{"a mirror's, the newest compressed", "20261122.003", "/j/MIRROR-M-20261122.008z", "/j/MIRROR-M-20261122.008z"},
		{"a mirror's, the newest being compressed", "20261122.003", "/j/MIRROR-M-20261122.008z /j/MIRROR-M-20261122.008", ""},
		{"of the mirror's primary", "MIRROR-M-20261122.008", "/j/MIRROR-M-20261122.007 /j/MIRROR-M-20261122.008 /j/20261101.001z", "/j/20261101.001z /j/MIRROR-M-20261122.007"},
		{"nothing", "20261122.001", "", ""},
	}
	for _, tt := range tests {
		current, ok := dbback.ParseJournalName(tt.current)
		if !ok {
			t.Fatal(tt.current)
		}
		files, unsure := closedOnes(strings.Fields(tt.paths), current)
		if got := strings.Join(files, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if left := strings.Contains(tt.name, "may be written to") || strings.Contains(tt.name, "being compressed"); left != slices.Contains(unsure, "/j/MIRROR-M-20261122.008") || !left && len(unsure) > 0 {
			t.Errorf("%s: left out are %q", tt.name, unsure)
		}
	}
}

// closed asks the played instance, and returns the paths without its directory.
func closed(t *testing.T, w *played.Instance) (*dbback.ClosedJournals, string, error) {
	t.Helper()
	c, err := engine(t, w).ClosedJournals(t.Context())
	if err != nil {
		return nil, "", err
	}
	var paths []string
	for _, f := range c.Files {
		if f.Name != filepath.Base(f.Path) || (f.Suffix == "z") == strings.HasSuffix(f.Name, "z") {
			t.Errorf("file %+v", f)
		}
		paths = append(paths, strings.TrimPrefix(f.Path, w.Dir+"/mgr/"))
	}
	return c, strings.Join(paths, " "), nil
}

func TestClosedJournals(t *testing.T) {
	w := played.New(t)
	c, got, err := closed(t, w)
	if err != nil {
		t.Fatal(err)
	}
	const usual = "journal/20261121.013z journal/20261121.014z journal/20261122.001z journal/20261122.002"
	if got != usual || c.Current != w.At("mgr/journal/20261122.003") || len(c.Warnings) != 0 {
		t.Errorf("%s, %s, %q", got, c.Current, c.Warnings)
	}
	var logs []string
	for _, f := range c.Logs {
		logs = append(logs, f.Name)
	}
	if !slices.Equal(logs, []string{"journal.log", "mirrorjrn-M.log"}) {
		t.Errorf("logs %v", logs)
	}

	// Where journals were before is known from journal.log; a directory under
	// another name is the same.
	w.Write("mgr/before/20261120.002z", "old")
	w.Write("mgr/journal.log", w.At("mgr/before/20261120.001")+"\n"+w.At("mgr/before/20261120.002")+"\n"+w.Journal+"\n")
	if err := os.RemoveAll(w.At("mgr/alternate")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("journal", w.At("mgr/alternate")); err != nil {
		t.Fatal(err)
	}
	if _, got, err = closed(t, w); got != "before/20261120.002z "+usual || err != nil {
		t.Errorf("%s, %v", got, err)
	}

	// An alternate directory that does not exist has none.
	w.Alternate = w.At("nowhere/")
	if c, got, err = closed(t, w); err != nil || got != "before/20261120.002z "+usual || len(c.Warnings) != 0 {
		t.Errorf("%s, %v", got, err)
	}
	w.Alternate = w.At("iris.cpf/") // and one that cannot be looked into is told of
	if c, _, err = closed(t, w); err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "cannot be seen") {
		t.Errorf("%+v, %v", c, err)
	}
}

// The session is one, and asks for nothing but places.
func TestClosedJournals_Statements(t *testing.T) {
	text := placesScript().String()
	for _, not := range []string{"DBACK", "JRNSWTCH", "^SYS", "Backup"} {
		if strings.Contains(text, not) {
			t.Errorf("%q in %s", not, text)
		}
	}
}

func TestClosedJournals_Errors(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *played.Instance)
		says   string
	}{
		{"down", func(w *played.Instance) { w.Refuse, w.Exit = "IRIS is not running\n", 1 }, "the instance is down or has another name"},
		{"another namespace", func(w *played.Instance) { w.Namespace = "USER" }, "not in %SYS"},
		{"refused", func(w *played.Instance) { w.Say["JRN"] = "@@ERR|JRN|<PROTECT>|x|y" }, "<PROTECT>"},
		{"no manager directory", func(w *played.Instance) { w.Say["MGR"] = "@@MGR|mgr" }, "manager directory"},
		{"journaling is off", func(w *played.Instance) { w.Say["JRN"] = "@@JRN||" + w.At("mgr/journal/") + "|" }, "is journaling off?"},
		{"an odd name", func(w *played.Instance) { w.Journal = w.At("mgr/journal/odd") }, "which files are closed cannot be told"},
		{"no answer", func(w *played.Instance) { w.Die = "JRN" }, "ended before it had answered"},
	}
	for _, tt := range tests {
		w := played.New(t)
		tt.change(w)
		if _, _, err := closed(t, w); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine(t, played.New(t)).ClosedJournals(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
