package cli

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// run runs a command line in this process.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = Main(append([]string{"datfs"}, args...), strings.NewReader(""), &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestMain_Usage(t *testing.T) {
	t.Setenv(repoEnv, "")
	tests := []struct{ args, want string }{
		{"", "datfs: COMMAND is missing"},
		{"set", `datfs: unknown command "set"; did you mean "sets"?`},
		{"qqq", `datfs: unknown command "qqq"`},
		{"--nosuch", "datfs: unknown flag --nosuch"},
		{"sets --jsn", "datfs: sets: unknown flag --jsn; did you mean --json?"},
		{"sets --json=maybe", `datfs: sets: invalid boolean value "maybe" for -json: parse error`},
		{"sets extra", `datfs: sets: unexpected argument "extra"`},
		{"sets", "datfs: sets: no repository given"},
		{"init", "datfs: init: REPO is missing"},
		{"init a b", `datfs: init: unexpected argument "b"`},
		{"init a --repo b", "datfs: init: two repositories given: a and --repo b"},
		{"backup", "datfs: backup: ENGINE is missing"},
		{"backup fils", `datfs: backup: unknown command "fils"; did you mean "files"?`},
		{"check", "datfs: check: ENGINE is missing"},
		{"check irs", `datfs: check: unknown command "irs"; did you mean "iris"?`},
		{"check iris", "datfs: check iris: --instance NAME is missing"},
		{"check iris x --instance IRIS", `datfs: check iris: unexpected argument "x"`},
		{"check iris --instance a/b --command x", `datfs: check iris: instance a/b: "a/b" is not the name of an instance`},
		{"check iris --instance IRIS --command x --name a/b", `datfs: check iris: instance name "a/b": use `},
		{"check iris --instance IRIS --command x --work-dir rel", "datfs: check iris: instance IRIS: the work directory rel is not absolute"},
		{"check iris --instance IRIS --command x --io-limit 1", "datfs: check iris: unknown flag --io-limit"},
		{"backup iris --dry-run", "datfs: backup iris: --instance NAME is missing"},
		{"backup iris --instance IRIS --command 'x", "datfs: backup iris: --command: a quote is not closed"},
		{"backup iris --instance IRIS --command x", "datfs: backup iris: no repository given"},
		{"backup iris --instance IRIS --command x --io-limit much", `datfs: backup iris: --io-limit: "much" is not a rate such as 200MB/s`},
		{"backup iris --instance IRIS --command x --backup-timeout 5", "datfs: backup iris: invalid value \"5\" for flag -backup-timeout"},
		{"backup iris --instance IRIS --password-file /nosuch", "datfs: backup iris: --password-file: password: open /nosuch: "},
		{"backup iris --instance IRIS --password geheim", "datfs: backup iris: unknown flag --password\nhint: there is no --password: every user"},
		{"backup iris --instance IRIS --password=geheim", "datfs: backup iris: unknown flag --password\nhint: there is no --password: every user"},
		{"backup files", "datfs: backup files: FILE is missing"},
		{"backup files f", "datfs: backup files: --name INSTANCE is missing"},
		{"backup files f --name", "datfs: backup files: --name needs a value"},
		{"backup files f --name a/b", `datfs: backup files: --name: instance name "a/b": `},
		{"show", "datfs: show: SET is missing"},
		{"show s --note", "datfs: show: --note needs a value"},
		{"runbook", "datfs: runbook: SET is missing"},
		{"runbook s --lang fr", `datfs: runbook: --lang: unknown language "fr": en or ja`},
		{"check iris --instance IRIS --validate-within -1", "datfs: check iris: --validate-within: -1 is not a number of days from 0 to 36500"},
		{"check iris --instance IRIS --validate-within 1d", "datfs: check iris: --validate-within: 1d is not a number of days from 0 to 36500"},
		{"restore iris s --database USER --instance IRIS --second-instance X", "datfs: restore iris: --second-instance goes with --all"},
		{"restore iris s --all --to /x --instance IRIS --second-instance X", "datfs: restore iris: --second-instance goes with --all"},
		{"backup iris --instance IRIS --validate-within 1", "datfs: backup iris: unknown flag --validate-within"},
		{"show a b", `datfs: show: unexpected argument "b"`},
		{"restore", "datfs: restore: SET is missing"},
		{"restore s", "datfs: restore: --to DIR is missing"},
		{"restore s --to --dry-run", "datfs: restore: --to needs a value"},
		{"mount", "datfs: mount: DIR is missing"},
		{"unmount", "datfs: unmount: DIR is missing"},
		{"completion", "datfs: completion: SHELL is missing"},
		{"completion csh", `datfs: completion: unknown shell "csh": bash, zsh or fish`},
		{"help nosuch", `datfs: help: unknown command "nosuch"`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			code, stdout, stderr := run(t, strings.Fields(tt.args)...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if stdout != "" {
				t.Errorf("standard output has %q", stdout)
			}
			if !strings.Contains(stderr, tt.want) {
				t.Errorf("standard error has\n%s\nwant %s", stderr, tt.want)
			}
			if strings.Contains(stderr, "geheim") {
				t.Errorf("a password is shown:\n%s", stderr)
			}
			if !strings.Contains(stderr, "\nhint: ") {
				t.Errorf("no hint in\n%s", stderr)
			}
		})
	}
}

