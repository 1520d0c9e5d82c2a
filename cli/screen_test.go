package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"datfs/catalog"
)

// TestScreen_Lines runs in a bubble with a clock of its own: progress is written
// only while something is counted, and lines with the time whenever they come.
func TestScreen_Lines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := new(catalog.Progress)
		s := &screen{
			progress: p, w: &b, every: lineInterval, now: func() time.Time { return time.Now().UTC() },
			display: func() display { return newLines(&b, "copy", inBytes, p) },
		}
		s.say("%s: %s", "mark", "count")
		time.Sleep(time.Hour) // nothing is counted, so nothing is shown
		s.show(true)
		s.show(true) // twice is fine
		p.Add(10 << 20)
		time.Sleep(lineInterval + time.Second)
		s.say("between")
		s.show(false)
		s.stop()
		time.Sleep(time.Hour)
		want := "2000-01-01 00:00:00  mark: count\n" +
			"copy: 10 MiB, 1.0 MiB/s\n" +
			"2000-01-01 01:00:11  between\n"
		if b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	})
}

// TestScreen_Bar holds that a line takes the bar away first, and that the bar
// comes back after it.
func TestScreen_Bar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := new(catalog.Progress)
		p.SetTotal(100)
		s := &screen{
			progress: p, w: &b, every: barInterval, now: time.Now,
			display: func() display { return newBar(&b, "copy", inBytes, p) },
		}
		s.show(true)
		p.Add(10)
		time.Sleep(barInterval * 3 / 2)
		s.say("a line\x1b[2J")
		p.Add(10)
		time.Sleep(barInterval)
		s.stop()
		got := b.String()
		wantAll(t, "bar", got, "10%", "\033[2K\r2", "  \"a line\\x1b[2J\"\n", "20%")
		if !strings.HasSuffix(got, "\033[2K\r") {
			t.Errorf("the line is not cleared at the end: %q", got)
		}
	})
}
