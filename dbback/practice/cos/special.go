package cos

import (
	"strconv"
	"strings"
	"time"
)

// specialName is the full name of a special variable, in capitals.
func specialName(name string) string {
	if full, ok := specialShort[name]; ok {
		return full
	}
	return name
}

var specialShort = map[string]string{
	"$H": "$HOROLOG", "$I": "$IO", "$J": "$JOB", "$P": "$PRINCIPAL", "$S": "$STORAGE", "$T": "$TEST",
	"$ZE": "$ZERROR", "$ZH": "$ZHOROLOG", "$ZN": "$ZNAME", "$ZTS": "$ZTIMESTAMP", "$ZV": "$ZVERSION",
	"$ZTZ": "$ZTIMEZONE", "$ZU": "$ZUSER", "$EC": "$ECODE", "$ET": "$ETRAP", "$ST": "$STACK", "$ZT": "$ZTRAP",
}

// A special is a special variable.
type special struct{ name string }

func (x special) eval(m *machine) (Value, error) {
	if v, ok := m.s.special(x.name); ok {
		return v, nil
	}
	v, ok, err := m.s.opts.Host.Special(m.ctx, x.name)
	if v, err = m.result(v, err); err != nil {
		return Value{}, err
	}
	if !ok {
		return Value{}, Unsupported("special variable %s", x.name)
	}
	return v, nil
}

// special are those that are the session's own.
func (s *Session) special(name string) (Value, bool) {
	switch name {
	case "$HOROLOG":
		return String(horolog(s.opts.Now())), true
	case "$ZTIMESTAMP":
		t := s.opts.Now().UTC()
		return String(horolog(t) + strings.TrimRight(strings.TrimRight(t.Format(".000"), "0"), ".")), true
	case "$ZHOROLOG": // seconds since some moment
		return String(strconv.FormatFloat(s.opts.Now().Sub(s.started).Seconds(), 'f', 6, 64)), true
	case "$NAMESPACE", "$ZNSPACE":
		return String(s.namespace), true
	case "$STORAGE":
		return Int(int64(s.opts.Limits.Storage - s.storage)), true
	case "$TEST":
		return Bool(s.test), true
	case "$X":
		return Int(int64(s.column)), true
	case "$Y":
		return Int(int64(s.row)), true
	case "$ZERROR":
		return String(s.zerror), true
	}
	return Value{}, false
}

func (x special) assign(m *machine, v Value) error {
	switch x.name {
	case "$NAMESPACE", "$ZNSPACE":
		return m.setNamespace(v.String())
	case "$ZERROR":
		m.s.zerror = v.String()
	case "$X":
		m.s.column = int(min(max(v.Int(), 0), maxString))
	case "$Y":
		m.s.row = int(min(max(v.Int(), 0), maxString))
	default:
		return Unsupported("SET of %s", x.name)
	}
	return nil
}

// dayZero is day 0 of $HOROLOG.
var dayZero = time.Date(1840, time.December, 31, 0, 0, 0, 0, time.UTC)

// horolog is a time as $HOROLOG has it: days since 1840-12-31, seconds since
// midnight.
func horolog(t time.Time) string {
	y, month, d := t.Date()
	days := time.Date(y, month, d, 0, 0, 0, 0, time.UTC).Unix() - dayZero.Unix()
	h, minute, sec := t.Clock()
	return strconv.FormatInt(days/86400, 10) + "," + strconv.Itoa(h*3600+minute*60+sec)
}
