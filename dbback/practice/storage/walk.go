package storage

import (
	"errors"
	"fmt"
)

// A walker follows the chains of data blocks. It visits no block twice, so that
// it ends whatever it reads.
type walker struct {
	read   func(n uint32, b []byte) error
	blocks uint32 // blocks that exist
	seen   bitmap
	buf    []byte
}

func newWalker(read func(n uint32, b []byte) error, blocks uint32) *walker {
	return &walker{read: read, blocks: blocks, seen: newBitmap(), buf: make([]byte, BlockSize)}
}

// A walkError says at which block a walk ended.
type walkError struct {
	block uint32
	kind  string
	err   error
}

func (e *walkError) Error() string { return e.err.Error() }
func (e *walkError) Unwrap() error { return e.err }

var (
	errOutside = errors.New("is outside the data blocks")
	errCycle   = errors.New("is reached twice")
)

// global walks the chain of a global, calls visit for each of its blocks in order,
// and checks everything that a block says against the others: links in both
// directions, the order of keys, owner and update sequence, and the counters in
// the directory. The first thing wrong ends the walk.
func (w *walker) global(e globalEntry, visit func(n uint32, rows []row)) error {
	var (
		prev, blocks uint32
		nrows, sum   uint64
		last         string
	)
	for n := e.first; n != 0; {
		rows, err := w.block(e, n, prev)
		if err != nil {
			return err
		}
		for i, r := range rows {
			if (blocks > 0 || i > 0) && string(r.key) <= last {
				return w.fail(n, "order", fmt.Errorf("block %d of ^%s: key %q is not after %q", n, e.name, r.key, last))
			}
			last = string(r.key)
			nrows++
			sum += rowSum(r.key, r.value)
		}
		blocks++
		right := le.Uint32(w.buf[offRight:])
		visit(n, rows)
		prev, n = n, right
	}
	switch {
	case prev != e.last:
		return w.fail(blockDirectory, "counter", fmt.Errorf("^%s: the directory says that block %d is the last, the chain ends at %d", e.name, e.last, prev))
	case blocks != e.blocks:
		return w.fail(blockDirectory, "counter", fmt.Errorf("^%s: the directory says %d blocks, the chain has %d", e.name, e.blocks, blocks))
	case nrows != e.rows:
		return w.fail(blockDirectory, "counter", fmt.Errorf("^%s: the directory says %d rows, the chain has %d", e.name, e.rows, nrows))
	case sum != e.sum:
		return w.fail(blockDirectory, "counter", fmt.Errorf("^%s: the directory says sum %016x, the rows give %016x", e.name, e.sum, sum))
	}
	return nil
}

// block reads and checks one data block.
func (w *walker) block(e globalEntry, n, prev uint32) ([]row, error) {
	if n < firstDataBlock || n >= w.blocks {
		return nil, w.fail(n, "link", fmt.Errorf("^%s: block %d, after %d, %w", e.name, n, prev, errOutside))
	}
	if w.seen.has(n) {
		return nil, w.fail(n, "link", fmt.Errorf("^%s: block %d, after %d, %w", e.name, n, prev, errCycle))
	}
	w.seen.set(n)
	if err := w.read(n, w.buf); err != nil {
		return nil, w.fail(n, "read", err)
	}
	if err := verify(w.buf, n, typeData); err != nil {
		return nil, w.fail(n, "block", fmt.Errorf("^%s: %w", e.name, err))
	}
	if got, want := le.Uint32(w.buf[offOwner:]), ownerOf(e.name); got != want {
		return nil, w.fail(n, "owner", fmt.Errorf("block %d is in the chain of ^%s but belongs to another global", n, e.name))
	}
	if left := le.Uint32(w.buf[offLeft:]); left != prev {
		return nil, w.fail(n, "link", fmt.Errorf("^%s: block %d is reached from %d but says that it follows %d", e.name, n, prev, left))
	}
	rows, err := parseRows(w.buf)
	if err != nil {
		return nil, w.fail(n, "rows", fmt.Errorf("^%s: block %d: %w", e.name, n, err))
	}
	if len(rows) == 0 {
		return nil, w.fail(n, "rows", fmt.Errorf("^%s: block %d is in the chain and empty", e.name, n))
	}
	return rows, nil
}

func (*walker) fail(n uint32, kind string, err error) error {
	return &walkError{block: n, kind: kind, err: err}
}
