package storage

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Types of journal records.
const (
	recSet      = 'S'
	recKill     = 'K'
	recBegin    = 'B' // of a transaction
	recCommit   = 'C'
	recRollback = 'R' // the transaction's updates have been undone by the records before
	recMarker   = 'M' // of a backup; its text is in Key
	recEnd      = 'E' // the file was closed in order; Key is the file after it
)

// Flags of a SET or KILL.
const (
	recHadOld = 1 // the key had a value, which is in Old
	recUndo   = 2 // made by a rollback; not to be undone itself
)

// A record is an entry of a journal. A SET or KILL carries the value from before,
// so that a transaction can be rolled back from the journals alone.
//
// On disk: u32 length of what follows the sum, u32 CRC-32C of that, then type,
// flags, u64 transaction, i64 time, and five fields, each after its length as a
// varint.
type record struct {
	Type   byte
	Flags  byte
	Txn    uint64 // 0: outside of a transaction
	Time   int64  // Unix nanoseconds
	Dir    string
	Global string
	Key    string
	Old    []byte
	New    []byte
}

const (
	recHead   = 8  // length and sum
	recFixed  = 18 // type, flags, transaction, time
	maxRecord = 64 << 10
)

var errRecord = errors.New("not a journal record")

// appendRecord appends the record as it is on disk.
func appendRecord(b []byte, r *record) []byte {
	start := len(b)
	b = append(b, make([]byte, recHead)...)
	b = append(b, r.Type, r.Flags)
	b = le.AppendUint64(b, r.Txn)
	b = le.AppendUint64(b, uint64(r.Time))
	for _, s := range []string{r.Dir, r.Global, r.Key} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, s := range [][]byte{r.Old, r.New} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	body := b[start+recHead:]
	le.PutUint32(b[start:], uint32(len(body)))
	le.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

// parseHead returns the length of a record's body from its first [recHead] bytes,
// and its sum.
func parseHead(b []byte) (length int, sum uint32, err error) {
	n := le.Uint32(b)
	if n < recFixed || n > maxRecord {
		return 0, 0, errRecord
	}
	return int(n), le.Uint32(b[4:]), nil
}

// parseBody reads a record's body. Old and New alias b.
func parseBody(b []byte, sum uint32) (*record, error) {
	if len(b) < recFixed || crc32.Checksum(b, castagnoli) != sum {
		return nil, errRecord
	}
	r := &record{Type: b[0], Flags: b[1], Txn: le.Uint64(b[2:]), Time: int64(le.Uint64(b[10:]))}
	rest := b[recFixed:]
	var fields [5][]byte
	for i := range fields {
		n, k := binary.Uvarint(rest)
		if k <= 0 || n > uint64(len(rest)-k) {
			return nil, errRecord
		}
		fields[i] = rest[k : k+int(n)]
		rest = rest[k+int(n):]
	}
	if len(rest) > 0 {
		return nil, errRecord
	}
	r.Dir, r.Global, r.Key = string(fields[0]), string(fields[1]), string(fields[2])
	r.Old, r.New = fields[3], fields[4]
	return r, nil
}