// TestHelp holds every command to a help text that teaches: what it does in a
// line, a description, an example that starts with the command itself.
func TestHelp(t *testing.T) {
	_, overview, _ := run(t, "--help")
	everyCommand(newApp(), func(path string, cmd *cli.Command) {
		words := strings.Fields(path)[1:]
		code, stdout, stderr := run(t, append(words, "--help")...)
		if code != exitOK || stderr != "" {
			t.Errorf("%s --help: exit code %d, standard error %q", path, code, stderr)
		}
		_, help, _ := run(t, append([]string{"help"}, words...)...)
		if help != stdout {
			t.Errorf("help of %s differs:\n%s\nand with --help:\n%s", path, help, stdout)
		}
		if cmd.Usage == "" || cmd.Description == "" {
			t.Errorf("%s: no usage or no description", path)
		}
		if !strings.Contains(cmd.Description, "   "+path) && !strings.Contains(cmd.Description, "("+path) {
			t.Errorf("%s: no example in its description", path)
		}
		if len(words) == 1 && !strings.Contains(overview, "   "+words[0]) {
			t.Errorf("%s is not in the overview", path)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 110 {
				t.Errorf("%s: line of %d characters: %s", path, len(line), line)
			}
		}
	})
}

func TestHelp_ExitCodes(t *testing.T) {
	_, help, _ := run(t, "--help")
	_, codes, ok := strings.Cut(help, "\nEXIT CODES:\n")
	if !ok {
		t.Fatal("no exit codes in the help")
	}
	for _, code := range []int{exitOK, exitFailure, exitUsage, exitWarnings, exitUnfit, exitNoRepository, exitLocked, exitInterrupted} {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^ +%d  \w`, code)).MatchString(codes) {
			t.Errorf("exit code %d is not in the help:\n%s", code, codes)
		}
	}
}

// TestNoExitInLibrary holds that an error which happens to know an exit code, as
// that of a program we ran does, cannot end the process behind our back.
func TestNoExitInLibrary(t *testing.T) {
	defer func(exit func(int)) { cli.OsExiter = exit }(cli.OsExiter)
	cli.OsExiter = func(code int) { t.Errorf("the library would have exited with code %d", code) }
	app := newApp()
	app.ErrWriter = new(bytes.Buffer)
	app.Command("rebuild").Action = func(*cli.Context) error { return cli.Exit("x", 7) }
	if err := app.Run([]string{"datfs", "rebuild"}); exitCode(err) != exitFailure {
		t.Errorf("exit code %d for %v", exitCode(err), err)
	}
}

func TestMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	t.Setenv("GOMEMLIMIT", "1GiB")
	run(t, "--version")
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("with GOMEMLIMIT the limit was set to %d", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	run(t, "--version")
	if got := debug.SetMemoryLimit(-1); got != memoryLimit {
		t.Errorf("the limit is %d, want %d", got, memoryLimit)
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := run(t, "--version")
	if code != exitOK || !regexp.MustCompile(`^datfs version \S+.*, repository format \d+, go1`).MatchString(stdout) {
		t.Errorf("--version: %d, %q", code, stdout)
	}
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete -o default -F _datfs datfs", "zsh": "bashcompinit", "fish": "complete -c datfs"} {
		if code, stdout, stderr := run(t, "completion", shell); code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("completion %s: exit code %d, %s%s", shell, code, stdout, stderr)
		}
	}
}
