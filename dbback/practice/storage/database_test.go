package storage

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The places in the file that others rely on, as they were read off real files of
// InterSystems.
func TestFileLooksReal(t *testing.T) {
	cfg := testConfig(t)
	in := start(t, cfg)
	dir := cleanDir(filepath.Join(cfg.Dir, "user"))
	if err := in.CreateDatabase(t.Context(), DatabaseSpec{Directory: dir, Resource: "%DB_USER", Size: 3 << 20}); err != nil {
		t.Fatal(err)
	}
	fillRows(t, in, dir, 0, 600)
	if err := in.Dismount(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "IRIS.DAT"))
	if err != nil {
		t.Fatal(err)
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	text := func(at int) string {
		n := int(binary.LittleEndian.Uint16(b[at:]))
		return string(b[at+2 : at+2+n])
	}
	if len(b) != 3<<20 || u32(0x458) != 384 || u32(0x45C) != 384 {
		t.Errorf("%d bytes, the label says %d and %d blocks", len(b), u32(0x458), u32(0x45C))
	}
	if string(b[0x5F4:0x5FC]) != "Cache DB" || text(0x5FC) != dir || text(0x700) != "%DB_USER" {
		t.Errorf("label: %q, directory %q, resource %q", b[0x5F4:0x5FC], text(0x5FC), text(0x700))
	}
	if !bytes.Equal(b[:0x400], make([]byte, 0x400)) {
		t.Error("the label does not begin with 1024 zeros")
	}
	types := map[int]byte{1: 0x10, 2: 0x09, 3: 0, 4: 0x10, 5: 0x10, 14: 0x10, 15: 0x08}
	for n, want := range types {
		if got := b[n*8192+4]; got != want {
			t.Errorf("block %d is of type %#x, want %#x", n, got, want)
		}
	}
	if last := b[len(b)-8192:]; !bytes.Equal(last, make([]byte, 8192)) {
		t.Error("a block that was never used is not zeros")
	}
	if n := len(compressed(t, b[15*8192:60*8192])); n < 45*8192*40/100 || n > 45*8192*75/100 {
		t.Errorf("%d bytes of data compress to %d", 45*8192, n)
	}
}

