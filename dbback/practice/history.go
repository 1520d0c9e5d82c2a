package practice

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"datfs/dbback/practice/storage"
)

// A backupState is what the product keeps of backups in ^SYS beside the history:
// ^SYS("BACKUPDB"), the list. Here it is a file in the manager directory.
type backupState struct {
	path string

	mu   sync.Mutex
	List []string `json:"list"` // names of databases; empty means all but notBackedUp
	// Counted is how many successful backups there were since journals were purged
	// by their number last. Whether E and I both count is unknown; here they do.
	Counted int `json:"counted"`
}

func loadBackupState(path string) (*backupState, error) {
	s := &backupState{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// update calls change and keeps what it leaves.
func (s *backupState) update(change func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(s.path, append(b, '\n'), 0o660)
}

// list returns the names in the backup list.
func (s *backupState) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.List)
}

// counted returns how many successful backups count for a purge.
func (s *backupState) counted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Counted
}

func (s *backupState) has(name string) bool {
	return slices.ContainsFunc(s.List, func(n string) bool { return strings.EqualFold(n, name) })
}

// include adds a database to the list.
func (s *backupState) include(name string) error {
	return s.update(func() {
		if !s.has(name) {
			s.List = append(s.List, name)
		}
	})
}

// exclude removes a database from the list and reports whether it was there.
func (s *backupState) exclude(name string) (was bool, err error) {
	err = s.update(func() {
		was = s.has(name)
		s.List = slices.DeleteFunc(s.List, func(n string) bool { return strings.EqualFold(n, name) })
	})
	return was, err
}

// lastFull returns the newest full backup of a history, made by the product or
// recorded as external; nil if there is none.
func lastFull(history []storage.HistoryEntry) *storage.HistoryEntry {
	for _, h := range slices.Backward(history) {
		if h.Complete && (h.Type == storage.Full || h.Type == storage.ExternalFull) {
			return &h
		}
	}
	return nil
}

// horologZero is day 0 of $HOROLOG.
var horologZero = time.Date(1840, 12, 31, 0, 0, 0, 0, time.UTC)

// hindex returns a time as the history numbers it: $HOROLOG days times 1000000,
// and the seconds (seen by the authors of "iris-mcp" in the product's source).
func hindex(t time.Time) int64 {
	day, seconds := horolog(t)
	return day*1_000_000 + seconds
}

// horolog returns a time as $HOROLOG has it: local days since 1840-12-31 and
// seconds since midnight.
func horolog(t time.Time) (day, seconds int64) {
	t = t.Local()
	date := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return int64(date.Sub(horologZero) / (24 * time.Hour)), int64(t.Hour()*3600 + t.Minute()*60 + t.Second())
}
