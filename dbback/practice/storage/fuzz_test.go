package storage

import (
	"bytes"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func FuzzRecord(f *testing.F) {
	for _, r := range []record{
		{Type: recSet, Flags: recHadOld, Txn: 7, Time: 9, Dir: "/a/", Global: "A", Key: "1", Old: []byte("o"), New: []byte("n")},
		{Type: recBegin, Txn: 1},
		{Type: recEnd, Key: "/journal/20261122.002"},
		{},
	} {
		f.Add(appendRecord(nil, &r)[recHead:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseBody(body, crc32.Checksum(body, castagnoli))
		if err != nil {
			return
		}
		again := appendRecord(nil, r)
		n, sum, err := parseHead(again)
		if err != nil && len(body) <= maxRecord {
			t.Fatalf("head of %+v: %v", r, err)
		}
		if err != nil {
			return
		}
		if n != len(again)-recHead {
			t.Fatalf("length %d of %d", n, len(again)-recHead)
		}
		same, err := parseBody(again[recHead:], sum)
		if err != nil || !reflect.DeepEqual(same, r) {
			t.Errorf("%+v comes back as %+v, %v", r, same, err)
		}
	})
}

// FuzzJournal reads anything as a journal file, whole and compressed: what is good
// of it ends where it says, and up to there it reads the same again.
func FuzzJournal(f *testing.F) {
	head, err := journalHead{Name: "/j/20261122.001", Prev: "/j/20261121.009"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	b := appendRecord(head, &record{Type: recSet, Dir: "/a/", Global: "A", Key: "1", New: []byte("n")})
	b = appendRecord(b, &record{Type: recEnd, Key: "/j/20261122.002"})
	f.Add(b, false)
	f.Add(b[:len(b)-3], true)
	bad := bytes.Clone(b)
	bad[journalHeader+recHead+3] ^= 1
	f.Add(bad, false)
	f.Add([]byte(journalMagic), false)
	f.Fuzz(func(t *testing.T, b []byte, compress bool) {
		dir := t.TempDir()
		path := filepath.Join(dir, "20261122.001")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := InspectJournal(path)
		if compress {
			if cerr := compressFile(path); cerr != nil {
				t.Fatal(cerr)
			}
			same, zerr := InspectJournal(path + "z")
			if (err == nil) != (zerr == nil) || !reflect.DeepEqual(info, same) {
				t.Errorf("%+v, %v; compressed %+v, %v", info, err, same, zerr)
			}
			return
		}
		if err != nil {
			return
		}
		if info.End < journalHeader || info.End > int64(len(b)) || info.Torn != (info.End < int64(len(b))) || info.Bad && !info.Torn {
			t.Fatalf("%+v in %d bytes", info, len(b))
		}
		if err := os.Truncate(path, info.End); err != nil {
			t.Fatal(err)
		}
		same, err := InspectJournal(path)
		info.Torn, info.Bad = false, false // what was wrong lay behind the end
		if err != nil || !reflect.DeepEqual(info, same) {
			t.Errorf("%+v; what is good of it %+v, %v", info, same, err)
		}
	})
}

// FuzzBackupFile reads anything as a backup file: it is refused, or its trailer
// agrees with its blocks.
func FuzzBackupFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x.cbk")
	w, err := createBackup(path, 0)
	if err != nil {
		f.Fatal(err)
	}
	info := BackupInfo{Type: Full, Databases: []BackupDatabase{{Directory: "/a/"}}}
	block := make([]byte, BlockSize)
	initBlock(block, 20, typeData)
	seal(block, 20)
	_ = w.json(partLabel, info)
	_ = w.part(partCopy, []byte{1, 0, 0, 0})
	_ = w.part(partBlock, []byte{20, 0, 0, 0}, block)
	info.Databases[0].Blocks, info.Blocks = 1, 1
	_ = w.json(partTrailer, info)
	if err := w.close(); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	if info, err := ReadBackup(f.Context(), path); err != nil || info.Blocks != 1 {
		f.Fatal(info, err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(backupMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.cbk")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := ReadBackup(t.Context(), path)
		if err != nil {
			return
		}
		var sum int64
		for _, d := range info.Databases {
			sum += d.Blocks
		}
		if sum*BlockSize > int64(len(b)) || info.Bytes > int64(len(b)) {
			t.Errorf("%d blocks in a file of %d bytes", sum, len(b))
		}
	})
}

func FuzzWIJHead(f *testing.F) {
	b, err := encodeWIJHead(wijHead{Active: true, Cycle: 3, Base: wijHeader, Blocks: 4, Tail: 5, Checkpoint: checkpoint{Journal: "/j", Offset: 9, Required: "/i"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(wijMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseWIJHead(b)
		if err != nil {
			return
		}
		again, err := encodeWIJHead(h)
		if err != nil {
			return // names that became longer when quoted
		}
		if same, err := parseWIJHead(again); err != nil || same != h {
			t.Errorf("%+v comes back as %+v, %v", h, same, err)
		}
	})
}

func FuzzLabel(f *testing.F) {
	b := make([]byte, BlockSize)
	label{directory: "/a/", resource: "%DB_USER", blocks: 128, expansion: 128, max: blocksPerMap, noJournal: true}.put(b)
	f.Add(b[0x400:0x900])
	f.Fuzz(func(t *testing.T, part []byte) {
		b := make([]byte, BlockSize)
		copy(b[0x400:], part)
		l, err := parseLabel(b)
		if err != nil {
			return
		}
		l.put(b)
		if same, err := parseLabel(b); err != nil || same != l {
			t.Errorf("%+v comes back as %+v, %v", l, same, err)
		}
	})
}

func FuzzDirectoryOfGlobals(f *testing.F) {
	b := make([]byte, BlockSize)
	initBlock(b, blockDirectory, typeGlobals)
	putDirectory(b, []globalEntry{{"A", 15, 16, 2, 3, 4}, {"B", 17, 17, 1, 1, 9}})
	f.Add(b[:200])
	f.Fuzz(func(t *testing.T, part []byte) {
		b := make([]byte, BlockSize)
		copy(b, part)
		entries, err := parseDirectory(b)
		if err != nil {
			return
		}
		again := make([]byte, BlockSize)
		putDirectory(again, entries)
		used := headerSize + int(le.Uint32(b[offUsed:]))
		if le.Uint32(again[offUsed:]) != le.Uint32(b[offUsed:]) || !bytes.Equal(again[headerSize:used], b[headerSize:used]) {
			t.Errorf("%+v comes back otherwise", entries)
		}
	})
}

func FuzzRows(f *testing.F) {
	b := make([]byte, BlockSize)
	putRows(b, []row{{[]byte("a"), []byte("1")}, {[]byte("b"), nil}})
	f.Add(b[:100])
	f.Fuzz(func(t *testing.T, part []byte) {
		b := make([]byte, BlockSize)
		copy(b, part)
		rows, err := parseRows(b)
		if err != nil {
			return
		}
		again := bytes.Clone(b)
		putRows(again, rows)
		if !bytes.Equal(again, b) {
			t.Error("rows come back otherwise")
		}
	})
}

// FuzzOplog replays anything: no panic, and twice the same.
func FuzzOplog(f *testing.F) {
	f.Add("J\t\"/j/1\"\nB\t7\nS\t7\t\"/a/\"\t\"A\"\t\"1\"\teA==\nS\t0\t\"/a/\"\t\"A\"\t\"2\"\teQ==\nK\t7\t\"/a/\"\t\"A\"\t\"2\"\nR\t7\nJ\t\"/j/2\"\nS\t0\t\"/a/")
	f.Add("C\t1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "oplog")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		one, err := ReplayOplog(path, "")
		if err != nil {
			return
		}
		two, err := ReplayOplog(path, "")
		if err != nil || !reflect.DeepEqual(one, two) {
			t.Errorf("%v, then %v, %v", one, two, err)
		}
	})
}
