package catalog

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestValidInstance(t *testing.T) {
	for _, name := range []string{"PROD", "a", "0", "IRIS-2.prod_x", strings.Repeat("a", 63)} {
		if err := ValidInstance(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", ".hidden", "-x", "_x", "a/b", "a b", "ä", "a\n", "a\x00", strings.Repeat("a", 64)} {
		if ValidInstance(name) == nil {
			t.Errorf("%q is valid", name)
		}
	}
}

func TestNameAt(t *testing.T) {
	at := time.Date(2026, 11, 22, 5, 4, 3, 999, time.FixedZone("east", 2*3600))
	tests := []struct {
		n    int
		want string
	}{
		{1, "2026-11-22T03-04-03Z"}, {2, "2026-11-22T03-04-03Z-2"}, {10, "2026-11-22T03-04-03Z-10"},
	}
	for _, tt := range tests {
		got := nameAt(at, tt.n)
		if got != tt.want {
			t.Errorf("nameAt(%d) = %s, want %s", tt.n, got, tt.want)
		}
		if second, n, ok := splitName(got); second != tests[0].want || n != tt.n || !ok {
			t.Errorf("splitName(%s) = %s, %d, %v", got, second, n, ok)
		}
	}
}

func TestSplitName(t *testing.T) {
	const second = "2026-11-22T03-04-03Z"
	bad := []string{
		"", "2026", second[:19], second + "-", second + "-1", second + "-0", second + "-02", second + "--2", second + "2",
		second + "-2x", second + " ", "2026-13-22T03-04-03Z", "2026-11-22T03:04:03Z", "2026-11-22t03-04-03Z", "2026-11-22T3-04-03Z-", "notes",
	}
	for _, name := range bad {
		if s, n, ok := splitName(name); ok || s != "" || n != 0 {
			t.Errorf("splitName(%q) = %q, %d, %v", name, s, n, ok)
		}
	}
}

func TestCompareNames(t *testing.T) {
	want := []SetName{
		{"A", "2026-11-22T03-00-00Z"},
		{"A", "2026-11-22T03-00-00Z-2"},
		{"A", "2026-11-22T03-00-00Z-10"},
		{"A", "2026-11-22T03-00-01Z"},
		{"A", "2027-01-01T00-00-00Z"},
		{"B", "2025-01-01T00-00-00Z"},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, SetName.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted: %v", got)
	}
	for i, n := range want {
		if n.Compare(want[i]) != 0 {
			t.Errorf("%v is not equal to itself", n)
		}
	}
	if compareNames("a", "b") >= 0 || compareNames("2026-11-22T03-00-00Z", "x") >= 0 {
		t.Error("names of no set are not compared as they are")
	}
}

// sealAt stores an empty set of the given time, and makes it incomplete if fail
// is set.
func sealAt(t *testing.T, r *Repository, instance string, at time.Time, fail bool) SetName {
	t.Helper()
	w, err := r.Begin(BeginOptions{Instance: instance, Engine: "files", Time: at})
	if err != nil {
		t.Fatal(err)
	}
	if fail {
		w.Fail(Problem{Error: "something is missing", Fatal: true})
	}
	info, err := w.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.SetName()
}

// resolveTest is a name that a user gives, and what should come of it.
type resolveTest struct {
	spec string
	want SetName
	err  error
}

func checkResolve(t *testing.T, r *Repository, tests []resolveTest) {
	t.Helper()
	for _, tt := range tests {
		got, err := r.Resolve(tt.spec)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Resolve(%q) = %v, %v, want %v, %v", tt.spec, got, err, tt.want, tt.err)
		}
		if err != nil && !strings.Contains(err.Error(), tt.spec) {
			t.Errorf("Resolve(%q): %v does not name it", tt.spec, err)
		}
	}
}

