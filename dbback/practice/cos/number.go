package cos

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// A number is m·10^e. The language computes in decimal with a 64-bit mantissa:
// 18 digits, and 19 where they fit.
type number struct {
	m int64
	e int
}

// The powers of ten of the largest number and of the smallest that is not 0:
// InterSystems documents 9.22E145 and 2E-128.
const (
	maxExponent = 145
	minExponent = -128
)

var bigTen = big.NewInt(10)

func pow10(n int) *big.Int { return new(big.Int).Exp(bigTen, big.NewInt(int64(n)), nil) }

// makeNumber rounds m·10^e, half away from zero, to what a number holds.
func makeNumber(m *big.Int, e int) (number, error) {
	if m.Sign() == 0 {
		return number{}, nil
	}
	if over := digits(m) - 19; over > 0 {
		m, e = roundOff(m, over), e+over
	}
	for !m.IsInt64() {
		m, e = roundOff(m, 1), e+1
	}
	n := number{m.Int64(), e}.normal()
	switch {
	case n.m != 0 && n.length()+n.e > maxExponent+1:
		return number{}, newError("<MAXNUMBER>", "")
	case n.length()+n.e <= minExponent:
		return number{}, nil
	}
	return n, nil
}

func digits(m *big.Int) int { return len(new(big.Int).Abs(m).String()) }

// roundOff divides by 10^n and rounds half away from zero.
func roundOff(m *big.Int, n int) *big.Int {
	q, r := new(big.Int).QuoRem(m, pow10(n), new(big.Int))
	if r.Abs(r).Lsh(r, 1).Cmp(pow10(n)) >= 0 {
		q.Add(q, big.NewInt(int64(m.Sign())))
	}
	return q
}

// normal has no zeros at the end of its mantissa, and zero is one value.
func (n number) normal() number {
	if n.m == 0 {
		return number{}
	}
	for n.m%10 == 0 {
		n.m, n.e = n.m/10, n.e+1
	}
	return n
}

func (n number) length() int { return len(strings.TrimPrefix(strconv.FormatInt(n.m, 10), "-")) }

// String is the canonical form: no exponent, no zeros that say nothing.
func (n number) String() string {
	n = n.normal()
	if n.m == 0 {
		return "0"
	}
	s, sign := strconv.FormatInt(n.m, 10), ""
	if s[0] == '-' {
		s, sign = s[1:], "-"
	}
	switch {
	case n.e >= 0:
		return sign + s + strings.Repeat("0", n.e)
	case -n.e >= len(s):
		return sign + "." + strings.Repeat("0", -n.e-len(s)) + s
	}
	return sign + s[:len(s)+n.e] + "." + s[len(s)+n.e:]
}

// int is the whole part, held to 64 bits.
func (n number) int() int64 {
	m := n.m
	for e := n.e; e < 0 && m != 0; e++ {
		m /= 10
	}
	for e := n.e; e > 0; e-- {
		if m > math.MaxInt64/10 {
			return math.MaxInt64
		}
		if m < math.MinInt64/10 {
			return math.MinInt64
		}
		m *= 10
	}
	return m
}

func (n number) float() float64 {
	f, _ := strconv.ParseFloat(strconv.FormatInt(n.m, 10)+"E"+strconv.Itoa(n.e), 64)
	return f
}

// parseNumber is the number that s begins with, 0 if it begins with none: any
// number of signs, digits, a decimal point, an exponent.
func parseNumber(s string) (number, error) {
	i, negative := 0, false
	for ; i < len(s) && (s[i] == '+' || s[i] == '-'); i++ {
		negative = negative != (s[i] == '-')
	}
	n, err := scanNumber(s[i:])
	if negative {
		n.m = -n.m
	}
	return n, err
}

// scanNumber reads an unsigned number.
func scanNumber(s string) (number, error) {
	whole, rest := takeDigits(s)
	fraction := ""
	if strings.HasPrefix(rest, ".") {
		fraction, rest = takeDigits(rest[1:])
	}
	all := strings.TrimLeft(whole+fraction, "0")
	if all == "" {
		return number{}, nil
	}
	e := -len(fraction) + scanExponent(rest)
	if len(all) <= 18 { // fits, whatever the digits are
		m, _ := strconv.ParseInt(all, 10, 64)
		if -30 < e && e < 30 {
			return number{m, e}.normal(), nil
		}
		return makeNumber(big.NewInt(m), e)
	}
	if cut := len(all) - 400; cut > 0 { // more digits than any number has
		all, e = all[:400], e+cut
	}
	m, _ := new(big.Int).SetString(all, 10)
	return makeNumber(m, e)
}

