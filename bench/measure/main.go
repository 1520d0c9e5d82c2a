// Command measure prints what bench/speed.sh reports and a fresh system has no
// tool for.
//
//	go run ./bench/measure run LOG COMMAND [ARGUMENT]...   time and peak memory of a command
//	go run ./bench/measure random FILE                     random reads of 8 KiB a second
//	go run ./bench/measure sequential FILE                 MB/s from start to end
//
// run appends the peak to the file LOG, in MiB. What it has to say goes to
// standard error, after all output of the command; its exit code is the command's.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

var errUsage = errors.New("usage: measure run LOG COMMAND [ARGUMENT]...\n" +
	"       measure random FILE\n" +
	"       measure sequential FILE")

func main() {
	err := run(os.Args[1:])
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(max(exit.ExitCode(), 1)) // -1 if a signal ended it
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	switch verb := args[0]; {
	case verb == "run" && len(args) > 2:
		return runCommand(args[1], args[2], args[3:]...)
	case verb == "random" && len(args) == 2:
		return readRandom(os.Stdout, args[1])
	case verb == "sequential" && len(args) == 2:
		return readSequential(os.Stdout, args[1])
	}
	return errUsage
}
