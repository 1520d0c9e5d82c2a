package restore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// later makes journal files beyond a set: "NAME CLOCK", the last clock of the set's
// day that it was written to; a name that ends in @ is one of the instance itself.
func later(specs ...string) (out []dbback.ArchivedJournal) {
	for i, spec := range specs {
		name, clock, _ := strings.Cut(spec, " ")
		stored, local := strings.CutSuffix(name, "@")
		a := dbback.ArchivedJournal{
			Name: dbback.PlainJournal(stored), Stored: stored, Set: catalog.SetName{Instance: "PROD.journals", Name: "a"}, File: i,
			Size: 4096, ModTime: at(clock), Origin: "/usr/irissys/mgr/journal/" + stored,
		}
		if a.Name = dbback.PlainJournal(a.FileName()); local {
			a.Set = catalog.SetName{}
		}
		out = append(out, a)
	}
	return out
}

func TestNewPlan_Journals(t *testing.T) {
	inUTC(t)
	const own = "20261121.014 20261122.001 20261122.002"
	in := func(o Options) Options { o.Databases = []string{"USER"}; return o }
	out := func(o Options) Options { o.Databases, o.To = []string{"USER"}, "/r"; return o }
	all := func(o Options) Options { o.Everything = true; return o }
	tests := []struct {
		name    string
		opts    Options
		files   string // plain names
		last    string // "": the current one
		reaches string // clock, "": the moment of the restore
		next    string
	}{
		{"into the running instance", in(Options{}), own, "", "", ""},
		{"elsewhere", out(Options{}), own, "20261122.002", "03:03:00", ""},
		{"everything", all(Options{}), own, "20261122.002", "03:03:00", ""},

		{"until the end of the marker's file", in(Options{Until: at("03:03:00")}), own, "20261122.002", "03:03:00", ""},
		{"until after all", out(Options{Until: at("23:00:00")}), own, "20261122.002", "03:03:00", ""},
		{
			"until between two", in(Options{Until: at("10:00:00"), Later: later("20261122.003z 09:00:00", "20261122.004 11:00:00", "20261122.005 12:00:00")}),
			own + " 20261122.003", "20261122.003", "09:00:00", "20261122.004",
		},
		{
			"until just before the end of one", all(Options{Until: at("08:59:59"), Later: later("20261122.003 09:00:00")}),
			own, "20261122.002", "03:03:00", "20261122.003",
		},
		{
			"until the very end of one", all(Options{Until: at("09:00:00"), Later: later("20261122.003 09:00:00", "20261122.004 11:00:00")}),
			own + " 20261122.003", "20261122.003", "09:00:00", "20261122.004",
		},
		{
			"until after all that follow", out(Options{Until: at("23:00:00"), Later: later("20261122.003 09:00:00")}),
			own + " 20261122.003", "20261122.003", "09:00:00", "",
		},

		{"later ones that follow", all(Options{Later: later("20261122.003 04:00:00", "20261122.004z 05:00:00")}), own + " 20261122.003 20261122.004", "20261122.004", "05:00:00", ""},
		{"not in their order", all(Options{Later: later("20261122.004 05:00:00", "20261122.003 04:00:00")}), own + " 20261122.003 20261122.004", "20261122.004", "05:00:00", ""},
		{"into the running instance, with later ones", in(Options{Later: later("20261122.003 04:00:00")}), own + " 20261122.003", "", "", ""},
		{"a gap at once", all(Options{Later: later("20261122.004 05:00:00")}), own, "20261122.002", "03:03:00", ""},
		{"a gap", all(Options{Later: later("20261122.003 04:00:00", "20261122.005 05:00:00", "20261122.006 06:00:00")}), own + " 20261122.003", "20261122.003", "04:00:00", ""},
		{"those of the set again", all(Options{Later: later("20261122.001 02:00:00", "20261122.002z 03:30:00", "20261122.003 04:00:00")}), own + " 20261122.003", "20261122.003", "04:00:00", ""},
		{"one twice", all(Options{Later: later("20261122.003 04:00:00", "20261122.003z 04:00:01", "20261122.004 05:00:00")}), own + " 20261122.003 20261122.004", "20261122.004", "05:00:00", ""},
		{"of another prefix", all(Options{Later: later("MIRROR-M-20261122.003 04:00:00", "20261122.003 05:00:00")}), own + " 20261122.003", "20261122.003", "05:00:00", ""},
		{"across midnight", all(Options{Later: later("20261122.003 23:00:00", "20261123.001 23:30:00", "20261123.002 23:40:00")}), own + " 20261122.003 20261123.001 20261123.002", "20261123.002", "23:40:00", ""},
		{"across a midnight with one missing", all(Options{Later: later("20261122.003 23:00:00", "20261123.001 23:30:00"), Missing: []string{"20261122.004"}}), own + " 20261122.003", "20261122.003", "23:00:00", ""},
		{"one missing that the instance has", all(Options{Later: later("20261122.003 23:00:00", "20261122.004@ 23:10:00", "20261123.001 23:30:00"), Missing: []string{"20261122.004", "M-20261122.005", "x"}}), own + " 20261122.003 20261122.004 20261123.001", "20261123.001", "23:30:00", ""},
		{"a day that begins with another", all(Options{Later: later("20261123.002 23:30:00")}), own, "20261122.002", "03:03:00", ""},
		{"over a thousand a day", all(Options{Later: later(manyJournals(3, 1001)...)}), own + " " + strings.Join(plainNames(manyJournals(3, 1001)), " "), "20261122.1001", "04:00:00", ""},
		{"of a time line that is lost", all(Options{Later: later("20261122.002 02:00:00", "20261122.003 02:30:00", "20261122.004 02:40:00")}), own, "20261122.002", "03:03:00", ""},
		{"of a time line that is lost, and of its own", all(Options{Later: later("20261122.003 02:30:00", "20261122.004 02:40:00", "20261122.003.other-1 04:00:00", "20261122.004z.other-1 05:00:00")}), own + " 20261122.003 20261122.004", "20261122.004", "05:00:00", ""},
		{"of a time line that came later", all(Options{Later: later("20261122.003 04:00:00", "20261122.003.other-1 05:00:00", "20261122.004 06:00:00")}), own + " 20261122.003", "20261122.003", "04:00:00", ""},
		{"until after another time line", in(Options{Until: at("07:00:00"), Later: later("20261122.003 04:00:00", "20261122.003.other-1 05:00:00", "20261122.004 06:00:00")}), own + " 20261122.003", "20261122.003", "04:00:00", ""},
		{"of counters that began anew", all(Options{Later: later("20261122.003 04:00:00", "20261121.013@ 05:00:00", "20261122.001.other-1 05:00:00", "20261122.004 06:00:00")}), own + " 20261122.003", "20261122.003", "04:00:00", ""},
		{"what is no journal file", all(Options{Later: later("x 04:00:00", "20261122.003 05:00:00")}), own + " 20261122.003", "20261122.003", "05:00:00", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPlan(t, madeSet(), tt.opts)
			j := &p.journals
			var files []string
			for _, f := range j.files {
				files = append(files, f.name)
			}
			if got := strings.Join(files, " "); got != tt.files {
				t.Errorf("files\n%s\nwant\n%s", got, tt.files)
			}
			if j.first != "20261121.014" || j.last != tt.last {
				t.Errorf("from %s to %q, want to %q", j.first, j.last, tt.last)
			}
			reaches := ""
			if !j.reaches.IsZero() {
				reaches = j.reaches.Format(time.TimeOnly)
			}
			if reaches != tt.reaches {
				t.Errorf("it reaches %q, want %q", reaches, tt.reaches)
			}
			next := ""
			if j.next != nil {
				next = j.next.name
			}
			if next != tt.next {
				t.Errorf("the next one is %q, want %q", next, tt.next)
			}
			if text := p.UntilText(English); (text != "") != !tt.opts.Until.IsZero() || strings.Contains(text, "The next one") != (tt.next != "") {
				t.Errorf("of the time that was asked for: %q", text)
			}
		})
	}
}

