package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"testing"
)

// plain lays changes over a file the obvious way.
func plain(below []byte, size int64, changes []Change) []byte {
	out := make([]byte, size)
	copy(out, below)
	for _, c := range changes {
		copy(out[c.Offset:], c.Data)
	}
	return out
}

func each(changes []Change) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		buf := []byte(nil)
		for _, c := range changes {
			buf = append(buf[:0], c.Data...) // the same memory again, as the contract allows
			if !yield(Change{c.Offset, buf}, nil) {
				return
			}
		}
	}
}

// randomChanges returns changes of any alignment, some of whole blocks, some of
// zeros, in order.
func randomChanges(r *rand.Rand, size int64, bs int) (out []Change) {
	for off := int64(0); off < size; {
		off += r.Int64N(int64(20 * bs))
		n := min(r.Int64N(int64(3*bs))+1, size-off)
		if r.IntN(2) == 0 { // aligned
			off = off / int64(bs) * int64(bs)
			n = min(int64(bs), size-off)
		}
		if n <= 0 || len(out) > 0 && off < out[len(out)-1].Offset+int64(len(out[len(out)-1].Data)) {
			off += int64(bs)
			continue
		}
		data := make([]byte, n)
		if r.IntN(4) > 0 {
			for i := range data {
				data[i] = byte(r.Uint32())
			}
		}
		out = append(out, Change{off, data})
		off += n
	}
	return out
}

func readSection(t *testing.T, r *Repository, name SetName, section Section, path string) []byte {
	t.Helper()
	s, err := r.OpenSet(name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, f := range s.Info().Files {
		if f.Section == section && f.Path == path {
			b, err := io.ReadAll(io.NewSectionReader(s.File(i), 0, f.Size))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatalf("no %s in %s", path, section)
	return nil
}

// What StoreOver stores is what laying the changes over a plain file gives, and
// costs no more than the blocks that the changes touch.
func TestStoreOver(t *testing.T) {
	const bs = 4096
	below := blocks(6000, bs, 1) // two pages
	clear(below[100*bs : 300*bs])
	clear(below[4090*bs : 4100*bs])
	below = append(below, []byte("a short last block")...)
	seeds := uint64(12)
	if testing.Short() {
		seeds = 5 // one of each kind
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			size := int64(len(below))
			switch seed % 4 {
			case 1:
				size += rnd.Int64N(700 * bs)
			case 2:
				size -= rnd.Int64N(700 * bs)
			case 3:
				size = (size/bs + 9) * bs
			}
			changes := randomChanges(rnd, size, bs)
			if seed == 4 {
				changes = nil
			}
			r := newRepo(t)
			r.packSize = 1 << 20
			w, err := r.Begin(BeginOptions{Instance: "PROD"})
			if err != nil {
				t.Fatal(err)
			}
			info := FileInfo{Path: "/db", Section: SectionDatabases, BlockSize: bs, SizeAtOpen: int64(len(below))}
			for _, path := range []string{"/other", "/db"} { // the one below is not the first
				info.Path = path
				if _, err := w.Store(t.Context(), info, FromReader(bytes.NewReader(below)), nil); err != nil {
					t.Fatal(err)
				}
			}
			info.Section = SectionConsistent
			got, err := w.StoreOver(t.Context(), info, 1, size, each(changes))
			if err != nil {
				t.Fatal(err)
			}
			touched := int64(bs) // the short last block
			for _, c := range changes {
				touched += (c.Offset+int64(len(c.Data))+bs-1)/bs*bs - c.Offset/bs*bs
			}
			if got.Size != size || got.NewBytes > touched || got.XXH64 != "" {
				t.Errorf("%+v, at most %d new bytes expected", got, touched)
			}
			// Files after it are whole, too.
			if _, err := w.Store(t.Context(), FileInfo{Path: "i", Section: SectionIncremental}, FromReader(bytes.NewReader(below[:9999])), nil); err != nil {
				t.Fatal(err)
			}
			sealed, err := w.Seal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := 2*int64(len(below)) + 9999; sealed.Bytes != want {
				t.Errorf("the set has %d bytes, want %d", sealed.Bytes, want)
			}
			want := plain(below, size, changes)
			if got := readSection(t, r, w.Name(), SectionConsistent, "/db"); !bytes.Equal(got, want) {
				t.Errorf("the file differs from the changes laid over the one below, first at %d of %d", firstDifference(got, want), len(want))
			}
			var zeros int64
			for off := int64(0); off < size; off += bs {
				if b := want[off:min(off+bs, size)]; bytes.Count(b, []byte{0}) == len(b) {
					zeros += int64(len(b))
				}
			}
			if got.ZeroBytes != zeros {
				t.Errorf("%d zero bytes, want %d", got.ZeroBytes, zeros)
			}
			for path, section := range map[string]Section{"/db": SectionDatabases, "/other": SectionDatabases} {
				if !bytes.Equal(readSection(t, r, w.Name(), section, path), below) {
					t.Errorf("%s is not what it was", path)
				}
			}
			checkClean(t, r.disk.dir)

			// The next copy finds what was changed in the one that is consistent.
			next := storeSet(t, r, "PROD", testFile{"/db", bs, want})
			if next.NewBytes != 0 {
				t.Errorf("the next copy has %d new bytes", next.NewBytes)
			}
		})
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestStoreOver_Refused(t *testing.T) {
	const bs = 4096
	errSource := errors.New("no more")
	tests := map[string]struct {
		lower   int
		bs      int32
		changes iter.Seq2[Change, error]
	}{
		"no such file":     {1, bs, each(nil)},
		"negative":         {-1, bs, each(nil)},
		"block size":       {0, 8192, each(nil)},
		"descending":       {0, bs, each([]Change{{bs, []byte("b")}, {0, []byte("a")}})},
		"overlapping":      {0, bs, each([]Change{{0, []byte("abc")}, {2, []byte("d")}})},
		"past the end":     {0, bs, each([]Change{{10*bs - 1, []byte("ab")}})},
		"negative offset":  {0, bs, each([]Change{{-1, []byte("ab")}})},
		"error of changes": {0, bs, func(yield func(Change, error) bool) { yield(Change{}, errSource) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			w, err := r.Begin(BeginOptions{Instance: "PROD"})
			if err != nil {
				t.Fatal(err)
			}
			info := FileInfo{Path: "/db", Section: SectionDatabases, BlockSize: bs}
			if _, err := w.Store(t.Context(), info, FromReader(bytes.NewReader(blocks(10, bs, 1))), nil); err != nil {
				t.Fatal(err)
			}
			info.BlockSize, info.Section = tt.bs, SectionConsistent
			_, err = w.StoreOver(t.Context(), info, tt.lower, 10*bs, tt.changes)
			if err == nil || name == "error of changes" && !errors.Is(err, errSource) {
				t.Errorf("error = %v", err)
			}
			sealed, err := w.Seal(t.Context()) // the set goes on without the file
			if err != nil || len(sealed.Files) != 1 || sealed.State != StateComplete {
				t.Errorf("sealed %+v, %v", sealed, err)
			}
			checkClean(t, r.disk.dir)
		})
	}
}
