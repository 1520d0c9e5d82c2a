// Command datfs keeps backups of database files, every block once, and shows
// them as a file system. The commands are in package cli.
package main

import (
	"os"

	"datfs/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
