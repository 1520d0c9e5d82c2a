package gtm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// journalBytes makes the header of a journal file.
func journalBytes(first, last uint64, dataFile, prev string) []byte {
	b := make([]byte, jnlHeaderSize)
	copy(b, "GDSJNL28")
	binary.LittleEndian.PutUint64(b[jnlFirstTN:], first)
	binary.LittleEndian.PutUint64(b[jnlLastTN:], last)
	binary.LittleEndian.PutUint64(b[jnlFirstTime:], 1700000000)
	copy(b[jnlDataFile:], dataFile)
	copy(b[jnlPrevFile:], prev)
	return b
}

func TestParseJournal(t *testing.T) {
	j, err := ParseJournal(journalBytes(5, 9, "/data/t.dat", "/data/t.mjl_1"))
	if err != nil {
		t.Fatal(err)
	}
	if j.Version != "28" || j.FirstTN != 5 || j.LastTN != 9 || j.DataFile != "/data/t.dat" || j.PrevFile != "/data/t.mjl_1" ||
		j.NextFile != "" || j.Open || !j.First.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("%+v", j)
	}
	for _, b := range [][]byte{nil, []byte("GDSJNL28"), make([]byte, jnlHeaderSize)} {
		if _, err := ParseJournal(b); !errors.Is(err, ErrNotJournal) {
			t.Errorf("of %d bytes: %v", len(b), err)
		}
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add(journalBytes(1, 2, "/a/b.dat", ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := ParseJournal(b)
		if err != nil {
			if !errors.Is(err, ErrNotJournal) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, name := range []string{j.DataFile, j.PrevFile, j.NextFile, j.Version} {
			if strings.ContainsAny(name, "\x00\n\x1b") && name != j.Version {
				t.Errorf("name %q", name)
			}
		}
		if j.First.Before(time.Unix(0, 0)) {
			t.Errorf("time %v", j.First)
		}
	})
}

func TestJournalChain(t *testing.T) {
	file := func(first, last uint64) *JournalFile {
		return &JournalFile{JournalHeader{FirstTN: first, LastTN: last}, fmt.Sprintf("%d-%d", first, last)}
	}
	tests := []struct {
		name  string
		files []*JournalFile
		want  string
	}{
		{"none", nil, ""},
		{"in order", []*JournalFile{file(10, 20), file(20, 30)}, "10-20 20-30"},
		{"out of order", []*JournalFile{file(20, 30), file(10, 20)}, "10-20 20-30"},
		{"older ones too", []*JournalFile{file(1, 5), file(5, 10), file(10, 20)}, "10-20"},
		{"twice, one still open", []*JournalFile{file(10, 10), file(10, 20), file(20, 20)}, "10-20 20-20"},
		{"an empty one", []*JournalFile{file(10, 10)}, "10-10"},
		{"only older ones", []*JournalFile{file(1, 5)}, ""},
		{"one missing", []*JournalFile{file(10, 20), file(30, 40)}, "region A: the journal files lack transactions 0x14 to 0x1e"},
		{"the first missing", []*JournalFile{file(20, 30)}, "region A: the journal files lack transactions 0xa to 0x14"},
		{"begins before", []*JournalFile{file(9, 20), file(20, 30)}, "region A: the journal files lack transactions 0xa to 0x14"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chain, err := journalChain("A", tt.files, 10)
			var got []string
			for _, j := range chain {
				got = append(got, j.Path)
			}
			text := strings.Join(got, " ")
			if err != nil {
				text = err.Error()
				if _, ok := errors.AsType[*JournalGapError](err); !ok {
					t.Errorf("%T", err)
				}
			}
			if text != tt.want {
				t.Errorf("%q, want %q", text, tt.want)
			}
		})
	}
}

// TestJournalsBack follows links, also where they lead in a circle.
func TestJournalsBack(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, first, last uint64, prev string) string {
		path := filepath.Join(dir, name)
		if prev != "" {
			prev = filepath.Join(dir, prev)
		}
		if err := os.WriteFile(path, journalBytes(first, last, "/t.dat", prev), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("a", 1, 10, "")
	write("b", 10, 20, "a")
	c := write("c", 20, 30, "b")
	for tn, want := range map[uint64]int{20: 1, 10: 2, 15: 1, 1: 3, 30: 0} {
		files, err := journalsBack(c, tn)
		if err != nil || len(files) != want {
			t.Errorf("from %d: %d files, want %d; %v", tn, len(files), want, err)
		}
	}
	write("a", 15, 10, "b")
	if _, err := journalsBack(c, 1); err != nil {
		t.Errorf("links in a circle: %v", err)
	}
}
