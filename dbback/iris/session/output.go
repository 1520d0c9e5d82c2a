package session

import "fmt"

// keepOutput is how much is kept of an Output: so many bytes from its start, and as
// many from its end.
const keepOutput = 1 << 20

// An Output collects a text, such as a log. It keeps the start and the end: one that
// never ends takes no more memory than that.
type Output struct {
	head, tail []byte
	lost       int64 // bytes between head and tail
}

// Write implements io.Writer. It never fails.
func (o *Output) Write(p []byte) (int, error) {
	n := len(p)
	if room := keepOutput - len(o.head); room > 0 {
		room = min(room, len(p))
		o.head = append(o.head, p[:room]...)
		p = p[room:]
	}
	o.tail = append(o.tail, p...)
	if over := len(o.tail) - keepOutput; over > keepOutput { // not at every write
		o.lost += int64(over)
		o.tail = append(o.tail[:0], o.tail[over:]...)
	}
	return n, nil
}

// String returns all that was kept. A gap is named.
func (o *Output) String() string {
	if o.lost == 0 {
		return string(o.head) + string(o.tail)
	}
	return fmt.Sprintf("%s\n(%d bytes are left out)\n%s", o.head, o.lost, o.tail)
}
