package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// fileHandle is an open stored file. The kernel reads through it at several
// places at once.
type fileHandle struct {
	mount  *mount
	path   string
	set    *openSet
	file   *catalog.File
	reader *catalog.Reader // own to the handle, since it notices sequential reading
	size   int64
}

var (
	_ gofs.FileReader   = (*fileHandle)(nil)
	_ gofs.FileLseeker  = (*fileHandle)(nil)
	_ gofs.FileReleaser = (*fileHandle)(nil)
)

// openFile opens a stored file, and its set if that is not open.
func (m *mount) openFile(e *entry) (*fileHandle, error) {
	shared, opened, err := m.open.acquire(e.set)
	if err != nil {
		return nil, err
	}
	f, err := fileAt(opened, e.set, e.index)
	if err != nil {
		m.open.release(shared)
		return nil, err
	}
	return &fileHandle{mount: m, path: e.path, set: shared, file: f, reader: f.Reader(), size: f.Info().Size}, nil
}

// Read implements gofs.FileReader. Only the end of the file may make it short:
// anywhere else the kernel would hand out zeros for the rest (I3), so that a
// request of which a part is damaged fails whole. The kernel then repeats it
// page by page, and the good pages are read after all.
func (h *fileHandle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, err := h.reader.ReadAt(dest, off)
	if err == nil || errors.Is(err, io.EOF) {
		err = nil
		if n < len(dest) && off+int64(n) < h.size {
			err = fmt.Errorf("%d bytes at %d of %d: %w", n, off, h.size, io.ErrUnexpectedEOF)
		}
	}
	if err != nil {
		return nil, h.mount.errno("read", h.path, err)
	}
	return fuse.ReadResultData(dest[:n]), gofs.OK
}

// Lseek implements gofs.FileLseeker. The kernel asks only where data and holes
// are, and passes on whatever offset it was given, negative ones too.
func (h *fileHandle) Lseek(_ context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	var to int64
	var err error
	switch {
	case off >= uint64(h.size):
		err = io.EOF
	case whence == unix.SEEK_DATA:
		to, err = h.file.SeekData(int64(off))
	case whence == unix.SEEK_HOLE:
		to, err = h.file.SeekHole(int64(off))
	default:
		err = syscall.EINVAL
	}
	if err != nil {
		return 0, h.mount.errno("lseek", h.path, err)
	}
	return uint64(to), gofs.OK
}

// Release implements gofs.FileReleaser.
func (h *fileHandle) Release(context.Context) syscall.Errno {
	h.mount.open.release(h.set)
	return gofs.OK
}

// textHandle is an open note, or file that this package made. It keeps the text of the
// moment when it was opened.
type textHandle struct{ text []byte }

var _ gofs.FileReader = (*textHandle)(nil)

// Read implements gofs.FileReader.
func (h *textHandle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	from := min(off, int64(len(h.text)))
	n := copy(dest, h.text[from:])
	return fuse.ReadResultData(dest[:n]), gofs.OK
}
