package catalog

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"
)

// A SetName names a set: the instance it was taken of, and the UTC time of its
// start in a form that sorts and that every file system accepts.
type SetName struct {
	Instance string // "PROD"
	Name     string // "2026-11-22T03-00-00Z"; a second one in that second ends in "-2"
}

// String returns the full name, "PROD/2026-11-22T03-00-00Z".
func (n SetName) String() string { return n.Instance + "/" + n.Name }

// Compare orders names by instance, then time.
func (n SetName) Compare(o SetName) int {
	if c := strings.Compare(n.Instance, o.Instance); c != 0 {
		return c
	}
	return compareNames(n.Name, o.Name)
}

// A State says how far a set came.
type State string

// The states of a set. Only a complete one can be restored as a whole (I6).
const (
	StateRunning     State = "running"     // a living process is writing it
	StateInterrupted State = "interrupted" // its process ended before the end
	StateIncomplete  State = "incomplete"  // came to its end, but something is missing
	StateComplete    State = "complete"    // sealed, every step succeeded
)

// A Section is the part of a set that a file belongs to, and the directory that
// shows it in the mount.
type Section string

// The sections of a set.
const (
	SectionDatabases   Section = "databases"   // copies of database files, by original path
	SectionConsistent  Section = "consistent"  // the same databases as they are after the incremental
	SectionIncremental Section = "incremental" // what changed during the copy, and its log
	SectionJournals    Section = "journals"    // journal files and journal.log

	SectionConfiguration Section = "configuration" // the instance's own configuration files
	SectionTranscripts   Section = "transcripts"   // what the instance was told, and what it answered
)

// SetInfo is everything known of a set. Its JSON form is set.json in the mount,
// the output of "show --json", and, without what was said of the set after it
// was sealed, the metadata of a .set file; field names are stable. Sizes are in
// bytes, times in RFC 3339.
type SetInfo struct {
	Instance string    `json:"instance"`
	Name     string    `json:"name"`
	Time     time.Time `json:"time"`                  // start of the backup, UTC
	Finished time.Time `json:"finished,omitzero"`     // when it was sealed, UTC
	State    State     `json:"state"`                 //
	Engine   string    `json:"engine"`                // what took it: "files"
	Host     string    `json:"host,omitempty"`        // where it was taken
	Program  string    `json:"program,omitempty"`     // version of datfs that wrote it
	Args     []string  `json:"files_asked,omitempty"` // the paths that the backup was asked for

	Databases   int   `json:"databases"`    // stored files of the section "databases"
	Bytes       int64 `json:"bytes"`        // sum of the files' sizes, without the section "consistent"
	ZeroBytes   int64 `json:"zero_bytes"`   // of these: zero blocks, stored as holes
	NewBytes    int64 `json:"new_bytes"`    // of these: blocks that were not in the repository before
	StoredBytes int64 `json:"stored_bytes"` // what the new blocks took in packs, compressed, with directories

	Files    []FileInfo `json:"files"`
	Dirs     []DirInfo  `json:"dirs,omitempty"`     // directories above the files, outermost first
	Problems []Problem  `json:"problems,omitempty"` // why the set is incomplete, or what to know of it

	Steps    []Step    `json:"steps,omitempty"`    // of the method, as far as it came
	Method   *Method   `json:"method,omitempty"`   // how the set's parts belong together
	Findings []Finding `json:"findings,omitempty"` // of the look at the instance before the backup

	// Said of the set since it was sealed, and kept beside its file, never in it.
	Notes []Note `json:"notes,omitempty"` // oldest first

	// What the set's validations come to, nil if there is none: damage that was
	// found and not looked at again since (Clean is false); else the newest one of
	// the whole set; else the newest one.
	Validated *Validation `json:"validated,omitempty"`

	// Names of databases in which a validation found damage and no later one has
	// found none.
	Damaged []string `json:"damaged,omitempty"`
}

// withoutNotes returns what a set's own file says of it (I2).
func (s *SetInfo) withoutNotes() *SetInfo {
	if s.Notes == nil && s.Validated == nil {
		return s
	}
	own := *s
	own.Notes, own.Validated, own.Damaged = nil, nil, nil
	return &own
}

// sealed reports whether the set is final, complete or not.
func (s *SetInfo) sealed() bool { return s.State == StateComplete || s.State == StateIncomplete }

// SetName returns the set's name.
func (s *SetInfo) SetName() SetName { return SetName{Instance: s.Instance, Name: s.Name} }

