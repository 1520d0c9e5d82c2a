package fs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestMount_KeepCache reads files twice and counts the requests of the second
// time: what is sealed stays in the page cache, what can change does not, and
// direct reads never go there.
func TestMount_KeepCache(t *testing.T) {
	repo := newRepo(t)
	f := newStored("/data/IRIS.DAT", "", 0o600, blocks(1, 64, nil))
	backup(t, repo, "PROD", 0, f)
	w := begin(t, repo, "PROD", 1)
	store(t, w, f)
	if err := w.Abort(errors.New("cut off")); err != nil {
		t.Fatal(err)
	}

	const unsealed = "incomplete/PROD/2026-11-22T04-00-00Z"
	tests := []struct {
		name, set string
		direct    bool
		again     bool // requests when read again
	}{
		{"Sealed", set1, false, false},
		{"Unsealed", unsealed, false, true},
		{"SealedDirect", set1, true, true},
		{"UnsealedDirect", unsealed, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var logs logBuffer
			dir, _ := mounted(t, repo, Options{DirectIO: tt.direct, Debug: true, Logger: logs.logger()})
			reads := func() int { return len(logs.lines(": READ ")) }
			sameFile(t, inSet(dir, tt.set, f), f.data)
			first := reads()
			sameFile(t, inSet(dir, tt.set, f), f.data)
			if second := reads() - first; first == 0 || (second > 0) != tt.again {
				t.Errorf("%d read requests, then %d; want some again = %v", first, second, tt.again)
			}
		})
	}
}

// TestMount_Parallel uses the mount from many sides, for the race detector.
func TestMount_Parallel(t *testing.T) {
	repo := newRepo(t)
	files := standardSet(t, repo)
	backup(t, repo, "PROD", 1, files[:3]...)
	dir, _ := mounted(t, repo, Options{})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(worker), 0))
			for range 20 {
				f := files[rnd.IntN(3)]
				r, err := os.Open(inSet(dir, []string{set1, "latest/PROD"}[rnd.IntN(2)], f))
				if err != nil {
					t.Error(err)
					return
				}
				off := rnd.IntN(len(f.data))
				got := make([]byte, rnd.IntN(len(f.data)-off)+1)
				if _, err := r.ReadAt(got, int64(off)); err != nil || !bytes.Equal(got, f.data[off:][:len(got)]) {
					t.Errorf("%s: %d bytes at %d differ, or %v", f.Path, len(got), off, err)
				}
				_ = r.Close()
				if _, err := os.ReadDir(filepath.Join(dir, "databases/PROD")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestMount_Panicked(t *testing.T) {
	var logs logBuffer
	m := &mount{log: logs.logger()}
	var status fuse.Status
	func() {
		defer func() { status = m.panicked(recover()) }()
		panic("nil pointer or so")
	}()
	if status != fuse.EIO {
		t.Errorf("status = %v, want EIO", status)
	}
	if got := logs.lines("nil pointer"); len(got) != 1 || !strings.Contains(got[0], "TestMount_Panicked") {
		t.Errorf("the log has no stack: %v", got)
	}
}
