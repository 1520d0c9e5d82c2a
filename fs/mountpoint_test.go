package fs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"datfs/catalog"
)

func TestMount_Refusals(t *testing.T) {
	needFUSE(t)
	repo := newRepo(t)
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	for _, dir := range []string{"full/x", "empty"} {
		if err := os.MkdirAll(at(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		os.WriteFile(at("file"), nil, 0o600),
		os.Symlink(at("nowhere"), at("dangling")),
		os.Symlink(repo.Dir(), at("linked")),
		os.Mkdir(filepath.Join(repo.Dir(), "inside"), 0o700),
	)
	if err != nil {
		t.Fatal(err)
	}
	taken, _ := mounted(t, repo, Options{})

	tests := []struct{ name, dir, says string }{
		{"Missing", at("missing"), "no such file"},
		{"Dangling", at("dangling"), "no such file"},
		{"Empty", "", "no such file"},
		{"NotADirectory", at("file"), "not a directory"},
		{"NotEmpty", at("full"), "not empty"},
		{"Repository", repo.Dir(), "in the repository"},
		{"InRepository", filepath.Join(repo.Dir(), "inside"), "in the repository"},
		{"InRepositoryByLink", at("linked") + "/inside", "in the repository"},
		{"AboveRepository", filepath.Dir(repo.Dir()), "is in it"},
		{"MountPoint", taken, `"fuse.datfs" is mounted there`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Mount(repo, tt.dir, Options{})
			if err == nil {
				_ = s.Unmount()
			}
			if !errors.Is(err, ErrMountPoint) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), tt.dir) {
				t.Errorf("err = %v, want %v of %s because it %q", err, ErrMountPoint, tt.dir, tt.says)
			}
		})
	}
	t.Run("ByLink", func(t *testing.T) { // which is fine
		if err := os.Symlink(at("empty"), at("link")); err != nil {
			t.Fatal(err)
		}
		mountedAt(t, repo, at("link"), Options{})
		if !exists(at("empty/README.txt")) {
			t.Error("not mounted at the link's target")
		}
		if err := Unmount(at("link")); err != nil {
			t.Error(err)
		}
	})
}

func TestUnmount(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/f", "", 0o600, []byte("text"))
	backup(t, repo, "PROD", 0, f)

	t.Run("FromOutside", func(t *testing.T) {
		dir, s := mounted(t, repo, Options{})
		if err := Unmount(dir); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
		if exists(filepath.Join(dir, "README.txt")) {
			t.Error("still mounted")
		}
		// Another mount at the place must survive the first one's Unmount.
		mountedAt(t, repo, dir, Options{})
		if err := s.Unmount(); err != nil {
			t.Errorf("Server.Unmount of what is gone: %v", err)
		}
		if !exists(filepath.Join(dir, "README.txt")) {
			t.Error("the second mount is gone")
		}
	})
	t.Run("Busy", func(t *testing.T) {
		dir, s := mounted(t, repo, Options{})
		held, err := os.Open(inSet(dir, set1, f))
		if err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{"Unmount": Unmount(dir), "Server.Unmount": s.Unmount()} {
			if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s = %v, want %v", name, err, ErrBusy)
			}
		}
		_ = held.Close()
		if err := s.Unmount(); err != nil {
			t.Error(err)
		}
	})
	t.Run("NotMounted", func(t *testing.T) {
		if err := Unmount(t.TempDir()); !errors.Is(err, ErrNotMounted) {
			t.Errorf("err = %v, want %v", err, ErrNotMounted)
		}
		if err := Unmount("/proc"); !errors.Is(err, ErrNotMounted) || !strings.Contains(err.Error(), `"proc"`) {
			t.Errorf("err = %v, want %v", err, ErrNotMounted)
		}
		if err := Unmount(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("err = %v, want %v", err, os.ErrNotExist)
		}
	})
}

// serveChild mounts the repository args[0] at args[1] and says so.
func serveChild(args []string) error {
	repo, err := catalog.Open(args[0], catalog.Shared)
	if err != nil {
		return err
	}
	s, err := Mount(repo, args[1], Options{})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return errors.Join(s.Wait(), repo.Close())
}

// TestMount_Killed kills a serving process. The mount must stay, because an
// rsync --delete that sees an empty tree would delete its target, and there
// must be a way out.
func TestMount_Killed(t *testing.T) {
	needFUSE(t)
	repo := newRepo(t)
	f := newStored("/data/f", "", 0o600, []byte("text"))
	backup(t, repo, "PROD", 0, f)
	dir := t.TempDir()
	var stderr bytes.Buffer
	cmd := childCommand(t, "serve", repo.Dir(), dir)
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		_ = cmd.Wait()
		t.Fatalf("the child says %q, %v, %s", line, err, stderr.String())
	}
	sameFile(t, inSet(dir, set1, f), f.data)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	if _, err := os.ReadDir(dir); !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.ECONNABORTED) {
		t.Errorf("readdir after the kill: %v, want an error that stops any copy", err)
	}
	_, err = Mount(repo, dir, Options{})
	if !errors.Is(err, ErrMountPoint) || !strings.Contains(err.Error(), "datfs unmount "+dir) {
		t.Errorf("err = %v, want %v and what to do", err, ErrMountPoint)
	}
	if err := Unmount(dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("after Unmount: %v, %v", entries, err)
	}
}
