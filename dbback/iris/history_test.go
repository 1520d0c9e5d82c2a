package iris

import (
	"slices"
	"testing"

	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

func TestOthers(t *testing.T) {
	const e, i = "datfs external copy PROD/2026-11-22T03-00-00Z", "datfs incremental PROD/2026-11-22T03-00-00Z"
	ours := []entry{{"1", "E", "Completed", e}, {"2", "I", "Completed", i}}
	old := entry{"0", "F", "Completed", "nightly"}
	full := entry{"3", "F", "Completed", "nightly"}
	with := func(more ...entry) []entry { return append(slices.Clone(ours), more...) }
	tests := []struct {
		name          string
		before, after []entry
		foreign       int
		certain       bool
	}{
		{"alone", nil, ours, 0, false},
		{"a history that the mark did not delete", []entry{old}, with(old), 0, false},
		{"a full backup", nil, with(full), 1, true},
		{"one without a description", nil, with(entry{"3", "F", "", ""}), 1, true},
		{"another datfs", nil, with(entry{"3", "E", "", "datfs external copy PROD/2026-11-22T03-00-01Z"}), 1, true},
		{"ours is gone, another's is there", nil, []entry{ours[1], full}, 1, true},
		{"descriptions are cut", nil, []entry{{"1", "E", "", e[:30]}, {"2", "I", "", i[:20]}}, 0, false},
		{"descriptions are not kept", nil, []entry{{"1", "E", "", ""}, {"2", "I", "", ""}}, 2, false},
		{"nor are they, and there are three", nil, []entry{{"1", "E", "", ""}, {"2", "I", "", ""}, {"3", "F", "", ""}}, 3, true},
		{"there is none", nil, nil, 0, false},
	}
	for _, tt := range tests {
		foreign, certain := others(tt.before, tt.after, e, i)
		if len(foreign) != tt.foreign || certain != tt.certain {
			t.Errorf("%s: %v, %v", tt.name, foreign, certain)
		}
	}
}

// A history of which the instance says nothing, or not all, is no reason to fail.
func TestHistoryUnknown(t *testing.T) {
	for _, text := range []string{"", "@@ERR|BH|<UNDEFINED>|x|", "@@BH|1|F|Completed|x", "@@BH|x\n@@BHEND|1"} {
		w := played.New(t)
		w.Say["BH"] = text
		eng := engine(t, w)
		begin(t, eng)
		for _, name := range []string{"mark", "incremental"} {
			if err := step(t.Context(), eng, name); err != nil {
				t.Errorf("%q: %s: %v", text, name, err)
			}
		}
	}
}

func FuzzParseHistory(f *testing.F) {
	f.Add("@@BH|1|F|Completed|a|b\n@@BHEND|1\n")
	f.Add("@@BH|\n@@BH|||\n")
	f.Fuzz(func(t *testing.T, text string) {
		a := session.ParseAnswer(text)
		entries, _ := parseHistory(a)
		if foreign, certain := others(nil, entries, "x y"); certain && len(foreign) == 0 {
			t.Errorf("%q: certain of nothing", text)
		}
	})
}