// The last file of a set may have been copied before it was whole.
func TestNewPlan_OpenJournal(t *testing.T) {
	open := func(i *catalog.SetInfo) { i.Method.Facts[dbback.FactJournal] = dbback.JournalOpen }
	const own = "20261121.014 20261122.001 20261122.002"
	for _, tt := range []struct {
		name    string
		later   []dbback.ArchivedJournal
		files   string
		replace bool
	}{
		{"nothing else", nil, own, false},
		{"its whole copy", later("20261122.002z 03:30:00"), own, true},
		{"its whole copy, and more", later("20261122.003 04:00:00", "20261122.002z 03:30:00"), own + " 20261122.003", true},
		{"what follows it, without it", later("20261122.003 04:00:00"), own, false},
		{"older ones", later("20261122.001 02:00:00"), own, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPlan(t, madeSet(open), Options{Everything: true, Later: tt.later})
			var files []string
			for _, f := range p.journals.files {
				files = append(files, f.name)
			}
			if got := strings.Join(files, " "); got != tt.files {
				t.Errorf("files %s, want %s", got, tt.files)
			}
			if got := p.journals.files[2].set != p.Set.SetName(); got != tt.replace {
				t.Errorf("the set's last file gave way: %v", got)
			}
		})
	}
}

func manyJournals(from, to int) (out []string) {
	for n := from; n <= to; n++ {
		out = append(out, dbback.JournalName{Day: "20261122", Count: n}.String()+" 04:00:00")
	}
	return out
}

