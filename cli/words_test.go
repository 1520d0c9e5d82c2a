package cli

import (
	"errors"
	"slices"
	"testing"
)

func TestSplitWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
		err  error
	}{
		{"", nil, nil},
		{"  \t ", nil, nil},
		{"docker exec -i c iris session IRIS -U %SYS", []string{"docker", "exec", "-i", "c", "iris", "session", "IRIS", "-U", "%SYS"}, nil},
		{`ssh db 'iris session "A B" -U %SYS'`, []string{"ssh", "db", `iris session "A B" -U %SYS`}, nil},
		{`a"b 'c"d ''`, []string{`ab 'cd`, ""}, nil},
		{`a\ b \' "\"" '\'`, []string{"a b", "'", `"`, `\`}, nil},
		{`$HOME *`, []string{"$HOME", "*"}, nil},
		{`'open`, nil, errWords},
		{`"open`, nil, errWords},
		{`open\`, nil, errWords},
	}
	for _, tt := range tests {
		got, err := splitWords(tt.line)
		if !slices.Equal(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("splitWords(%s) = %q, %v; want %q, %v", tt.line, got, err, tt.want, tt.err)
		}
	}
}

// FuzzSplitWords holds that any words come through a shell's quoting, and that
// nothing is made up of a line.
func FuzzSplitWords(f *testing.F) {
	f.Add("docker exec -i c", "iris session 'A' \"b\"")
	f.Add("it's", `a\`)
	f.Add("", "\xff\n")
	f.Add("\xdf\xd3", "0")
	f.Fuzz(func(t *testing.T, a, b string) {
		want := []string{a, b}
		got, err := splitWords(shellWord(want[0]) + " \t" + shellWord(want[1]))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q came back as %q, %v", want, got, err)
		}
		words, err := splitWords(a)
		n := 0
		for _, w := range words {
			n += len(w)
		}
		if err == nil && n > len(a) {
			t.Errorf("%q became %q", a, words)
		}
	})
}

func TestParseRate(t *testing.T) {
	tests := []struct {
		in   string
		want int64
		ok   bool
	}{
		{"", 0, true},
		{"200MB/s", 200_000_000, true},
		{"1 GiB/s", 1 << 30, true},
		{"64KiB", 64 << 10, true},
		{"0", 0, false},
		{"fast", 0, false},
		{"-5MB", 0, false},
		{"9EiB", 0, false},
	}
	for _, tt := range tests {
		got, err := parseRate(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseRate(%q) = %d, %v", tt.in, got, err)
		}
	}
}
