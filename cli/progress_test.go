package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"datfs/catalog"
)

func TestProgressLine(t *testing.T) {
	start := time.Unix(1e9, 0)
	tests := []struct {
		name         string
		total        int64
		before, done int64
		elapsed      time.Duration
		current      string
		want         string
	}{
		{"Known", 10 << 30, 1 << 30, 3 << 30, 10 * time.Second, "/a", "backup: 30%, 3.0 GiB of 10 GiB, 205 MiB/s, 35s left, /a"},
		{"Unknown", 0, 0, 1 << 20, time.Second, "", "backup: 1.0 MiB, 1.0 MiB/s"},
		{"Stalled", 100, 50, 50, time.Second, "", "backup: 50%, 50 B of 100 B, 0 B/s"},
		{"Done", 100, 50, 100, time.Second, "", "backup: 100%, 100 B of 100 B, 50 B/s"},
		{"NearlyDone", 1 << 40, 0, 1<<40 - 1, time.Hour, "", "backup: 99%, 1024 GiB of 1.0 TiB, 291 MiB/s, 0s left"},
		{"Grown", 100, 0, 150, time.Second, "", "backup: 99%, 150 B of 100 B, 150 B/s"},
		{"NoTime", 100, 0, 10, 0, "", "backup: 10%, 10 B of 100 B, -, 0s left"},
		{"LineFeedInPath", 100, 0, 0, time.Second, "/a\nb", `backup: 0%, 0 B of 100 B, 0 B/s, "/a\nb"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := new(catalog.Progress)
			p.SetTotal(tt.total)
			p.SetCurrent(tt.current)
			got := progressLine("backup", inBytes, p, state{start, tt.before}, state{start.Add(tt.elapsed), tt.done})
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestLines runs in a bubble with a clock of its own: half a minute takes no
// time.
func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name  string
		runs  time.Duration
		lines int
	}{
		{"Short", 9 * time.Second, 0},
		{"Long", 35 * time.Second, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				p := new(catalog.Progress)
				stop := every(lineInterval, newLines(&b, "verify", inBytes, p))
				p.Add(10 << 20)
				time.Sleep(tt.runs)
				stop()
				stop() // twice is fine
				if n := strings.Count(b.String(), "\n"); n != tt.lines {
					t.Fatalf("%d lines, want %d:\n%s", n, tt.lines, b.String())
				}
				if tt.lines > 0 && !strings.HasPrefix(b.String(), "verify: 10 MiB, 1.0 MiB/s\n") {
					t.Errorf("got\n%s", b.String())
				}
			})
		})
	}
}

// TestBar holds the bar to what the library does not promise: that a total may
// come late, be wrong and change, and that in the end the line is clean.
func TestBar(t *testing.T) {
	var out bytes.Buffer
	p := new(catalog.Progress)
	b := newBar(&out, "backup", inBytes, p)
	b.update()
	p.SetTotal(4 << 20)
	p.SetCurrent("/a/very/long/path/to/some/database/directory/IRIS.DAT")
	p.Add(1 << 20)
	b.update()
	if s := out.String(); !strings.Contains(s, "25%") || !strings.Contains(s, "/directory/IRIS.DAT") || !strings.Contains(s, "4.0 MiB") {
		t.Errorf("at a quarter: %q", s)
	}
	for _, more := range []int64{3 << 20, 6 << 20} { // all is read; then the file grew
		p.Add(more)
		b.update()
		if b.IsFinished() {
			t.Errorf("the bar ended before the operation, at %d bytes", p.Done())
		}
	}
	p.SetTotal(20 << 20)
	b.update()
	if s := out.String(); !strings.Contains(s, "50%") {
		t.Errorf("after a new total: %q", s)
	}
	b.clear()
	if s := out.String(); !strings.HasSuffix(s, "\033[2K\r") {
		t.Errorf("the line is not cleared at the end: %q", s)
	}
}

func TestShorten(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"/a/b", "/a/b"},
		{"/data/user/IRIS.DAT", "…r/IRIS.DAT"},
		{"/дата/IRIS.DAT", "…а/IRIS.DAT"},
	} {
		if got := shorten(tt.path, 11); got != tt.want {
			t.Errorf("shorten(%s) = %s, want %s", tt.path, got, tt.want)
		}
	}
}
