package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that completes commands and flags in a shell",
		ArgsUsage: "SHELL",
		Description: `completion prints a script for bash, zsh or fish.

   source <(datfs completion bash)
   source <(datfs completion zsh)
   datfs completion fish | source`,
		Flags:  globalFlags(false, false),
		Action: runCompletion,
	}
}

func runCompletion(c *cli.Context) error {
	script := ""
	switch shell := c.Args().First(); shell {
	case "bash":
		script = bashCompletion
	case "zsh":
		script = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion
	case "fish":
		var err error
		if script, err = c.App.ToFishCompletion(); err != nil {
			return err
		}
	default:
		return usageErrorf(c, "unknown shell %q: bash, zsh or fish", shell)
	}
	_, err := io.WriteString(c.App.Writer, script)
	return err
}

// bashCompletion asks datfs itself, which the library answers when the last
// word is --generate-bash-completion. Where datfs has nothing to say, bash
// completes file names.
var bashCompletion = fmt.Sprintf(`_datfs() {
    local words=("${COMP_WORDS[@]:0:COMP_CWORD}") cur="${COMP_WORDS[COMP_CWORD]}"
    case "$cur" in
        --) words+=("-") ;; # "--" would end the flags
        -*) words+=("$cur") ;;
    esac
    COMPREPLY=($(compgen -W "$("${words[@]}" %s 2>/dev/null)" -- "$cur"))
}
complete -o default -F _datfs datfs
`, completionFlag)
