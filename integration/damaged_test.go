package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback/practice"
)

// A file that is not what the instance says: what lacks its end is a warning, what is
// no database leaves the set incomplete, so that it does not become the latest one.
func TestIris_Damaged(t *testing.T) {
	tests := []struct {
		name   string
		damage func(path string) error
		state  catalog.State
		says   string
	}{
		{"cut off", func(path string) error { return os.Truncate(path, 3<<20) }, catalog.StateComplete, "its end is missing"},
		{"half", func(path string) error { return os.Truncate(path, 2<<20) }, catalog.StateComplete, "label says 512 blocks of 8192 bytes"},
		{"empty", func(path string) error { return os.Truncate(path, 0) }, catalog.StateIncomplete, "does not begin with the label"},
		{"something else", func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("what is this"), 4<<20/12), 0o600)
		}, catalog.StateComplete, "does not begin with the label"}, // it could be of a layout that is not known
		{"something else short", func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("what is this"), 2<<20/12), 0o600)
		}, catalog.StateIncomplete, "does not begin with the label"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, practice.StartOptions{Load: practice.LoadNone})
			if err := s.inst.Storage().Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := tt.damage(filepath.Join(s.database("user"), "IRIS.DAT")); err != nil {
				t.Fatal(err)
			}
			r := s.backup(t, 3)
			if !strings.Contains(r.stderr, tt.says) || strings.Contains(r.stderr, "4096") {
				t.Errorf("it says:\n%s", r.stderr)
			}
			if info := s.newest(t); info.State != tt.state {
				t.Errorf("state %s, want %s: %v", info.State, tt.state, info.Problems)
			}
		})
	}
}
