package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// oneSet makes a repository with one small set.
func oneSet(tb testing.TB) (*Repository, SetName) {
	tb.Helper()
	r := newRepo(tb)
	return r, storeSet(tb, r, "PROD", testFile{"/a", 8192, blocks(3, 8192, 1)}).SetName()
}

func addNote(tb testing.TB, r *Repository, set SetName, kind, body string) Note {
	tb.Helper()
	n, err := r.AddNote(set, kind, "md", noteTime, []byte(body))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// listed returns the set's entry in the list of sets.
func listed(tb testing.TB, r *Repository, set SetName) *SetInfo {
	tb.Helper()
	sets, err := r.Sets()
	if err != nil {
		tb.Fatal(err)
	}
	i := slices.IndexFunc(sets, func(s *SetInfo) bool { return s.SetName() == set })
	if i < 0 {
		tb.Fatalf("%v is not listed", set)
	}
	return sets[i]
}

// damageOf returns what Verify finds, a line each.
func damageOf(tb testing.TB, r *Repository, sets ...SetName) (found []string) {
	tb.Helper()
	err := r.Verify(tb.Context(), VerifyOptions{Sets: sets}, func(d Damage) { found = append(found, d.Set.String()+": "+d.Err.Error()) })
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

// overwrite puts other bytes into a file that is read-only.
func overwrite(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if err := errors.Join(os.Chmod(name, 0o600), os.WriteFile(name, data, 0o600)); err != nil {
		tb.Fatal(err)
	}
}

// TestNotes adds notes to a set that was listed and opened before: they are seen
// from then on, here and in another process, and survive a rebuild.
func TestNotes(t *testing.T) {
	r, set := oneSet(t)
	other := openRepo(t, r.Dir())
	if s := listed(t, r, set); s.Notes != nil || s.Validated != nil {
		t.Fatalf("notes of a new set: %+v", s.Notes)
	}
	before := listed(t, r, set)
	file := r.disk.path(filepath.Join(setsName, set.Instance, set.Name+sealedSuffix))
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	want := []Note{
		{"2026-11-23T10-04-00Z-drill.md", "drill", noteTime, 3},
		{"2026-11-23T10-04-00Z-drill-2.md", "drill", noteTime, 0},
		{"2026-11-23T10-04-00Z-tag.md", "tag", noteTime, 5},
	}
	got := []Note{addNote(t, r, set, "drill", "one"), addNote(t, other, set, "drill", ""), addNote(t, r, set, "tag", "three")}
	if !slices.Equal(got, want) {
		t.Errorf("added %+v, want %+v", got, want)
	}
	check := func(r *Repository) {
		t.Helper()
		if got := listed(t, r, set).Notes; !slices.Equal(got, want) {
			t.Errorf("listed %+v, want %+v", got, want)
		}
		s, err := r.OpenSet(set)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if got := s.Info().Notes; !slices.Equal(got, want) {
			t.Errorf("opened %+v, want %+v", got, want)
		}
		for i, body := range []string{"one", "", "three"} {
			if got, err := r.ReadNote(set, want[i].Name); err != nil || string(got) != body {
				t.Errorf("%s is %q, %v; want %q", want[i].Name, got, err, body)
			}
		}
	}
	check(r)
	check(other)
	if before.Notes != nil {
		t.Error("an earlier answer was changed") // readers share it
	}
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, sealed) {
		t.Errorf("the set's own file has changed (I2), or %v", err)
	}

	if err := errors.Join(r.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	rebuild(t, r.Dir()) // I4
	check(openRepo(t, r.Dir()))
	checkNoRemains(t, r.Dir())
}

func TestAddNote_Refused(t *testing.T) {
	r, set := oneSet(t)
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddNote(w.Name(), "x", "md", noteTime, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a note of a set that is being written: %v", err)
	}
	addNote(t, r, set, "x", "beside a running backup") // of the same instance
	if err := w.Abort(errors.New("enough")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []SetName{{"PROD", "2000-01-01T00-00-00Z"}, {"NONE", set.Name}, {"..", set.Name}, {"PROD", "../PROD/" + set.Name}, {"PROD", ""}} {
		if _, err := r.AddNote(name, "x", "md", noteTime, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("a note of %v: %v, want %v", name, err, ErrNotFound)
		}
		if _, err := r.ReadNote(name, "2026-11-23T10-04-00Z-x.md"); !errors.Is(err, ErrNotFound) {
			t.Errorf("read of %v: %v, want %v", name, err, ErrNotFound)
		}
	}
	for _, name := range []string{"", "none", "../../../config", "2026-11-23T10-04-00Z-y.md"} {
		if _, err := r.ReadNote(set, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("note %q: %v, want %v", name, err, ErrNotFound)
		}
	}
	for name, err := range map[string]error{
		"kind":      func() error { _, err := r.AddNote(set, "No", "md", noteTime, nil); return err }(),
		"extension": func() error { _, err := r.AddNote(set, "x", "", noteTime, nil); return err }(),
		"body":      func() error { _, err := r.AddNote(set, "x", "md", noteTime, make([]byte, MaxNote+1)); return err }(),
		"report":    func() error { _, err := r.AddValidation(set, Validation{Report: "none.md"}); return err }(),
	} {
		if err == nil {
			t.Errorf("a bad %s was taken", name)
		}
	}
	if got := listed(t, r, set).Notes; len(got) != 1 {
		t.Errorf("notes = %+v, want one", got)
	}
	n, err := r.AddNote(set, "x", "md", time.Time{}, nil)
	if err != nil || time.Since(n.Time) > time.Hour {
		t.Errorf("a note of now has the time %v, %v", n.Time, err)
	}
}

// TestAddNote_SameMoment adds notes of one name from all sides: each gets a name
// of its own, and no body is lost.
func TestAddNote_SameMoment(t *testing.T) {
	r, set := oneSet(t)
	const writers, each = 4, 5
	var wg sync.WaitGroup
	for i := range writers {
		mine := openRepo(t, r.Dir()) // as another process would
		wg.Go(func() {
			for j := range each {
				if _, err := mine.AddNote(set, "x", "md", noteTime, fmt.Append(nil, i, j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	bodies := map[string]bool{}
	for _, n := range listed(t, r, set).Notes {
		body, err := r.ReadNote(set, n.Name)
		if err != nil {
			t.Error(err)
		}
		bodies[string(body)] = true
	}
	if len(bodies) != writers*each {
		t.Errorf("%d bodies, want %d", len(bodies), writers*each)
	}
}

// TestNotes_Damage flips each bit of a note, cuts it, and renames it. Verify
// finds each; the set is listed all the same, with its other notes.
func TestNotes_Damage(t *testing.T) {
	r, set := oneSet(t)
	sound := addNote(t, r, set, "other", "sound")
	n, err := r.AddValidation(set, Validation{Time: noteTime, Whole: true, Clean: true})
	if err != nil {
		t.Fatal(err)
	}
	name := r.disk.path(filepath.Join(notesDir(set), n.Name))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		s := listed(t, r, set)
		if len(s.Notes) != 2 || s.Validated != nil {
			t.Errorf("%s: %d notes, validated %v", what, len(s.Notes), s.Validated)
		}
		if _, err := r.ReadNote(set, n.Name); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerFormat) {
			t.Errorf("%s: read: %v, want %v", what, err, ErrCorrupt)
		}
		if _, err := r.ReadNote(set, sound.Name); err != nil {
			t.Errorf("%s: the other note: %v", what, err)
		}
	}
	if listed(t, r, set).Validated == nil {
		t.Fatal("the validation is not seen")
	}
	for i := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		overwrite(t, name, b)
		// The size is what it was: a listing of this process may go by that.
		r.validations = map[string]cachedValidation{}
		check(fmt.Sprint("bit ", i))
	}
	for _, size := range []int{0, 1, 40, len(whole) - 1} {
		overwrite(t, name, whole[:size])
		check(fmt.Sprint(size, " bytes"))
	}
	overwrite(t, name, append(bytes.Clone(whole), make([]byte, MaxNote)...))
	check("too long")
	overwrite(t, name, whole[:len(whole)-1])
	for _, sets := range [][]SetName{nil, {set}} {
		got := damageOf(t, r, sets...)
		if len(got) != 1 || !strings.Contains(got[0], set.String()+": ") || !strings.Contains(got[0], n.Name) || !strings.Contains(got[0], "sum mismatch") {
			t.Errorf("verify %v: %q", sets, got)
		}
	}
	overwrite(t, name, encodeNote(kindValidated, noteTime, []byte("no JSON")))
	if got := damageOf(t, r); len(got) != 1 {
		t.Errorf("verify of a validation that is none: %q", got)
	}
	overwrite(t, name, whole)
	if listed(t, r, set).Validated == nil || damageOf(t, r) != nil {
		t.Error("brought back, it is not as before")
	}

	dir := r.disk.path(notesDir(set))
	if err := errors.Join(os.Rename(dir, dir+"-away"), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := damageOf(t, r); len(got) != 1 || !strings.Contains(got[0], "list its notes: ") || listed(t, r, set).Notes != nil {
		t.Errorf("verify without the directory: %q", got)
	}
	if err := errors.Join(os.Remove(dir), os.Rename(dir+"-away", dir)); err != nil {
		t.Fatal(err)
	}

	strange := strings.Replace(name, "validated.json", "validated-3.jsoN", 1)
	if err := os.Rename(name, strange); err != nil {
		t.Fatal(err)
	}
	if got := damageOf(t, r); len(got) != 1 || !strings.Contains(got[0], "not the name of one") {
		t.Errorf("verify of a note with a strange name: %q", got)
	}
	if err := os.Rename(strange, name); err != nil {
		t.Fatal(err)
	}
}

// TestNotes_DamagedSet has a damaged set file: its notes are checked and can be
// read all the same.
func TestNotes_DamagedSet(t *testing.T) {
	r, set := oneSet(t)
	n := addNote(t, r, set, "x", "text")
	file := r.disk.path(filepath.Join(setsName, set.Instance, set.Name+sealedSuffix))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, file, whole[:len(whole)-1])
	overwrite(t, r.disk.path(filepath.Join(notesDir(set), n.Name)), []byte("rubbish"))
	if got := damageOf(t, r); len(got) != 2 {
		t.Errorf("verify: %q, want the set and the note", got)
	}
	overwrite(t, file, whole)
	overwrite(t, r.disk.path(filepath.Join(notesDir(set), n.Name)), encodeNote("x", noteTime, []byte("text")))
}

// TestNotes_Crash copies the repository after every durable step of AddNote, as
// a kill at that moment would leave it. In each copy everything verifies, the
// note is whole or not there, and the next one succeeds and cleans up.
func TestNotes_Crash(t *testing.T) {
	r, set := oneSet(t)
	var trace strings.Builder
	var crashes []string
	r.disk.trace = func(step, name string) {
		fmt.Fprintln(&trace, step, anonymous(name))
		dir := filepath.Join(t.TempDir(), "crash")
		if err := os.CopyFS(dir, os.DirFS(r.Dir())); err != nil {
			t.Error(err)
		}
		crashes = append(crashes, dir)
	}
	addNote(t, r, set, "drill", "report")
	r.disk.trace = nil
	const want = `mkdir sets/PROD/TIME.notes
sync sets/PROD
create sets/PROD/TIME.notes/TIME-drill.md.tmp
sync sets/PROD/TIME.notes/TIME-drill.md.tmp
rename sets/PROD/TIME.notes/TIME-drill.md
sync sets/PROD/TIME.notes
`
	if trace.String() != want {
		t.Errorf("durable steps:\n%swant:\n%s", trace.String(), want)
	}
	for i, dir := range crashes {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			checkClean(t, dir)
			r := openRepo(t, dir)
			notes := listed(t, r, set).Notes
			if there := i >= 4; there != (len(notes) == 1) {
				t.Errorf("notes = %+v", notes)
			}
			for _, n := range notes {
				if body, err := r.ReadNote(set, n.Name); err != nil || string(body) != "report" {
					t.Errorf("body = %q, %v", body, err)
				}
			}
			addNote(t, r, set, "again", "of another name, and so of another temporary one")
			if got := listed(t, r, set).Notes; len(got) != len(notes)+1 {
				t.Errorf("notes after one more = %+v", got)
			}
			checkNoRemains(t, dir)
			checkClean(t, dir)
		})
	}
}

// TestNotes_NotInSetFile gives the writer an info with notes: they must not get
// into the set's file (I2), nor out of one that has them.
func TestNotes_NotInSetFile(t *testing.T) {
	r := newRepo(t)
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	forged := func() {
		w.info.Notes = []Note{{Name: "FORGED"}}
		w.info.Validated = &Validation{Check: "FORGED"}
	}
	forged()
	info, err := w.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.disk.path(w.name + sealedSuffix))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("FORGED")) || bytes.Contains(b, []byte(`"notes"`)) || bytes.Contains(b, []byte(`"validated"`)) {
		t.Errorf("the set's file has notes: %s", b)
	}
	if s := listed(t, r, info.SetName()); s.Notes != nil || s.Validated != nil {
		t.Errorf("listed with %+v, %+v", s.Notes, s.Validated)
	}

	forged()
	meta, err := json.Marshal(metaRecord{Set: w.info, Index: []int64{}})
	if err != nil {
		t.Fatal(err)
	}
	footer, err := parseSetFooter(b[len(b)-setFooterSize:], int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	b = appendRecord(b[:footer.meta], record{kind: kindMeta, raw: uint32(len(meta))}, meta)
	overwrite(t, r.disk.path(w.name+sealedSuffix), footer.append(b))
	if s := listed(t, openRepo(t, r.Dir()), info.SetName()); s.Notes != nil || s.Validated != nil {
		t.Errorf("notes out of a set's file: %+v, %+v", s.Notes, s.Validated)
	}
}

func TestValidation(t *testing.T) {
	r, set := oneSet(t)
	report := addNote(t, r, set, "drill", "# Report")
	want := Validation{
		Time: noteTime.Add(time.Minute), Check: "CheckList^Integrity", Instance: "STAGE", Host: "h", Program: "datfs 1",
		Databases: []string{"USER", "APP"}, Whole: true, Clean: true, Report: report.Name,
	}
	given := want
	given.Time = want.Time.Add(time.Millisecond).In(time.FixedZone("east", 3600))
	n, err := r.AddValidation(set, given)
	if err != nil || n.Kind != "validated" || n.Name != "2026-11-23T10-05-00Z-validated.json" {
		t.Fatalf("%+v, %v", n, err)
	}
	if got := listed(t, r, set).Validated; !reflect.DeepEqual(got, &want) {
		t.Errorf("validated = %+v, want %+v", got, want)
	}
	want.Time, want.Clean, want.Findings = want.Time.Add(time.Hour), false, 3
	if _, err := r.AddValidation(set, want); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, r, set).Validated; !reflect.DeepEqual(got, &want) {
		t.Errorf("validated = %+v, want the newer one, %+v", got, want)
	}
	if n := len(listed(t, r, set).Notes); n != 3 {
		t.Errorf("%d notes, want 3", n)
	}
}

func TestStanding(t *testing.T) {
	v := func(clean, whole bool, dbs ...string) *Validation {
		return &Validation{Clean: clean, Whole: whole, Databases: dbs}
	}
	in := func(v *Validation, dbs ...string) *Validation { v.Damaged = dbs; return v }
	tests := []struct {
		name string
		all  []*Validation // oldest first
		want int           // index, -1 for nil
		bad  string        // what is known to be damaged
	}{
		{"None", nil, -1, ""},
		{"Clean", []*Validation{v(true, true)}, 0, ""},
		{"NewestClean", []*Validation{v(true, true), v(true, true)}, 1, ""},
		{"NewestPart", []*Validation{v(true, false, "A"), v(true, false, "B")}, 1, ""},
		{"WholeBeforePart", []*Validation{v(true, true), v(true, false, "A")}, 0, ""},
		{"Damaged", []*Validation{v(true, true), v(false, false, "A")}, 1, "A"},
		{"DamagedThenWhole", []*Validation{v(false, true, "A", "B"), v(true, true)}, 1, ""},
		{"DamagedThenSame", []*Validation{v(false, false, "A"), v(true, false, "B", "A")}, 1, ""},
		{"DamagedThenOther", []*Validation{v(false, false, "A"), v(true, false, "B")}, 0, "A"},
		{"DamagedWholeThenPart", []*Validation{v(false, true, "A", "B"), v(true, false, "A")}, 0, "B"},
		{"DamagedUnnamed", []*Validation{v(false, false), v(true, false, "A")}, 0, ""},
		{"DamagedTwice", []*Validation{v(false, false, "A"), v(false, false, "B")}, 1, "A B"},
		{"OneOfTwoAgain", []*Validation{v(false, false, "A"), v(false, false, "B"), v(true, false, "B")}, 0, "A"},
		{"DamagedAgain", []*Validation{v(false, true), v(false, true)}, 1, ""},
		{"InOne", []*Validation{in(v(false, true, "A", "B"), "B")}, 0, "B"},
		{"InOneThenThat", []*Validation{in(v(false, true, "A", "B"), "B"), v(true, false, "B")}, 1, ""},
		{"InOneThenOther", []*Validation{in(v(false, true, "A", "B"), "B"), v(true, false, "A")}, 0, "B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want *Validation
			if tt.want >= 0 {
				want = tt.all[tt.want]
			}
			if got := standing(tt.all); got != want {
				t.Errorf("index %d, want %d", slices.Index(tt.all, got), tt.want)
			}
			if got := strings.Join(damaged(tt.all), " "); got != tt.bad {
				t.Errorf("damaged %q, want %q", got, tt.bad)
			}
		})
	}
}