// scanExponent reads E, a sign and digits; it is 0 if they are not all there.
func scanExponent(s string) int {
	if len(s) < 2 || s[0] != 'E' && s[0] != 'e' {
		return 0
	}
	s = s[1:]
	sign := 1
	if s[0] == '-' || s[0] == '+' {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	d, _ := takeDigits(s)
	d = strings.TrimLeft(d, "0")
	if len(d) > 6 {
		d = "999999"
	}
	e, _ := strconv.Atoi("0" + d)
	return sign * e
}

func takeDigits(s string) (taken, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// isCanonical reports whether s is a number in the form that numbers are
// written in; such subscripts come before others.
func isCanonical(s string) bool {
	if s == "" || len(s) > maxExponent+25 {
		return false
	}
	if c := s[len(s)-1]; c < '0' || c > '9' {
		return false
	}
	n, err := parseNumber(s)
	return err == nil && n.String() == s
}

func (n number) big(e int) *big.Int { return new(big.Int).Mul(big.NewInt(n.m), pow10(n.e-e)) }

func (n number) add(o number) (number, error) {
	if n.e == o.e && abs(n.m) < math.MaxInt64/2 && abs(o.m) < math.MaxInt64/2 && n.e == 0 {
		return number{n.m + o.m, 0}.normal(), nil
	}
	e := min(n.e, o.e)
	return makeNumber(new(big.Int).Add(n.big(e), o.big(e)), e)
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func (n number) negate() number { return number{-n.m, n.e} }

func (n number) multiply(o number) (number, error) {
	return makeNumber(new(big.Int).Mul(big.NewInt(n.m), big.NewInt(o.m)), n.e+o.e)
}

func (n number) divide(o number) (number, error) {
	if o.m == 0 {
		return number{}, newError("<DIVIDE>", "")
	}
	const more = 40 // digits; the rest cannot change the 19 that are kept but by a half
	m := new(big.Int).Mul(big.NewInt(n.m), pow10(more))
	return makeNumber(m.Quo(m, big.NewInt(o.m)), n.e-more-o.e)
}

// quotient is the whole part of n/o, cut towards zero.
func (n number) quotient(o number) (number, error) {
	if o.m == 0 {
		return number{}, newError("<DIVIDE>", "")
	}
	e := min(n.e, o.e)
	return makeNumber(new(big.Int).Quo(n.big(e), o.big(e)), 0)
}

// modulo has the sign of the divisor.
func (n number) modulo(o number) (number, error) {
	if o.m == 0 {
		return number{}, newError("<DIVIDE>", "")
	}
	e := min(n.e, o.e)
	d := o.big(e)
	r := new(big.Int).Rem(n.big(e), d)
	if r.Sign() != 0 && r.Sign() != d.Sign() {
		r.Add(r, d)
	}
	return makeNumber(r, e)
}

func (n number) compare(o number) int {
	if n.e == o.e {
		switch {
		case n.m < o.m:
			return -1
		case n.m > o.m:
			return 1
		}
		return 0
	}
	e := min(n.e, o.e)
	return n.big(e).Cmp(o.big(e))
}

// power is exact for small whole exponents, and as near as a float64 for others.
func (n number) power(o number) (number, error) {
	if n.m == 0 {
		if o.m < 0 {
			return number{}, newError("<DIVIDE>", "")
		}
		return number{}, nil // 0**0 is 0 in this language
	}
	if k := o.int(); o.e >= 0 && abs(k) <= 512 {
		result, err := number{m: 1}, error(nil)
		for range abs(k) {
			if result, err = result.multiply(n); err != nil {
				return number{}, err
			}
		}
		if k < 0 {
			return number{m: 1}.divide(result)
		}
		return result, nil
	}
	f := math.Pow(n.float(), o.float())
	switch {
	case math.IsNaN(f):
		return number{}, newError("<ILLEGAL VALUE>", "")
	case math.IsInf(f, 0):
		return number{}, newError("<MAXNUMBER>", "")
	}
	return parseNumber(strconv.FormatFloat(f, 'E', 15, 64))
}

// round rounds half away from zero to a number of decimals.
func (n number) round(decimals int) (number, error) {
	if n.e >= -decimals {
		return n, nil
	}
	return makeNumber(roundOff(big.NewInt(n.m), -decimals-n.e), -decimals)
}

// fixed is the number with exactly that many decimals, and a zero before the point.
func (n number) fixed(decimals int) (string, error) {
	n, err := n.round(decimals)
	if err != nil {
		return "", err
	}
	s := n.String()
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" {
		whole = "0"
	}
	if decimals > 0 {
		whole += "." + fraction + strings.Repeat("0", decimals-len(fraction))
	}
	return sign + whole, nil
}
