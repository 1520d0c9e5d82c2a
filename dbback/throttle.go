package dbback

import (
	"context"
	"runtime"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"datfs/catalog"
)

// considerate returns what is put around the source of each database, so that
// its users notice little of the backup: a limit of the rate, and a low I/O
// priority.
func (p *procedure) considerate(ctx context.Context) func(string, catalog.Source) catalog.Source {
	var limit *rate.Limiter // one for all files
	if p.opts.IOLimit > 0 {
		limit = rate.NewLimiter(rate.Limit(p.opts.IOLimit), pieceOf(p.opts.IOLimit))
	}
	return func(path string, src catalog.Source) catalog.Source {
		if p.opts.wrap != nil {
			src = p.opts.wrap(path, src)
		}
		if !p.opts.NormalIO {
			src = lowPriority{src}
		}
		if limit != nil {
			src = limited{src, ctx, limit}
		}
		return src
	}
}

// maxRead is the most that is read of a source in one go, in bytes: what the
// catalog asks for.
const maxRead = 4 << 20

// pieceOf returns how much is read in one go at a limit: what it allows in a tenth
// of a second, so that what is read comes evenly, in units that direct I/O takes.
func pieceOf(limit int64) int {
	const unit = 64 << 10
	return int(min(max(limit/10/unit, 1)*unit, maxRead))
}

// limited reads no faster than the limit, on average. Holes cost nothing.
type limited struct {
	catalog.Source
	ctx   context.Context
	limit *rate.Limiter
}

// Next implements [catalog.Source].
func (s limited) Next(buf []byte) (int, int64, error) {
	n, hole, err := s.Source.Next(buf[:min(len(buf), s.limit.Burst())])
	if n > 0 && err == nil {
		err = s.limit.WaitN(s.ctx, n)
	}
	if err != nil {
		return 0, 0, err
	}
	return n, hole, nil
}

// lowPriority reads with the lowest of the best-effort I/O priorities: behind
// everybody else's, but not starved by them. Only some I/O schedulers look at it
// (BFQ, mq-deadline).
type lowPriority struct{ catalog.Source }

// From include/uapi/linux/ioprio.h: the class in the upper bits, 0 to 7 below.
const (
	ioprioWhoProcess = 1
	ioprioBestEffort = 2 << 13
	ioprioLowest     = ioprioBestEffort | 7
)

// Next implements [catalog.Source]. The priority belongs to the thread, and is
// taken back after each read: threads are shared with the rest of the program,
// which starts others' programs.
func (s lowPriority) Next(buf []byte) (int, int64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, 0, 0)
	if errno != 0 {
		return s.Source.Next(buf)
	}
	// A priority that cannot be set is no reason not to read.
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, ioprioLowest)
	defer func() { _, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, before) }()
	return s.Source.Next(buf)
}
