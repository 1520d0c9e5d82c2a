package cos

import (
	"fmt"
	"strings"
	"time"
)

func fnZabs(_ *machine, a []Value) (Value, error) {
	n, err := a[0].number()
	if n.m < 0 {
		n = n.negate()
	}
	return numberValue(n, err)
}

// dateForms are the formats of $ZDATE that are known here.
var dateForms = map[int64]string{1: "01/02/2006", 3: "2006-01-02", 4: "02/01/2006", 8: "20060102"}

// timeForms are the formats of $ZTIME that are known here.
var timeForms = map[int64]string{1: "15:04:05", 2: "15:04"}

// maxDay is 9999-12-31, the last day that $ZDATE knows by default; the first is day 0.
const maxDay = 2980013

// formatDate writes the day of a $HOROLOG.
func formatDate(h string, form int64) (string, error) {
	layout, ok := dateForms[form]
	if !ok {
		return "", Unsupported("date format %d", form)
	}
	day := String(h).Int()
	if day < 0 || day > maxDay {
		return "", newError("<VALUE OUT OF RANGE>", "")
	}
	return dayZero.AddDate(0, 0, int(day)).Format(layout), nil
}

// formatTime writes the seconds of a day.
func formatTime(seconds string, form int64) (string, error) {
	layout, ok := timeForms[form]
	if !ok {
		return "", Unsupported("time format %d", form)
	}
	n := String(seconds).Int()
	if n < 0 || n >= 86400 {
		return "", newError("<ILLEGAL VALUE>", "")
	}
	return dayZero.Add(time.Duration(n) * time.Second).Format(layout), nil
}

func formOf(a []Value, at int) int64 {
	if len(a) > at {
		return a[at].Int()
	}
	return 1
}

func fnZdate(_ *machine, a []Value) (Value, error) {
	s, err := formatDate(a[0].String(), formOf(a, 1))
	return String(s), err
}

func fnZtime(_ *machine, a []Value) (Value, error) {
	s, err := formatTime(a[0].String(), formOf(a, 1))
	return String(s), err
}

func fnZdatetime(_ *machine, a []Value) (Value, error) {
	day, seconds, both := strings.Cut(a[0].String(), ",")
	date, err := formatDate(day, formOf(a, 1))
	if err != nil || !both {
		return String(date), err
	}
	clock, err := formatTime(seconds, formOf(a, 2))
	return String(fmt.Sprintf("%s %s", date, clock)), err
}
