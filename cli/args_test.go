package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestArrange(t *testing.T) {
	tests := []struct{ name, args, want string }{
		// As people write them.
		{"Init", "datfs init REPO", "datfs init -- REPO"},
		{"Backup", "datfs --repo R backup files --name PROD /a /b", "datfs backup files --repo R --name PROD -- /a /b"},
		{"Sets", "datfs --repo R sets", "datfs sets --repo R"},
		{"Show", "datfs --repo R show PROD/latest", "datfs show --repo R -- PROD/latest"},
		{"Mount", "datfs --repo R mount --background /mnt/b", "datfs mount --repo R --background -- /mnt/b"},
		{"Restore", "datfs --repo R restore PROD/latest --to /x --only P", "datfs restore --repo R --to /x --only P -- PROD/latest"},
		{"Stats", "datfs stats --json --repo=R", "datfs stats --json --repo=R"},
		// Flags in any place.
		{"FlagBetweenArguments", "datfs verify A -q B --json", "datfs verify -q --json -- A B"},
		{"FlagBetweenCommands", "datfs backup --repo R files f", "datfs backup files --repo R -- f"},
		{"CommandsFlagFirst", "datfs --name PROD backup files f", "datfs backup files --name PROD -- f"},
		{"ShortAlias", "datfs -r R show -q S", "datfs show -r R -q -- S"},
		{"OneDash", "datfs sets -repo R -json", "datfs sets -repo R -json"},
		{"RepeatedFlag", "datfs restore --only a S --only b", "datfs restore --only a --only b -- S"},
		{"ValueWithEquals", "datfs restore S --to=/x=y", "datfs restore --to=/x=y -- S"},
		{"ValueThatStartsWithDash", "datfs restore S --to -x", "datfs restore --to -x -- S"},
		{"ValueNamedLikeCommand", "datfs --repo sets sets", "datfs sets --repo sets"},
		// Arguments that look like something else.
		{"ArgumentNamedLikeCommand", "datfs show sets", "datfs show -- sets"},
		{"SingleDash", "datfs backup files - --name P", "datfs backup files --name P -- -"},
		{"AfterTerminator", "datfs backup files --name P -- --json -x --", "datfs backup files --name P -- --json -x --"},
		{"HelpOfCommand", "datfs help backup files", "datfs help -- backup files"},
		{"HelpWithArgument", "datfs restore S --help", "datfs restore --help"},
		{"ValueNamedLikeHelp", "datfs restore S --to h", "datfs restore --to h -- S"},
		{"UnknownCommand", "datfs --repo R nosuch --json", "datfs --repo R --json -- nosuch"},
		{"UnknownBeforeCommand", "datfs nosuch sets", "datfs -- nosuch sets"},
		{"UnknownFlag", "datfs sets --nosuch x", "datfs sets --nosuch -- x"},
		// A forgotten value must neither swallow a flag nor the terminator.
		{"NoValueAtEnd", "datfs restore S --to", "datfs restore --to"},
		{"NoValueBeforeFlag", "datfs restore S --to --dry-run", "datfs restore --to"},
		{"NoValueBeforeFlagWithValue", "datfs restore S --to --only=x", "datfs restore --to"},
		{"NoValueBeforeTerminator", "datfs restore --to -- S", "datfs restore --to"},
		// Left as they are.
		{"Nothing", "datfs", "datfs"},
		{"Completion", "datfs --repo R restore S --generate-bash-completion", "datfs --repo R restore S --generate-bash-completion"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(tt.args)
			before := slices.Clone(args)
			if got := strings.Join(arrange(newApp(), args), " "); got != tt.want {
				t.Errorf("arrange(%s)\n got %s\nwant %s", tt.args, got, tt.want)
			}
			if !slices.Equal(args, before) {
				t.Errorf("arrange changed its argument to %q", args)
			}
		})
	}
}

// TestFlagsMeanTheSameEverywhere holds what arrange relies on: whether a flag
// takes a value does not depend on the command it belongs to.
func TestFlagsMeanTheSameEverywhere(t *testing.T) {
	app := newApp()
	takes := valueFlags(app)
	everyCommand(app, func(path string, cmd *cli.Command) {
		for _, f := range cmd.Flags {
			for _, name := range f.Names() {
				if got := f.(cli.DocGenerationFlag).TakesValue(); got != takes[name] {
					t.Errorf("%s --%s takes a value: %t, elsewhere %t", path, name, got, takes[name])
				}
			}
		}
	})
	for name, want := range map[string]bool{"repo": true, "r": true, "only": true, "to": true, "json": false, "help": false, "v": false} {
		if got, ok := takes[name]; got != want || !ok {
			t.Errorf("takes[%q] = %t, %t, want %t, true", name, got, ok, want)
		}
	}
}

// everyCommand calls f for every command of an application, at any depth.
func everyCommand(app *cli.App, f func(path string, cmd *cli.Command)) {
	var walk func(path string, commands []*cli.Command)
	walk = func(path string, commands []*cli.Command) {
		for _, cmd := range commands {
			f(path+" "+cmd.Name, cmd)
			walk(path+" "+cmd.Name, cmd.Subcommands)
		}
	}
	walk("datfs", app.Commands)
}
