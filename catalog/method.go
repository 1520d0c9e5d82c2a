package catalog

import (
	"fmt"
	"time"
)

// A Step is one step of the method, recorded in the set before it is taken, so
// that after a crash the set tells what happened and what to do. The sentences
// are the procedure's: the catalog only keeps them.
type Step struct {
	Name  string    `json:"name"`            // "mark", "copy", …: see dbback
	Time  time.Time `json:"time"`            // when it began, UTC
	Means string    `json:"means,omitempty"` // what it means for the database if the backup ends here, a sentence
	Next  string    `json:"next,omitempty"`  // what to do then, a sentence

	// Leaves are absolute paths of what the backup made outside the repository
	// up to this step, files and directories. The next backup of the instance
	// removes what is left of them.
	Leaves []string `json:"leaves,omitempty"`
}

// LastStep returns the step that the backup took last, nil if there is none.
func (s *SetInfo) LastStep() *Step {
	if len(s.Steps) == 0 {
		return nil
	}
	return &s.Steps[len(s.Steps)-1]
}

// A Method says how the parts of a set belong together: what a restore does with
// them, in which order, and from where on journals are needed. Sets of files at
// rest have none.
type Method struct {
	ProductVersion string            `json:"product_version,omitempty"` // as the database product gives it
	Databases      []Database        `json:"databases"`                 // the list that was copied, in the product's order
	Incrementals   []string          `json:"incrementals"`              // names in the section "incremental", in the order to apply them
	Journal        *JournalRange     `json:"journal,omitempty"`         //
	Facts          map[string]string `json:"facts,omitempty"`           // what else the engine knows of the instance, by names of its own
}

// A Database is one database as its product describes it.
type Database struct {
	Name      string `json:"name"`      // as configured: "USER"; a region of GT.M
	Directory string `json:"directory"` // as the product writes it, with its trailing slash: the name that incrementals and journals use
	// Paths are the files that the database consists of, absolute: the first is
	// the one with the label.
	Paths []string `json:"paths"`

	BlockSize int32  `json:"block_size,omitempty"` // bytes, 0 if unknown
	Bytes     int64  `json:"bytes,omitempty"`      // size as the product gives it, 0 if unknown
	Mounted   bool   `json:"mounted"`              //
	ReadOnly  bool   `json:"read_only,omitempty"`  // mounted read-only
	Mirror    string `json:"mirror,omitempty"`     // name in the mirror, "" if not mirrored
	Encrypted bool   `json:"encrypted,omitempty"`  //
	Journaled bool   `json:"journaled"`            // whether updates of it are journaled
}

// A JournalRange says which journal files a restore needs.
type JournalRange struct {
	Required string   `json:"required"`           // the oldest file needed, original absolute path without compression suffix
	Marker   string   `json:"marker,omitempty"`   // the file that has the backup's marker
	Offset   int64    `json:"offset,omitempty"`   // of the marker in it, bytes
	Switched string   `json:"switched,omitempty"` // the file that the backup switched to at its start
	Files    []string `json:"files"`              // names in the section "journals", oldest first
}

// A Finding is what a look at the instance before the backup found.
type Finding struct {
	Level Level  `json:"level"`
	Check string `json:"check"`        // what was looked at: "journal purge", "space"; stable
	Text  string `json:"text"`         // what was found, a sentence
	Do    string `json:"do,omitempty"` // what to do about it, a sentence; "" for OK
}

func (f Finding) String() string {
	s := fmt.Sprintf("%-4s  %s: %s", f.Level, f.Check, f.Text)
	if f.Do != "" {
		s += ". " + f.Do
	}
	return s
}

// A Level says how bad a finding is.
type Level string

// The levels of findings.
const (
	LevelOK   Level = "OK"
	LevelWarn Level = "WARN" // the backup goes on; to be known of
	LevelFail Level = "FAIL" // the backup would fail, or be worth nothing
)
