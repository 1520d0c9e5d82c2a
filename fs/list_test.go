package fs

import (
	"errors"
	"log/slog"
	"slices"
	"syscall"
	"testing"

	"datfs/catalog"
)

// A fakeList is a listing over sets that the test makes up.
type fakeList struct {
	listing
	infos []*catalog.SetInfo
	err   error
	asked int
	gone  []string
	logs  logBuffer
}

func newFakeList() *fakeList {
	f := new(fakeList)
	f.listing.sets = func() ([]*catalog.SetInfo, error) { f.asked++; return f.infos, f.err }
	f.listing.build = func(sets []*set, broken unreadable) *entry {
		return newTree(sets, broken, firstSet, func(*set) []byte { return nil })
	}
	f.listing.gone = func(s *set) { f.gone = append(f.gone, s.path()) }
	f.listing.log = slog.New(slog.NewTextHandler(&f.logs, nil))
	return f
}

// later returns the tree after the listing has become too old.
func (f *fakeList) later(t *testing.T) *entry {
	t.Helper()
	f.checked = f.checked.Add(-2 * changingFor)
	root, err := f.tree()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestListing(t *testing.T) {
	f := newFakeList()
	running := info("A", "2", catalog.StateRunning)
	f.infos = []*catalog.SetInfo{info("A", "1", catalog.StateComplete), running}
	root, err := f.tree()
	if err != nil {
		t.Fatal(err)
	}
	first := root.find("sets/A/1")

	if again, _ := f.tree(); again != root || f.asked != 1 {
		t.Errorf("asked %d times within %v, want once", f.asked, changingFor)
	}
	f.infos = []*catalog.SetInfo{info("A", "1", catalog.StateComplete), info("A", "2", catalog.StateRunning)}
	if again := f.later(t); again != root || f.asked != 2 {
		t.Error("a new tree though nothing has changed")
	}

	f.infos[1] = info("A", "2", catalog.StateRunning, dbFile("/d/f", "D"))
	if f.later(t).find("incomplete/A/2/databases/d/f") == nil {
		t.Error("a new file of a running set is not seen")
	}

	f.infos[1] = info("A", "2", catalog.StateComplete, dbFile("/d/f", "D"))
	root = f.later(t)
	if root.find("incomplete/A/2") != nil || root.find("sets/A/2/databases/d/f") == nil {
		t.Error("a set that was sealed has not moved")
	}
	if got := root.find("latest/A").link; got != "../sets/A/2" {
		t.Errorf("latest = %s", got)
	}
	if root.find("sets/A/1").children() != first.children() {
		t.Error("a sealed set was made anew")
	}

	f.infos = f.infos[:1]
	if f.later(t).find("sets/A/2") != nil {
		t.Error("a removed set is still there")
	}
	if want := []string{"incomplete/A/2", "incomplete/A/2", "sets/A/2"}; !slices.Equal(f.gone, want) {
		t.Errorf("replaced or removed: %v, want %v", f.gone, want)
	}
}

func TestListing_Damage(t *testing.T) {
	damage := &catalog.CorruptError{Path: "sets/A/1.set", Offset: 7, Err: errors.New("bad sum")}

	t.Run("HidesNoOther", func(t *testing.T) {
		f := newFakeList()
		f.infos, f.err = []*catalog.SetInfo{info("A", "2", catalog.StateComplete)}, damage
		for range 3 {
			if f.later(t).find("sets/A/2") == nil {
				t.Error("the readable set is not shown")
			}
		}
		if got := f.logs.lines("sets/A/1.set at offset 7"); len(got) != 1 {
			t.Errorf("logged %d times, want once: %v", len(got), got)
		}
	})
	t.Run("NothingReadable", func(t *testing.T) {
		f := newFakeList()
		f.err = damage
		if got := f.later(t).child("sets").children().list; len(got) != 0 {
			t.Errorf("sets = %v", got)
		}
	})
	t.Run("NoAnswerAtFirst", func(t *testing.T) {
		f := newFakeList()
		f.err = syscall.EIO
		if _, err := f.tree(); !errors.Is(err, syscall.EIO) {
			t.Errorf("err = %v, want EIO", err)
		}
	})
	t.Run("NoAnswerLater", func(t *testing.T) {
		f := newFakeList()
		f.infos = []*catalog.SetInfo{info("A", "1", catalog.StateComplete)}
		f.later(t)
		f.infos, f.err = nil, syscall.EMFILE
		if f.later(t).find("sets/A/1") == nil {
			t.Error("what was known is gone")
		}
		f.err = nil
		if f.later(t).find("sets/A/1") != nil {
			t.Error("a removed set is still there")
		}
	})
}

// TestListing_Unreadable has set files that cannot be read. A sealed set that
// was seen before stays; an unknown one that is newer than all others takes the
// latest set away, as an older one must not pass for it.
func TestListing_Unreadable(t *testing.T) {
	one, two := info("A", "1", catalog.StateComplete), info("A", "2", catalog.StateComplete)
	broken := func(sealed bool, names ...string) error {
		var errs []error
		for _, n := range names {
			errs = append(errs, &catalog.SetError{Name: catalog.SetName{Instance: "A", Name: n}, Sealed: sealed, Err: catalog.ErrCorrupt})
		}
		return errors.Join(errs...)
	}
	tests := []struct {
		name   string
		before []*catalog.SetInfo
		infos  []*catalog.SetInfo
		err    error
		want   string // target of latest/A, "" for none
	}{
		{"AllRead", nil, []*catalog.SetInfo{one, two}, nil, "../sets/A/2"},
		{"NewestUnknown", nil, []*catalog.SetInfo{one}, broken(true, "2"), ""},
		{"NewestKnown", []*catalog.SetInfo{one, two}, []*catalog.SetInfo{one}, broken(true, "2"), "../sets/A/2"},
		{"OlderUnknown", nil, []*catalog.SetInfo{two}, broken(true, "1"), "../sets/A/2"},
		{"Partial", nil, []*catalog.SetInfo{one}, broken(false, "2"), "../sets/A/1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeList()
			f.infos = tt.before
			if _, err := f.tree(); err != nil {
				t.Fatal(err)
			}
			f.infos, f.err = tt.infos, tt.err
			got := ""
			if e := f.later(t).find("latest/A"); e != nil {
				got = e.link
			}
			if got != tt.want {
				t.Errorf("latest = %q, want %q", got, tt.want)
			}
		})
	}
}
