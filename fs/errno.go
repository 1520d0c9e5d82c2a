package fs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"

	"datfs/catalog"
)

// errnos maps the errors that callers act on to what the kernel is told. It is
// the only such table: nodes and handles never choose an errno themselves. The
// first match counts, and damage comes first: a block of a sealed set that is
// not found is damage, not a missing file.
var errnos = []struct {
	err   error
	errno syscall.Errno
}{
	{catalog.ErrCorrupt, syscall.EIO},
	{catalog.ErrNotFound, syscall.ENOENT},
	{catalog.ErrSealed, syscall.EROFS},
	{context.Canceled, syscall.EINTR},
	{io.EOF, syscall.ENXIO}, // of a seek; Read takes it for a short read
}

func toErrno(err error) syscall.Errno {
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.errno
		}
	}
	if code, ok := errors.AsType[syscall.Errno](err); ok {
		return code
	}
	return syscall.EIO
}

// errno returns the code for err. An errno has no room for a cause, so errno
// logs what it is about to hide: everything that becomes EIO.
func (m *mount) errno(op, path string, err error) syscall.Errno {
	if err == nil {
		return gofs.OK
	}
	code := toErrno(err)
	if code == syscall.EIO && m.seen.first(op+"\x00"+path+"\x00"+err.Error(), time.Now()) {
		m.log.Error("fuse request failed",
			slog.String("op", op), slog.String("path", "/"+path), slog.Any("err", err))
	}
	return code
}

const (
	// quietFor is how long the same failure is not logged again. The kernel
	// repeats a failed read page by page, so that one bad frame of 64 KiB would
	// make 17 lines, and readers retry.
	quietFor = time.Minute

	// maxSeen bounds the memory for that.
	maxSeen = 1000
)

// A recent remembers what was logged lately.
type recent struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// first reports whether key was not seen in the time quietFor before now.
func (r *recent) first(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.last[key]; ok && now.Sub(t) < quietFor {
		return false
	}
	if r.last == nil || len(r.last) >= maxSeen {
		r.last = make(map[string]time.Time)
	}
	r.last[key] = now
	return true
}
