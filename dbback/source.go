package dbback

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

const (
	// granule is what reads and holes of a source are multiples of, so that
	// they stay aligned for direct I/O and for every block size. A hole shorter
	// than that is read as the zeros it holds.
	granule = 64 << 10

	// directAlign is the alignment that direct I/O needs of offset, length and
	// memory. 4096 does for every disk in use; where it does not the kernel says
	// EINVAL and the source reads through the page cache.
	directAlign = 4096

	// maxGrowths is how often a source looks for more at the end of a file. A
	// file that is written faster than it can be read has no end.
	maxGrowths = 8
)

// A source reads one regular file as a [catalog.Source].
//
// It reads to the size that the file has at open, looks whether the file has
// grown, reads on to the size it finds then, and so on, at most maxGrowths
// times. A file that is found shorter than at open is an error that matches
// [catalog.ErrShrank].
//
// Reads go past the page cache where the file system allows it: InterSystems
// writes its databases with direct I/O, and a backup should not push everything
// else out of memory. Elsewhere the pages are dropped behind the reader.
type source struct {
	path    string
	fd      int
	direct  bool // fd has O_DIRECT
	noHoles bool // the file system cannot tell where holes are
	off     int64
	end     int64 // reads end here, until the next look
	dataEnd int64 // there is no hole to be looked for before this offset
	growths int
	opened  unix.Stat_t
}

// openSource opens a file for reading, following symbolic links. What is not a
// regular file is refused before it is opened: opening a pipe waits for its
// other end, and opening a device can do anything.
func openSource(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := regular(path, info.Mode()); err != nil {
		return nil, err
	}
	s := &source{path: path, direct: true}
	// O_NONBLOCK is for a path that has become a pipe since.
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	s.fd, err = openRetry(path, flags|unix.O_DIRECT)
	if errors.Is(err, unix.EINVAL) {
		s.direct = false
		s.fd, err = openRetry(path, flags)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := s.stat(&s.opened); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.opened.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.Join(regular(path, fs.ModeIrregular), s.Close())
	}
	s.end = s.opened.Size
	if !s.direct {
		s.buffered()
	}
	return s, nil
}

// regular returns an error that says what is at path if that is no regular file.
func regular(path string, mode fs.FileMode) error {
	var err error
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		err = errors.New("is a directory: name the files in it")
	case mode&fs.ModeSymlink != 0:
		err = errors.New("is a symbolic link, not a regular file")
	case mode&fs.ModeNamedPipe != 0:
		err = errors.New("is a named pipe, not a regular file")
	case mode&fs.ModeSocket != 0:
		err = errors.New("is a socket, not a regular file")
	case mode&fs.ModeDevice != 0:
		err = errors.New("is a device, not a regular file")
	default:
		err = errors.New("is not a regular file")
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}

// Close closes the file.
func (s *source) Close() error { return unix.Close(s.fd) }

// Next implements [catalog.Source].
func (s *source) Next(buf []byte) (n int, hole int64, err error) {
	if s.off >= s.end {
		if err := s.grow(); err != nil {
			return 0, 0, err
		}
		if s.off >= s.end {
			return 0, 0, io.EOF
		}
	}
	if hole, err = s.hole(); hole > 0 || err != nil {
		s.off += hole
		return 0, hole, err
	}
	want := min(int64(len(buf)), s.dataEnd-s.off, s.end-s.off)
	n, err = s.readAt(buf, int(want), s.off)
	if err != nil {
		return 0, 0, err
	}
	if n == 0 {
		return 0, 0, s.ended()
	}
	if !s.direct {
		// Only a hint: the pages are ours to drop, the data is in buf.
		_ = unix.Fadvise(s.fd, s.off, int64(n), unix.FADV_DONTNEED)
	}
	s.off += int64(n)
	return n, 0, nil
}

// grow looks for more of the file past the offset reached.
func (s *source) grow() error {
	var st unix.Stat_t
	if err := s.stat(&st); err != nil {
		return err
	}
	if st.Size > s.end && s.growths < maxGrowths {
		s.growths++
		s.end = st.Size
	}
	return nil
}

