package practice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // In is a terminal: ^C interrupts the running statement and not the session
}

// Command is the iris command of the instance and its synonyms: what the scripts
// in DIR/bin run. name is "iris", "ccontrol" or "csession"; it returns the exit
// code.
//
//	iris list [INST]    iris qlist [INST]    iris all    iris stat INST
//	iris session INST [-U NAMESPACE] [-B] ["label^routine(…)"]
//	iris terminal …     the same
//	iris start INST [EmergencyId=USER,PASSWORD | nostu]
//	iris stop INST [quietly]    iris force INST    iris help
//
// INST is this instance or another one whose DIR/bin is on the PATH.
//
// Names and fields are documented (InterSystems manual, Controlling InterSystems
// IRIS Instances); the layout of list, all and stat is for people and follows
// public transcripts.
func (r *Remote) Command(ctx context.Context, name string, args []string, io Streams) int {
	if name == "csession" {
		return r.sessionCommand(ctx, args, io)
	}
	if len(args) == 0 {
		args = []string{"help"}
	}
	verb, rest := strings.ToLower(args[0]), args[1:]
	switch verb {
	case "session", "terminal":
		return r.sessionCommand(ctx, rest, io)
	case "list", "qlist", "all":
		return r.listCommand(ctx, verb, rest, io)
	case "start", "stop", "force", "stat":
		r = r.named(rest)
		if code := r.known(rest, io); code != 0 {
			return code
		}
		return r.controlCommand(ctx, verb, rest[1:], io)
	case "help":
		fmt.Fprintf(io.Out, "usage: %s list | qlist | all | session | terminal | start | stop | force | stat  [INSTANCE] ...\n", name)
		return 0
	}
	fmt.Fprintf(io.Err, "%s: unknown function %q; the practice instance knows list, qlist, all, session, terminal, start, stop, force, stat\n", name, args[0])
	return 1
}

// known checks the instance's name, the first of args. What a real command says
// of an unknown one is not documented.
func (r *Remote) known(args []string, io Streams) int {
	switch {
	case len(args) == 0:
		fmt.Fprintln(io.Err, "the name of an instance is missing")
		return 1
	case !strings.EqualFold(args[0], r.s.Name):
		fmt.Fprintf(io.Err, "'%s' is not the name of an instance; there is '%s' (others are known if their bin directories are on the PATH)\n", args[0], r.s.Name)
		return 1
	}
	return 0
}

func (r *Remote) listCommand(ctx context.Context, verb string, args []string, io Streams) int {
	instances := r.neighbours()
	if len(args) > 0 {
		one := r.named(args)
		if code := one.known(args, io); code != 0 {
			return code
		}
		instances = []*Remote{one}
	}
	for _, one := range instances {
		st, err := one.Status(ctx)
		if err != nil {
			fmt.Fprintf(io.Err, "iris %s: %v\n", verb, err)
			return 1
		}
		one.list(verb, st, io)
	}
	return 0
}

// list prints what a list says of one instance.
func (r *Remote) list(verb string, st *Status, io Streams) {
	switch verb {
	case "qlist":
		fmt.Fprintln(io.Out, r.qlist(st))
	case "all":
		state := "dn"
		if st.State == StateRunning {
			state = "up"
		}
		fmt.Fprintf(io.Out, "%s >%-16s %-16s 1972   %s\n", state, st.Name, qlistVersion, r.l.dir)
	default:
		fmt.Fprintf(io.Out, "\nInstance '%s'   (default)\n\tdirectory:    %s\n\tversionid:    %s\n\tconf file:    iris.cpf  (SuperServer port = 1972, WebServer = 52773)\n"+
			"\tstatus:       %s\n\tstate:        %s\n\tproduct:      InterSystems IRIS (practice instance, not a product of InterSystems)\n\n",
			st.Name, r.l.dir, qlistVersion, r.statusText(st), health(st))
	}
}

