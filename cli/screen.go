package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
)

// A screen is standard error during an operation: progress, and lines between
// that do not tear it.
type screen struct {
	progress *catalog.Progress

	w       io.Writer // nil with --quiet
	every   time.Duration
	display func() display
	now     func() time.Time

	mu      sync.Mutex
	current display // nil while nothing is shown
	end     func()
}

// newScreen returns the screen of an operation. It shows no progress yet.
func newScreen(c *cli.Context, operation string, in unit) *screen {
	s := &screen{progress: new(catalog.Progress), now: time.Now}
	w := c.App.ErrWriter
	switch {
	case c.Bool("quiet"):
	case isTerminal(w):
		s.w, s.every = w, barInterval
		s.display = func() display { return newBar(w, operation, in, s.progress) }
	default:
		s.w, s.every = w, lineInterval
		s.display = func() display { return newLines(w, operation, in, s.progress) }
	}
	return s
}

// show begins to show progress, or ends it.
func (s *screen) show(on bool) {
	if s.w == nil || on == (s.end != nil) {
		return
	}
	if !on {
		s.end()
		s.end = nil
		s.set(nil)
		return
	}
	s.set(s.display())
	s.end = every(s.every, s)
}

func (s *screen) set(d display) {
	s.mu.Lock()
	s.current = d
	s.mu.Unlock()
}

// stop ends the showing of progress. It may be called more than once.
func (s *screen) stop() { s.show(false) }

// say writes a line with the time, as a log has it. It may be called by any
// goroutine.
func (s *screen) say(format string, args ...any) {
	if s.w == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.current.clear()
	}
	fmt.Fprintf(s.w, "%s  %s\n", s.now().Format(time.DateTime), printable(fmt.Sprintf(format, args...)))
}

// update implements display.
func (s *screen) update() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.update()
}

// clear implements display.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.clear()
}
