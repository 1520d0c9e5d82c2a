package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	notesSuffix = ".notes"      // of the directory beside a set's file
	notesLock   = ".notes.lock" // in an instance's directory; held to add a note
)

// A Note is something that was said of a set after it was sealed: that it was
// validated, the report of a drill. The set's own file never changes (I2), so a
// note is a file beside it, and like the set it is the truth and no index (I4).
type Note struct {
	Name  string    `json:"name"`  // of its file: "2026-11-23T10-04-00Z-validated.json"
	Kind  string    `json:"kind"`  // "validated", …
	Time  time.Time `json:"time"`  // UTC
	Bytes int64     `json:"bytes"` // of its body
}

func notesDir(set SetName) string {
	return path.Join(setsName, set.Instance, set.Name+notesSuffix)
}

// checkSealed returns ErrNotFound if there is no sealed set of that name.
func (r *Repository) checkSealed(set SetName) error {
	_, _, ok := splitName(set.Name)
	if !ok || ValidInstance(set.Instance) != nil {
		return ErrNotFound
	}
	_, err := os.Stat(r.disk.path(path.Join(setsName, set.Instance, set.Name+sealedSuffix)))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w among the sealed sets", ErrNotFound)
	}
	return err
}

// AddNote adds a note to a sealed set; it returns ErrNotFound if there is none of
// that name. kind is words of lower-case letters with dashes between, ext the
// end of the file's name without its dot; a zero t means now. The body has at
// most MaxNote bytes. A note never takes the place of another one. When AddNote
// returns, the note is durable.
func (r *Repository) AddNote(set SetName, kind, ext string, t time.Time, body []byte) (Note, error) {
	if t.IsZero() {
		t = time.Now()
	}
	note, err := r.addNote(set, noteName{t.UTC().Truncate(time.Second), kind, 1, ext}, body)
	if err != nil {
		return Note{}, fmt.Errorf("add a note to set %v: %w", set, err)
	}
	return note, nil
}

func (r *Repository) addNote(set SetName, name noteName, body []byte) (n Note, err error) {
	if err := name.check(); err != nil {
		return Note{}, err
	}
	if len(body) > MaxNote {
		return Note{}, fmt.Errorf("it has %d bytes, at most %d can be kept", len(body), MaxNote)
	}
	if err := r.checkSealed(set); err != nil {
		return Note{}, err
	}
	// One at a time, so that no two take the same name: a rename would make the
	// later one replace the other.
	lock, err := r.disk.waitForLock(path.Join(setsName, set.Instance, notesLock))
	if err != nil {
		return Note{}, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	dir := notesDir(set)
	if err := r.disk.mkdir(dir); err != nil {
		return Note{}, err
	}
	if err := r.clearNotes(dir); err != nil {
		return Note{}, err
	}
	for {
		_, err := os.Lstat(r.disk.path(path.Join(dir, name.String())))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return Note{}, err
		}
		name.n++
	}
	if err := r.disk.replace(path.Join(dir, name.String()), encodeNote(name.kind, name.time, body)); err != nil {
		return Note{}, err
	}
	return name.note(int64(len(body))), nil
}

// clearNotes removes the unfinished notes that a kill left. The lock is held, so
// that none of them has a writer.
func (r *Repository) clearNotes(dir string) error {
	entries, err := os.ReadDir(r.disk.path(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), noteTempEnd) {
			if err := r.disk.remove(path.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n noteName) note(bytes int64) Note {
	return Note{Name: n.String(), Kind: n.kind, Time: n.time, Bytes: bytes}
}

// ReadNote returns the body of a note. It returns ErrNotFound if the set has none
// of that name, and ErrCorrupt if its bytes are not what was written (I3).
func (r *Repository) ReadNote(set SetName, name string) ([]byte, error) {
	body, err := r.readNote(set, name)
	if err != nil {
		return nil, fmt.Errorf("read note %s of set %v: %w", name, set, err)
	}
	return body, nil
}

func (r *Repository) readNote(set SetName, name string) ([]byte, error) {
	want, ok := parseNoteName(name)
	if _, _, valid := splitName(set.Name); !ok || !valid || ValidInstance(set.Instance) != nil {
		return nil, ErrNotFound
	}
	file := path.Join(notesDir(set), name)
	f, err := os.Open(r.disk.path(file))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	most := int64(noteLineSize(want.kind) + MaxNote)
	b, err := io.ReadAll(io.LimitReader(f, most+1)) // and no more memory, whatever its size
	if err != nil {
		return nil, err
	}
	kind, t, body, err := parseNote(b)
	if err == nil && (kind != want.kind || !t.Equal(want.time)) {
		err = fmt.Errorf("%w: its first line is that of another note", errNote)
	}
	if errors.Is(err, ErrNewerFormat) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err != nil {
		return nil, &CorruptError{Path: file, Err: err}
	}
	return body, nil
}

// A noteFile is a note with what tells whether it is the file it was.
type noteFile struct {
	Note
	modTime time.Time
}

// noteFiles lists the notes of a set by time, without reading one: a damaged
// note hides no other. strange are the names of files that are no notes.
func (r *Repository) noteFiles(set SetName) (notes []noteFile, strange []string, err error) {
	entries, err := os.ReadDir(r.disk.path(notesDir(set)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var names []noteName
	for _, e := range entries {
		name, ok := parseNoteName(e.Name())
		switch {
		case ok && e.Type().IsRegular():
			names = append(names, name)
		case !strings.HasPrefix(e.Name(), ".") && !strings.HasSuffix(e.Name(), noteTempEnd):
			strange = append(strange, e.Name())
		}
	}
	slices.SortFunc(names, noteName.compare)
	for _, name := range names {
		st, err := os.Stat(r.disk.path(path.Join(notesDir(set), name.String())))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		notes = append(notes, noteFile{name.note(max(0, st.Size()-int64(noteLineSize(name.kind)))), st.ModTime()})
	}
	return notes, strange, nil
}

// withNotes returns the info of a sealed set with what was said of it since.
// Notes that cannot be read are no reason to hide the set: Verify tells of them.
func (r *Repository) withNotes(info *SetInfo) *SetInfo {
	files, _, err := r.noteFiles(info.SetName())
	if err != nil || len(files) == 0 {
		return info
	}
	noted := *info
	var validations []*Validation
	for _, f := range files {
		noted.Notes = append(noted.Notes, f.Note)
		if f.Kind != kindValidated {
			continue
		}
		if v, err := r.validation(info.SetName(), f); err == nil {
			validations = append(validations, v)
		}
	}
	noted.Validated, noted.Damaged = standing(validations), damaged(validations)
	return &noted
}

// cachedValidation is what a listing keeps of a note, which never changes.
type cachedValidation struct {
	file  noteFile
	valid *Validation
}

// validation returns what a note of the kind "validated" says.
func (r *Repository) validation(set SetName, f noteFile) (*Validation, error) {
	key := path.Join(notesDir(set), f.Name)
	r.mu.Lock()
	c, ok := r.validations[key]
	r.mu.Unlock()
	if ok && c.file == f {
		return c.valid, nil
	}
	v, err := r.readValidation(set, f.Name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.validations[key] = cachedValidation{f, v}
	r.mu.Unlock()
	return v, nil
}

func (r *Repository) readValidation(set SetName, name string) (*Validation, error) {
	body, err := r.readNote(set, name)
	if err != nil {
		return nil, err
	}
	var v Validation
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, &CorruptError{Path: path.Join(notesDir(set), name), Err: fmt.Errorf("%w: %w", errNote, err)}
	}
	return &v, nil
}
