package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/restore"
)

// A closedFiles has the journal files in a directory, all closed.
type closedFiles string

func (dir closedFiles) ClosedJournals(context.Context) (*dbback.ClosedJournals, error) {
	c := &dbback.ClosedJournals{Current: filepath.Join(string(dir), "20261124.001")}
	paths, err := filepath.Glob(filepath.Join(string(dir), "2026*"))
	for _, path := range paths {
		c.Files = append(c.Files, dbback.StoredFile{Path: path, Name: filepath.Base(path), Section: catalog.SectionJournals})
	}
	return c, err
}

// A restore is not told of what is missing in another time line than that of its set.
func TestLaterJournals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := catalog.Init(dir); err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() })
	archive := func(at time.Time, names ...string) {
		t.Helper()
		files := t.TempDir()
		for _, name := range names {
			path := filepath.Join(files, name)
			if err := os.WriteFile(path, []byte(name+" "+at.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := dbback.ArchiveJournals(t.Context(), repo, closedFiles(files), dbback.ArchiveOptions{Instance: "FAKE"}); err != nil {
			t.Fatal(err)
		}
	}
	archive(time.Now().Add(-48*time.Hour), "20261122.001", "20261122.007", "20261122.009")
	info, err := dbback.Backup(t.Context(), repo, newFakeEngine(t), dbback.BackupOptions{Instance: "FAKE"}) // up to 20261122.001
	if err != nil {
		t.Fatal(err)
	}
	archive(time.Now().Add(time.Hour), "20261122.002", "20261123.001", "20261123.003")
	var opts restore.Options
	laterJournals(cli.NewContext(&cli.App{ErrWriter: io.Discard}, nil, nil), repo, info.SetName(), &opts)
	if got, want := strings.Join(opts.Missing, " "), "20261123.002"; got != want {
		t.Errorf("missing %s, want %s", got, want)
	}
	if len(opts.Later) != 6 {
		t.Errorf("files %v", opts.Later)
	}
}
