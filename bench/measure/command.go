package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// runCommand runs a command, reports its time and peak memory, and appends the
// latter to the file log, in MiB, for a script to find the highest.
func runCommand(log, name string, args ...string) error {
	// An interrupt from the terminal reaches the command as well, and is the
	// command's to answer. It must be caught rather than ignored: a child
	// inherits what is ignored.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	err := cmd.Wait()
	took := time.Since(start)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return err
	}
	// Linux counts Maxrss in KiB. It is the most that was resident at any time,
	// mapped files included.
	peak := (usage.Maxrss + 1023) / 1024
	fmt.Fprintf(os.Stderr, "   [%.1f s, at most %d MiB of memory]\n", took.Seconds(), peak)
	return errors.Join(err, appendLine(log, peak))
}

func appendLine(path string, v int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, v)
	return errors.Join(err, f.Close())
}
