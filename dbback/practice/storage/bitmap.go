package storage

import "math/bits"

// Map blocks: a header, then a bit a block of the database. In the map of free
// blocks a bit that is set means free (so in files of InterSystems); in those of
// changed blocks it means changed.
const (
	offBitmap    = 384
	offMapName   = 0x20 // "CacheMapm" or "CacheMapi", as seen in files of InterSystems
	offMarkTime  = 0x40 // i64, Unix nanoseconds of the last mark; map of changed blocks only
	blocksPerMap = (BlockSize - offBitmap) * 8

	mapNameFree    = "CacheMapm"
	mapNameChanged = "CacheMapi"
)

// A bitmap has a bit a block, as in a map block after its header.
type bitmap []byte

func newBitmap() bitmap { return make(bitmap, BlockSize-offBitmap) }

func (m bitmap) has(n uint32) bool { return m[n/8]&(1<<(n%8)) != 0 }
func (m bitmap) set(n uint32)      { m[n/8] |= 1 << (n % 8) }
func (m bitmap) unset(n uint32)    { m[n/8] &^= 1 << (n % 8) }

// fill sets every bit.
func (m bitmap) fill() {
	for i := range m {
		m[i] = 0xFF
	}
}

// count returns how many bits are set.
func (m bitmap) count() int64 {
	var n int
	for _, b := range m {
		n += bits.OnesCount8(b)
	}
	return int64(n)
}

// next returns the first bit set at or after n, and whether there is one.
func (m bitmap) next(n uint32) (uint32, bool) {
	for i := int(n / 8); i < len(m); i++ {
		b := m[i]
		if i == int(n/8) {
			b &= 0xFF << (n % 8)
		}
		if b != 0 {
			return uint32(i*8 + bits.TrailingZeros8(b)), true
		}
	}
	return 0, false
}

// initMap makes b an empty map block.
func initMap(b []byte, n uint32, name string) {
	initBlock(b, n, typeMap)
	copy(b[offMapName:], name)
}
