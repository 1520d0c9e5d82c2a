package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// testConfig returns a configuration below a directory of the test's own.
func testConfig(t *testing.T) Config {
	t.Helper()
	root := t.TempDir()
	return Config{
		Dir: filepath.Join(root, "mgr"), Node: "node:" + t.Name(),
		FlushEvery: -1, Oplog: filepath.Join(root, "oplog"),
	}
}

// start opens an instance that crashes at the end of the test if it still runs.
func start(t *testing.T, cfg Config) *Instance {
	t.Helper()
	in, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Crash)
	return in
}

// withDatabases opens an instance with empty databases, which stay in cfg.
func withDatabases(t *testing.T, cfg *Config, names ...string) (*Instance, []string) {
	t.Helper()
	in := start(t, *cfg)
	var dirs []string
	for _, name := range names {
		dir := cleanDir(filepath.Join(cfg.Dir, name))
		if err := in.CreateDatabase(t.Context(), DatabaseSpec{Directory: dir}); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	cfg.Databases = dirs
	return in, dirs
}

// load puts a load on the instance until the returned function is called.
func load(t *testing.T, in *Instance, opts LoadOptions) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := in.Load(ctx, opts); err != nil && !errors.Is(err, ErrCrashed) {
			t.Errorf("load: %v", err)
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); wg.Wait() }) }
	t.Cleanup(stop)
	return stop
}

// until waits for a condition of the instance.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// used waits until a database has so many blocks in use.
func grown(t *testing.T, in *Instance, dir string, bytes int64) {
	t.Helper()
	until(t, fmt.Sprintf("%s has %d bytes in use", dir, bytes), func() bool {
		n, err := in.used(dir)
		if err != nil {
			t.Fatal(err)
		}
		return n >= bytes
	})
}

// sound fails the test if a database has findings.
func sound(t *testing.T, in *Instance, dir string) {
	t.Helper()
	findings, err := in.Check(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range findings {
		if i < 5 {
			t.Errorf("%s: %v", dir, f)
		}
	}
	if len(findings) > 0 {
		t.Fatalf("%s: %d findings", dir, len(findings))
	}
}

func soundFile(t *testing.T, path string) {
	t.Helper()
	if findings := findingsOf(t, path); len(findings) > 0 {
		t.Fatalf("%s: %d findings, first: %v", path, len(findings), findings[0])
	}
}

func findingsOf(t *testing.T, path string) []Finding {
	t.Helper()
	findings, err := CheckFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// contents returns the digest of a mounted database.
func contents(t *testing.T, in *Instance, dir string) Digest {
	t.Helper()
	m, err := in.Moment(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m.Digests[dir]
}

// copyFile copies a file as it is, block by block, with fn called before each.
func copyFile(t *testing.T, from, to string, fn func(block int64)) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o770); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, BlockSize)
	for n := int64(0); ; n++ {
		if fn != nil {
			fn(n)
		}
		got, err := io.ReadFull(in, b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		if _, err := out.Write(b[:got]); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
