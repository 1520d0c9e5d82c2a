package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Mark clears the bitmaps of changed blocks of the databases, both that of
// incremental and that of cumulative backups, and deletes the backup history
// (CLRINC^DBACK; whether InterSystems clears the cumulative one too is unknown).
// The databases must be mounted read-write.
//
// Blocks that have changed in memory and are not yet in the file stay marked: a
// copy that begins now may read them as they were before. They cost a little space
// in the incremental, and nothing has to wait. How InterSystems does this is
// unknown; the documented order of the steps implies that it is done.
func (in *Instance) Mark(ctx context.Context, dirs []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if in.busy.Load() {
		return ErrBusy
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	dbs, err := in.marked("mark", dirs)
	if err != nil {
		return err
	}
	if err := in.deleteHistory(); err != nil {
		return err
	}
	for _, db := range dbs {
		if err := db.mark(in.cfg.Now(), in.faults[MarkWithoutFlush]); err != nil {
			return db.fail("mark", err)
		}
	}
	return nil
}

// marked returns the databases, which must be mounted; the mutex is held.
func (in *Instance) marked(op string, dirs []string) ([]*database, error) {
	var dbs []*database
	for _, dir := range dirs {
		db, err := in.mounted(op, dir)
		if err == nil && db.leaving {
			err = db.fail(op, ErrNotMounted)
		}
		if err == nil && op == "mark" && db.readOnly {
			err = db.fail(op, ErrReadOnly)
		}
		if err != nil {
			return nil, err
		}
		dbs = append(dbs, db)
	}
	return dbs, nil
}

// mark clears both bitmaps but for the blocks whose latest content is not yet in
// the file. broken leaves those out, too.
func (db *database) mark(now time.Time, broken bool) error {
	keep := newBitmap()
	if !broken {
		keep = db.unwritten()
	}
	for _, m := range []uint32{blockChanged, blockCumulative} {
		p, err := db.get(m)
		if err != nil {
			return err
		}
		copy(p.b[offBitmap:], keep)
		le.PutUint64(p.b[offMarkTime:], uint64(now.UnixNano()))
		db.touch(p)
	}
	return nil
}

// BackupType is the type argument of BACKUP^DBACK.
type BackupType string

// Types of backups (InterSystems manual, BACKUP^DBACK).
const (
	Full         BackupType = "F"
	Incremental  BackupType = "I" // what changed since the last backup of any type
	Cumulative   BackupType = "C" // what changed since the last full backup
	ExternalFull BackupType = "E" // made by other means; only recorded
)

// A HistoryEntry is a backup that was made, or was recorded as made by others.
type HistoryEntry struct {
	Time        time.Time  `json:"time"`
	Type        BackupType `json:"type"`
	Complete    bool       `json:"complete"`
	Description string     `json:"description"`
	Device      string     `json:"device,omitempty"` // the backup file
	Log         string     `json:"log,omitempty"`
	Databases   []string   `json:"databases"`
}

// historyName is the backup history, in the manager directory: JSON, replaced as a
// whole. InterSystems keeps it in a global.
const historyName = "backup.history"

// History returns the backups, oldest first.
func (in *Instance) History() ([]HistoryEntry, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.readHistory()
}

func (in *Instance) readHistory() ([]HistoryEntry, error) {
	path := filepath.Join(in.cfg.Dir, historyName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []HistoryEntry
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func (in *Instance) deleteHistory() error {
	err := os.Remove(filepath.Join(in.cfg.Dir, historyName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// record adds a backup to the history, with the mutex held.
func (in *Instance) record(e HistoryEntry) error {
	list, err := in.readHistory()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(append(list, e), "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(in.cfg.Dir, historyName)
	if err := os.WriteFile(path+".tmp", b, 0o660); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// RecordExternalFull records that a full backup was made by other means
// (BACKUP^DBACK with type E). The bitmaps stay as they are.
func (in *Instance) RecordExternalFull(ctx context.Context, description string, dirs []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead.Load() {
		return ErrCrashed
	}
	return in.record(HistoryEntry{
		Time: in.cfg.Now(), Type: ExternalFull, Complete: true, Description: description, Databases: dirs,
	})
}

// lastBackups returns the last backup and the last full one, nil if there is none.
func lastBackups(list []HistoryEntry) (last, full *HistoryEntry) {
	for i := range list {
		if !list[i].Complete {
			continue
		}
		last = &list[i]
		if last.Type == Full || last.Type == ExternalFull {
			full = last
		}
	}
	return last, full
}
