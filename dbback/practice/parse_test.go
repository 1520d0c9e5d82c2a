package practice

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"datfs/dbback/practice/storage"
)

// What a line says is what it says again when it was written.
func FuzzParseLine(f *testing.F) {
	for _, line := range []string{
		"clrinc-fails", `trap CLRINC^DBACK <PROTECT> keep`, `backup-warns "a b~c;d" after=3`, `answer BACKUP^DBACK:I ""`, "# note", "", `"`, `x "\xff"`,
		"crash before ^JRNSWTCH", "restore-fails -3",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a, ok, err := parseLine(line)
		if !ok {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b, ok, err := parseLine(a.String())
		if err != nil || !ok || !reflect.DeepEqual(a, b) {
			t.Errorf("%q: %+v, then %q: %+v, %v", line, a, a.String(), b, err)
		}
	})
}

// A configuration file survives reading and writing, and what is added is found.
func FuzzCPF(f *testing.F) {
	f.Add([]byte("[Databases]\nUSER=/a/b,,1\n\n[Journal]\nX=1\n"), "NEW", "/c/")
	f.Add([]byte("Databases]\n[Databases\n=\n[Databases]"), "A", "b")
	f.Add([]byte{}, "A", "")
	f.Fuzz(func(t *testing.T, text []byte, name, value string) {
		c := parseCPF(text)
		again := parseCPF([]byte(c.String()))
		if !slices.Equal(c.databases(), again.databases()) {
			t.Errorf("%q reads back as %q", text, again)
		}
		if name == "" || strings.ContainsAny(name+value, "=\r\n[]") || name != strings.TrimSpace(name) || value != strings.TrimSpace(value) {
			return
		}
		before := len(c.section("Databases"))
		c.add("Databases", name, value)
		if got := c.section("Databases"); len(got) != before+1 || !slices.Contains(got, pair{name, value}) {
			t.Errorf("%q with %s=%s: %v", text, name, value, got)
		}
	})
}

// Frames that are read are those that were written; garbage ends in an error.
func FuzzReadFrame(f *testing.F) {
	var b bytes.Buffer
	w := &frameWriter{w: &b}
	_ = w.write(frameInput, []byte("halt\n"))
	_ = w.write(frameEnd, nil)
	f.Add(b.Bytes())
	f.Add([]byte("I\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		for {
			kind, payload, err := readFrame(r)
			if err != nil {
				break
			}
			var b bytes.Buffer
			if err := (&frameWriter{w: &b}).write(kind, payload); err != nil {
				t.Fatal(err)
			}
			if k, p, err := readFrame(&b); k != kind || !bytes.Equal(p, payload) || err != nil {
				t.Errorf("%q became %q: %v", payload, p, err)
			}
		}
	})
}

func TestFrameWriter_Long(t *testing.T) {
	var b bytes.Buffer
	long := bytes.Repeat([]byte("x"), maxFrame+10)
	if n, err := (output{&frameWriter{w: &b}}).Write(long); n != len(long) || err != nil {
		t.Fatal(n, err)
	}
	var got []byte
	for {
		_, p, err := readFrame(&b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p...)
	}
	if !bytes.Equal(got, long) {
		t.Errorf("%d bytes became %d", len(long), len(got))
	}
}

func TestReadDirList(t *testing.T) {
	tests := []struct {
		text string
		want []storage.RestoreTarget
	}{
		{"/a/,,N\n", []storage.RestoreTarget{{Source: "/a/"}}},
		{"/a/\n", []storage.RestoreTarget{{Source: "/a/"}}},
		{"/a,/b,y\r\n\r\n/c/,/d/,N", []storage.RestoreTarget{{Source: "/a/", Target: "/b/", Create: true}, {Source: "/c/", Target: "/d/"}}},
		{"\n", nil},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readDirList(path)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
	}
}

func TestParseSession(t *testing.T) {
	tests := []struct {
		args string
		want sessionArgs
		ok   bool
	}{
		{"", sessionArgs{}, true},
		{"-U %SYS", sessionArgs{namespace: "%SYS"}, true},
		{"-U%SYS -B x^y", sessionArgs{namespace: "%SYS", command: "x^y", bypass: true}, true},
		{"-U", sessionArgs{}, false},
		{"-x", sessionArgs{}, false},
		{"a b", sessionArgs{command: "a"}, false},
	}
	for _, tt := range tests {
		got, err := parseSession(strings.Fields(tt.args))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: %+v, %v", tt.args, got, err)
		}
	}
}

func TestParseBackupArgs(t *testing.T) {
	parse := func(args ...string) (backupArgs, error) {
		return parseBackupArgs(func(n int) string {
			if n > len(args) {
				return ""
			}
			return args[n-1]
		})
	}
	a, err := parse("", "i", "text", "/f", "N", "/l", "noinput", "N", "Y", "", "300")
	if err != nil || a.kind != storage.Incremental || !a.switches || a.mode != "NOINPUT" || a.quiesce.Seconds() != 300 || a.device != "/f" || a.log != "/l" {
		t.Errorf("%+v, %v", a, err)
	}
	for n, want := range []bool{5: true, 8: true, 9: true, 10: false} {
		args := make([]string, 12)
		args[1] = "F"
		if n > 0 {
			args[n-1] = "Y"
		}
		if n == 2 {
			continue
		}
		if a, err := parse(args...); err != nil || a.switches != want {
			t.Errorf("argument %d: %+v, %v", n, a, err)
		}
	}
	if a, err := parse("", "E"); err != nil || a.mode != "NOISY" || a.quiesce.Seconds() != 60 {
		t.Errorf("defaults: %+v, %v", a, err)
	}
	for _, args := range [][]string{{}, {"", "X"}, {"", "F", "", "", "", "", "", "", "", "", "soon"}} {
		if _, err := parse(args...); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestBareFraction(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 0.006246: ".006246", 0.5: ".5", 1: "1", 2.25: "2.25", 10: "10"} {
		if got := bareFraction(f); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}
