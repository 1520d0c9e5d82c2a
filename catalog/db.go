package catalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"datfs/catalog/pack"
)

// Buckets of catalog.db. Everything in them is an index of packs/: what is
// wrong or missing here costs space or time, never data, and Rebuild makes it
// anew (I4). Integers are big-endian.
var (
	packsBucket   = []byte("packs")   // pack ID -> packRecord
	numbersBucket = []byte("numbers") // pack number (4) -> pack ID
	hooksBucket   = []byte("hooks")   // block ID that is a hook -> pack number (4), ordinal (4)
)

// lockWait is how long a transaction waits for another process to end its own.
// Transactions take milliseconds, a checkpoint on a slow disk perhaps seconds.
const lockWait = 2 * time.Minute

// A db is catalog.db. It is opened for each transaction and closed after it
// (I5): bbolt admits one process at a time, and a mount must not lock the
// nightly backup out. Opening takes less than a millisecond.
type db struct {
	path string
	mu   sync.RWMutex          // bbolt's file lock counts open files, not processes, and polls
	bad  atomic.Pointer[error] // what is wrong, once bbolt has panicked
}

// A txn is one transaction on catalog.db, with typed buckets. Slices that bbolt
// hands out die with their transaction, so each method copies what it returns.
type txn struct{ tx *bbolt.Tx }

// create makes an empty catalog.db, if there is none.
func (d *db) create() error {
	return d.run(false, true, func(txn) error { return nil })
}

// view runs fn in a read-only transaction.
func (d *db) view(fn func(txn) error) error { return d.run(true, false, fn) }

// update runs fn in a read-write transaction and commits it if fn returns nil.
// Packs that fn refers to must have been published before (I1).
func (d *db) update(fn func(txn) error) error { return d.run(false, false, fn) }

