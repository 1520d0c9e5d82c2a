package main

import (
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
// earlier one had decoded: the cache is cold for each.
func readRandom(out io.Writer, path string) error {
	f, size, err := open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	stretches := int(size / frameSize)
	if stretches == 0 {
		return fmt.Errorf("%s: shorter than %d bytes", path, frameSize)
	}
	r := rand.New(rand.NewPCG(1, 1))
	places := r.Perm(stretches)
	places = places[:min(len(places), maxReads)]
	buf := make([]byte, readSize)
	start := time.Now()
	for _, p := range places {
		off := int64(p)*frameSize + r.Int64N(frameSize/readSize)*readSize
		if _, err := f.ReadAt(buf, off); err != nil {
			return err
		}
	}
	took := time.Since(start)
	_, err = fmt.Fprintf(out, "%d random reads of 8 KiB in %.2f s: %.0f a second\n",
		len(places), took.Seconds(), float64(len(places))/took.Seconds())
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
