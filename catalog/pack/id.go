package pack

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/blake3"
)

// A BlockID names a block by its content: blocks with equal IDs are equal.
type BlockID [16]byte

// String returns the ID in hex.
func (id BlockID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the ID is that of an absent ordinal.
func (id BlockID) IsZero() bool { return id == BlockID{} }

// IsHook reports whether the ID is one of the 1 in 64 that the catalog indexes.
func (id BlockID) IsHook() bool { return id[15]&0x3f == 0 }

// An ID names a pack: 128 random bits, so that hosts can make them apart from
// each other.
type ID [16]byte

// NewID returns a new random ID.
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// ParseID decodes what String returns.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) || hex.EncodeToString(b) != s {
		return id, fmt.Errorf("%w: pack ID %q", ErrInvalid, s)
	}
	copy(id[:], b)
	return id, nil
}

// String returns the ID in hex, as in the pack's file name.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// A Key keys the block IDs of one repository.
type Key [32]byte

// NewKey returns a new random key.
func NewKey() Key {
	var k Key
	_, _ = rand.Read(k[:]) // as in NewID
	return k
}

// A Hasher computes block IDs. It is not safe for concurrent use: every worker
// has its own.
type Hasher struct{ h *blake3.Hasher }

// NewHasher returns a Hasher for the key.
func NewHasher(k Key) *Hasher {
	h, err := blake3.NewKeyed(k[:])
	if err != nil {
		panic(err) //nolint:forbidigo // only for a key of another length than 32
	}
	return &Hasher{h}
}

// BlockID returns the ID of block.
func (h *Hasher) BlockID(block []byte) BlockID {
	h.h.Reset()
	_, _ = h.h.Write(block) // a hash never fails
	var sum [32]byte
	var id BlockID
	copy(id[:], h.h.Sum(sum[:0]))
	return id
}

// Sum64 returns the XXH64 of b, the sum that guards all stored bytes.
func Sum64(b []byte) uint64 { return xxhash.Sum64(b) }

// A Digest is a running XXH64, for whole files.
type Digest struct{ d *xxhash.Digest }

// NewDigest returns an empty Digest.
func NewDigest() Digest { return Digest{xxhash.New()} }

// Write adds b. It never fails.
func (d Digest) Write(b []byte) (int, error) { return d.d.Write(b) }

// Sum64 returns the sum of all bytes written so far.
func (d Digest) Sum64() uint64 { return d.d.Sum64() }

var zeros [MaxFrame]byte

// IsZero reports whether b holds nothing but zeros.
func IsZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}