// run opens catalog.db, runs fn in a transaction and closes it again. bbolt has
// no sums for its pages. What it makes of damaged ones is, mostly, a panic or a
// fault, and both become a CorruptError. It then still holds its locks, and
// closing it would wait for them for ever: it is left as it is, and catalog.db
// is not used any more by this process.
func (d *db) run(readOnly, create bool, fn func(txn) error) (err error) {
	if readOnly {
		d.mu.RLock()
		defer d.mu.RUnlock()
	} else {
		d.mu.Lock()
		defer d.mu.Unlock()
	}
	if bad := d.bad.Load(); bad != nil {
		return *bad
	}
	opts := *bbolt.DefaultOptions
	opts.ReadOnly, opts.Timeout, opts.FreelistType = readOnly, lockWait, bbolt.FreelistMapType
	if !create {
		opts.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
			return os.OpenFile(name, flag&^os.O_CREATE, mode)
		}
	}
	if st, err := os.Stat(d.path); err == nil && st.Size() == 0 && !create {
		return d.corrupt(errors.New("the file is empty"))
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var b *bbolt.DB
	defer func() {
		if p := recover(); p != nil {
			err = d.corrupt(fmt.Errorf("%v", p))
			d.bad.Store(&err)
			return
		}
		if b != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	b, err = bbolt.Open(d.path, 0o600, &opts)
	if err != nil {
		b = nil
		return d.openError(err)
	}
	if readOnly {
		return b.View(func(tx *bbolt.Tx) error { return d.inTxn(tx, fn) })
	}
	return b.Update(func(tx *bbolt.Tx) error {
		if create {
			for _, name := range [][]byte{packsBucket, numbersBucket, hooksBucket} {
				if _, err := tx.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
		}
		return d.inTxn(tx, fn)
	})
}

func (d *db) inTxn(tx *bbolt.Tx, fn func(txn) error) error {
	for _, name := range [][]byte{packsBucket, numbersBucket, hooksBucket} {
		if tx.Bucket(name) == nil {
			return d.corrupt(fmt.Errorf("bucket %q is missing", name))
		}
	}
	return fn(txn{tx})
}

func (d *db) corrupt(err error) error { return &CorruptError{Path: catalogName, Err: err} }

// openError says what it means that bbolt could not open catalog.db.
func (d *db) openError(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%s: %w", catalogName, ErrLocked)
	case errors.Is(err, os.ErrNotExist):
		return d.corrupt(errors.New("the file is missing"))
	case errors.Is(err, os.ErrPermission):
		return err
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return err
	}
	return d.corrupt(err)
}

// A packRecord is what the catalog knows of a pack.
type packRecord struct {
	number   uint32 // short for the pack's ID in hooks
	size     int64  // of the file, in bytes
	raw      int64  // length of its blocks before compression, in bytes
	ordinals uint32
	present  uint32 // ordinals that are not absent
}

const packRecordSize = 4 + 8 + 8 + 4 + 4

func (t txn) pack(id pack.ID) (packRecord, bool) {
	v := t.tx.Bucket(packsBucket).Get(id[:])
	if len(v) != packRecordSize {
		return packRecord{}, false
	}
	return packRecord{
		number:   binary.BigEndian.Uint32(v),
		size:     int64(binary.BigEndian.Uint64(v[4:])),
		raw:      int64(binary.BigEndian.Uint64(v[12:])),
		ordinals: binary.BigEndian.Uint32(v[20:]),
		present:  binary.BigEndian.Uint32(v[24:]),
	}, true
}

// addPack records a pack that is published and returns its number. It returns
// false if the pack is known already.
func (t txn) addPack(id pack.ID, rec packRecord) (uint32, bool, error) {
	if _, ok := t.pack(id); ok {
		return 0, false, nil
	}
	packs := t.tx.Bucket(packsBucket)
	seq, err := packs.NextSequence()
	if err != nil {
		return 0, false, err
	}
	rec.number = uint32(seq)
	number := binary.BigEndian.AppendUint32(nil, rec.number)
	v := binary.BigEndian.AppendUint64(bytes.Clone(number), uint64(rec.size))
	v = binary.BigEndian.AppendUint64(v, uint64(rec.raw))
	v = binary.BigEndian.AppendUint32(v, rec.ordinals)
	v = binary.BigEndian.AppendUint32(v, rec.present)
	if err := packs.Put(id[:], v); err != nil {
		return 0, false, err
	}
	return rec.number, true, t.tx.Bucket(numbersBucket).Put(number, id[:])
}

// putHook records where a hook was stored last.
func (t txn) putHook(h hook, number uint32) error {
	v := binary.BigEndian.AppendUint32(make([]byte, 0, 8), number)
	return t.tx.Bucket(hooksBucket).Put(h.id[:], binary.BigEndian.AppendUint32(v, h.ordinal))
}

// hook returns where the block id, a hook, was stored last.
func (t txn) hook(id pack.BlockID) (pack.ID, uint32, bool) {
	v := t.tx.Bucket(hooksBucket).Get(id[:])
	if len(v) != 8 {
		return pack.ID{}, 0, false
	}
	p := t.tx.Bucket(numbersBucket).Get(v[:4])
	if len(p) != len(pack.ID{}) {
		return pack.ID{}, 0, false
	}
	return pack.ID(p), binary.BigEndian.Uint32(v[4:]), true
}

// eachPack calls fn for every pack that the catalog knows.
func (t txn) eachPack(fn func(pack.ID, packRecord) error) error {
	return t.tx.Bucket(packsBucket).ForEach(func(k, _ []byte) error {
		if len(k) != len(pack.ID{}) {
			return fmt.Errorf("pack ID of %d bytes: %w", len(k), ErrCorrupt)
		}
		id := pack.ID(k)
		rec, ok := t.pack(id)
		if !ok {
			return fmt.Errorf("record of pack %v: %w", id, ErrCorrupt)
		}
		return fn(id, rec)
	})
}

// check reads all that the catalog has, so that damage comes up. (bbolt's own
// check runs in a goroutine of its own, where a fault ends the program.)
func (t txn) check() error {
	most := t.tx.Size() / minEntry
	for _, name := range [][]byte{packsBucket, numbersBucket, hooksBucket} {
		var prev []byte
		n := int64(0)
		err := t.tx.Bucket(name).ForEach(func(k, v []byte) error {
			if n++; n > most {
				return fmt.Errorf("bucket %q has more entries than fit into the file", name)
			}
			if prev != nil && bytes.Compare(prev, k) >= 0 || v == nil {
				return fmt.Errorf("bucket %q: key %x after %x", name, k, prev)
			}
			prev = k
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// minEntry is the least that an entry takes in catalog.db, in bytes: bbolt's 16,
// key and value.
const minEntry = 16 + 4 + 16