// FileInfo describes one stored file.
type FileInfo struct {
	Path     string    `json:"path"`     // absolute original path, cleaned; in other sections a plain name
	Section  Section   `json:"section"`  //
	Database string    `json:"database"` // name of the database it belongs to, "" if none
	Size     int64     `json:"size"`     // bytes stored
	Mode     uint32    `json:"mode"`     // permission bits with setuid, setgid, sticky, as in st_mode & 07777
	UID      uint32    `json:"uid"`      //
	GID      uint32    `json:"gid"`      //
	ModTime  time.Time `json:"mtime"`    // when the copy began

	BlockSize  int32  `json:"block_size"`       // unit of deduplication
	Format     string `json:"format,omitempty"` // "iris", "gtm-v6", "gtm-v7" or "" for any other file
	SizeAtOpen int64  `json:"size_at_open"`     // st_size when the copy began
	SizeAtEnd  int64  `json:"size_at_end"`      // st_size when it ended
	Label      *Label `json:"label,omitempty"`  // what the file says of itself, if it is a known database
	XXH64      string `json:"xxh64,omitempty"`  // of the stored bytes, 16 hex digits; "" if there was too much hole to sum

	ZeroBytes   int64 `json:"zero_bytes"`
	NewBytes    int64 `json:"new_bytes"`
	StoredBytes int64 `json:"stored_bytes"`

	RawPath []byte `json:"path_base64,omitempty"` // Path, if it is not valid UTF-8 and JSON would change it

	Origin string `json:"origin,omitempty"` // where a file of another section than "databases" was, absolute
}

// A Label is what a database file says of itself in its first block.
type Label struct {
	Directory string `json:"directory,omitempty"`  // InterSystems: where it was mounted or created last
	Resource  string `json:"resource,omitempty"`   // InterSystems: resource name
	Blocks    int64  `json:"blocks,omitempty"`     // number of blocks it says it has
	BlockSize int32  `json:"block_size,omitempty"` // in bytes
}

// FileMode returns the permission bits as Go knows them.
func (f *FileInfo) FileMode() fs.FileMode { return fileMode(f.Mode) }

// DirInfo describes a directory above stored files, so that a restore can make
// it again as it was.
type DirInfo struct {
	Path    string    `json:"path"` // absolute
	Mode    uint32    `json:"mode"` // as in FileInfo
	UID     uint32    `json:"uid"`
	GID     uint32    `json:"gid"`
	ModTime time.Time `json:"mtime"`

	RawPath []byte `json:"path_base64,omitempty"` // as in FileInfo
}

// FileMode returns the permission bits as Go knows them.
func (d *DirInfo) FileMode() fs.FileMode { return fileMode(d.Mode) }

// A Problem is something that went wrong with a set. Fatal ones make it
// incomplete.
type Problem struct {
	Path  string `json:"path,omitempty"`
	Error string `json:"error"`
	Fatal bool   `json:"fatal"` // false: a warning
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Error
	}
	return fmt.Sprintf("%s: %s", p.Path, p.Error)
}

// fileMode turns st_mode permission bits into Go's.
func fileMode(m uint32) fs.FileMode {
	out := fs.FileMode(m & 0o777)
	if m&0o4000 != 0 {
		out |= fs.ModeSetuid
	}
	if m&0o2000 != 0 {
		out |= fs.ModeSetgid
	}
	if m&0o1000 != 0 {
		out |= fs.ModeSticky
	}
	return out
}

// rawPath returns what JSON needs beside a path to keep it: nothing if it is
// valid UTF-8.
func rawPath(path string) []byte {
	if utf8.ValidString(path) {
		return nil
	}
	return []byte(path)
}

// UnmarshalJSON implements json.Unmarshaler: a path that JSON cannot have comes
// from beside it.
func (f *FileInfo) UnmarshalJSON(b []byte) error {
	type plain FileInfo // without this method
	err := json.Unmarshal(b, (*plain)(f))
	if f.RawPath != nil {
		f.Path = string(f.RawPath)
	}
	return err
}

// UnmarshalJSON implements json.Unmarshaler, as for FileInfo.
func (d *DirInfo) UnmarshalJSON(b []byte) error {
	type plain DirInfo
	err := json.Unmarshal(b, (*plain)(d))
	if d.RawPath != nil {
		d.Path = string(d.RawPath)
	}
	return err
}
