package catalog

import (
	"encoding/binary"
	"testing"

	"datfs/catalog/pack"
)

// recentID returns an ID of a bucket, told from others there by tag.
func recentID(bucket, tag uint64) pack.BlockID {
	var id pack.BlockID
	binary.LittleEndian.PutUint64(id[:], bucket)
	binary.LittleEndian.PutUint64(id[8:], 2*tag) // the lowest bit is not looked at
	return id
}

func TestRecent(t *testing.T) {
	r := newRecent()
	const last = recentSize/recentWays - 1 // bucket
	for _, bucket := range []uint64{0, 1, last} {
		if a, ok := r.get(recentID(bucket, 0)); ok || a != (address{}) {
			t.Errorf("an empty table has %v", a)
		}
		for tag := range uint64(recentWays) {
			r.put(recentID(bucket, tag), address{uint32(bucket), uint32(tag)})
		}
	}
	for _, bucket := range []uint64{0, 1, last} {
		for tag := range uint64(recentWays) {
			if a, ok := r.get(recentID(bucket, tag)); !ok || a != (address{uint32(bucket), uint32(tag)}) {
				t.Errorf("bucket %d, tag %d: %v, %v", bucket, tag, a, ok)
			}
		}
		if a, ok := r.get(recentID(bucket, recentWays)); ok {
			t.Errorf("an ID that was never put is at %v", a)
		}
	}
	if _, ok := r.get(recentID(2, 0)); ok {
		t.Error("a bucket between has something")
	}

	r.put(recentID(1, 2), address{7, 8})
	if a, ok := r.get(recentID(1, 2)); !ok || a != (address{7, 8}) {
		t.Errorf("put again: %v, %v", a, ok)
	}
	for _, tag := range []uint64{0, 1, 3} { // nothing had to go for it
		if a, ok := r.get(recentID(1, tag)); !ok || a != (address{1, uint32(tag)}) {
			t.Errorf("its neighbour %d: %v, %v", tag, a, ok)
		}
	}
}

// A bucket that is full takes new entries, each in the place of one old one.
func TestRecentFull(t *testing.T) {
	r := newRecent()
	for tag := range uint64(100) {
		r.put(recentID(5, tag), address{0, uint32(tag)})
		if a, ok := r.get(recentID(5, tag)); !ok || a.ordinal != uint32(tag) {
			t.Fatalf("entry %d is not there: %v, %v", tag, a, ok)
		}
		kept := 0
		for old := range tag + 1 {
			a, ok := r.get(recentID(5, old))
			if ok {
				kept++
			}
			if ok && a.ordinal != uint32(old) {
				t.Errorf("entry %d is at %v", old, a)
			}
		}
		if want := min(int(tag)+1, recentWays); kept != want {
			t.Errorf("%d entries of %d are kept, want %d", kept, tag+1, want)
		}
	}
	if len(r.entries) != recentSize {
		t.Errorf("the table has grown to %d entries", len(r.entries))
	}
}
