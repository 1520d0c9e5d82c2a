package restore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

func TestReport_Markdown(t *testing.T) {
	inUTC(t)
	report := func(change func(*Report)) string {
		r := &Report{
			Set: "PROD/2026-11-22T03-00-00Z", Way: WayElsewhere, Instance: "STAGE", Began: at("04:00:00"), Ended: at("04:10:00"),
			Steps: []DoneStep{{stepLook, at("04:00:00"), at("04:00:01")}, {stepCopy, at("04:00:01"), at("04:09:00")}},
			Bytes: 1000, WrittenBytes: 10, LastJournal: "20261122.002", Reached: at("03:03:00"), Clean: true,
			Warnings: []string{"beware"}, Notes: []string{"a note\x1b[1m"},
		}
		r.Databases = append(r.Databases, struct {
			Name string `json:"name"`
			To   string `json:"to"`
		}{"US|ER", "/r/user/"})
		change(r)
		return r.Markdown()
	}
	golden(t, "report.md", report(func(*Report) {}))
	for name, tt := range map[string]struct {
		change func(*Report)
		has    string
	}{
		"damage": {func(r *Report) {
			r.Clean, r.Damage = false, []IntegrityFinding{{"/r/user/", "ERROR #1", "block 17"}}
		}, "\n**THE INTEGRITY CHECK DOES NOT FIND IT SOUND.**\n\n/r/user/: ERROR #1\n\n```\nblock 17\n```\n"},
		"failure":     {func(r *Report) { r.Clean = false }, "\nIt did not come to its end.\n"},
		"no journals": {func(r *Report) { r.Reached, r.LastJournal = time.Time{}, "" }, "\nNo journals were applied.\n"},
	} {
		if text := report(tt.change); !strings.Contains(text, tt.has) || strings.Contains(text, "found nothing") && name != "no journals" {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// What the engine would refuse, or leave undone, of mirrored databases.
func TestMirrors(t *testing.T) {
	mirrored := func(facts string) func(*catalog.SetInfo) {
		return func(i *catalog.SetInfo) {
			i.Method.Databases[1].Mirror = "USER"
			i.Method.Facts["mirror"] = facts
		}
	}
	in, out := Options{Databases: []string{"USER"}}, Options{Databases: []string{"USER"}, To: "/r"}
	for _, tt := range []struct {
		name     string
		set      func(*catalog.SetInfo)
		opts     Options
		role     string
		mirrored bool // now
		err      string
		warning  string
	}{
		{"none", nil, in, "@@MIR|0|0", false, "", ""},
		{"on the primary", mirrored("M: primary"), in, "@@MIR|1|1", true, "not restored: USER is an active mirrored database and this is the primary: ^DBREST refuses it. Remove it from the mirror first", ""},
		{"on the primary, no longer mirrored", mirrored("M: primary"), in, "@@MIR|1|1", false, "", ""},
		{"on the backup", mirrored("M: primary"), in, "@@MIR|1|0", true, "", "USER is mirrored: after the restore …"},
		{"of an async on a failover member", mirrored("M: async member"), in, "@@MIR|1|0", true, "not restored: the set was taken on an async member of a mirror, and this is a failover member: …", ""},
		{"of an async on an async", mirrored("M: async member"), in, "@@MIR|2|0", true, "", "USER is mirrored: …"},
		{"of an async as a new database", mirrored("M: async member"), out, "@@MIR|1|0", false, "", "USER is of a mirror (USER): on another system …"},
		{"the role is not known", mirrored("M: primary"), in, "@@ERR|MIR|<NOROUTINE>||", true, "", "USER is mirrored: …"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info := madeSet()
			if tt.set != nil {
				tt.set(info)
			}
			r := &restoration{plan: mustPlan(t, info, tt.opts), report: &Report{}, opts: RunOptions{Log: func(string, ...any) {}}}
			checkError(t, r.mirrors(session.ParseAnswer(tt.role), []dbState{{known: true, mounted: true, mirrored: tt.mirrored}}), tt.err)
			want, _ := strings.CutSuffix(tt.warning, "…")
			if got := strings.Join(r.report.Warnings, "\n"); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	info := madeSet(func(i *catalog.SetInfo) {
		i.Method.Databases[0].Encrypted, i.Method.Databases[1].Encrypted = true, true
		i.Method.ProductVersion = strings.ReplaceAll(i.Method.ProductVersion, "2024.1", "2025.1")
	})
	for version, newer := range map[string]bool{played.Version: true, info.Method.ProductVersion: false, "": false, strings.ReplaceAll(played.Version, "2022.1", "2026.1"): false} {
		r := &restoration{plan: mustPlan(t, info, Options{Databases: []string{"USER", "APP"}}), version: version}
		got := r.foreign()
		if len(got) == 0 || !strings.HasPrefix(got[0], "USER is encrypted: the key must be active in PROD.") {
			t.Errorf("of encryption: %q", got)
		}
		if slices.ContainsFunc(got, func(s string) bool {
			return strings.Contains(s, "journals of newer versions may not be readable by older ones")
		}) != newer {
			t.Errorf("on %q: %q", version, got)
		}
	}
	r := &restoration{plan: mustPlan(t, info, Options{To: "/r"})}
	if got := r.foreign(); len(got) != 1 || !strings.HasPrefix(got[0], "IRISSYS, USER are encrypted:") {
		t.Errorf("%q", got)
	}
}
