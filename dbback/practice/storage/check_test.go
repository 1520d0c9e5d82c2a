package storage

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// soundDatabase returns the bytes of a small sound database, at rest, with blocks
// in chains, freed blocks and blocks never used.
func soundDatabase(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	l, err := DatabaseSpec{Directory: cleanDir(dir)}.label()
	if err == nil {
		err = createFile(dir, l)
	}
	db := &database{dir: cleanDir(dir)}
	if err == nil {
		err = db.open(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1500)
	for i := range 60 {
		for k := range value {
			value[k] = byte(i * k)
		}
		global := string(rune('A' + i%3))
		key := string(rune('a' + i/3))
		if err := errors.Join(db.reserve(global), db.put(global, key, value)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"c", "d", "e", "f", "g", "h"} {
		if err := db.remove("B", key); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, int(db.label.blocks)*BlockSize)
	for n := range db.label.blocks {
		if err := db.sealed(n, b[n*BlockSize:][:BlockSize]); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.f.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

// findingsIn checks bytes as a file.
func findingsIn(t testing.TB, b []byte) []Finding {
	t.Helper()
	path := filepath.Join(t.TempDir(), datName)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	findings, err := CheckFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_, digestErr := DigestFile(path)
	if len(findings) == 0 && digestErr != nil {
		t.Errorf("no findings, but %v", digestErr)
	}
	return findings
}

// Every kind of damage is found, as what it is. All but torn blocks have good
// checksums.
func TestDamageIsFound(t *testing.T) {
	good := soundDatabase(t)
	if findings := findingsIn(t, good); len(findings) > 0 {
		t.Fatalf("a sound database: %v", findings)
	}
	block := func(b []byte, n uint32) []byte { return b[n*BlockSize:][:BlockSize] }
	sealed := func(b []byte, n uint32, change func(b []byte)) {
		change(block(b, n))
		seal(block(b, n), n)
	}
	entries, err := parseDirectory(block(good, blockDirectory))
	if err != nil {
		t.Fatal(err)
	}
	first := entries[0].first
	second := le.Uint32(block(good, first)[offRight:])
	free, _ := bitmap(block(good, blockMap)[offBitmap:]).next(0)
	inDirectory := func(b []byte, change func(e *globalEntry)) {
		sealed(b, blockDirectory, func(b []byte) { e := append([]globalEntry(nil), entries...); change(&e[0]); putDirectory(b, e) })
	}
	for _, tt := range []struct {
		kind  string
		block int64
		spoil func(b []byte)
	}{
		{"block", int64(first), func(b []byte) { block(b, first)[8000] ^= 1 }},
		{"block", int64(first), func(b []byte) { copy(block(b, first)[4096:], make([]byte, 4096)) }},
		{"block", int64(second), func(b []byte) { copy(block(b, second), block(b, first)) }},
		{"block", int64(second), func(b []byte) { clear(block(b, second)) }},
		{"block", int64(second), func(b []byte) { sealed(b, second, func(b []byte) { b[offType] = typeMap }) }},
		{"owner", int64(first), func(b []byte) { sealed(b, first, func(b []byte) { b[offOwner]++ }) }},
		{"link", int64(first), func(b []byte) { sealed(b, second, func(b []byte) { le.PutUint32(b[offRight:], first) }) }},
		{"link", 5000, func(b []byte) { sealed(b, second, func(b []byte) { le.PutUint32(b[offRight:], 5000) }) }},
		{"link", int64(second), func(b []byte) { sealed(b, second, func(b []byte) { le.PutUint32(b[offLeft:], second) }) }},
		{"rows", int64(second), func(b []byte) { sealed(b, second, func(b []byte) { putRows(b, nil) }) }},
		{"rows", int64(second), func(b []byte) { sealed(b, second, func(b []byte) { b[offRows]++ }) }},
		{"order", int64(second), func(b []byte) { sealed(b, second, func(b []byte) { b[headerSize+rowHeader] = 'A' }) }},
		{"sequence", int64(second), func(b []byte) { sealed(b, second, func(b []byte) { le.PutUint64(b[offUSN:], 1<<40) }) }},
		{"counter", blockDirectory, func(b []byte) {
			sealed(b, second, func(b []byte) { b[headerSize+rowHeader+1] ^= 1 })
		}},
		{"counter", blockDirectory, func(b []byte) { inDirectory(b, func(e *globalEntry) { e.rows++ }) }},
		{"counter", blockDirectory, func(b []byte) { inDirectory(b, func(e *globalEntry) { e.blocks++ }) }},
		{"counter", blockDirectory, func(b []byte) { inDirectory(b, func(e *globalEntry) { e.sum++ }) }},
		{"counter", blockDirectory, func(b []byte) { inDirectory(b, func(e *globalEntry) { e.last++ }) }},
		{"directory", blockDirectory, func(b []byte) { sealed(b, blockDirectory, func(b []byte) { b[headerSize] = 200 }) }},
		{"block", blockDirectory, func(b []byte) { block(b, blockDirectory)[headerSize+1] ^= 1 }},
		{"map", int64(second), func(b []byte) {
			sealed(b, blockMap, func(b []byte) { bitmap(b[offBitmap:]).set(second) })
		}},
		{"map", int64(free), func(b []byte) {
			sealed(b, blockMap, func(b []byte) { bitmap(b[offBitmap:]).unset(free) })
		}},
		{"map", 4, func(b []byte) { sealed(b, blockMap, func(b []byte) { bitmap(b[offBitmap:]).set(4) }) }},
		{"map", 60000, func(b []byte) { sealed(b, blockMap, func(b []byte) { bitmap(b[offBitmap:]).set(60000) }) }},
		{"map", blockMap, func(b []byte) { block(b, blockMap)[0]++ }},
		{"map", blockChanged, func(b []byte) { block(b, blockChanged)[offBitmap]++ }},
		{"label", blockLabel, func(b []byte) { block(b, blockLabel)[labelResource+2]++ }},
		{"label", blockLabel, func(b []byte) { clear(block(b, blockLabel)) }},
		{"size", blockLabel, func(b []byte) {
			sealed(b, blockLabel, func(b []byte) { le.PutUint32(b[labelBlocks:], 200); le.PutUint32(b[labelBlocks+4:], 200) })
		}},
	} {
		b := append([]byte(nil), good...)
		tt.spoil(b)
		found := false
		findings := findingsIn(t, b)
		for _, f := range findings {
			found = found || f.Kind == tt.kind && f.Block == tt.block
		}
		if !found {
			t.Errorf("%s at block %d is not found: %v", tt.kind, tt.block, findings)
		}
	}
	for _, size := range []int{0, 1, BlockSize, firstDataBlock * BlockSize} {
		if findings := findingsIn(t, good[:size]); len(findings) != 1 || findings[0].Kind != "size" {
			t.Errorf("a file of %d bytes: %v", size, findings)
		}
	}
}

// Any block exchanged for what it was a moment before is found.
func TestMixtureIsFound(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	dat := filepath.Join(dirs[0], datName)
	fillRows(t, in, dirs[0], 0, 300)
	state := func() []byte {
		if err := in.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dat)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	before := state()
	for i := range 40 { // overwrites that change no structure
		if err := in.Set(t.Context(), dirs[0], "Row", "000"+string(rune('0'+i%3))+"0"+string(rune('0'+i%10)), []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	fillRows(t, in, dirs[0], 250, 400)
	after := state()
	changed := 0
	for n := range uint32(len(before) / BlockSize) {
		old, now := before[n*BlockSize:][:BlockSize], after[n*BlockSize:][:BlockSize]
		if string(old) == string(now) || n == blockLabel || n == blockChanged || n == blockCumulative {
			continue
		}
		changed++
		mixed := append([]byte(nil), after...)
		copy(mixed[n*BlockSize:], old)
		if len(findingsIn(t, mixed)) == 0 {
			t.Errorf("block %d from before is not found among those from after", n)
		}
	}
	if changed < 10 {
		t.Errorf("only %d blocks changed", changed)
	}
}

// FuzzCheckFile spoils a database at will, with checksums made good, and
// wants an end, no panic, and agreement: what has no findings can be read, and
// what is reported names a block that can be meant.
func FuzzCheckFile(f *testing.F) {
	good := soundDatabase(f)
	f.Add([]byte{}, false)
	f.Add([]byte{2, 0, 40, 0, 200, 15, 0, 8, 0, 16}, true)
	f.Add([]byte{1, 0, 128, 1, 255, 0, 0, 0x58, 4, 1}, true)
	f.Fuzz(func(t *testing.T, edits []byte, sealAll bool) {
		b := append([]byte(nil), good...)
		for ; len(edits) >= 5; edits = edits[5:] {
			n := uint32(edits[0]) % uint32(len(good)/BlockSize)
			at := int(binary.LittleEndian.Uint16(edits[1:])) % (BlockSize - 1)
			block := b[n*BlockSize:][:BlockSize]
			block[at], block[at+1] = edits[3], edits[4]
			if sealAll {
				seal(block, n)
			}
		}
		src := source{blocks: int64(len(b) / BlockSize), read: func(n uint32, p []byte) error {
			clear(p)
			if at := int(n) * BlockSize; at < len(b) {
				copy(p, b[at:])
			}
			return nil
		}}
		findings, err := check(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := digest(src); err != nil && len(findings) == 0 {
			t.Errorf("no findings, but %v", err)
		}
		for _, f := range findings {
			if f.Block < -1 || f.Block > 1<<32 || f.Kind == "" || f.Text == "" {
				t.Errorf("finding %+v", f)
			}
		}
	})
}
