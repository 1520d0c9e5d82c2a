package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

const (
	readSize  = 8 << 10  // what a database reads at a time
	frameSize = 64 << 10 // what a repository decodes at a time
	maxReads  = 20000
)

// readRandom reads 8 KiB at random places from one thread. No two reads fall
// into one stretch of 64 KiB, so that none is served from a frame that an
// earlier one had decoded: the cache is cold for each. Zero blocks are not
// counted, as nothing needs to be read for them.
func readRandom(out io.Writer, path string) error {
	f, size, err := open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := rand.New(rand.NewPCG(1, 1))
	places := r.Perm(int(size / frameSize))
	buf, zero := make([]byte, readSize), make([]byte, readSize)
	count, took := 0, time.Duration(0)
	for _, p := range places[:min(len(places), maxReads)] {
		off := int64(p)*frameSize + r.Int64N(frameSize/readSize)*readSize
		start := time.Now()
		if _, err := f.ReadAt(buf, off); err != nil {
			return err
		}
		if d := time.Since(start); !bytes.Equal(buf, zero) {
			count++
			took += d
		}
	}
	if count == 0 {
		return fmt.Errorf("%s: nothing but zeros to read", path)
	}
	_, err = fmt.Fprintf(out, "%d random reads of 8 KiB in %.2f s: %.0f a second\n",
		count, took.Seconds(), float64(count)/took.Seconds())
	return err
}

// readSequential reads the file from start to end in requests of 1 MiB.
func readSequential(out io.Writer, path string) error {
	f, _, err := open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, 1<<20)
	start := time.Now()
	var total int64
	for {
		n, err := f.Read(buf)
		total += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	took := time.Since(start)
	_, err = fmt.Fprintf(out, "%d bytes in %.2f s: %.0f MB/s\n",
		total, took.Seconds(), float64(total)/1e6/took.Seconds())
	return err
}

func open(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}
