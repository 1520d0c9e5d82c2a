package restore

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// realFiles returns real databases: in shared/data/real beside the checkout or
// above it, where they are present.
func realFiles(t *testing.T) []string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if paths, _ := filepath.Glob(filepath.Join(dir, "shared/data/real", "*.DAT")); len(paths) > 0 {
			return paths
		}
	}
	t.Skip("optional input: no shared/data/real beside the checkout")
	return nil
}

// swapLabel changes the byte order of the number of blocks in a label.
func swapLabel(head []byte) []byte {
	head = slices.Clone(head)
	binary.BigEndian.PutUint32(head[labelBlocks:], binary.LittleEndian.Uint32(head[labelBlocks:]))
	return head
}

func TestOtherEndian_Real(t *testing.T) {
	for _, path := range realFiles(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		size := int64(len(b))
		if otherEndian(b, size) {
			t.Errorf("%s is refused", path)
		}
		if !otherEndian(swapLabel(b), size) {
			t.Errorf("%s with its label swapped is not refused", path)
		}
		if otherEndian(swapLabel(b), size+8192) {
			t.Errorf("%s: one of another size than its label says is judged", path)
		}
	}
}

func TestOtherEndian(t *testing.T) {
	label := func(blocks uint32, order binary.ByteOrder) []byte {
		b := make([]byte, 0x800)
		copy(b[labelMagic:], "Cache DB")
		order.PutUint32(b[labelBlocks:], blocks)
		return b
	}
	native, other := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		native, other = other, native
	}
	const palindrome = 0x01000001
	tests := []struct {
		name string
		head []byte
		size int64
		want bool
	}{
		{"like this machine", label(128, native), 128 * 8192, false},
		{"unlike", label(128, other), 128 * 8192, true},
		{"unlike, 2 KiB blocks", label(300, other), 300 * 2048, true},
		{"unlike, 64 KiB blocks", label(300, other), 300 << 16, true},
		{"unlike, blocks of a size that there is not", label(300, other), 300 << 17, false},
		{"unlike, no power of two", label(300, other), 300 * 8193, false},
		{"grown since", label(128, other), 129 * 8192, false},
		{"no blocks", label(0, other), 8192, false},
		{"an empty file", label(128, other), 0, false},
		{"the same both ways", label(palindrome, other), palindrome * 8192, false},
		{"no label", make([]byte, 0x800), 128 * 8192, false},
		{"cut off", label(128, other)[:labelMagic+7], 128 * 8192, false},
		{"nothing", nil, 0, false},
	}
	for _, tt := range tests {
		if got := otherEndian(tt.head, tt.size); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzOtherEndian(f *testing.F) {
	f.Add([]byte(strings.Repeat("x", labelMagic)+"Cache DB"), int64(8192))
	f.Add([]byte(strings.Repeat("\x01", labelMagic)+"Cache DB"), int64(-8192))
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		if otherEndian(head, size) && (len(head) < labelMagic+8 || otherEndian(swapLabel(head), size)) {
			t.Error("refused in both byte orders, or without a label")
		}
	})
}
