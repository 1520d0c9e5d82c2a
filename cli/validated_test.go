package cli

import (
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

func TestValidatedText(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 4, 5, 0, time.Local)
	v := func(clean, whole bool, dbs ...string) *catalog.Validation {
		return &catalog.Validation{Time: at, Check: "CheckList^Integrity", Clean: clean, Whole: whole, Databases: dbs}
	}
	tests := []struct {
		in   *catalog.Validation
		want string
	}{
		{nil, "-"},
		{v(true, true, "USER", "APP"), "2026-11-23 10:04, CheckList^Integrity"},
		{v(true, false, "USER", "APP"), "part: USER, APP, 2026-11-23 10:04, CheckList^Integrity"},
		{v(true, false, "A", "B", "C", "D", "E"), "part: A, B, C, 2 more, 2026-11-23 10:04, CheckList^Integrity"},
		{v(false, true), "DAMAGED 2026-11-23 10:04, CheckList^Integrity"},
		{v(false, false, "USER"), "DAMAGED part: USER, 2026-11-23 10:04, CheckList^Integrity"},
		{&catalog.Validation{Time: at, Check: "a\nb", Clean: true, Whole: true}, `2026-11-23 10:04, "a\nb"`},
	}
	for _, tt := range tests {
		if got := validatedText(tt.in); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestCheckValidated looks at sets of so many days ago, oldest first, and at
// which of them were validated how.
func TestCheckValidated(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	set := func(daysAgo int, edits ...func(*catalog.SetInfo)) *catalog.SetInfo {
		at := now.AddDate(0, 0, -daysAgo)
		s := &catalog.SetInfo{Instance: "IRIS", Name: at.Format("2006-01-02"), Time: at, State: catalog.StateComplete, Method: &catalog.Method{}}
		for _, edit := range edits {
			edit(s)
		}
		return s
	}
	valid := func(clean, whole bool) func(*catalog.SetInfo) {
		return func(s *catalog.SetInfo) { s.Validated = &catalog.Validation{Clean: clean, Whole: whole} }
	}
	good := valid(true, true)
	other := func(s *catalog.SetInfo) { s.Instance = "OTHER" }
	files := func(s *catalog.SetInfo) { s.Method = nil }
	broken := func(s *catalog.SetInfo) { s.State = catalog.StateIncomplete }
	tests := []struct {
		name string
		sets []*catalog.SetInfo
		days int
		want string // of the finding, "" for none
	}{
		{"None", nil, 30, ""},
		{"Young", []*catalog.SetInfo{set(29)}, 30, ""},
		{"JustDue", []*catalog.SetInfo{set(30)}, 30, ""},
		{"Old", []*catalog.SetInfo{set(31)}, 30, "WARN  validation: IRIS/2026-10-23 is 31 days old"},
		{"SwitchedOff", []*catalog.SetInfo{set(31)}, 0, ""},
		{"OtherLimit", []*catalog.SetInfo{set(2)}, 1, "WARN  validation: IRIS/2026-11-21 is 2 days old"},
		{"NewestOld", []*catalog.SetInfo{set(99), set(45), set(1)}, 30, "WARN  validation: IRIS/2026-10-09 is 45 days old, .* drill IRIS/2026-11-22 --instance STAGE"},
		{"OlderWas", []*catalog.SetInfo{set(99, good), set(45), set(1)}, 30, "WARN  validation: IRIS/2026-10-09 "},
		{"ItWas", []*catalog.SetInfo{set(99), set(45, good), set(1)}, 30, "OK    validation: IRIS/2026-10-09 was validated"},
		{"NewerWas", []*catalog.SetInfo{set(45), set(3, good), set(1)}, 30, "OK    validation: IRIS/2026-11-20 was validated"},
		{"WithDamage", []*catalog.SetInfo{set(45, valid(false, true))}, 30, "WARN  validation: "},
		{"NewestDamaged", []*catalog.SetInfo{set(3, good), set(1, valid(false, true))}, 0, "WARN  validation: IRIS/2026-11-22, the newest set, is not to be relied on: DAMAGED "},
		{"OlderDamaged", []*catalog.SetInfo{set(3, valid(false, true)), set(1)}, 30, ""},
		{"InPart", []*catalog.SetInfo{set(45, valid(true, false))}, 30, "WARN  validation: "},
		{"OtherInstance", []*catalog.SetInfo{set(45), set(3, other, good)}, 30, "WARN  validation: IRIS/"},
		{"OnlyOther", []*catalog.SetInfo{set(45, other)}, 30, ""},
		{"OnlyFiles", []*catalog.SetInfo{set(45, files)}, 30, ""},
		{"OnlyIncomplete", []*catalog.SetInfo{set(45, broken)}, 30, ""},
		{"IncompleteWas", []*catalog.SetInfo{set(45), set(3, broken, good)}, 30, "WARN  validation: IRIS/2026-10-09 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, f := range checkValidated(tt.sets, "IRIS", tt.days, now) {
				got += f.String()
			}
			head, tail, _ := strings.Cut(tt.want, ".*")
			if (got == "") != (tt.want == "") || !strings.HasPrefix(got, head) || !strings.HasSuffix(got, tail) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSetDocuments(t *testing.T) {
	gtm := &catalog.SetInfo{Engine: "gtm", Instance: "shop", Name: "1", State: catalog.StateComplete, Method: &catalog.Method{}}
	docs := setDocuments(gtm, bookPlace{dir: "/mnt/b/sets/shop/1"})
	if len(docs) != 1 || docs[0].Name != "RESTORE.md" || !strings.Contains(string(docs[0].Text), "SET=${SET:-/mnt/b/sets/shop/1} ") {
		t.Errorf("of GT.M: %+v", docs)
	}
	interrupted := *gtm
	interrupted.State = catalog.StateInterrupted
	for _, info := range []*catalog.SetInfo{&interrupted, {Engine: "files", State: catalog.StateComplete}, {Engine: "strange"}} {
		if docs := setDocuments(info, bookPlace{dir: "/d"}); docs != nil {
			t.Errorf("of a set of %s that is %s: %+v", info.Engine, info.State, docs)
		}
	}
}