func plainNames(specs []string) (out []string) {
	for _, s := range specs {
		name, _, _ := strings.Cut(s, " ")
		out = append(out, name)
	}
	return out
}

func TestPlan_UntilText(t *testing.T) {
	inUTC(t)
	p := mustPlan(t, madeSet(), Options{
		Databases: []string{"USER"}, Until: at("10:00:00"), Later: later("20261122.003z 09:00:00", "20261122.004 11:00:00"),
	})
	for lang, want := range map[string]string{
		English: "Only whole journal files can be applied. Asked for: 2026-11-22 10:00:00 UTC. The nearest boundary before it is the end of 20261122.003, " +
			"written to last at 2026-11-22 09:00:00 UTC. The next one, 20261122.004, goes on to 2026-11-22 11:00:00 UTC.",
		Japanese: "ジャーナルはファイル単位でのみ適用できます。指定時刻: 2026-11-22 10:00:00 UTC。それ以前で最も近い境界は、20261122.003 の終わり" +
			"(最終書き込み 2026-11-22 09:00:00 UTC)です。次のファイル 20261122.004 は 2026-11-22 11:00:00 UTC までです。",
	} {
		if got := p.UntilText(lang); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", lang, got, want)
		}
	}
}

// The newest list of journal files is used, and a file of the instance itself
// stays where it is.
func TestPlan_JournalPlaces(t *testing.T) {
	own := mustPlan(t, madeSet(), Options{Everything: true})
	if log := own.journals.log; log == nil || log.set != own.Set.SetName() || log.local() {
		t.Errorf("journal.log of the set: %+v", log)
	}
	if own.lastPath() != own.journalDir()+"20261122.002" || own.journals.locations() != nil {
		t.Errorf("the last one is at %s, places are %q", own.lastPath(), own.journals.locations())
	}
	p := mustPlan(t, madeSet(), Options{Everything: true, Later: later("20261122.003 04:00:00", "20261122.004z@ 05:00:00", "journal.log 05:00:00")})
	if log := p.journals.log; log == nil || log.set.Instance != "PROD.journals" || log.file != 2 {
		t.Errorf("journal.log of the archive: %+v", log)
	}
	if p.lastPath() != "/usr/irissys/mgr/journal/20261122.004" || !slices.Equal(p.journals.locations(), []string{"/usr/irissys/mgr/journal/"}) {
		t.Errorf("the last one is at %s, places are %q", p.lastPath(), p.journals.locations())
	}
	stale := mustPlan(t, madeSet(), Options{Everything: true, Later: later("journal.log 02:00:00", "journal.log 03:00:00")})
	if log := stale.journals.log; log.set != stale.Set.SetName() {
		t.Errorf("journal.log is the archive's, which is older: %+v", log)
	}
	anew := mustPlan(t, madeSet(), Options{Everything: true, Later: later("20261122.003 04:00:00", "journal.log 04:30:00", "20261122.003.other-1 05:00:00", "journal.log 06:00:00")})
	if log := anew.journals.log; !log.wrote.Equal(at("04:30:00")) {
		t.Errorf("journal.log is of another time line: %+v", log)
	}
	none := mustPlan(t, madeSet(withoutFile("journal.log")), Options{Databases: []string{"USER"}})
	if none.journals.log != nil {
		t.Errorf("journal.log of a set without one: %+v", none.journals.log)
	}
}

