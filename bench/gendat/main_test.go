package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "IRIS.DAT")
	tests := []struct {
		name string
		args string
		out  string // part of the output; "" if an error is expected
	}{
		{"NoArguments", "", ""},
		{"UnknownVerb", "make FILE", ""},
		{"ChangeBeforeCreate", "change FILE", ""},
		{"BadSize", "create FILE --bytes much", ""},
		{"HugeSize", "create FILE --bytes 8EiB", ""},
		{"LeftOver", "create FILE 1MiB", ""},
		{"Create", "create FILE --bytes 2MiB --seed 3", "2.0 MiB, seed 3"},
		{"Change", "change FILE --fraction 0.1", "26 blocks changed, 212992 bytes; each compressed alone: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(strings.Fields(strings.ReplaceAll(tt.args, "FILE", path)), &out)
			if (err != nil) != (tt.out == "") {
				t.Fatalf("err = %v", err)
			}
			if !strings.Contains(out.String(), tt.out) {
				t.Errorf("output %q does not contain %q", out.String(), tt.out)
			}
		})
	}
	if st, err := os.Stat(path); err != nil || st.Size() != 2<<20 {
		t.Errorf("stat: %v, %v; want 2 MiB", st, err)
	}
}
