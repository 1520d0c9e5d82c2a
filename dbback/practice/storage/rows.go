package storage

import (
	"errors"
	"fmt"
	"hash/fnv"
	"sort"
)

// Limits of what is stored. A row is at most half of what a block holds, so that
// a block that overflows can always be split in two.
const (
	MaxName  = 31   // bytes of a global's name, as with InterSystems
	MaxKey   = 255  // bytes of a key
	MaxValue = 3600 // bytes of a value

	blockRoom = BlockSize - headerSize
	rowHeader = 4 // u16 key length, u16 value length
)

// A row is a key with its value.
type row struct{ key, value []byte }

func (r row) size() int { return rowHeader + len(r.key) + len(r.value) }

var errRows = errors.New("rows do not fit into the block")

// parseRows returns the rows of a data block. They alias b.
func parseRows(b []byte) ([]row, error) {
	used, n := int(le.Uint32(b[offUsed:])), int(le.Uint16(b[offRows:]))
	if used > blockRoom || n*rowHeader > used {
		return nil, errRows
	}
	rest := b[headerSize : headerSize+used]
	rows := make([]row, 0, n+1)
	for range n {
		if len(rest) < rowHeader {
			return nil, errRows
		}
		k, v := int(le.Uint16(rest)), int(le.Uint16(rest[2:]))
		rest = rest[rowHeader:]
		if k+v > len(rest) {
			return nil, errRows
		}
		rows = append(rows, row{rest[:k:k], rest[k : k+v : k+v]})
		rest = rest[k+v:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes are left over", errRows, len(rest))
	}
	return rows, nil
}

// putRows writes rows, which may alias b, into a data block. What is after them
// stays, as in blocks of InterSystems.
func putRows(b []byte, rows []row) {
	var tmp [blockRoom]byte
	at := 0
	for _, r := range rows {
		le.PutUint16(tmp[at:], uint16(len(r.key)))
		le.PutUint16(tmp[at+2:], uint16(len(r.value)))
		at += rowHeader
		at += copy(tmp[at:], r.key)
		at += copy(tmp[at:], r.value)
	}
	copy(b[headerSize:], tmp[:at])
	le.PutUint32(b[offUsed:], uint32(at))
	le.PutUint16(b[offRows:], uint16(len(rows)))
}

// rowsSize returns the bytes that rows take.
func rowsSize(rows []row) int {
	n := 0
	for _, r := range rows {
		n += r.size()
	}
	return n
}

// findRow returns where key is or belongs, and whether it is there.
func findRow(rows []row, key string) (int, bool) {
	i := sort.Search(len(rows), func(i int) bool { return string(rows[i].key) >= key })
	return i, i < len(rows) && string(rows[i].key) == key
}

// splitAt returns how many of the rows stay in the left of two blocks, so that
// both are about as full.
func splitAt(rows []row) int {
	total, left := rowsSize(rows), 0
	for i, r := range rows {
		if left+r.size()/2 >= total/2 {
			return max(i, 1)
		}
		left += r.size()
	}
	return len(rows) - 1
}

// rowSum is a row's share in the sum of its global, which is the sum over all
// rows: it does not depend on their order.
func rowSum(key, value []byte) uint64 {
	h := fnv.New64a()
	var n [4]byte
	le.PutUint16(n[:], uint16(len(key)))
	le.PutUint16(n[2:], uint16(len(value)))
	_, _ = h.Write(n[:])
	_, _ = h.Write(key)
	_, _ = h.Write(value)
	x := h.Sum64()
	x = (x ^ x>>31) * 0x9E3779B97F4A7C15
	return x ^ x>>29
}

// ownerOf is what the data blocks of a global carry instead of its name.
func ownerOf(global string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(global))
	return h.Sum32()
}
