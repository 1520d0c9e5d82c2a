package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"datfs/catalog"
)

const (
	barInterval  = 200 * time.Millisecond
	lineInterval = 10 * time.Second // work that takes less than this prints no line
)

// startProgress shows on standard error how far an operation is, until the
// returned function is called: with a bar on a terminal, otherwise with a line
// now and then, so that a log file reads as well as a screen. With --quiet it
// shows nothing. The operation itself knows of none of this.
func startProgress(c *cli.Context, operation string, in unit) (p *catalog.Progress, stop func()) {
	s := newScreen(c, operation, in)
	s.show(true)
	return s.progress, s.stop
}

// A unit is what an operation counts.
type unit struct {
	bytes bool
	write func(int64) string
}

var (
	inBytes = unit{true, size}
	inPacks = unit{false, func(n int64) string { return count(int(n), "pack") }}
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// A display shows a state of progress again and again.
type display interface {
	update()
	clear() // takes away what it shows; the next update shows it again
}

// every updates d at an interval until the returned function is called, which
// returns when nothing more will be written.
func every(interval time.Duration, d display) (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				d.update()
			case <-done:
				d.clear()
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wg.Wait()
	})
}

// A bar shows progress on one line of a terminal.
type bar struct {
	*progressbar.ProgressBar
	operation string
	progress  *catalog.Progress
	total     int64
}

func newBar(w io.Writer, operation string, in unit, p *catalog.Progress) *bar {
	return &bar{
		ProgressBar: progressbar.NewOptions64(-1, // unknown until the operation says
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription(operation),
			progressbar.OptionShowBytes(in.bytes),
			progressbar.OptionShowCount(),
			progressbar.OptionShowTotalBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionFullWidth(),
			progressbar.OptionUseANSICodes(true),
			progressbar.OptionSetRenderBlankState(false),
			progressbar.OptionSetSpinnerChangeInterval(0), // or it would draw by itself, between our lines
		),
		operation: operation,
		progress:  p,
	}
}

func (b *bar) update() {
	done, total := b.progress.Done(), b.progress.Total()
	if total > 0 && total != b.total {
		b.total = total
		b.ChangeMax64(total)
	}
	if b.total > 0 {
		// A bar that reaches its end is over; but files grow while they are
		// read, and after the last byte there is still the seal.
		done = min(done, b.total-1)
	}
	b.Describe(b.description())
	_ = b.Set64(done) // fails beyond the end only
}

func (b *bar) description() string {
	if current := b.progress.Current(); current != "" {
		return b.operation + " " + printable(shorten(current, 32))
	}
	return b.operation
}

func (b *bar) clear() { _ = b.Clear() }

// shorten keeps the end of a path, which tells more than its start, within n
// characters.
func shorten(path string, n int) string {
	r := []rune(filepath.Clean(path))
	if len(r) <= n {
		return string(r)
	}
	return "…" + string(r[len(r)-n+1:])
}

// lines shows progress as whole lines without terminal codes.
type lines struct {
	w         io.Writer
	operation string
	unit      unit
	progress  *catalog.Progress
	last      state
}

// A state is how far an operation was at a time.
type state struct {
	at   time.Time
	done int64
}

func newLines(w io.Writer, operation string, in unit, p *catalog.Progress) *lines {
	return &lines{w: w, operation: operation, unit: in, progress: p, last: state{at: time.Now(), done: p.Done()}}
}

func (l *lines) update() {
	now := state{time.Now(), l.progress.Done()}
	fmt.Fprintln(l.w, progressLine(l.operation, l.unit, l.progress, l.last, now))
	l.last = now
}

func (l *lines) clear() {}

// progressLine says how far p is, with the rate between two states:
//
//	backup: 12%, 1.2 GiB of 10 GiB, 300 MiB/s, 30s left, /data/user/IRIS.DAT
func progressLine(operation string, in unit, p *catalog.Progress, before, now state) string {
	elapsed := now.at.Sub(before.at)
	total := p.Total()
	var line string
	if total > 0 {
		line = fmt.Sprintf("%s: %d%%, %s of %s", operation, percent(now.done, total), in.write(now.done), in.write(total))
	} else {
		line = fmt.Sprintf("%s: %s", operation, in.write(now.done))
	}
	moved := now.done - before.done
	line += ", " + rate(in, moved, elapsed)
	if moved > 0 && total > now.done {
		left := time.Duration(float64(elapsed) * float64(total-now.done) / float64(moved))
		line += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	if current := p.Current(); current != "" {
		line += ", " + printable(current)
	}
	return line
}

// percent is at most 99 until all is done, also for a file that grew.
func percent(done, total int64) int {
	if done == total {
		return 100
	}
	return min(99, int(100*float64(done)/float64(total)))
}