func TestResolve(t *testing.T) {
	r := newRepo(t)
	day := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	none := SetName{}
	checkResolve(t, r, []resolveTest{
		{"latest", none, ErrNotFound}, {"PROD/latest", none, ErrNotFound}, {"", none, ErrNotFound}, {"PROD", none, ErrNotFound},
	})

	a := sealAt(t, r, "PROD", day, false)
	b := sealAt(t, r, "PROD", day, false)
	c := sealAt(t, r, "PROD", day, false)
	if a.Name != "2026-11-22T03-00-00Z" || b.Name != a.Name+"-2" || c.Name != a.Name+"-3" {
		t.Errorf("three sets of one second: %v, %v, %v", a, b, c)
	}
	checkResolve(t, r, []resolveTest{{"latest", c, nil}, {"PROD/latest", c, nil}})

	d := sealAt(t, r, "PROD", day.AddDate(0, 0, 1), false)
	e := sealAt(t, r, "PROD", day.AddDate(0, 1, 0), true) // incomplete
	f := sealAt(t, r, "TEST", day.AddDate(1, 0, 0), true)
	checkResolve(t, r, []resolveTest{
		{a.String(), a, nil}, // also begins others
		{b.String(), b, nil},
		{e.String(), e, nil},
		{"PROD/2026-11-23", d, nil},
		{"PROD/2026-12", e, nil}, // incomplete sets can be named
		{"PROD/2026-11-22T03-00-00Z-", none, ErrAmbiguous},
		{"PROD/2026-11-2", none, ErrAmbiguous},
		{"PROD", none, ErrAmbiguous},
		{"T", f, nil},
		{"TEST/", f, nil},
		{"PROD/latest", d, nil}, // but not be the latest
		{"TEST/latest", none, ErrNotFound},
		{"latest", none, ErrAmbiguous},
		{"NONE/latest", none, ErrNotFound},
		{"prod/latest", none, ErrNotFound},
		{"PROD/2027", none, ErrNotFound},
		{"PROD/2026-11-23T03-00-00Z/x", none, ErrNotFound},
		{"", none, ErrNotFound},
		{"/", none, ErrNotFound},
	})
	if _, err := r.Resolve("PROD/2"); !strings.Contains(err.Error(), a.String()) || !strings.Contains(err.Error(), e.String()) {
		t.Errorf("an ambiguous name does not say what it may mean: %v", err)
	}
}

func TestAmbiguous(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	for n, want := range map[int]string{2: "a, b", 5: "a, b, c, d, e", 7: "a, b, c, d, e, and 2 more"} {
		err := ambiguous("x", slices.Clone(names[:n]))
		if !errors.Is(err, ErrAmbiguous) || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%d names: %v", n, err)
		}
	}
}

// A set that cannot be read is not passed over for another.
func TestResolveDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	r := openRepo(t, dir)
	damage := func(n SetName) {
		t.Helper()
		file := path.Join(dir, setsName, n.String()+sealedSuffix)
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, 100); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	none := SetName{}
	a := sealAt(t, r, "PROD", day, false)
	b := sealAt(t, r, "PROD", day.AddDate(0, 0, 1), false)
	c := sealAt(t, r, "PROD", day.AddDate(0, 0, 1), false)
	d := sealAt(t, r, "PROD", day.AddDate(0, 0, 2), false)

	damage(a)
	checkResolve(t, r, []resolveTest{
		{"latest", d, nil}, // it is older
		{a.String(), none, ErrCorrupt},
		{"PROD/2026-11-22", none, ErrCorrupt},
		{"PROD/2026-11-2", none, ErrAmbiguous},
	})
	damage(b)
	checkResolve(t, r, []resolveTest{
		{b.String(), none, ErrCorrupt}, // and not c, whose name begins with it
		{c.String(), c, nil},
		{"PROD/2026-11-23", none, ErrAmbiguous},
	})
	damage(d)
	checkResolve(t, r, []resolveTest{
		{"latest", none, ErrCorrupt}, {"PROD/latest", none, ErrCorrupt}, {"PROD/2026-11-24", none, ErrCorrupt},
	})

	e := sealAt(t, r, "TEST", day, false)
	checkResolve(t, r, []resolveTest{{"TEST/latest", e, nil}, {"latest", none, ErrAmbiguous}})
	damage(e) // an instance without a set that can be read is still one
	checkResolve(t, r, []resolveTest{{"TEST/latest", none, ErrCorrupt}, {"latest", none, ErrAmbiguous}})
	sets, err := r.Sets()
	if len(sets) != 1 || sets[0].SetName() != c || !errors.Is(err, ErrCorrupt) {
		t.Errorf("Sets lists %d sets, %v", len(sets), err)
	}
}
