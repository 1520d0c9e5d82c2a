package dbback

import (
	"testing"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// A prioritySource notes the I/O priority that it is read with.
type prioritySource struct {
	catalog.Source
	seen uintptr
}

func (s *prioritySource) Next(buf []byte) (int, int64, error) {
	s.seen, _, _ = unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, 0, 0)
	return s.Source.Next(buf)
}

// Databases are read with a low priority unless that is not wanted, and the thread
// has its own again afterwards.
func TestConsiderate_Priority(t *testing.T) {
	path := writeFile(t, noise(1, 8192))
	before, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, 0, 0)
	if errno != 0 {
		t.Skip(errno)
	}
	for _, normal := range []bool{false, true} {
		src, err := openSource(path)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		spy := &prioritySource{Source: src}
		p := &procedure{opts: BackupOptions{NormalIO: normal}}
		if _, _, err := p.considerate(t.Context())(path, spy).Next(alignedBuffer(8192)); err != nil {
			t.Fatal(err)
		}
		want := uintptr(ioprioLowest)
		if normal {
			want = before
		}
		after, _, _ := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, 0, 0)
		if spy.seen != want || after != before {
			t.Errorf("normal %v: read with %#x, want %#x; before %#x, after %#x", normal, spy.seen, want, before, after)
		}
	}
}

func TestPieceOf(t *testing.T) {
	for limit, want := range map[int64]int{1: 64 << 10, 1 << 20: 64 << 10, 3_000_000: 256 << 10, 200_000_000: maxRead, 1 << 62: maxRead} {
		if got := pieceOf(limit); got != want {
			t.Errorf("%d bytes a second: %d, want %d", limit, got, want)
		}
	}
}
