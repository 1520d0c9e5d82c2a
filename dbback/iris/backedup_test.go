package iris

import (
	"path/filepath"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/internal/played"
)

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
	info, err := dbback.Backup(t.Context(), repo, engine(t, w), dbback.BackupOptions{Instance: "IRIS"})
	if err != nil || info.State != catalog.StateComplete {
		t.Fatalf("%v, %v", info, err)
	}
	w.Write("mgr/user/IRIS.DAT", strings.Repeat("broken  ", 4096))
	w.Told()
	return w, repo, info
}
