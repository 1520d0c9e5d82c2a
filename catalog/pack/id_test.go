package pack

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	const valid = "00112233445566778899aabbccddeeff"
	got, err := ParseID(valid)
	if err != nil || got.String() != valid {
		t.Errorf("ParseID(%q) = %v, %v", valid, got, err)
	}
	// A file name has one form only, or two files could be the same pack.
	for _, s := range []string{"", valid[:30], valid + "00", strings.ToUpper(valid), "g" + valid[1:], " " + valid[1:], valid[:31] + "\n"} {
		if _, err := ParseID(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseID(%q): %v", s, err)
		}
	}
	a, b := NewID(), NewID()
	k, l := NewKey(), NewKey()
	if a == b || a == (ID{}) || k == l || k == (Key{}) {
		t.Error("IDs and keys are not random")
	}
}

func TestIsHook(t *testing.T) {
	hooks := 0
	for i := range 256 {
		if (BlockID{0: 0xff, 15: byte(i)}).IsHook() {
			hooks++
			if i%64 != 0 {
				t.Errorf("an ID that ends in %02x is a hook", i)
			}
		}
	}
	if hooks != 4 {
		t.Errorf("%d of 256 last bytes make a hook, want 4", hooks)
	}
}

// The functions are those that the format names: a published value of each.
// That of BLAKE3 is from its authors' list, of the bytes 0, 1, …, n-1 under
// their key.
func TestHashes(t *testing.T) {
	tests := []struct {
		n    int
		want string
	}{
		{0, "92b2b75604ed3c761f9d6f62392c8a92"},
		{1, "6d7878dfff2f485635d39013278ae14f"},
	}
	h := NewHasher(Key([]byte("whats the Elvish word for friend")))
	for _, tt := range tests {
		block := make([]byte, tt.n)
		for i := range block {
			block[i] = byte(i)
		}
		for range 2 { // nothing may be left over from the block before
			if got := h.BlockID(block); got.String() != tt.want {
				t.Errorf("ID of %d bytes is %v, want %s", tt.n, got, tt.want)
			}
		}
	}
	if got := fmt.Sprintf("%016x", Sum64(nil)); got != "ef46db3751d8e999" {
		t.Errorf("Sum64 of nothing is %s", got)
	}
	d := NewDigest()
	fmt.Fprint(d, "ab")
	fmt.Fprint(d, "c")
	if d.Sum64() != Sum64([]byte("abc")) || d.Sum64() != 0x44bc2cf5ad770999 {
		t.Errorf("sum of %q is %x", "abc", d.Sum64())
	}
}

// Repositories do not share IDs: without the key nobody can tell what is in one.
func TestHasherKeyed(t *testing.T) {
	block := []byte("block")
	if NewHasher(Key{1}).BlockID(block) == NewHasher(Key{2}).BlockID(block) {
		t.Error("two keys give the same ID")
	}
}

func TestIsZero(t *testing.T) {
	for _, n := range []int{0, 1, 8192, MaxFrame, MaxFrame + 1, 3*MaxFrame + 7} {
		b := make([]byte, n)
		if !IsZero(b) {
			t.Errorf("%d zeros are not zero", n)
		}
		for _, at := range []int{0, n / 2, n - 1} {
			if n > 0 {
				b[at] = 1
				if IsZero(b) {
					t.Errorf("%d bytes with a 1 at %d are zero", n, at)
				}
				b[at] = 0
			}
		}
	}
}
