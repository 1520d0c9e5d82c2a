package restore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

func TestMain(m *testing.M) { os.Exit(played.Main(m)) }

// connect returns the instance that the options mean.
func connect(t *testing.T, opts session.Options) *session.Instance {
	t.Helper()
	in, err := session.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// backedUp makes an instance, and a repository with a set of it; then the database
// USER is overwritten.
func backedUp(t *testing.T) (*played.Instance, *catalog.Repository, *catalog.SetInfo) {
	t.Helper()
	w := played.New(t)
	dir := filepath.Join(t.TempDir(), "repo")
	if err := catalog.Init(dir); err != nil {
		t.Fatal(err)
	}
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() })
	e, err := iris.New(connect(t, session.Options{Instance: "IRIS", Command: w.Tell()}), iris.Options{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := dbback.Backup(t.Context(), repo, e, dbback.BackupOptions{Instance: "IRIS"})
	if err != nil || info.State != catalog.StateComplete {
		t.Fatalf("%v, %v", info, err)
	}
	w.Write("mgr/user/IRIS.DAT", strings.Repeat("broken  ", 4096))
	w.Told()
	return w, repo, info
}
