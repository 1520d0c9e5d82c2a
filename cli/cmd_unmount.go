package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/fs"
)

func unmountCommand() *cli.Command {
	return &cli.Command{
		Name:      "unmount",
		Aliases:   []string{"umount"},
		Usage:     "end a mount",
		ArgsUsage: "DIR",
		Description: `unmount ends the mount in DIR, and with it the datfs process that serves it. It
fails while a program uses the mount: has a file open there, or its working
directory.

   datfs unmount /mnt/b`,
		Flags:  globalFlags(false, false),
		Action: runUnmount,
	}
}

func runUnmount(c *cli.Context) error {
	dir, err := catalog.AbsPath(c.Args().First())
	if err != nil {
		return err
	}
	if err := fs.Unmount(dir); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "unmounted %s\n", printable(dir))
	return nil
}
