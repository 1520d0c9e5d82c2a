package dbback

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// noise returns n bytes that do not repeat, the same for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = r.Read(b)
	return b
}

// writeFile writes data to a new file of a temporary directory.
func writeFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeSparse makes a file of so many bytes with data only at the offsets given.
func writeSparse(t testing.TB, path string, size int64, data map[int64][]byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for off, b := range data {
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
}

// readSource reads a source to its end, with holes as zeros, and returns how
// many bytes were holes. before is called before each Next.
func readSource(t testing.TB, s catalog.Source, bufSize int, before func()) (data []byte, holes int64, err error) {
	t.Helper()
	buf := alignedBuffer(bufSize)
	for {
		if before != nil {
			before()
		}
		n, hole, err := s.Next(buf)
		if errors.Is(err, io.EOF) {
			return data, holes, nil
		}
		if err != nil {
			return data, holes, err
		}
		if (n > 0) == (hole > 0) {
			t.Fatalf("n = %d and hole = %d", n, hole)
		}
		data = append(data, buf[:n]...)
		data = append(data, make([]byte, hole)...)
		holes += hole
	}
}

func mustOpen(t testing.TB, path string) *source {
	t.Helper()
	s, err := openSource(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSource_Sizes(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 4095, 4096, 4097, granule - 1, granule, granule + 1, 300_000, 1 << 20, 1<<20 + 4096, 1<<20 + 7} {
		want := noise(1, size)
		path := writeFile(t, want)
		for _, direct := range []bool{true, false} {
			s := mustOpen(t, path)
			if !direct {
				s.buffered()
			}
			head, err := s.head()
			if err != nil || !bytes.Equal(head, want[:min(size, HeadSize)]) {
				t.Errorf("size %d, direct %v: head has %d bytes, err = %v", size, direct, len(head), err)
			}
			got, _, err := readSource(t, s, 4*granule, nil)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("size %d, direct %v: read %d bytes, err = %v", size, direct, len(got), err)
			}
			end, changed, err := s.finish()
			if end != int64(size) || changed || err != nil {
				t.Errorf("size %d, direct %v: finish = %d, %v, %v", size, direct, end, changed, err)
			}
		}
	}
}

// TestSource_Direct holds that direct I/O is not given up without need: the
// fallback reads the same bytes, so nothing else would notice.
func TestSource_Direct(t *testing.T) {
	s := mustOpen(t, writeFile(t, noise(1, 5*granule+100)))
	if !s.direct {
		missing(t, "the file system of the temporary directory has no direct I/O")
	}
	if _, err := s.head(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readSource(t, s, 2*granule, nil); err != nil {
		t.Fatal(err)
	}
	if !s.direct {
		t.Error("the source fell back to the page cache")
	}
}

// TestSource_NoDirect reads from file systems in memory: ramfs has no direct
// I/O at all, tmpfs not on every kernel.
func TestSource_NoDirect(t *testing.T) {
	for _, fstype := range []string{"ramfs", "tmpfs"} {
		want := noise(2, 3*granule+5)
		path := filepath.Join(mount(t, fstype, ""), "f")
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, path)
		if fstype == "ramfs" && s.direct {
			t.Error("ramfs has direct I/O?")
		}
		got, _, err := readSource(t, s, granule, nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: read %d bytes, err = %v", fstype, len(got), err)
		}
	}
}

func TestSource_Holes(t *testing.T) {
	const size = 10<<20 + 1234
	data := map[int64][]byte{
		100:           noise(1, 10),      // in the first granule
		3<<20 + 5000:  noise(2, 100_000), // begins and ends within a granule
		5 << 20:       noise(3, granule), // exactly one
		5<<20 + 80000: noise(4, 10),      // a hole shorter than a granule before it
	}
	tests := []struct {
		name  string
		size  int64
		data  map[int64][]byte
		holes int64
	}{
		{"OnlyHole", size, nil, size},
		{"DataAtEnd", size, map[int64][]byte{size - 1: {1}}, size / granule * granule},
		{"HoleAtEnd", size, data, size - (1+2+2)*granule},
		{"Huge", 1 << 40, nil, 1 << 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			writeSparse(t, path, tt.size, tt.data)
			s := mustOpen(t, path)
			if tt.size > size {
				if n, hole, err := s.Next(alignedBuffer(granule)); n != 0 || hole != tt.size || err != nil {
					t.Errorf("Next = %d, %d, %v", n, hole, err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, holes, err := readSource(t, s, 4*granule, nil)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("content differs, err = %v", err)
			}
			if s.noHoles {
				missing(t, "the file system of the temporary directory has no holes")
			}
			if holes != tt.holes {
				t.Errorf("%d bytes of holes, want %d", holes, tt.holes)
			}
		})
	}
}

// TestSource_NoHoles reads a sparse file where SEEK_DATA does not work.
func TestSource_NoHoles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	writeSparse(t, path, 1<<20+10, map[int64][]byte{1 << 19: noise(1, 100)})
	s := mustOpen(t, path)
	s.noHoles = true
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, holes, err := readSource(t, s, 4*granule, nil)
	if err != nil || holes != 0 || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %d of holes, err = %v", len(got), holes, err)
	}
}

func TestSource_Grows(t *testing.T) {
	first, more := noise(1, 2*granule+77), noise(2, granule+5)
	path := writeFile(t, first)
	s := mustOpen(t, path)
	times := 0
	got, _, err := readSource(t, s, granule, func() {
		if times++; times == 3 || times == 5 {
			appendTo(t, path, more)
		}
	})
	if want := slices.Concat(first, more, more); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, want %d, err = %v", len(got), len(want), err)
	}
	if size, changed, err := s.finish(); size != int64(len(got)) || !changed || err != nil {
		t.Errorf("finish = %d, %v, %v", size, changed, err)
	}
}

