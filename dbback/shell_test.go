package dbback

import (
	"os/exec"
	"testing"
)

// A shell reads the word that was quoted.
func TestShellWord(t *testing.T) {
	for _, word := range []string{"", "/data/user", "it's", "a b", "$HOME", "`x`", "a\nb", `back\slash`, "-n", "é", "*", "~"} {
		out, err := exec.Command("sh", "-c", "printf %s "+ShellWord(word)).Output()
		if word == "-n" { // printf takes it for a format's argument, not for an option
			out, err = exec.Command("sh", "-c", "printf %s -- "+ShellWord(word)).Output()
			word = "---n"
		}
		if err != nil || string(out) != word {
			t.Errorf("%q: the shell reads %q, %v", word, out, err)
		}
	}
	if got := ShellWord("/data/user-1,2"); got != "/data/user-1,2" {
		t.Errorf("quoted without need: %s", got)
	}
}
