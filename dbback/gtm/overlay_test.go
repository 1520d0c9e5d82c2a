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

// overlay lays an incremental over a copy, in place. At the mark the database had
// so many blocks.
func overlay(t testing.TB, copyPath, incPath string, had int64) {
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
	s, err := OpenBytestream(inc, st.Size(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	size, err := s.Size()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.mapAt) > maxPieces/8 {
		t.Errorf("the master map has %d pieces: the bound is near", len(s.mapAt))
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
	for c, err := range s.Changes(had) {
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
	for _, tt := range kinds(2) {
		t.Run(tt.name, func(t *testing.T) {
			l := newLive(t, tt.shape)
			l.load(tt.mib)
			l.grows = tt.name == "growing"
			pace := 1
			if tt.name == "512" { // flat out: before-images are likely then
				pace = 0
			}
			l.start("writer", 1, pace)
			l.start("writer", 2, pace)
			if tt.shape.regions == 2 {
				l.start("across", 3, 1)
			}
			l.moved("DEFAULT", 200)
			repo := newRepo(t)
			info := l.backup(repo)
			l.stop() // or they fill the disk
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
				h, err := readHeaderFile(file)
				if err != nil {
					t.Fatal(err)
				}
				overlay(t, file, filepath.Join(raw, string(catalog.SectionIncremental), incrementalName(d.Region)), h.TotalBlocks)
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
		})
	}
}

// TestOverlay_NewMaps compares where the incremental lacks local maps of blocks
// that are new since the mark, which happens when they are changed for the first
// time while it is taken.
func TestOverlay_NewMaps(t *testing.T) {
	for name, s := range map[string]shape{"v7": {}, "v6": {create: "-v6", blockSize: 4096}, "512": {blockSize: 512, allocation: 4000}} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t, s)
			l.load(1)
			mark := l.tn("DEFAULT")
			d := &restoredDB{}
			d.Target, d.StartTN = filepath.Join(t.TempDir(), "t.dat"), mark
			copyFile(t, filepath.Join(l.dir, "t.dat"), d.Target) // nobody writes
			l.mupip("extend", "DEFAULT", "-blocks=3000")
			l.m("set ^extended=1")
			h, err := readHeaderFile(d.Target)
			if err != nil {
				t.Fatal(err)
			}
			inc := withoutMaps(t, l.incrementalFrom(mark), h.TotalBlocks)
			laid := filepath.Join(t.TempDir(), "laid.dat")
			copyFile(t, d.Target, laid)
			overlay(t, laid, inc, h.TotalBlocks)
			l.mupip("rundown", "-file", d.Target)
			if err := prepare(d); err != nil {
				t.Fatal(err)
			}
			l.mupip("restore", d.Target, inc)
			compareRestored(t, laid, d.Target)
			if out, ok := l.integ(laid); !ok {
				t.Error(out)
			}
		})
	}
}

// withoutMaps returns an incremental without the local maps from a block on.
func withoutMaps(t testing.TB, path string, from int64) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	step := recHeaderSize + s.BlockSize
	out := b[:incHeaderSize:incHeaderSize]
	dropped := 0
	for r, err := range s.records.all() {
		if err != nil {
			t.Fatal(err)
		}
		if r.block >= from && r.block%mapBlocks == 0 {
			dropped++
			continue
		}
		out = append(out, b[r.at:][:step]...)
	}
	if dropped == 0 {
		t.Fatal("there are none")
	}
	out = append(out, b[incHeaderSize+s.Records*step:]...)
	out = append(out, make([]byte, len(b)-len(out))...) // MUPIP reads the same length
	path = filepath.Join(t.TempDir(), "without.bck")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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
	h, err := ParseHeader(g)
	if err != nil {
		t.Fatal(err)
	}
	// Of a local map that was never used nobody reads the third byte, which RESTORE
	// leaves as its memory was, nor the TN.
	for b := int64(0); b < h.TotalBlocks; b += mapBlocks {
		at := h.BlockOffset(b)
		if g[at+16] == 0x54 && w[at+16] == 0x54 {
			w[at+2] = g[at+2]
			copy(w[at+8:at+16], g[at+8:])
		}
	}
	where := func(i int64) string {
		if i < h.Start {
			return fmt.Sprintf("header or master map, %d", i)
		}
		return fmt.Sprintf("block %d, byte %d", (i-h.Start)/h.BlockSize, (i-h.Start)%h.BlockSize)
	}
	bad := 0
	const step = 4096
	for i := 0; i < n && bad < 10; i++ {
		if i%step == 0 && bytes.Equal(g[i:min(n, i+step)], w[i:min(n, i+step)]) {
			i += step - 1
			continue
		}
		if g[i] != w[i] {
			t.Errorf("%s: %02x, MUPIP RESTORE makes %02x", where(int64(i)), g[i], w[i])
			bad++
			i += 64
		}
	}
}