// TestSource_GrowsAndShrinks reads a file that loses part of what it gained: it
// never has less than at open.
func TestSource_GrowsAndShrinks(t *testing.T) {
	for _, sparse := range []bool{true, false} {
		path := writeFile(t, noise(1, 2*granule))
		times := 0
		got, _, err := readSource(t, mustOpen(t, path), granule, func() {
			switch times++; times {
			case 3:
				appendTo(t, path, noise(2, 2*granule))
				if sparse {
					writeSparse(t, path, 10*granule, map[int64][]byte{0: noise(1, 2*granule), 2 * granule: noise(2, granule)})
				}
			case 4:
				if err := os.Truncate(path, 3*granule+100); err != nil {
					t.Fatal(err)
				}
			}
		})
		want, err2 := os.ReadFile(path)
		if err := errors.Join(err, err2); err != nil || !bytes.Equal(got, want) {
			t.Errorf("sparse %v: read %d bytes, want %d, err = %v", sparse, len(got), len(want), err)
		}
	}
}

// TestSource_GrowsForever reads a file that is longer each time one looks.
func TestSource_GrowsForever(t *testing.T) {
	path := writeFile(t, noise(1, 100))
	got, _, err := readSource(t, mustOpen(t, path), granule, func() { appendTo(t, path, noise(2, 100)) })
	if err != nil || len(got) > 100*100 {
		t.Errorf("read %d bytes, err = %v", len(got), err)
	}
}

func appendTo(t testing.TB, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
}

func TestSource_Shrinks(t *testing.T) {
	const afterTheLast = 5
	tests := []struct {
		name   string
		sparse bool
		cutAt  int // before which call of Next
		to     int64
	}{
		{"BeforeTheFirst", false, 1, 0},
		{"ToOffset", false, 3, 2 * granule},
		{"BelowOffset", false, 3, 100},
		{"WithinPiece", false, 3, 2*granule + 100},
		{"AfterTheLast", false, afterTheLast, 100},
		{"InHole", true, 1, granule},
		{"InHoleOddly", true, 1, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, noise(1, 4*granule))
			if tt.sparse {
				writeSparse(t, path, 4*granule, nil)
			}
			s := mustOpen(t, path)
			times := 0
			_, _, err := readSource(t, s, granule, func() {
				if times++; times == tt.cutAt {
					if err := os.Truncate(path, tt.to); err != nil {
						t.Fatal(err)
					}
				}
			})
			if tt.cutAt == afterTheLast {
				if err != nil {
					t.Fatalf("err = %v before the end", err)
				}
				_, _, err = s.finish()
			}
			if !errors.Is(err, catalog.ErrShrank) {
				t.Fatalf("err = %v, want ErrShrank", err)
			}
			for _, part := range []string{path, "262144"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// TestSource_Changed notices a write that leaves the size alone.
func TestSource_Changed(t *testing.T) {
	path := writeFile(t, noise(1, granule))
	s := mustOpen(t, path)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Times of files advance by the tick of the kernel's clock: write until one
	// can be seen.
	for range 1000 {
		if _, err := f.WriteAt([]byte("x"), 10); err != nil {
			t.Fatal(err)
		}
		if _, changed, err := s.finish(); err != nil {
			t.Fatal(err)
		} else if changed {
			return
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	t.Error("the change was not noticed")
}

func TestOpenSource_Refuses(t *testing.T) {
	dir := t.TempDir()
	fifo, socket := filepath.Join(dir, "fifo"), filepath.Join(dir, "socket")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(socket, unix.S_IFSOCK|0o600, 0); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nothing", dangling); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{dir, "is a directory: name the files in it"},
		{fifo, "is a named pipe"},
		{socket, "is a socket"},
		{"/dev/null", "is a device"},
		{dangling, "no such file"},
		{filepath.Join(dir, "missing"), "no such file"},
	}
	for _, tt := range tests {
		_, err := openSource(tt.path)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("open %s: err = %v, want %q", tt.path, err, tt.want)
		}
	}
}

// TestOpenSource_Link follows symbolic links.
func TestOpenSource_Link(t *testing.T) {
	path := writeFile(t, []byte("content"))
	link := path + "-link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	got, _, err := readSource(t, mustOpen(t, link), granule, nil)
	if err != nil || string(got) != "content" {
		t.Errorf("read %q, err = %v", got, err)
	}
}

// A file that somebody writes through a mapping can be read: direct reads of
// pages that have no place on the disk yet fail on some file systems, with an
// error that looks like a broken disk.
func TestSource_Mapped(t *testing.T) {
	const size = 8 << 20
	path := filepath.Join(t.TempDir(), "mapped")
	for range 20 {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; ; i = (i + 4096*7) % size {
				select {
				case <-stop:
					return
				default:
					m[i]++
				}
			}
		})
		src, err := openSource(path)
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		buf := alignedBuffer(4 << 20)
		for err == nil {
			var n int
			var hole int64
			n, hole, err = src.Next(buf)
			got += int64(n) + hole
		}
		if !errors.Is(err, io.EOF) || got != size {
			t.Errorf("read %d bytes of %d: %v", got, size, err)
		}
		close(stop)
		wg.Wait()
		if err := errors.Join(src.Close(), unix.Munmap(m), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