// A file that has another's name in the archive gets its own back.
func TestPlan_FetchOther(t *testing.T) {
	p := mustPlan(t, madeSet(), Options{Everything: true, Later: later("20261122.003z.other-1 04:00:00")})
	if got, want := p.fetch(p.journals.files[3]), `cp "$SET"/../../../journals/PROD/20261122.003z.other-1 "$WORK"/journals/20261122.003z`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := p.lastPath(); got != p.journalDir()+"20261122.003" {
		t.Errorf("the last one is %s", got)
	}
}

// What is missing up to the current file is found before anything is done, and the
// way out is shown.
func TestPlan_CheckJoined(t *testing.T) {
	inUTC(t)
	open := func(i *catalog.SetInfo) { i.Method.Facts[dbback.FactJournal] = dbback.JournalOpen }
	none := func(*catalog.SetInfo) {}
	for _, tt := range []struct {
		name    string
		change  func(*catalog.SetInfo)
		opts    Options
		current string
		says    string // "": it is not refused
	}{
		{"the current one follows the set", none, Options{}, "20261122.003", ""},
		{"of the next day", none, Options{}, "20261123.001", ""},
		{"in between from the archive and the instance", none, Options{Later: later("20261122.003 04:00:00", "20261122.004@ 05:00:00")}, "20261122.005", ""},
		{"one is missing", none, Options{}, "20261122.004", "the journal files between 20261122.002 and the current one, 20261122.004, are neither in the repository nor in the instance's directories: use --until '" + untilFlag(at("03:03:00")) + "' to end at 20261122.002, or --no-journals"},
		{"one is missing behind others", none, Options{Later: later("20261122.003 04:00:00", "20261122.005@ 05:00:00")}, "20261122.006", "between 20261122.003 and the current one, 20261122.006"},
		{"the list names one that is missing", none, Options{Missing: []string{"20261122.003"}}, "20261123.001", "between 20261122.002 and the current one, 20261123.001"},
		{"of another prefix", none, Options{}, "M-20261122.003", "between 20261122.002 and the current one, M-20261122.003"},
		{"of counters that begin anew", none, Options{}, "20261122.001", "between 20261122.002 and the current one, 20261122.001"},
		{"one is missing, but it ends before", none, Options{Until: at("03:30:00")}, "20261122.009", ""},
		{"one is missing, but no journals are wanted", none, Options{NoJournals: true}, "20261122.009", ""},
		{"the current one is not known", none, Options{}, "", ""},
		{"open when copied, and still the current one", open, Options{}, "20261122.002", ""},
		{"closed when copied, and the current one again", none, Options{}, "20261122.002", "the current journal file of the instance, 20261122.002, has the name of one that was closed when it was copied"},
		{"open when copied, closed in the archive, and the current one again", open, Options{Later: later("20261122.002z 03:30:00")}, "20261122.002", "has the name of one that was closed"},
		{"the current one again, but it ends before", none, Options{Until: at("03:30:00")}, "20261122.002", ""},
		{"open when copied, and lost since", open, Options{}, "20261122.003", "20261122.002 was copied before it was whole"},
		{"open when copied, and still there", open, Options{Later: later("20261122.002@ 03:30:00")}, "20261122.003", ""},
		{"another time line", none, Options{Later: later("20261122.002@ 03:30:00")}, "20261122.003", "/usr/irissys/mgr/journal/20261122.002, written to last at " + stamp(at("03:30:00")) + ", is not of the row of journal files that belongs to "},
		{"another time line, though it ends before", none, Options{Until: at("03:03:00"), Later: later("20261122.002@ 03:30:00")}, "20261122.003", "the instance has begun anew with its journals"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Databases, tt.opts.found.current = []string{"USER"}, tt.current
			err := mustPlan(t, madeSet(tt.change), tt.opts).checkJoined()
			switch {
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.says != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("error %v\nwant %s", err, tt.says)
			}
		})
	}
	late := func(i *catalog.SetInfo) {
		r := i.Method.Journal
		r.Required, r.Files = r.Marker, []string{"20261122.002"}
	}
	anew := Options{Databases: []string{"USER"}, Later: later("20261122.001@ 05:00:00"), found: foundJournals{current: "20261123.001"}}
	if err := mustPlan(t, madeSet(late), anew).checkJoined(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "a file that was only put back needs the time that it had") {
		t.Errorf("of counters below the set's: %v", err)
	}
	if err := mustPlan(t, madeSet(), Options{Everything: true, found: foundJournals{current: "20261122.009"}}).checkJoined(); err != nil {
		t.Errorf("of everything: %v", err)
	}
}

