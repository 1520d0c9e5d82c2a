package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
)

func TestToErrno(t *testing.T) {
	tests := []struct {
		err  error
		want syscall.Errno
	}{
		{fmt.Errorf("set %q: %w", "PROD/1", catalog.ErrNotFound), syscall.ENOENT},
		{catalog.ErrSealed, syscall.EROFS},
		{&catalog.CorruptError{Path: "packs/00/x.pack", Offset: 9, Err: errors.New("bad sum")}, syscall.EIO},
		{&catalog.CorruptError{Path: "packs/00/x.pack", Err: catalog.ErrNotFound}, syscall.EIO},
		{&catalog.CorruptError{Path: "packs/00/x.pack", Err: syscall.ENOENT}, syscall.EIO},
		{fmt.Errorf("read: %w", context.Canceled), syscall.EINTR},
		{io.EOF, syscall.ENXIO},
		{io.ErrUnexpectedEOF, syscall.EIO},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}, syscall.EMFILE},
		{syscall.EINVAL, syscall.EINVAL},
		{errors.New("anything else"), syscall.EIO},
	}
	for _, tt := range tests {
		if got := toErrno(tt.err); got != tt.want {
			t.Errorf("toErrno(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestMount_Errno(t *testing.T) {
	var logs logBuffer
	m := &mount{log: slog.New(slog.NewTextHandler(&logs, nil))}
	damage := &catalog.CorruptError{Path: "packs/00/x.pack", Offset: 4711, Err: errors.New("bad sum")}

	if got := m.errno("read", "sets/A/1/f", nil); got != 0 {
		t.Errorf("errno(nil) = %v", got)
	}
	for range 3 {
		if got := m.errno("read", "sets/A/1/f", damage); got != syscall.EIO {
			t.Errorf("errno = %v, want EIO", got)
		}
	}
	m.errno("lookup", "sets", catalog.ErrNotFound)

	got := logs.lines("")
	if len(got) != 1 {
		t.Fatalf("logged %d lines, want 1 for the damage:\n%s", len(got), strings.Join(got, ""))
	}
	for _, want := range []string{"op=read", "path=/sets/A/1/f", "packs/00/x.pack at offset 4711", "bad sum"} {
		if !strings.Contains(got[0], want) {
			t.Errorf("the log does not say %q: %s", want, got[0])
		}
	}
}

func TestRecent(t *testing.T) {
	var r recent
	now := time.Unix(0, 0)
	steps := []struct {
		key   string
		after time.Duration
		want  bool
	}{
		{"a", 0, true},
		{"a", 0, false},
		{"b", 0, true},
		{"a", quietFor - 1, false},
		{"a", quietFor, true},
		{"a", quietFor + 1, false},
	}
	for i, s := range steps {
		if got := r.first(s.key, now.Add(s.after)); got != s.want {
			t.Errorf("step %d: first(%q, %v) = %v, want %v", i, s.key, s.after, got, s.want)
		}
	}
	for i := range 3 * maxSeen {
		r.first(fmt.Sprint(i), now)
	}
	if len(r.last) > maxSeen {
		t.Errorf("remembers %d, want at most %d", len(r.last), maxSeen)
	}
}