// hole returns the length of the hole at the offset, 0 if there is data, and
// moves dataEnd.
func (s *source) hole() (int64, error) {
	if s.off < s.dataEnd {
		return 0, nil
	}
	if s.noHoles {
		s.dataEnd = math.MaxInt64
		return 0, nil
	}
	data, err := unix.Seek(s.fd, s.off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return s.lastHole()
	case err != nil:
		// Not every file system knows of holes. One that fails for another
		// reason is going to fail the read as well.
		s.noHoles = true
		return s.hole()
	case data >= s.end:
		return s.end - s.off, nil
	}
	if start := data / granule * granule; start > s.off {
		return start - s.off, nil
	}
	end, err := unix.Seek(s.fd, data, unix.SEEK_HOLE)
	if err != nil {
		s.noHoles = true
		return s.hole()
	}
	s.dataEnd = (end + granule - 1) / granule * granule
	return 0, nil
}

// lastHole returns the length of the hole from the offset to the end of the
// file. SEEK_DATA says the same of an offset past the end, so this is where a
// sparse file that has become shorter is noticed.
func (s *source) lastHole() (int64, error) {
	var st unix.Stat_t
	if err := s.stat(&st); err != nil {
		return 0, err
	}
	if st.Size <= s.off {
		return 0, s.ended()
	}
	return min(st.Size, s.end) - s.off, nil
}

// ended returns what it means that there is nothing at the offset, though the
// end was expected later: that the file shrank, or only lost what it had gained
// since open.
func (s *source) ended() error {
	if s.off < s.opened.Size {
		return s.shrank()
	}
	return io.EOF
}

func (s *source) shrank() error {
	var st unix.Stat_t
	if err := s.stat(&st); err != nil {
		return err
	}
	return &fs.PathError{Op: "read", Path: s.path, Err: fmt.Errorf(
		"%w: it had %d bytes when it was opened and has %d now", catalog.ErrShrank, s.opened.Size, st.Size)}
}

// finish looks at the file after the last read. It returns the size found then,
// and whether the file was written to or its attributes changed since open.
func (s *source) finish() (size int64, changed bool, err error) {
	var st unix.Stat_t
	if err := s.stat(&st); err != nil {
		return 0, false, err
	}
	if st.Size < s.opened.Size {
		return st.Size, true, s.shrank()
	}
	return st.Size, st.Mtim != s.opened.Mtim || st.Ctim != s.opened.Ctim, nil
}

// head reads what Recognise looks at.
func (s *source) head() ([]byte, error) {
	buf := alignedBuffer(2 * granule)
	n, err := s.readAt(buf, int(min(HeadSize, s.end)), 0)
	return buf[:n], err
}

// readAt reads want bytes at off, fewer only where the file ends. buf has room
// for want rounded up to directAlign: direct I/O reads whole units, also at the
// end of a file that ends within one.
func (s *source) readAt(buf []byte, want int, off int64) (int, error) {
	got := 0
	for got < want {
		b := buf[got:want]
		if s.direct {
			b = buf[got:min(len(buf), (want+directAlign-1)/directAlign*directAlign)]
		}
		n, err := unix.Pread(s.fd, b, off+int64(got))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case s.direct && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EIO)):
			// EINVAL: other alignment is needed, or the offset is within a unit,
			// the end of a file that has grown since. EIO: somebody writes to the
			// file through a mapping, and what is written has no place on the disk
			// yet (the kernel's log then has "Direct I/O collision with buffered
			// writes"). A disk that is broken says so again.
			s.buffered()
			continue
		case err != nil:
			return got, &fs.PathError{Op: "read", Path: s.path, Err: err}
		case n == 0:
			return got, nil
		}
		got += n
	}
	return want, nil
}

// buffered makes the source read through the page cache from now on.
func (s *source) buffered() {
	s.direct = false
	// Without O_NONBLOCK and O_DIRECT no flags are left that can be set. An
	// error is left to the next read, which then fails.
	_, _ = unix.FcntlInt(uintptr(s.fd), unix.F_SETFL, 0)
	_ = unix.Fadvise(s.fd, 0, 0, unix.FADV_SEQUENTIAL)
}

func (s *source) stat(st *unix.Stat_t) error {
	if err := unix.Fstat(s.fd, st); err != nil {
		return &fs.PathError{Op: "stat", Path: s.path, Err: err}
	}
	return nil
}

// openRetry is open(2), again after a signal.
func openRetry(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// alignedBuffer returns memory that direct I/O accepts.
func alignedBuffer(n int) []byte {
	b := make([]byte, n+directAlign)
	shift := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (directAlign - 1)
	return b[shift : shift+n : shift+n]
}