func TestPlan_GapText(t *testing.T) {
	inUTC(t)
	for _, tt := range []struct {
		name string
		opts Options
		says string
	}{
		{"nothing is missing", Options{Everything: true, Later: later("20261122.003 04:00:00")}, ""},
		{"a gap", Options{Everything: true, Later: later("20261122.004 04:00:00")}, "Journal files between 20261122.002 and 20261122.004 are missing"},
		{"a gap into the running instance", Options{Databases: []string{"USER"}, Later: later("20261122.004 04:00:00")}, "no journal files between 20261122.002 and 20261122.004: the instance itself must still have them. If it has not, end at 20261122.002, with `--until '" + untilFlag(at("03:03:00")) + "'`"},
		{"another time line", Options{Everything: true, Later: later("20261122.002.other-1 04:00:00")}, "20261122.002.other-1, written to last at " + stamp(at("04:00:00")) + ", is not of the row of files before it"},
		{"until before it", Options{Everything: true, Until: at("03:10:00"), Later: later("20261122.003 04:00:00", "20261122.003.other-1 05:00:00")}, ""},
		{"the list names more", Options{Everything: true, found: foundJournals{listed: []string{"20261122.002", "20261122.003", "20261122.004"}}}, "After 20261122.002 the instance's `journal.log` names 20261122.003, which is not there"},
		{"the list names no more", Options{Everything: true, found: foundJournals{listed: []string{"20261122.002", "M-20261122.003", "x"}}}, ""},
	} {
		p := mustPlan(t, madeSet(), tt.opts)
		text, book := p.gapText(English), p.RunBook(English)
		if (text != "") != (tt.says != "") || !strings.Contains(text, tt.says) || !strings.Contains(book, text) {
			t.Errorf("%s: %q, want %q", tt.name, text, tt.says)
		}
	}
}

func TestLocalJournals(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write := func(dir, name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"20261121.014z", "20261122.002", "20261122.003z", "20261122.004", "20261122.005", "MIRROR-M-20261122.003", "journal.log", "x"} {
		write(dir, name)
	}
	write(other, "20261122.003z")
	write(other, "20261122.006")
	got := localJournals(madeSet(), []string{dir, other}, filepath.Join(other, "20261122.006"))
	var names []string
	for _, a := range got {
		names = append(names, a.Name+" "+a.Stored)
		if a.Set.Name != "" || filepath.Base(a.Origin) != a.Stored || a.Size != int64(len(a.Stored)) || a.ModTime.IsZero() {
			t.Errorf("%+v", a)
		}
	}
	want := []string{"20261121.014 20261121.014z", "20261122.002 20261122.002", "20261122.003 20261122.003z", "20261122.004 20261122.004", "20261122.005 20261122.005", "20261122.003 20261122.003z"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	late := func(i *catalog.SetInfo) { i.Method.Journal.Files = []string{"20261122.002"} }
	write(other, "20261122.001")
	if got := localJournals(madeSet(late), []string{dir, other}, ""); len(got) != 7 || got[4].Name != "20261122.001" {
		t.Errorf("before the set's first: %v", got)
	}
	if got := localJournals(madeSet(func(i *catalog.SetInfo) { i.Method.Journal = nil }), []string{dir}, ""); got != nil {
		t.Errorf("of a set without journals: %v", got)
	}
	if got := localJournals(madeSet(), nil, ""); got != nil {
		t.Errorf("in no directory: %v", got)
	}
}
