package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// BlockSize is the size of a database block in bytes, the default of the
// databases that this package imitates.
const BlockSize = 8192

// zeroShare is the part of a database that is expanded but unused: one in ten.
const zeroShare = 10

// stretchBlocks is how many blocks one goroutine makes at a time: 1 MiB, so
// that the file is written in large requests.
const stretchBlocks = 128

// firstDataBlock is the number of the first block that is not part of the
// fixed layout at the start of a database.
const firstDataBlock = 15

// Options says which database to make. Equal options give equal bytes.
type Options struct {
	Bytes     int64  // size of the file; rounded down to whole blocks, at least 32 of them
	Seed      uint64 // any number
	Directory string // what the label says; the file's directory if empty
}

// WriteDatabase makes a database file at path, replacing what is there.
func WriteDatabase(path string, opts Options) (err error) {
	blocks := opts.Bytes / BlockSize
	if blocks <= 2*firstDataBlock || blocks > math.MaxUint32 {
		return fmt.Errorf("make %s: %d bytes are not between %d and 2^32 blocks of %d",
			path, opts.Bytes, 2*firstDataBlock+1, BlockSize)
	}
	g := generator{seed: opts.Seed, blocks: blocks, directory: opts.Directory}
	if g.directory == "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		g.directory = filepath.Dir(abs) + "/"
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return g.writeAll(f)
}

// writeAll writes every block on all cores. A block's bytes depend on its
// number alone, so that the order of writing does not matter.
func (g *generator) writeAll(f *os.File) error {
	var (
		next atomic.Int64 // first block of the next stretch
		wg   sync.WaitGroup
		errs = make([]error, runtime.GOMAXPROCS(0))
	)
	for i := range errs {
		wg.Go(func() {
			buf := make([]byte, stretchBlocks*BlockSize)
			for errs[i] == nil {
				first := next.Add(stretchBlocks) - stretchBlocks
				n := min(stretchBlocks, g.blocks-first)
				if n <= 0 {
					return
				}
				for k := range n {
					g.fill(buf[k*BlockSize:(k+1)*BlockSize], first+k)
				}
				_, errs[i] = f.WriteAt(buf[:n*BlockSize], first*BlockSize)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ChangeBlocks gives new content to that fraction of the blocks of the database
// at path, chosen at random, and returns their numbers in order. The label
// never changes. The file keeps its size. A second call with the same seed
// chooses the same blocks and writes the same bytes.
func ChangeBlocks(path string, fraction float64, seed uint64) (changed []int64, err error) {
	if fraction < 0 || fraction > 1 {
		return nil, fmt.Errorf("change %s: fraction %v is not between 0 and 1", path, fraction)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()

	label := make([]byte, BlockSize)
	if _, err := f.ReadAt(label, 0); err != nil {
		return nil, fmt.Errorf("read the label of %s: %w", path, err)
	}
	blocks := int64(binary.LittleEndian.Uint32(label[offBlocks:]))
	changed = choose(blocks-1, int64(math.Round(fraction*float64(blocks-1))), seed)

	// The high bit keeps these blocks apart from those of any WriteDatabase
	// with the same seed: a change must change something.
	g := generator{seed: seed, stream: 1 << 63, blocks: blocks, full: true}
	buf := make([]byte, BlockSize)
	for i := range changed {
		changed[i]++ // not the label
		g.fill(buf, changed[i])
		if _, err := f.WriteAt(buf, changed[i]*BlockSize); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// choose returns k different numbers below n, in order.
func choose(n, k int64, seed uint64) []int64 {
	r := rand.New(rand.NewPCG(seed, 0))
	seen := make(map[int64]bool, k)
	for j := n - k; j < n; j++ { // Floyd's way: every subset is equally likely
		v := r.Int64N(j + 1)
		if seen[v] {
			v = j
		}
		seen[v] = true
	}
	out := make([]int64, 0, k)
	for v := range seen {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}
