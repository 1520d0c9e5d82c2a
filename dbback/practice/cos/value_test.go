package cos

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValue(t *testing.T) {
	for _, c := range []struct {
		v    Value
		s    string
		n    int64
		true bool
	}{
		{Value{}, "", 0, false},
		{String("12abc"), "12abc", 12, true},
		{String("-7.9"), "-7.9", -7, true},
		{String("1E30"), "1E30", 1<<63 - 1, true},
		{String("-1E30"), "-1E30", -1 << 63, true},
		{String("abc"), "abc", 0, false},
		{String("0.4"), "0.4", 0, true},
		{Int(-5), "-5", -5, true},
		{Bool(true), "1", 1, true},
		{Bool(false), "0", 0, false},
		{String("1E999"), "1E999", 0, true},
	} {
		if c.v.String() != c.s || c.v.Int() != c.n || c.v.Bool() != c.true || c.v.Object() != nil {
			t.Errorf("%q: %q, %d, %t, want %q, %d, %t", c.s, c.v, c.v.Int(), c.v.Bool(), c.s, c.n, c.true)
		}
	}
}

func TestList(t *testing.T) {
	long := strings.Repeat("ä", 40_000)
	for _, want := range [][]string{
		{}, {""}, {"a", "", "c"}, {strings.Repeat("x", 252)}, {strings.Repeat("x", 253)}, {long, "\x00\x01", long}, {"1", "\xff"},
	} {
		values := make([]Value, len(want))
		for i, s := range want {
			values[i] = String(s)
		}
		items, err := List(values...).Items()
		if err != nil || len(items) != len(want) {
			t.Errorf("%.40q: %d items, error %v", want, len(items), err)
			continue
		}
		for i := range items {
			if items[i].String() != want[i] {
				t.Errorf("%.40q: item %d is %.40q", want, i, items[i])
			}
		}
	}
	for _, s := range []string{"abc", "\x05\x01a", "\x00", "\x03", "\x00\x01\x01\x01a", "\x00\x80\x01\x01a"} {
		if items, err := String(s).Items(); err == nil {
			t.Errorf("%q is a list of %v", s, items)
		}
	}
}

// FuzzList: what is a list stays one with the same elements.
func FuzzList(f *testing.F) {
	f.Add(List(String("a"), String(""), Int(3)).String())
	f.Add("\x01\x03\x01a")
	f.Add("\x00\x01\x01\x01")
	f.Fuzz(func(t *testing.T, s string) {
		items, err := parseList(s)
		if err != nil {
			return
		}
		v, err := makeList(items)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseList(v.String())
		if err != nil || !slices.Equal(items, again) {
			t.Errorf("%q: %v, then %v, error %v", s, items, again, err)
		}
	})
}

// FuzzNumber: a number is written in its canonical form, and sums, products and
// quotients are as near to the exact ones as 18 digits can be.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "1", "-.5", "+-+12.5E-3xyz", "1E145", "9E145", "1E-128", "123456789012345678901234567890", ".000001", "1E", "--"} {
		f.Add(s, "3")
		f.Add("7.25", s)
	}
	f.Fuzz(func(t *testing.T, s, u string) {
		a, err := parseNumber(s)
		b, errB := parseNumber(u)
		if err != nil || errB != nil {
			return
		}
		for _, n := range []number{a, b} {
			text := n.String()
			again, err := parseNumber(text)
			if err != nil || again != n || !isCanonical(text) {
				t.Fatalf("%q and %q: %q is read as %v, error %v", s, u, text, again, err)
			}
		}
		if c, d := a.compare(b), exact(a).Cmp(exact(b)); c != d {
			t.Errorf("%s and %s: compared %d, want %d", a, b, c, d)
		}
		near(t, a, "+", b, a.add, new(big.Rat).Add(exact(a), exact(b)))
		near(t, a, "*", b, a.multiply, new(big.Rat).Mul(exact(a), exact(b)))
		if b.m == 0 {
			return
		}
		near(t, a, "/", b, a.divide, new(big.Rat).Quo(exact(a), exact(b)))
		q, errQ := a.quotient(b)
		r, errR := a.modulo(b)
		if errQ == nil && errR == nil && (q.e < 0 || r.m != 0 && (r.m < 0) != (b.m < 0)) {
			t.Errorf("%s and %s: quotient %s, modulo %s", a, b, q, r)
		}
	})
}

func exact(n number) *big.Rat {
	r := new(big.Rat).SetInt64(n.m)
	scale := new(big.Rat).SetInt(pow10(max(n.e, -n.e)))
	if n.e < 0 {
		return r.Quo(r, scale)
	}
	return r.Mul(r, scale)
}

