package restore

import (
	"bufio"
	"os"
	"os/exec"
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

// opener starts a process that has a file open until the test, or close, ends it.
func opener(t *testing.T, path string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `exec 7<"$0"; echo open; read x`, path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			in.Close()
			cmd.Wait()
		}
	}
	t.Cleanup(end)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd.Process.Pid, end
}
