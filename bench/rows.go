package bench

import (
	"encoding/binary"
	"math/rand/v2"
)

// words is what free text is made of. Few and common words: text in a database
// repeats itself.
var words = [64]string{
	"patient ", "seen by Dr. ", "without findings ", "blood pressure normal ", "and ",
	"no complaint ", "of the ", "left side ", "right side ", "pain since yesterday ", "treated in ward ",
	"order ", "invoice ", "paid in full ", "open ", "delivery returned ", "out of stock ", "warehouse ",
	"customer ", "account ", "transfer to ", "from ", "see reference ", "note: ", "checked again after ",
	"two weeks ", "result pending ", "negative ", "positive ", "follow-up required ", "mg daily ",
	"before meals ", "allergic to ", "not known ", "history of ", "was ", "is ", "on a ", "for the ",
	"at ", "new ", "changed ", "cancelled by ", "confirmed ", "by telephone ", "letter sent ", "to ",
	"in stable condition ", "discharged ", "admitted ", "transferred ", "insurance ", "approved ",
	"rejected: ", "duplicate of ", "shipped ", "partial ", "refund ", "price list ", "per unit ",
	"department ", "laboratory ", "with ", "until further notice ",
}

// codes are what coded columns hold.
var codes = [16]string{
	"A", "I", "C", "P", "EUR", "USD", "JPY", "OUT",
	"IN", "EMERG", "LAB", "RAD", "STD", "M", "F", "U",
}

// globals are the names of the arrays that the rows belong to.
var globals = [8]string{
	"VisitD", "VisitI", "OrderD", "OrderI", "ObservationD", "PersonD", "AuditD", "StockD",
}

// rows makes the nodes of one block.
//
// A node is four bytes of lengths, the part of its key that differs from the
// key before, and a value: a block number in pointer blocks, else a list whose
// elements carry length and type in front. List elements are as the database
// codes them; how it codes the node itself is not public, so this is only of
// the same size and regularity.
type rows struct {
	pcg     *rand.PCG
	pointer bool
	first   bool
	key     uint64 // last subscript, rising
	name    string // of the global
	day     uint64 // rising date column
	owner   uint64 // foreign key
}

func newRows(n int64, kind byte, pcg *rand.PCG) *rows {
	return &rows{
		pcg:     pcg,
		pointer: kind != typeData,
		first:   true,
		key:     uint64(n) * 1000, // unique in the file, and leaves room for a block's keys
		name:    globals[n/512%int64(len(globals))],
		day:     60000 + uint64(n)%8192,
	}
}

// maxNode is more than any node takes.
const maxNode = 512

// put writes the next node at the start of b and returns its length, or 0 if b
// may be too small.
func (r *rows) put(b []byte) int {
	if len(b) < maxNode {
		return 0
	}
	v := r.pcg.Uint64()
	r.key += 1 + v%7
	at := 4
	if r.first { // the first key of a block is written out
		at += copy(b[at:], r.name)
		b[at] = 0
		binary.BigEndian.PutUint32(b[at+1:], uint32(r.key>>8))
		at += 5
		r.first = false
	}
	b[at] = byte(r.key)
	at++
	keyLen := at - 4
	if r.pointer {
		binary.LittleEndian.PutUint32(b[at:], uint32(v>>32))
		at += 4
	} else {
		at = r.list(b, at, v)
	}
	b[0], b[1] = byte(keyLen), byte(len(r.name)+4)
	binary.LittleEndian.PutUint16(b[2:], uint16(at-4-keyLen))
	return at
}

// list writes a row's columns as a list: an identifier, dates, amounts, codes
// and a little text. v are random bits, of which each column takes some.
func (r *rows) list(b []byte, at int, v uint64) int {
	if v>>52&3 == 0 { // several rows in turn belong to one owner
		r.owner = r.pcg.Uint64() & 0xFFFFFF
	}
	at = integer(b, at, r.owner, 4)
	r.day += v >> 8 & 1
	at = integer(b, at, r.day, 3)
	at = integer(b, at, v>>16&0xFFFF, 3) // seconds of the day
	at = text(b, at, codes[v>>32&15])
	at = text(b, at, codes[v>>36&15])
	at = integer(b, at, (v>>40&0xFF)*25, 2) // an amount
	at = text(b, at, "")
	if v>>48&1 == 0 {
		return at
	}
	start := at
	at += 2
	w := r.pcg.Uint64()
	for range 2 + v>>49&7 {
		at += copy(b[at:], words[w&63])
		w >>= 6
	}
	b[start], b[start+1] = byte(at-start), typeText
	return at
}

// Types of list elements.
const (
	typeText    = 1
	typeInteger = 4
)

// integer writes v as a list element of size bytes, little-endian.
func integer(b []byte, at int, v uint64, size int) int {
	b[at], b[at+1] = byte(size+2), typeInteger
	for i := range size {
		b[at+2+i] = byte(v >> (8 * i))
	}
	return at + 2 + size
}

// text writes s as a list element.
func text(b []byte, at int, s string) int {
	b[at], b[at+1] = byte(len(s)+2), typeText
	return at + 2 + copy(b[at+2:], s)
}