func compressed(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Write(b); err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Random updates do what they would to a map, through splits, frees, flushes,
// evictions and remounts, and at every moment the structure is sound.
func TestLikeAMap(t *testing.T) {
	cfg := testConfig(t)
	cfg.CacheBlocks = 20
	in, dirs := withDatabases(t, &cfg, "user")
	dir := dirs[0]
	r := rand.New(rand.NewPCG(1, 2))
	model := Content{}
	globals := []string{"A", "B", strings.Repeat("n", MaxName)}
	for step := range 6000 {
		global, key := globals[r.IntN(3)], fmt.Sprint(r.IntN(250))
		switch p := r.IntN(100); {
		case step%3000 > 2000 && p < 97, p < 20: // now and then hardly anything is left
			if err := in.Kill(t.Context(), dir, global, key); err != nil {
				t.Fatal(err)
			}
			if delete(model[global], key); len(model[global]) == 0 {
				delete(model, global)
			}
		case p == 99 && r.IntN(20) == 0:
			if err := in.Kill(t.Context(), dir, global, ""); err != nil {
				t.Fatal(err)
			}
			delete(model, global)
		default:
			value := filler(r, r.IntN(MaxValue+1))
			if err := in.Set(t.Context(), dir, global, key, value); err != nil {
				t.Fatal(err)
			}
			if model[global] == nil {
				model[global] = map[string]string{}
			}
			model[global][key] = string(value)
		}
		if step%97 == 0 {
			if err := in.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if step%500 == 0 {
			if err := in.Dismount(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			if err := in.Mount(t.Context(), dir, false); err != nil {
				t.Fatal(err)
			}
		}
		if step%50 == 0 || step == 5999 {
			likeModel(t, in, dir, model)
		}
	}
	info, err := in.Database(dir)
	if err != nil || info.Blocks <= blocksPerMiB {
		t.Errorf("the database never grew: %+v, %v", info, err)
	}
}

func likeModel(t *testing.T, in *Instance, dir string, model Content) {
	t.Helper()
	sound(t, in, dir)
	if got := contents(t, in, dir); got != model.Digest() {
		t.Fatalf("content %v, want %v", got, model.Digest())
	}
	names, err := in.Globals(dir)
	if err != nil || !slices.Equal(names, slices.Sorted(maps.Keys(model))) {
		t.Fatalf("globals %q, %v", names, err)
	}
	for global, rows := range model {
		key := ""
		for _, want := range slices.Sorted(maps.Keys(rows)) {
			if key, err = in.Next(dir, global, key); err != nil || key != want {
				t.Fatalf("next key of %s is %q, %v; want %q", global, key, err, want)
			}
			value, found, err := in.Get(dir, global, key)
			if err != nil || !found || string(value) != rows[key] {
				t.Fatalf("%s(%s): %v, %v", global, key, found, err)
			}
		}
		if key, err = in.Next(dir, global, key); err != nil || key != "" {
			t.Fatalf("after the last key of %s comes %q, %v", global, key, err)
		}
	}
}

func TestLimits(t *testing.T) {
	cfg := testConfig(t)
	in := start(t, cfg)
	dir := cleanDir(filepath.Join(cfg.Dir, "small"))
	if err := in.CreateDatabase(t.Context(), DatabaseSpec{Directory: dir, MaxSize: 2 << 20}); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", MaxValue+1)
	for _, args := range [][3]string{
		{"", "1", ""}, {long[:MaxName+1], "1", ""}, {"A", "", ""}, {"A", long[:MaxKey+1], ""}, {"A", "1", long},
	} {
		if err := in.Set(t.Context(), dir, args[0], args[1], []byte(args[2])); !errors.Is(err, ErrTooLong) {
			t.Errorf("set %.10s(%.10s)=%d bytes: %v", args[0], args[1], len(args[2]), err)
		}
	}
	var err error
	n := 0
	for ; err == nil; n++ {
		err = in.Set(t.Context(), dir, "A", fmt.Sprint(n), []byte(long[:MaxValue]))
	}
	if !errors.Is(err, ErrFull) || n < 200 {
		t.Fatalf("after %d rows: %v", n, err)
	}
	sound(t, in, dir)
	if err := in.Kill(t.Context(), dir, "A", ""); err != nil {
		t.Fatal(err)
	}
	if info, err := in.Database(dir); err != nil || info.FreeBlocks != info.Blocks-firstDataBlock || info.Blocks*BlockSize != info.MaxSize {
		t.Errorf("after all was killed: %+v, %v", info, err)
	}
	for n = 0; ; n++ { // the directory has an end, too
		if err = in.Set(t.Context(), dir, fmt.Sprintf("%0*d", MaxName, n), "1", nil); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) || n < 100 {
		t.Errorf("after %d globals: %v", n, err)
	}
	sound(t, in, dir)
	in.Crash()
	cfg.Databases = []string{dir}
	reopened(t, cfg)
}

// Mounting and iris.lck.
func TestMounts(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	dir := dirs[0]
	lck := filepath.Join(dir, lckName)
	fillRows(t, in, dir, 0, 5)
	b, err := os.ReadFile(lck)
	if err != nil || int(b[0]) != len(dir) || string(b[1:1+len(dir)]) != dir || !bytes.Contains(b, []byte(cfg.Node+"\x00")) {
		t.Errorf("iris.lck holds %q, %v", b, err)
	}
	if err := in.Mount(t.Context(), dir, false); !errors.Is(err, ErrMounted) {
		t.Errorf("mounted twice: %v", err)
	}
	cfg2 := testConfig(t)
	cfg2.Node = "another"
	second := start(t, cfg2)
	if err := second.Mount(t.Context(), dir, false); err != nil {
		t.Fatal(err)
	}
	if info, err := second.Database(dir); err != nil || !info.ReadOnly {
		t.Errorf("a database of another instance: %+v, %v", info, err)
	}
	if err := second.Set(t.Context(), dir, "A", "1", nil); !errors.Is(err, ErrReadOnly) {
		t.Errorf("set: %v", err)
	}
	if err := second.Dismount(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lck); err != nil {
		t.Errorf("another's lock: %v", err)
	}
	if err := in.Dismount(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lck); !os.IsNotExist(err) {
		t.Errorf("the lock after the dismount: %v", err)
	}
	if err := in.Set(t.Context(), dir, "A", "1", nil); !errors.Is(err, ErrNotMounted) {
		t.Errorf("set when dismounted: %v", err)
	}
	if list := in.Databases(); len(list) != 1 || list[0].Mounted || list[0].Blocks != blocksPerMiB {
		t.Errorf("databases: %+v", list)
	}
	if err := os.WriteFile(lck, b, 0o600); err != nil { // comes back with a restored directory
		t.Fatal(err)
	}
	if err := in.Mount(t.Context(), dir, false); err != nil {
		t.Fatal(err)
	}
	if info, err := in.Database(dir); err != nil || !info.ReadOnly {
		t.Errorf("with a left-over lock: %+v, %v", info, err)
	}
	if err := in.Mount(t.Context(), t.TempDir(), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("mount of nothing: %v", err)
	}
}

// The lock of another node, put there while the database is mounted, outlives the
// dismount and makes the next mount read-only; without it all is as it was.
func TestLeftLock(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	if removed, err := RemoveLeftLock(dirs[0]); removed || err != nil {
		t.Errorf("the lock of a mount: removed %v, %v", removed, err)
	}
	if err := LeaveLock(dirs[0]); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		if err := in.Dismount(t.Context(), dirs[0]); err != nil {
			t.Fatal(err)
		}
		if !readOnly {
			if removed, err := RemoveLeftLock(dirs[0]); !removed || err != nil {
				t.Errorf("removed %v, %v", removed, err)
			}
		}
		if err := in.Mount(t.Context(), dirs[0], false); err != nil {
			t.Fatal(err)
		}
		if info, err := in.Database(dirs[0]); err != nil || info.ReadOnly != readOnly {
			t.Errorf("%+v, %v; want read-only: %v", info, err, readOnly)
		}
	}
}

// Two crashes in a row, the first start cut off, do not make a database read-only.
func TestLocksOfCrashes(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user", "app")
	in.Crash()
	one := cfg
	one.Databases = dirs[:1]
	start(t, one).Crash()
	in = reopened(t, cfg)
	for _, info := range in.Databases() {
		if info.ReadOnly {
			t.Errorf("%s is read-only", info.Directory)
		}
	}
}

// Updates wait while they are held by another, and only those.
func TestHold(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	dir := dirs[0]
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	open, err := in.Begin(t.Context())
	if err == nil {
		err = open.Set(t.Context(), dir, "A", "open", []byte("x"))
	}
	if err != nil {
		t.Fatal(err)
	}
	hold := in.Hold()
	second := in.Hold()
	for _, ctx := range []context.Context{gone, hold.Allow(gone), second.Allow(gone)} {
		if err := in.Set(ctx, dir, "A", "1", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("set while two hold: %v", err)
		}
	}
	second.Release()
	second.Release()
	if err := in.Set(hold.Allow(t.Context()), dir, "A", "1", []byte("mine")); err != nil {
		t.Errorf("set by the one who holds: %v", err)
	}
	if err := open.Rollback(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("rollback while held: %v", err)
	}
	if _, found, _ := in.Get(dir, "A", "open"); !found {
		t.Error("a rollback changed what is held")
	}
	done := make(chan error)
	go func() { done <- in.Set(t.Context(), dir, "A", "2", []byte("late")) }()
	hold.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, found, _ := in.Get(dir, "A", "open"); found || in.Status().OpenTxns > 0 {
		t.Error("the rollback that was given up on did not happen")
	}
	in.Hold()
	go func() { done <- in.Set(t.Context(), dir, "A", "3", nil) }()
	in.Crash()
	if err := <-done; !errors.Is(err, ErrCrashed) {
		t.Errorf("set that waits in a crash: %v", err)
	}
}

// Transactions: what they changed or read is theirs until their end.
func TestTransactions(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	dir, ctx := dirs[0], t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(in.Set(ctx, dir, "A", "1", []byte("old")))
	must(in.Set(ctx, dir, "A", "2", []byte("read")))
	txn, err := in.Begin(ctx)
	must(err)
	must(txn.Set(ctx, dir, "A", "1", []byte("new")))
	must(txn.Set(ctx, dir, "A", "1", []byte("newer")))
	must(txn.Set(ctx, dir, "B", "1", []byte("b")))
	_, _, err = txn.Get(ctx, dir, "A", "2")
	must(err)
	for _, key := range []string{"1", "2", ""} {
		if err := in.Kill(ctx, dir, "A", key); !errors.Is(err, ErrLocked) {
			t.Errorf("kill of a locked key: %v", err)
		}
	}
	must(txn.Kill(ctx, dir, "A", ""))
	must(txn.Rollback(ctx))
	must(txn.Rollback(ctx))
	if err := txn.Set(ctx, dir, "A", "1", nil); !errors.Is(err, ErrDone) {
		t.Errorf("set after the end: %v", err)
	}
	want := Content{"A": {"1": "old", "2": "read"}}
	if got := contents(t, in, dir); got != want.Digest() {
		t.Error("the rollback left something")
	}
	must(in.Kill(ctx, dir, "A", "1"))
	txn, err = in.Begin(ctx)
	must(err)
	must(txn.Set(ctx, dir, "A", "1", []byte("kept")))
	must(txn.Commit(ctx))
	must(txn.Rollback(ctx)) // of what is finished: nothing
	in.Crash()
	in = reopened(t, cfg)
	want["A"]["1"] = "kept"
	if got := contents(t, in, dir); got != want.Digest() {
		t.Error("what was committed is not there")
	}
}

// A database that is not journaled loses what was not written, and is sound.
func TestNotJournaled(t *testing.T) {
	cfg := testConfig(t)
	in := start(t, cfg)
	dir := cleanDir(filepath.Join(cfg.Dir, "temp"))
	if err := in.CreateDatabase(t.Context(), DatabaseSpec{Directory: dir, NoJournal: true}); err != nil {
		t.Fatal(err)
	}
	fillRows(t, in, dir, 0, 50)
	if err := in.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := contents(t, in, dir)
	fillRows(t, in, dir, 50, 100)
	in.Crash()
	cfg.Databases = []string{dir}
	in = start(t, cfg)
	sound(t, in, dir)
	if got := contents(t, in, dir); got != want {
		t.Errorf("content %v, want that of the last flush %v", got, want)
	}
}
