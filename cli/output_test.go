package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	table := newTable(&b, column{title: "SET"}, column{"SIZE", true}, column{title: "PATH"})
	table.AppendRow(row("A/1", "10 GiB", "/x"))
	table.AppendRow(row("LONGER/2", "1 B", "/longer"))
	table.Render()
	want := "" +
		"SET         SIZE  PATH\n" +
		"A/1       10 GiB  /x\n" +
		"LONGER/2     1 B  /longer\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ s, want string }{
		{"/data/IRIS.DAT", "/data/IRIS.DAT"},
		{"/data/with space/ü", "/data/with space/ü"},
		{"/a\nb", `"/a\nb"`},
		{"/a\x1b[2Jb", `"/a\x1b[2Jb"`},
		{"/a\xffb", `"/a\xffb"`},
	} {
		if got := printable(tt.s); got != tt.want {
			t.Errorf("printable(%q) = %s, want %s", tt.s, got, tt.want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for _, tt := range []struct{ s, want string }{
		{"/backup/repo", "/backup/repo"},
		{"PROD/2026-11-22T03-00-00Z", "PROD/2026-11-22T03-00-00Z"},
		{"", "''"},
		{"/with space", "'/with space'"},
		{"it's", `'it'\''s'`},
		{"$HOME", "'$HOME'"},
	} {
		if got := shellWord(tt.s); got != tt.want {
			t.Errorf("shellWord(%q) = %s, want %s", tt.s, got, tt.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		got, want string
	}{
		{size(0), "0 B"},
		{size(-2048), "-2.0 KiB"},
		{size(1 << 40), "1.0 TiB"},
		{rate(inBytes, 1<<20, 0), "-"},
		{rate(inBytes, 1<<20, 2*time.Second), "512 KiB/s"},
		{rate(inPacks, 30, 2*time.Second), "15 packs/s"},
		{count(1, "file"), "1 file"},
		{count(0, "file"), "0 files"},
		{count(1234, "file"), "1,234 files"},
		{took(1234567 * time.Microsecond).String(), "1.235s"},
		{took(83*time.Second + 456*time.Millisecond).String(), "1m23s"},
		{localTime(time.Time{}), "-"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestPrintProblems(t *testing.T) {
	var b bytes.Buffer
	printProblems(&b, []catalog.Problem{
		{Path: "/a", Error: "open: no such file or directory", Fatal: true},
		{Path: "/b", Error: "grew"},
		{Error: "something"},
	})
	want := "error: /a: open: no such file or directory\nwarning: /b: grew\nwarning: something\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestDamageWriter_Text(t *testing.T) {
	var b bytes.Buffer
	w := newDamageWriter(&b, false)
	for _, d := range someDamage() {
		w.add(d)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	want := "packs/00/00.pack at offset 40: bad sum\n" +
		"PROD/2026-11-22T03-00-00Z: /a: packs/00/00.pack at offset 0: bad sum\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestDamageWriter_Broken holds that a full disk or a closed pipe is not taken
// for a clean bill of health.
func TestDamageWriter_Broken(t *testing.T) {
	w := newDamageWriter(brokenWriter{}, true)
	if err := w.close(); !errors.Is(err, errBroken) {
		t.Errorf("close() = %v, want %v", err, errBroken)
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func someDamage() []catalog.Damage {
	cause := errors.New("bad sum")
	return []catalog.Damage{
		{Err: &catalog.CorruptError{Path: "packs/00/00.pack", Offset: 40, Err: cause}},
		{
			Set:  catalog.SetName{Instance: "PROD", Name: "2026-11-22T03-00-00Z"},
			Path: "/a",
			Err:  &catalog.CorruptError{Path: "packs/00/00.pack", Err: cause},
		},
	}
}

func TestPrintStats(t *testing.T) {
	var b bytes.Buffer
	printStats(&b, &catalog.Stats{
		Sets: 10, LogicalBytes: 10 << 30, ZeroBytes: 1 << 30, UniqueBytes: 1 << 30, StoredBytes: 512 << 20, MetaBytes: 1 << 20,
		DedupRatio: 9, CompressionRatio: 2, SavedBytes: 10<<30 - 513<<20, SavedPercent: 94.99, Packs: 8,
		PerSet:      []catalog.SetStats{{Instance: "PROD", Name: "2026-11-22T03-00-00Z", State: catalog.StateComplete, LogicalBytes: 1 << 30}},
		PerDatabase: []catalog.DatabaseStats{{Instance: "PROD", Database: "USER", Sets: 10}, {Instance: "PROD"}},
	})
	for _, want := range []string{
		"10 sets hold 10 GiB and take 513 MiB on disk: 95.0 % saved\n",
		"9.00 times smaller for storing a block once",
		"in 8 packs", "2.00 times smaller for compression",
		"PROD/2026-11-22T03-00-00Z  complete  1.0 GiB",
		"PROD      USER", "PROD      - ",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