func near(t *testing.T, a number, op string, b number, compute func(number) (number, error), want *big.Rat) {
	t.Helper()
	got, err := compute(b)
	size := new(big.Rat).Abs(want)
	if err != nil {
		if size.Cmp(exact(number{1, maxExponent})) < 0 {
			t.Errorf("%s%s%s: %v", a, op, b, err)
		}
		return
	}
	off := new(big.Rat).Sub(exact(got), want)
	allowed := new(big.Rat).Mul(size, exact(number{1, -17}))
	if smallest := exact(number{1, minExponent + 1}); allowed.Cmp(smallest) < 0 {
		allowed = smallest // below it is 0
	}
	if off.Abs(off).Cmp(allowed) > 0 {
		t.Errorf("%s%s%s: %s, want %s", a, op, b, got, want.FloatString(30))
	}
}

// TestArray compares an array with a map of its nodes, after random changes.
func TestArray(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	keys := []string{"1", "2", "10", "-1", ".5", "01", "a", "b", "B", "1E2", "é"}
	order := []string{"-1", ".5", "1", "2", "10", "01", "1E2", "B", "a", "b", "é"}
	metered := 0
	a, model := &Array{meter: &metered}, map[string]string{} // by subscripts with a comma behind each
	random := func() (subs []Value, path string) {
		for range rnd.IntN(4) {
			s := keys[rnd.IntN(len(keys))]
			subs, path = append(subs, String(s)), path+s+","
		}
		return subs, path
	}
	for step := range 5000 {
		subs, path := random()
		if rnd.IntN(3) == 0 {
			a.Kill(subs...)
			for p := range model {
				if strings.HasPrefix(p, path) {
					delete(model, p)
				}
			}
		} else {
			a.Set(Int(int64(step)), subs...)
			model[path] = fmt.Sprint(step)
		}
		subs, path = random()
		v, ok := a.Get(subs...)
		want, has := model[path]
		below := make(map[string]bool)
		for p := range model {
			if rest, ok := strings.CutPrefix(p, path); ok && rest != "" {
				below[rest[:strings.Index(rest, ",")]] = true
			}
		}
		data := 0
		if has {
			data = 1
		}
		if len(below) > 0 {
			data += 10
		}
		if ok != has || v.String() != want || a.Data(subs...) != data {
			t.Fatalf("step %d, %q: %q %t, data %d, want %q %t, data %d", step, path, v, ok, a.Data(subs...), want, has, data)
		}
		checkOrder(t, a, subs, slices.DeleteFunc(slices.Clone(order), func(s string) bool { return !below[s] }))
	}
	a.Kill()
	if metered != 0 {
		t.Errorf("%d bytes after all was killed", metered)
	}
}

func checkOrder(t *testing.T, a *Array, subs []Value, want []string) {
	t.Helper()
	for _, backwards := range []bool{false, true} {
		var got []string
		for s := ""; ; got = append(got, s) {
			if s = a.Order(backwards, append(slices.Clone(subs), String(s))...); s == "" {
				break
			}
		}
		if backwards {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("order %q (backwards %t), want %q", got, backwards, want)
		}
	}
}

// FuzzPattern compares patterns with the regular expressions that say the same.
func FuzzPattern(f *testing.F) {
	patterns := map[string]*regexp.Regexp{}
	for pat, re := range map[string]string{
		`1.N`: `[0-9]+`, `3N1"-"4N`: `[0-9]{3}-[0-9]{4}`, `.E`: `.*`, `1.3AN.1"z"`: `[\pL0-9]{1,3}z?`, `.2U.L`: `\p{Lu}{0,2}\p{Ll}*`,
		`2.N.E1"a"`: `[0-9]{2,}.*a`, `0N1"ab".2"ab"`: `ab(ab){0,2}`, `."xy"1"x".E`: `(xy)*x.*`, `.""1N`: `[0-9]`, `1U.1""`: `\p{Lu}`, `.3""2L`: `\p{Ll}{2}`,
	} {
		patterns[pat] = regexp.MustCompile(`(?s)^(?:` + re + `)$`)
	}
	for _, s := range []string{"", "123", "123-4567", "ababab", "abababab", "xyxyx", "Abc", "12ba", "éz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 1000 {
			return
		}
		m := &machine{ctx: t.Context(), s: NewSession(Options{Host: newFakeHost()})}
		for pat, re := range patterns {
			p := &parser{src: pat}
			got, err := p.pattern().match(m, s)
			if err != nil || p.err != nil {
				t.Fatal(err, p.err)
			}
			if want := re.MatchString(s); got != want {
				t.Errorf("%q?%s is %t, want %t", s, pat, got, want)
			}
		}
	})
}
