package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback/practice"
)

func practiceStartCommand() *cli.Command {
	return &cli.Command{
		Name:      "start",
		Usage:     "start it in the background",
		ArgsUsage: "DIR",
		UsageText: "datfs practice start [--load none|light|heavy] DIR",
		Description: `start recovers what a crash left (the write image journal, the journals), starts
the instance in the background and returns when it answers. Simulated users work
on its databases from then on, so that a plain copy of them is a dirty one.

   datfs practice start /tmp/p
   datfs practice start --load heavy /tmp/p

Failures that are to be there from the start are armed before it with "datfs
practice fail", or in the environment:

   DATFS_PRACTICE_FAIL='clrinc-fails; dismounted APP' datfs practice start /tmp/p

"iris start" starts it too, with the load that DATFS_PRACTICE_LOAD names. After
"iris start PRACTICE EmergencyId=USER,PASSWORD", as in a restore of everything,
only that user can sign on, and nobody works, until the next start.`,
		Flags: append([]cli.Flag{
			boolFlag("foreground", "stay, and serve until ^C or SIGTERM"),
			&cli.StringFlag{Name: "load", Value: practice.LoadLight, Usage: "what the simulated users do: " + strings.Join(practice.Loads(), ", ") + " `LOAD`"},
		}, globalFlags(false, false)...),
		Action: runPracticeStart,
	}
}

func runPracticeStart(c *cli.Context) error {
	if !slices.Contains(practice.Loads(), c.String("load")) {
		return usageErrorf(c, "--load is %s", strings.Join(practice.Loads(), ", "))
	}
	ready, err := openReadyPipe()
	if err != nil {
		return err
	}
	dir, err := catalog.AbsPath(c.Args().First())
	if err != nil {
		return err
	}
	if ready == nil && !c.Bool("foreground") {
		return startPracticeBackground(c, dir)
	}
	err = servePractice(c, dir, ready)
	if errors.Is(err, practice.ErrRunning) {
		err = withHint(err, "datfs practice stop "+shellWord(dir)+" stops it")
	}
	err = practiceUsage(c, err)
	ready.fail(err)
	return err
}

// startPracticeBackground runs this program again as a process of its own
// session; see startBackground.
func startPracticeBackground(c *cli.Context, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, err := practice.At(dir)
	if err != nil {
		return practiceUsage(c, err)
	}
	cmd := &exec.Cmd{
		Path: self, Dir: "/", SysProcAttr: &syscall.SysProcAttr{Setsid: true},
		Args: []string{os.Args[0], "practice", "start", "--foreground", "--load=" + c.String("load"), "--", dir},
	}
	line, err := startAndAwait(c.Context, cmd, r.LogFile())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, line)
	return err
}

// servePractice runs the instance in this process until a signal or a request
// ends it.
func servePractice(c *cli.Context, dir string, ready *readyPipe) error {
	inst, err := practice.Start(c.Context, dir, practice.StartOptions{
		Load: c.String("load"),
		// A crash of an instance that has the process for itself is a real one.
		Kill: func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) },
	})
	if err != nil {
		return err
	}
	line := fmt.Sprintf("started %s; to use it: PATH=%s:$PATH; to end it: datfs practice stop %s",
		inst.Name(), shellWord(dir+"/bin"), shellWord(dir))
	if !ready.announce(line) {
		fmt.Fprintln(c.App.Writer, line)
	}
	select {
	case <-c.Context.Done():
		return inst.Stop()
	case <-inst.Done():
		return inst.Err()
	}
}

// practiceToolCommand is what the scripts in DIR/bin run.
func practiceToolCommand() *cli.Command {
	return &cli.Command{
		Name: "tool", Usage: "what the scripts in DIR/bin run", ArgsUsage: "DIR [WORD...]", Hidden: true,
		Description: "tool is called by the scripts iris, csession and ccontrol in DIR/bin.\n\n   datfs practice tool -- DIR iris list",
		Flags:       globalFlags(false, false),
		Action:      withPractice(runPracticeTool),
	}
}

func runPracticeTool(c *cli.Context, r *practice.Remote) error {
	words := c.Args().Tail()
	if len(words) == 0 {
		return usageErrorf(c, "WORD is missing")
	}
	info, err := os.Stdin.Stat()
	code := r.Command(c.Context, words[0], words[1:], practice.Streams{
		In: c.App.Reader, Out: c.App.Writer, Err: c.App.ErrWriter,
		Terminal: err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0,
	})
	if code != 0 {
		return &childError{Code: code} // it has said all that it has to say
	}
	return nil
}
