package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"os"
	"slices"
)

// A Digest is a sum of the logical content of a database: all globals, keys and
// values in order.
type Digest [32]byte

// String returns the digest as hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// A digester makes a digest of rows given in order.
type digester struct {
	h   hash.Hash
	buf []byte
}

func newDigester() *digester { return &digester{h: sha256.New()} }

func (d *digester) add(global, key string, value []byte) {
	b := binary.AppendUvarint(d.buf[:0], uint64(len(global)))
	b = append(b, global...)
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(value)))
	d.buf = append(b, value...)
	_, _ = d.h.Write(d.buf)
}

func (d *digester) sum() (out Digest) {
	d.h.Sum(out[:0])
	return out
}

// DigestFile returns the digest of a database file that nobody writes to. It is an
// error if the structure is damaged.
func DigestFile(path string) (Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Digest{}, err
	}
	defer func() { _ = f.Close() }()
	src, err := fileSource(f)
	if err != nil {
		return Digest{}, err
	}
	d, err := digest(src)
	if err != nil {
		return Digest{}, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// digest returns the digest of a database.
func digest(src source) (Digest, error) {
	b := make([]byte, BlockSize)
	if err := src.read(blockLabel, b); err != nil {
		return Digest{}, err
	}
	l, err := parseLabel(b)
	if err != nil {
		return Digest{}, err
	}
	if err := src.read(blockDirectory, b); err != nil {
		return Digest{}, err
	}
	if err := verify(b, blockDirectory, typeGlobals); err != nil {
		return Digest{}, fmt.Errorf("%w: %w", ErrDegraded, err)
	}
	entries, err := parseDirectory(b)
	if err != nil {
		return Digest{}, fmt.Errorf("%w: %w", ErrDegraded, err)
	}
	d := newDigester()
	w := newWalker(src.read, l.blocks)
	for _, e := range entries {
		err := w.global(e, func(_ uint32, rows []row) {
			for _, r := range rows {
				d.add(e.name, string(r.key), r.value)
			}
		})
		if err != nil {
			return Digest{}, fmt.Errorf("%w: %w", ErrDegraded, err)
		}
	}
	return d.sum(), nil
}

// Content is the logical content of a database: values by global and key.
type Content map[string]map[string]string

// Digest returns the digest of the content.
func (c Content) Digest() Digest {
	d := newDigester()
	for _, global := range slices.Sorted(maps.Keys(c)) {
		rows := c[global]
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			d.add(global, key, []byte(rows[key]))
		}
	}
	return d.sum()
}
