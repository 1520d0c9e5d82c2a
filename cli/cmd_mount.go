package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"datfs/catalog"
	"datfs/fs"
)

func mountCommand() *cli.Command {
	return &cli.Command{
		Name:      "mount",
		Usage:     "show the sets as files",
		ArgsUsage: "DIR",
		UsageText: "datfs [--repo DIR] mount [options] DIR",
		Description: `mount shows the repository, read-only, in DIR, an empty directory outside the
repository. New sets appear while it is mounted, and backups go on.

It prints one line when the mount answers, and serves until ^C, SIGTERM or
"datfs unmount DIR"; each of these is a regular end with exit code 0. While a
program uses the mount, the first ^C says so and goes on serving; a second one
takes the mount out of sight and waits for that program. SIGTERM does the latter
at once.

With --background it returns when the mount answers. What is logged then, such as
damage found by a reader, goes to --log-file and is lost without it.

   datfs mount /mnt/b
   datfs mount --background --log-file /var/log/datfs.log /mnt/b
   rsync -aHAX --inplace /mnt/b/latest/PROD/databases/ /restore/
   datfs unmount /mnt/b`,
		Flags: append([]cli.Flag{
			boolFlag("background", "return when the mount answers; it goes on serving", "b"),
			pathFlag("log-file", "append the log to `FILE` instead of writing it to standard error"),
			boolFlag("direct-io", "pass the kernel's page cache by: faster for what is read once, such as a restore"),
			&cli.BoolFlag{
				Name: "allow-other", Value: os.Geteuid() == 0, DefaultText: "on for root",
				Usage: "let other users look, as the files' owners and modes permit",
			},
			boolFlag("debug", "log every request"),
		}, globalFlags(true, false)...),
		Action: runMount,
	}
}

func runMount(c *cli.Context) error {
	if c.Bool("background") {
		return startBackground(c)
	}
	ready, err := openReadyPipe()
	if err != nil {
		return err
	}
	err = withRepo(catalog.Shared, func(c *cli.Context, repo *catalog.Repository) error {
		return serveMount(c, repo, ready)
	})(c)
	ready.fail(err)
	return err
}

func serveMount(c *cli.Context, repo *catalog.Repository, ready *readyPipe) (err error) {
	dir, err := catalog.AbsPath(c.Args().First())
	if err != nil {
		return err
	}
	log, closeLog, err := mountLog(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()

	// From here on signals mean "unmount", not "stop working". They are caught
	// before the mount exists, so that none can leave a dead one behind.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	// Whoever reads our output may go away; the mount is not over for that.
	signal.Ignore(syscall.SIGPIPE)

	server, err := fs.Mount(repo, dir, fs.Options{
		Logger:     log,
		AllowOther: c.Bool("allow-other"),
		DirectIO:   c.Bool("direct-io"),
		Debug:      c.Bool("debug"),
		Documents: func(set *catalog.SetInfo, dir string) []fs.Document {
			return setDocuments(set, bookPlace{dir, datfsOf(repo)})
		},
	})
	if err != nil {
		return err
	}
	line := fmt.Sprintf("mounted %s on %s; to end it: datfs unmount %s", printable(repo.Dir()), printable(dir), shellWord(dir))
	if !ready.announce(line) {
		fmt.Fprintln(c.App.Writer, line)
	}
	return serve(detachable{server, dir}, dir, signals, c.App.ErrWriter)
}

// mountLog opens the log that the flags ask for.
func mountLog(c *cli.Context) (log *slog.Logger, closeLog func() error, err error) {
	w, closeLog := c.App.ErrWriter, func() error { return nil }
	if name := c.Path("log-file"); name != "" {
		f, err := openLog(name)
		if err != nil {
			return nil, nil, err
		}
		w, closeLog = f, f.Close
	}
	level := slog.LevelInfo
	if c.Bool("debug") {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})), closeLog, nil
}

func openLog(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// lingerQuietly is how long the last requests of an ended mount may take before
// we say that we wait for somebody.
const lingerQuietly = 200 * time.Millisecond

// A server is a mount that is being served.
type server interface {
	Wait() error
	Unmount() error // fs.ErrBusy if it is in use
	Detach() error
}

// serve waits for the end of a mount, and brings it about when a signal asks.
// The trouble is a mount that is in use, which cannot simply be unmounted, while
// ending the process would leave programs in front of a dead one:
//
//   - the first ^C tries; if that fails, it says so and how to find the users;
//   - the second, or SIGTERM (after which a service manager soon kills), detaches:
//     nobody new finds the mount, and we stay until its users are done;
//   - the next one ends the process.
func serve(s server, dir string, signals <-chan os.Signal, stderr io.Writer) error {
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	for asked := 1; ; asked++ {
		select {
		case err := <-ended:
			return err
		case sig := <-signals:
			err := s.Unmount()
			switch {
			case errors.Is(err, fs.ErrNotMounted): // somebody was quicker
				return linger(dir, ended, signals, stderr)
			case !errors.Is(err, fs.ErrBusy):
				return err
			case asked > 1 || sig != os.Interrupt:
				if err := s.Detach(); err != nil {
					return err
				}
				return linger(dir, ended, signals, stderr)
			}
			fmt.Fprintf(stderr, "datfs: %v\n", err)
			fmt.Fprintln(stderr, "hint: still serving; interrupt again to detach it: out of sight for all, but still there for who uses it")
		}
	}
}

// linger serves those who still use a mount that is gone from the tree, until
// they are done.
func linger(dir string, ended <-chan error, signals <-chan os.Signal, stderr io.Writer) error {
	select {
	case err := <-ended:
		return err
	case <-time.After(lingerQuietly):
		fmt.Fprintf(stderr, "datfs: detached %s; waiting for the programs that still use it; interrupt again to cut them off\n", printable(dir))
	}
	select {
	case err := <-ended:
		return err
	case <-signals:
		return fmt.Errorf("mount %s: the programs that still used it were cut off", printable(dir))
	}
}

// detachable is a mount that can also be detached.
type detachable struct {
	*fs.Server
	dir string
}

// Detach takes the mount out of the tree at once. It goes on working for whoever
// has a file open in it or works there, and ends with the last of them.
func (d detachable) Detach() error {
	if os.Geteuid() == 0 {
		if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("detach %s: %w", d.dir, err)
		}
		return nil
	}
	if out, err := exec.Command("fusermount3", "-u", "-z", "--", d.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("detach %s: %w: %s", d.dir, err, bytes.TrimSpace(out))
	}
	return nil
}
