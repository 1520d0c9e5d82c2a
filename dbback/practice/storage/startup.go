package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// startupName is a file in the manager directory whose line wijlast= tells where
// the last run had its WIJ, empty if in the manager directory (documented). The
// other lines are the practice instance's own.
const startupName = "startup.last"

// startup is what the practice instance keeps there.
type startup struct {
	session int64
	past    []int64 // sessions that crashed, since the last that ended in order
	running bool    // the run has not ended in order
}

func readStartup(dir string) (s startup, err error) {
	b, err := os.ReadFile(filepath.Join(dir, startupName))
	if os.IsNotExist(err) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "practice.session":
			s.session, _ = strconv.ParseInt(value, 10, 64) // a line that somebody spoiled counts as missing
		case "practice.crashed":
			for word := range strings.FieldsSeq(value) {
				if n, err := strconv.ParseInt(word, 10, 64); err == nil {
					s.past = append(s.past, n)
				}
			}
		case "practice.running":
			s.running = value == "1"
		}
	}
	return s, nil
}

func writeStartup(cfg Config, s startup) error {
	wij := cfg.WIJDir
	if wij == cfg.Dir {
		wij = ""
	}
	running := 0
	if s.running {
		running = 1
	}
	text := fmt.Sprintf("wijlast=%s\npractice.session=%d\npractice.crashed=%s\npractice.running=%d\n",
		wij, s.session, strings.Trim(fmt.Sprint(s.past), "[]"), running)
	return os.WriteFile(filepath.Join(cfg.Dir, startupName), []byte(text), 0o660)
}
