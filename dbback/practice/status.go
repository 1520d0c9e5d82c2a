package practice

import "time"

// States of an instance.
const (
	StateRunning = "running"
	StateDown    = "down"
)

// A Status is what the practice instance says of itself, to people who watch it
// and to tests. datfs itself never asks for it: it sees only what a real instance
// shows.
type Status struct {
	Name      string     `json:"name"`
	Dir       string     `json:"dir"`
	State     string     `json:"state"`           // "running" or "down"
	Crashed   bool       `json:"crashed"`         // it is down and did not stop in an orderly way
	Mode      string     `json:"mode,omitempty"`  // ModeEmergency, ModeNotUp; "" after a normal start
	Since     *time.Time `json:"since,omitempty"` // of the start, when it is running
	PID       int        `json:"pid,omitempty"`
	Version   string     `json:"version"` // as $zversion gives it
	Sessions  int        `json:"sessions"`
	Backup    string     `json:"backup,omitempty"` // what runs at the moment: "Incremental backup", "restore"
	Load      string     `json:"load"`             // "none", "light", "heavy"
	Databases []Database `json:"databases"`
	Journal   Journal    `json:"journal"`
	Failures  []Armed    `json:"failures"` // that are armed
}

// A Database is one database of the practice instance.
type Database struct {
	Name      string `json:"name"`
	Directory string `json:"directory"`
	Blocks    int64  `json:"blocks"`
	BlockSize int    `json:"block_size"` // bytes
	Mounted   bool   `json:"mounted"`
	ReadOnly  bool   `json:"read_only"`
	Journaled bool   `json:"journaled"`
	Mirrored  bool   `json:"mirrored"`
	Encrypted bool   `json:"encrypted"`
	Listed    bool   `json:"listed"` // a backup includes it
}

// A Journal is the state of journaling.
type Journal struct {
	Current   string `json:"current"` // absolute path of the open file, "" when the instance is down
	Offset    int64  `json:"offset"`  // end of that file, bytes
	Required  string `json:"required"`
	Primary   string `json:"primary"`   // directory
	Alternate string `json:"alternate"` // directory
}
