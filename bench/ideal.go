package bench

import (
	"errors"
	"fmt"
	"os"

	"github.com/klauspost/compress/zstd"
)

// CompressedAlone returns how many bytes those blocks of the file at path take
// when each is compressed by itself at zstd's fastest level. It is what a change
// of single blocks costs at least, without their neighbours' help and without
// anything to find them by: the yardstick for a repository's growth.
func CompressedAlone(path string, blocks []int64) (total int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	enc, err := newEncoder()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, enc.Close()) }()

	in := make([]byte, BlockSize)
	var out []byte
	for _, n := range blocks {
		if _, err := f.ReadAt(in, n*BlockSize); err != nil {
			return 0, fmt.Errorf("read block %d of %s: %w", n, path, err)
		}
		out = enc.EncodeAll(in, out[:0])
		total += int64(min(len(out), len(in)))
	}
	return total, nil
}

// newEncoder returns an encoder of the least overhead: no checksum of its own.
func newEncoder() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
}