// qlist returns the line of "iris qlist": 14 fields (InterSystems manual,
// Controlling InterSystems IRIS Instances): name, install directory, version,
// status, CPF, superserver, web and JDBC ports, health, product, mirror member
// type, mirror status, data directory, superserver ports.
func (r *Remote) qlist(st *Status) string {
	fields := []string{
		st.Name, slashed(r.l.dir), qlistVersion, r.statusText(st), cpfName, "1972", "52773", "0", health(st), "IRIS",
		"", "", slashed(r.l.dir), "1972",
	}
	for _, f := range st.Failures {
		switch f.Name {
		case "mirrored":
			fields[10], fields[11] = "Failover", "Primary"
			if len(f.Args) > 1 && f.Args[1] != rolePrimary {
				fields[11] = "Backup"
			}
			if len(f.Args) > 1 && f.Args[1] == roleAsync {
				fields[10], fields[11] = "Async", "Connected"
			}
		case "health":
			if st.State == StateRunning {
				fields[8] = f.Args[0]
			}
		case "variant-old-qlist":
			fields = fields[:9] // an older Caché has 8 to 10 (seen by ontariosystems/isclib)
		}
	}
	return strings.Join(fields, "^")
}

// statusText returns the status field as it was seen in public code
// (ontariosystems/isclib).
func (r *Remote) statusText(st *Status) string {
	for _, f := range st.Failures {
		if f.Name == "signon-inhibited" && st.State == StateRunning {
			return "sign-on inhibited"
		}
	}
	if st.Mode == ModeNotUp {
		return "sign-on inhibited" // a guess
	}
	if st.State == StateRunning && st.Since != nil {
		return "running, since " + st.Since.Local().Format(time.ANSIC)
	}
	used := r.s.Created
	if info, err := os.Stat(r.l.messages()); err == nil {
		used = info.ModTime()
	}
	return "down, last used " + used.Local().Format(time.ANSIC)
}

func health(st *Status) string {
	if st.State == StateRunning {
		return "ok"
	}
	return ""
}

// controlCommand starts and ends the instance.
func (r *Remote) controlCommand(ctx context.Context, verb string, args []string, io Streams) int {
	var err error
	switch verb {
	case "start":
		return r.startCommand(ctx, args, io)
	case "stop":
		if err = r.Stop(ctx); err == nil {
			fmt.Fprintf(io.Out, "%s was stopped\n", r.s.Name)
		}
	case "force":
		if err = r.Crash(ctx); err == nil {
			fmt.Fprintf(io.Out, "%s was forced down\n", r.s.Name)
		}
	case "stat":
		return r.listCommand(ctx, "list", []string{r.s.Name}, io)
	}
	if errors.Is(err, ErrDown) {
		fmt.Fprintf(io.Out, "%s is not running\n", r.s.Name)
		return 0
	}
	if err != nil {
		fmt.Fprintf(io.Err, "iris %s: %v\n", verb, err)
		return 1
	}
	return 0
}

// loadEnv names the environment variable with the load that "iris start" starts
// an instance with; without it, it is that of "datfs practice start".
const loadEnv = "DATFS_PRACTICE_LOAD"

func (r *Remote) startCommand(ctx context.Context, args []string, io Streams) int {
	emergencyID := ""
	for _, arg := range args {
		if name, value, ok := strings.Cut(arg, "="); ok && strings.EqualFold(name, "EmergencyId") {
			// InterSystems manual, Security Administration Guide, Emergency Access.
			fmt.Fprintln(io.Out, "Warning, bypassing system security, running with elevated privileges")
			emergencyID = value
			if value == "" {
				fmt.Fprintln(io.Err, "iris start: EmergencyId is USER,PASSWORD")
				return 1
			}
		}
	}
	if r.s.Executable == "" {
		fmt.Fprintln(io.Err, "iris start: practice.json does not name the program that starts this instance")
		return 1
	}
	words := []string{"practice", "start"}
	if load := os.Getenv(loadEnv); load != "" {
		words = append(words, "--load", load)
	}
	cmd := exec.CommandContext(ctx, r.s.Executable, append(words, r.l.dir)...)
	cmd.Stdout, cmd.Stderr = io.Out, io.Err
	cmd.Env = append(os.Environ(), emergencyEnv+"="+emergencyID)
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(io.Err, "iris start: %v\n", err)
		return 1
	}
	if st, err := r.Status(ctx); err == nil && st.Mode == ModeNotUp {
		// Text and exit code are guesses.
		fmt.Fprintf(io.Out, "%s did not come fully up; see %s\n", r.s.Name, r.l.messages())
		return 1
	}
	return 0
}
