// Command gendat makes database files to try datfs with.
//
//	go run ./bench/gendat create FILE [--bytes 1GiB] [--seed 1]
//	go run ./bench/gendat change FILE [--fraction 0.01] [--seed 2]
//
// create makes a file of realistic blocks; change gives new content to some of
// them, in place, and says how many bytes those blocks take when each is
// compressed alone.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"

	"datfs/bench"
)

var errUsage = errors.New("usage: gendat create FILE [--bytes 1GiB] [--seed N]\n" +
	"       gendat change FILE [--fraction 0.01] [--seed N]")

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gendat:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) < 2 {
		return errUsage
	}
	verb, path := args[0], args[1]
	flags := flag.NewFlagSet("gendat "+verb, flag.ContinueOnError)
	switch verb {
	case "create":
		size := flags.String("bytes", "1GiB", "size of the file")
		seed := flags.Uint64("seed", 1, "same seed, same bytes")
		if err := parse(flags, args[2:]); err != nil {
			return err
		}
		return create(out, path, *size, *seed)
	case "change":
		fraction := flags.Float64("fraction", 0.01, "part of the blocks that changes")
		seed := flags.Uint64("seed", 2, "same seed, same blocks")
		if err := parse(flags, args[2:]); err != nil {
			return err
		}
		return change(out, path, *fraction, *seed)
	}
	return errUsage
}

// parse refuses arguments that are left over, so that a typing error does not
// quietly give another file than the one asked for.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q", flags.Name(), flags.Arg(0))
	}
	return nil
}

func create(out io.Writer, path, size string, seed uint64) error {
	bytes, err := humanize.ParseBytes(size)
	if err != nil {
		return fmt.Errorf("size %q: %w", size, err)
	}
	if bytes > 1<<62 {
		return fmt.Errorf("size %q: too large", size)
	}
	if err := bench.WriteDatabase(path, bench.Options{Bytes: int64(bytes), Seed: seed}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %s, seed %d\n", path, humanize.IBytes(bytes), seed)
	return err
}

// change prints the sum last in its line, where bench/speed.sh takes it from.
func change(out io.Writer, path string, fraction float64, seed uint64) error {
	blocks, err := bench.ChangeBlocks(path, fraction, seed)
	if err != nil {
		return err
	}
	alone, err := bench.CompressedAlone(path, blocks)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d blocks changed, %d bytes; each compressed alone: %d\n",
		path, len(blocks), len(blocks)*bench.BlockSize, alone)
	return err
}
