package session

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// StateName is the file in the directory of a restore that says what it is.
const StateName = "state.json"

// An Unfinished is what a restore that has not come to its end says of itself: the
// part of its state that other runs read.
type Unfinished struct {
	Key     string    `json:"key"`     // what is restored to where, and how
	Set     string    `json:"set"`     //
	Dirs    []string  `json:"dirs"`    // of the databases that it restores, with a slash
	Step    string    `json:"step"`    // the one that was begun last
	Begun   time.Time `json:"begun"`   // its first run
	Time    time.Time `json:"time"`    // of the last step
	Half    bool      `json:"half"`    // the databases are not what they were any more, and not yet what they are to be
	Command string    `json:"command"` // what goes on with it; read as "" if it is none to be pasted unseen
	Drill   bool      `json:"drill,omitempty"`

	Dir string `json:"-"` // where it keeps what it knows
}

// EndCommand returns what gives the restore up. A drill that is run again begins anew, and
// removes what it has left. Without a command it is said in words.
func (u *Unfinished) EndCommand() string {
	switch {
	case u.Command == "" && u.Drill:
		return "the command that began it"
	case u.Command == "":
		return "the command that began it, with --give-up"
	case u.Drill:
		return u.Command
	}
	return u.Command + " --give-up"
}

// Overlap returns those of the directories, which end in a slash, that are of the
// restore too.
func (u *Unfinished) Overlap(dirs []string) (both []string) {
	for _, dir := range u.Dirs {
		if slices.Contains(dirs, dir) {
			both = append(both, dir)
		}
	}
	return both
}

// maxState bounds what is read of a state, in bytes.
const maxState = 8 << 20

// UnfinishedRestores returns the restores that have a directory in one of the work
// directories, or a link to one that is elsewhere. Of one whose state cannot be read
// only Dir is known.
func UnfinishedRestores(workDirs ...string) (out []Unfinished) {
	for _, work := range workDirs {
		entries, _ := os.ReadDir(work) // as far as it can be read
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), RestorePrefix) {
				continue
			}
			dir, err := filepath.EvalSymlinks(filepath.Join(work, e.Name()))
			if err != nil || slices.ContainsFunc(out, func(u Unfinished) bool { return u.Dir == dir }) {
				continue // the link of one that was removed by hand; or seen already
			}
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || !strings.HasPrefix(filepath.Base(dir), RestorePrefix) {
				continue // a link to anything else
			}
			u := readUnfinished(filepath.Join(dir, StateName))
			u.Dir = dir
			out = append(out, u)
		}
	}
	return out
}

func readUnfinished(path string) (u Unfinished) {
	if ok, err := ReadState(path, &u, &u); err != nil || !ok {
		return Unfinished{}
	}
	return u
}
