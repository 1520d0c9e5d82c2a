package gtm

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
)

// overlay lays an incremental over a copy, in place.
func overlay(t testing.TB, copyPath, incPath string) {
	t.Helper()
	inc, err := os.Open(incPath)
	if err != nil {
		t.Fatal(err)
	}
	defer inc.Close()
	st, err := inc.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenBytestream(inc, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	size, err := s.Size()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(copyPath, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	end := int64(0)
	for c, err := range s.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if c.Offset < end || c.Offset+int64(len(c.Data)) > size {
			t.Fatalf("a change of %d bytes at %d after one that ended at %d, in a file of %d", len(c.Data), c.Offset, end, size)
		}
		end = c.Offset + int64(len(c.Data))
		if _, err := f.WriteAt(c.Data, c.Offset); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOverlay compares what Changes makes of a dirty copy with what MUPIP RESTORE
// makes of it, and opens it with the engine as it is.
func TestOverlay(t *testing.T) {
	needEngine(t)
	for _, tt := range []struct {
		name  string
		shape shape
		mib   int
	}{
		{"8192", shape{}, 8},
		{"two regions", shape{regions: 2}, 5},
		{"512", shape{blockSize: 512, allocation: 10000}, 3},
		{"32256", shape{blockSize: 32256, allocation: 300}, 5},
		{"v6", shape{blockSize: 4096, create: "-v6"}, 5},
		{"mm", shape{access: "MM", journal: "nobefore"}, 5},
		{"growing", shape{allocation: 100}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLive(t, tt.shape)
			l.load(tt.mib)
			l.start("writer", 1, 0)
			l.start("writer", 2, 0)
			if tt.shape.regions == 2 {
				l.start("across", 3, 0)
			}
			l.moved("DEFAULT", 200)
			repo := newRepo(t)
			info := l.backup(repo)
			to := t.TempDir()
			report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: to, NoJournals: true})
			if err != nil {
				t.Fatal(err)
			}
			raw := t.TempDir()
			if _, err := dbback.Restore(t.Context(), repo, dbback.RestoreOptions{Set: info.SetName(), To: raw}); err != nil {
				t.Fatal(err)
			}
			for _, d := range report.Databases {
				file := filepath.Join(raw, d.Path)
				overlay(t, file, filepath.Join(raw, string(catalog.SectionIncremental), incrementalName(d.Region)))
				compareRestored(t, file, d.Target)
				if out, ok := l.integ(file); !ok {
					t.Errorf("integ of the overlay: %s", out)
				}
				stored := filepath.Join(t.TempDir(), "stored")
				if _, err := dbback.Restore(t.Context(), repo, dbback.RestoreOptions{
					Set: info.SetName(), To: stored, Section: catalog.SectionConsistent, Only: []string{d.Path},
				}); err != nil {
					t.Fatal(err)
				}
				compareRestored(t, filepath.Join(stored, d.Path), d.Target)
				// A plain copy is all that it takes to run on it.
				copyFile(t, filepath.Join(stored, d.Path), d.Target)
			}
			l.check(report.Gbldir)
			l.stop()
		})
	}
}

// compareRestored compares an overlay with the result of MUPIP RESTORE.
func compareRestored(t testing.TB, got, want string) {
	t.Helper()
	g, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if len(g) != len(w) {
		t.Errorf("%s has %d bytes, MUPIP RESTORE makes %d", got, len(g), len(w))
	}
	n := min(len(g), len(w))
	for i := 0; i < HeaderSize; i += 4 {
		if !bytes.Equal(g[i:i+4], w[i:i+4]) {
			t.Logf("header %d: %x, %x", i, g[i:i+4], w[i:i+4])
		}
	}
	h, err := ParseHeader(g)
	if err != nil {
		t.Fatal(err)
	}
	where := func(i int64) string {
		if i < h.Start {
			return fmt.Sprintf("master map, %d", i)
		}
		return fmt.Sprintf("block %d, byte %d", (i-h.Start)/h.BlockSize, (i-h.Start)%h.BlockSize)
	}
	bad := 0
	for i := HeaderSize; i < n && bad < 10; i++ {
		if g[i] != w[i] {
			t.Errorf("%s: %02x, MUPIP RESTORE makes %02x", where(int64(i)), g[i], w[i])
			bad++
			i += 64
		}
	}
}
