package storage

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// An oplog is a file with a line for everything that happened, written beside the
// journals and independent of them, so that a test can tell what must have come
// of them. Fields are separated by tabs, strings quoted as in Go, values base64:
//
//	J path                       a journal file begins
//	B txn / C txn / R txn        a transaction begins, is committed, is rolled back
//	S txn dir global key value   SET; txn 0: outside of a transaction
//	K txn dir global key         KILL
//
// What a rollback does to the databases has no lines of its own.
type oplog struct{ f *os.File }

func openOplog(path string) (*oplog, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // no oplog is wanted; its methods do nothing
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o660)
	if err != nil {
		return nil, err
	}
	return &oplog{f}, nil
}

func (o *oplog) line(format string, args ...any) error {
	if o == nil {
		return nil
	}
	if _, err := fmt.Fprintf(o.f, format, args...); err != nil {
		return fmt.Errorf("write the oplog: %w", err)
	}
	return nil
}

func (o *oplog) journal(path string) error      { return o.line("J\t%q\n", path) }
func (o *oplog) end(kind byte, id uint64) error { return o.line("%c\t%d\n", kind, id) }
func (o *oplog) close() {
	if o != nil {
		_ = o.f.Close()
	}
}

func (o *oplog) update(r *record) error {
	if r.Flags&recUndo != 0 {
		return nil
	}
	if r.Type == recKill {
		return o.line("K\t%d\t%q\t%q\t%q\n", r.Txn, r.Dir, r.Global, r.Key)
	}
	return o.line("S\t%d\t%q\t%q\t%q\t%s\n", r.Txn, r.Dir, r.Global, r.Key, base64.StdEncoding.EncodeToString(r.New))
}

var errOplog = errors.New("not an oplog of the practice instance")

// ReplayOplog returns what each database must hold, by directory, when all is
// applied that happened before the given journal file (an absolute path, as in
// [Status]) was ended, and what was not finished then is rolled back; with journal
// "": at the end. A last line that is cut short is left out.
func ReplayOplog(path, journal string) (map[string]Content, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := oplogReplay{content: map[string]Content{}, open: map[uint64][]func(){}}
	seen := false
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	in := bufio.NewScanner(bytes.NewReader(whole))
	in.Buffer(nil, maxRecord*2)
	for in.Scan() {
		fields := strings.Split(in.Text(), "\t")
		if fields[0] == "J" {
			if seen {
				break
			}
			name, err := strconv.Unquote(fields[len(fields)-1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w: %w", path, errOplog, err)
			}
			seen = journal != "" && name == journal
			continue
		}
		if err := p.line(fields); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if journal != "" && !seen {
		return nil, fmt.Errorf("%s: journal %s: %w", path, journal, ErrJournalMissing)
	}
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(p.open))) {
		p.rollback(id)
	}
	return p.content, nil
}

// oplogReplay knows the content after the lines so far.
type oplogReplay struct {
	content map[string]Content
	open    map[uint64][]func() // what takes back the updates of open transactions
}

func (p *oplogReplay) rollback(id uint64) {
	for _, f := range slices.Backward(p.open[id]) {
		f()
	}
	delete(p.open, id)
}

func (p *oplogReplay) line(f []string) error {
	want := map[string]int{"B": 2, "C": 2, "R": 2, "K": 5, "S": 6}[f[0]]
	if want == 0 || len(f) != want {
		return errOplog
	}
	id, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %w", errOplog, err)
	}
	switch f[0] {
	case "B":
		p.open[id] = nil
		return nil
	case "C":
		delete(p.open, id)
		return nil
	case "R":
		p.rollback(id)
		return nil
	}
	var names [3]string
	for i := range names {
		if names[i], err = strconv.Unquote(f[2+i]); err != nil {
			return fmt.Errorf("%w: %w", errOplog, err)
		}
	}
	dir, global, key := names[0], names[1], names[2]
	if id != 0 {
		old, had := p.content[dir][global][key]
		p.open[id] = append(p.open[id], func() { p.set(dir, global, key, old, had) })
	}
	if f[0] == "K" {
		p.set(dir, global, key, "", false)
		return nil
	}
	value, err := base64.StdEncoding.DecodeString(f[5])
	if err != nil {
		return fmt.Errorf("%w: %w", errOplog, err)
	}
	p.set(dir, global, key, string(value), true)
	return nil
}

// set sets or removes a key.
func (p *oplogReplay) set(dir, global, key, value string, has bool) {
	c := p.content[dir]
	if c == nil {
		c = Content{}
		p.content[dir] = c
	}
	if !has {
		delete(c[global], key)
		if len(c[global]) == 0 {
			delete(c, global)
		}
		return
	}
	if c[global] == nil {
		c[global] = map[string]string{}
	}
	c[global][key] = value
}
