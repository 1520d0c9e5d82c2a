package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// How much is kept of what a session says, in bytes: so much from its start, room
// for what is said of more than ten thousand databases, and so much from its end.
const (
	keepStart = 8 << 20
	keepEnd   = 1 << 20
)

// A spool is the file that a session's output goes to. It is no pipe: a session
// dies of writing to one whose reader has died, and in the middle of BACKUP^DBACK
// that can leave the write daemon suspended. So one whose datfs was killed goes on
// to its end.
//
// The file has no name and can be read by nobody else: a terminal repeats what it is
// told, passwords too. It is not in the work directory, since the incremental can
// fill that disk, and then the answer that says so must have room. While datfs lives
// the file takes no more room than what is kept.
type spool struct {
	f       *os.File
	trimmed int64 // the disk has nothing between keepStart and here
}

// newSpool makes a spool in the directory for temporary files.
func newSpool() (*spool, error) {
	made, err := os.CreateTemp("", "datfs-session-") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("file for what a session says (is TMPDIR, or /tmp, writable?): %w", err)
	}
	// What a wrapper of the session writes under another handle must not be written
	// over, so all of it is appended.
	f, err := os.OpenFile(made.Name(), os.O_RDWR|os.O_APPEND, 0)
	if err := errors.Join(err, os.Remove(made.Name()), made.Close()); err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, fmt.Errorf("file for what a session says: %w", err)
	}
	return &spool{f: f}, nil
}

// keepSmall gives back the room of what is not kept, now and then, until the
// returned function is called.
func (s *spool) keepSmall() (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.trim()
			case <-done:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wg.Wait()
	})
}

// trim makes a hole of what is not kept. A file system that cannot do that has all
// of it until the session ends.
func (s *spool) trim() {
	const step = 1 << 20 // not at every line; and units of any file system
	st, err := s.f.Stat()
	if err != nil {
		return
	}
	end := (st.Size() - keepEnd) / step * step
	if from := max(s.trimmed, keepStart); end > from {
		const punch, keepSize = 2, 1 // linux/falloc.h
		if syscall.Fallocate(int(s.f.Fd()), punch|keepSize, from, end-from) == nil {
			s.trimmed = end
		}
	}
}

// read returns what is kept of all that was said until now, and how many bytes of it
// are left out. A gap is named, and lies between whole lines.
func (s *spool) read() (text string, lost int64, err error) {
	st, err := s.f.Stat()
	if err != nil {
		return "", 0, err
	}
	size := st.Size()
	head, err := s.part(0, min(size, keepStart))
	if err != nil || size == int64(len(head)) {
		return string(head), 0, err
	}
	tail, err := s.part(max(keepStart, size-keepEnd), size)
	if err != nil || size == int64(len(head)+len(tail)) {
		return string(head) + string(tail), 0, err
	}
	// Half a line must not be taken for a whole one.
	head = head[:bytes.LastIndexByte(head, '\n')+1]
	tail = tail[bytes.IndexByte(tail, '\n')+1:]
	lost = size - int64(len(head)+len(tail))
	return fmt.Sprintf("%s\n(%d bytes are left out)\n%s", head, lost, tail), lost, nil
}

// part returns the bytes between two offsets.
func (s *spool) part(from, to int64) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(s.f, from, to-from))
}

func (s *spool) close() { _ = s.f.Close() }
