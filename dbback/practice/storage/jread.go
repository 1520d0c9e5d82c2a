package storage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// journalHeader is the size of the header of a journal file, as documented of
// InterSystems ("8192 bytes, once per file"). Its layout there is unknown; here it
// is a line that names the format, a line of JSON, and zeros.
const (
	journalHeader = 8192
	journalMagic  = "DATFS PRACTICE JOURNAL 1\n"
)

// journalHead is what the header says.
type journalHead struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Count   int       `json:"count"` // files since the start of journal.log
	Prev    string    `json:"prev"`  // path
	PrevEnd int64     `json:"prev_end"`
}

func (h journalHead) encode() ([]byte, error) {
	b := make([]byte, journalHeader)
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(journalMagic)+len(text)+1 > len(b) {
		return nil, ErrTooLong
	}
	copy(b[copy(b, journalMagic):], text)
	return b, nil
}

func parseJournalHead(b []byte) (h journalHead, err error) {
	text, ok := bytes.CutPrefix(b, []byte(journalMagic))
	if !ok {
		return h, ErrNotJournal
	}
	if err := json.Unmarshal(bytes.TrimRight(text, "\x00"), &h); err != nil {
		return h, fmt.Errorf("%w: its header: %w", ErrNotJournal, err)
	}
	return h, nil
}

// FindJournal returns the path of a journal file as it is now: the name itself, or
// with a z at its end if it was compressed (so documented).
func FindJournal(name string) (string, error) {
	for _, path := range []string{name, name + "z"} {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path, nil
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrJournalMissing)
}

// openJournal opens a journal file, compressed or not. One that is compressed at
// this moment is found under one of its names.
func openJournal(name string) (io.ReadCloser, error) {
	for range 3 {
		path, err := FindJournal(name)
		if err != nil {
			return nil, err
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(path, "z") {
			return f, nil
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w: %w", path, ErrBadJournal, err), f.Close())
		}
		return &zipped{z, f}, nil
	}
	return nil, fmt.Errorf("%s: %w", name, ErrJournalMissing)
}

// zipped closes the file with its decompression.
type zipped struct {
	*gzip.Reader
	f *os.File
}

// Read implements [io.Reader]. Any error but the end is damage: a file is whole
// when it is compressed.
func (z *zipped) Read(p []byte) (int, error) {
	n, err := z.Reader.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // gzip returns it bare
		err = fmt.Errorf("%w: %v", ErrBadJournal, err) //nolint:errorlint // not to be taken for the end of the file
	}
	return n, err
}

// Close closes both.
func (z *zipped) Close() error { return errors.Join(z.Reader.Close(), z.f.Close()) }

// scanEnd says how the reading of a journal file ended.
type scanEnd struct {
	head journalHead
	end  int64  // after the last good record
	torn bool   // something that is no record follows
	bad  bool   // and it is not the beginning of one, as a crash leaves it
	next string // from the end record; "" if the file was not closed in order
}

// scanJournal calls fn for every record of a journal file, in order, with its
// offset. It stops without an error at the first thing that is no record, and at
// limit (0: none).
func scanJournal(name string, limit int64, fn func(r *record, offset int64) error) (end scanEnd, err error) {
	f, err := openJournal(name)
	if err != nil {
		return end, err
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReaderSize(f, 256<<10)
	head := make([]byte, journalHeader)
	if _, err := io.ReadFull(in, head); err != nil {
		return end, fmt.Errorf("%s: %w: its header is cut short", name, ErrNotJournal)
	}
	if end.head, err = parseJournalHead(head); err != nil {
		return end, fmt.Errorf("%s: %w", name, err)
	}
	end.end = journalHeader
	for limit == 0 || end.end < limit {
		r, n, err := readRecord(in)
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			end.torn, end.bad = true, !errors.Is(err, errCutRecord)
			return end, nil
		}
		if err := fn(r, end.end); err != nil {
			return end, err
		}
		end.end += n
		if r.Type == recEnd {
			end.next = r.Key
		}
	}
	return end, nil
}

// ignoreRecord is for who wants to know only where a file ends.
func ignoreRecord(*record, int64) error { return nil }

// errCutRecord is an errRecord: the file ends in the middle of the record. That is
// how a crash leaves the file that was being written to.
var errCutRecord = fmt.Errorf("%w: the file ends in it", errRecord)

// readRecord reads a record and returns its length on disk. At the end of the
// file the error is io.EOF.
func readRecord(in *bufio.Reader) (*record, int64, error) {
	head, err := in.Peek(recHead)
	if len(head) == 0 {
		if errors.Is(err, io.EOF) {
			return nil, 0, io.EOF
		}
		return nil, 0, errRecord
	}
	if len(head) < recHead {
		return nil, 0, cutOr(err)
	}
	n, sum, err := parseHead(head)
	if err != nil {
		return nil, 0, err
	}
	_, _ = in.Discard(recHead)
	body := make([]byte, n)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, 0, cutOr(err)
	}
	r, err := parseBody(body, sum)
	return r, int64(recHead + n), err
}

// cutOr returns errCutRecord if a record could not be read because the file ends.
// A decompressor's errors are never that: see zipped.
func cutOr(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutRecord
	}
	return errRecord
}

// JournalInfo describes a journal file, from its header and its records.
type JournalInfo struct {
	Name      string // base name, without the z of a compressed file
	Prev      string // path of the file before, "" if it was the first
	PrevEnd   int64  // bytes that the file before had
	Created   time.Time
	End       int64 // after the last good record, bytes
	Records   int
	Databases []string // directories that have records
	Torn      bool     // something that is no record follows the last good one
	Bad       bool     // and it is damage, not a record that a crash has cut short
	Next      string   // path of the file after, "" if the file was not closed in order
}

// InspectJournal reads a whole journal file, compressed or not. path is the name
// with or without the z of a compressed file.
func InspectJournal(path string) (*JournalInfo, error) {
	path = plainName(path)
	info := &JournalInfo{Name: filepath.Base(path)}
	end, err := scanJournal(path, 0, func(r *record, _ int64) error {
		info.Records++
		if r.Dir != "" && !slices.Contains(info.Databases, r.Dir) {
			info.Databases = append(info.Databases, r.Dir)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(info.Databases)
	info.Prev, info.PrevEnd, info.Created = end.head.Prev, end.head.PrevEnd, end.head.Created
	info.End, info.Torn, info.Bad, info.Next = end.end, end.torn, end.bad, end.next
	return info, nil
}

// plainName returns the name of a journal file without the z of a compressed one.
func plainName(path string) string {
	base := filepath.Base(path)
	if dot := strings.LastIndexByte(base, '.'); dot >= 0 && strings.HasSuffix(base[dot:], "z") {
		return strings.TrimSuffix(path, "z")
	}
	return path
}
