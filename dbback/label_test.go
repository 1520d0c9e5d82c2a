package dbback

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"datfs/catalog"
)

// An irisHead describes the start of an InterSystems database for a test.
type irisHead struct {
	blocks   uint32
	mapAt    int // offset of the first map block, 0 for none
	dir      string
	resource string
}

func (h irisHead) bytes() []byte {
	b := make([]byte, HeadSize)
	copy(b[irisMagic:], "Cache DB")
	binary.LittleEndian.PutUint32(b[irisBlocks:], h.blocks)
	binary.LittleEndian.PutUint16(b[irisDirectory:], uint16(len(h.dir)))
	copy(b[irisDirectory+2:], h.dir)
	binary.LittleEndian.PutUint16(b[irisResource:], uint16(len(h.resource)))
	copy(b[irisResource+2:], h.resource)
	if h.mapAt > 0 {
		b[h.mapAt+4] = irisMapType
	}
	return b
}

// gtmHead returns the start of a GT.M database.
func gtmHead(version string, bs int32, blocks int64) []byte {
	b := make([]byte, HeadSize)
	copy(b, "GDSDYNUNX"+version)
	binary.LittleEndian.PutUint32(b[gtmBlockSize:], uint32(bs))
	if version == "04" {
		binary.LittleEndian.PutUint64(b[gtmStartVBNv7:], 8193)
		binary.LittleEndian.PutUint64(b[gtmTotalBlocks:], uint64(blocks))
	}
	return b
}

func TestRecognise(t *testing.T) {
	const user = "/usr/irissys/mgr/user/"
	iris := irisHead{blocks: 128, mapAt: 8192, dir: user, resource: "%DB_USER"}
	label := func(blocks int64, bs int32) *catalog.Label {
		return &catalog.Label{Directory: user, Resource: "%DB_USER", Blocks: blocks, BlockSize: bs}
	}
	with := func(edit func(b []byte)) []byte {
		b := iris.bytes()
		edit(b)
		return b
	}
	mapAt := func(off int) []byte {
		h := iris
		h.mapAt = off
		return h.bytes()
	}

	tests := []struct {
		name   string
		head   []byte
		size   int64
		format string
		bs     int32
		label  *catalog.Label
	}{
		{"Empty", nil, 0, "", 65536, nil},
		{"OneByte", []byte{0}, 1, "", 65536, nil},
		{"Text", []byte(strings.Repeat("to be or not to be ", 500)), 9500, "", 65536, nil},
		{"Zeros", make([]byte, HeadSize), 1 << 30, "", 65536, nil},

		{"IRIS", iris.bytes(), 128 * 8192, "iris", 8192, label(128, 8192)},
		{"IRISByMap2K", mapAt(2048), 128 * 2048, "iris", 2048, label(128, 2048)},
		{"IRISEncrypted2K", with(func(b []byte) { copy(b[2048:4096], noise(1, 2048)) }), 128 * 2048, "iris", 2048, label(128, 2048)},
		{"IRISHalf", iris.bytes(), 128 * 4096, "iris", 8192, label(128, 8192)},
		{"IRISTwice", with(func(b []byte) { b[16384+4] = 9 }), 128 * 16384, "iris", 8192, label(128, 8192)},
		{"IRISFourTimes", with(func(b []byte) { b[32768+4] = irisMapType }), 128 * 32768, "iris", 8192, label(128, 8192)},
		{"IRISBySize64K", mapAt(0), 128 * 65536, "iris", 65536, label(128, 65536)},
		{"IRISByMap4K", mapAt(4096), 128*4096 + 1, "iris", 4096, label(128, 4096)},
		{"IRISByMap64K", mapAt(65536), 100 * 65536, "iris", 65536, label(128, 65536)},
		{"IRISGrown", iris.bytes(), 200 * 8192, "iris", 8192, label(128, 8192)},
		{"IRISTooManyTimes", iris.bytes(), 128 * 3 * 8192, "iris", 8192, label(128, 8192)},
		{"IRISEncryptedGrown", mapAt(0), 200*8192 + 5, "iris", 8192, label(128, 8192)},
		{"IRISNoBlocks", irisHead{mapAt: 16384}.bytes(), 1 << 20, "iris", 16384, &catalog.Label{BlockSize: 16384}},
		{"IRISLabelOnly", iris.bytes()[:irisMinSize], irisMinSize, "iris", 8192, label(128, 8192)},
		{"IRISShort", iris.bytes()[:irisMinSize-1], irisMinSize - 1, "", 65536, nil},
		{
			"IRISBigEndianName", with(func(b []byte) { b[irisDirectory], b[irisDirectory+1] = 0, 22 }), 128 * 8192, "iris", 8192,
			&catalog.Label{Resource: "%DB_USER", Blocks: 128, BlockSize: 8192},
		},
		{
			"IRISTerminalCodes", with(func(b []byte) { b[irisDirectory+2], b[irisResource+2] = 0x1b, 0xff }), 128 * 8192, "iris", 8192,
			&catalog.Label{Directory: "\uFFFD" + user[1:], Resource: "\uFFFDDB_USER", Blocks: 128, BlockSize: 8192},
		},

		{"GTMv7", gtmHead("04", 8192, 100), 1 << 20, "gtm-v7", 8192, &catalog.Label{Blocks: 100, BlockSize: 8192}},
		{"GTMv6", gtmHead("03", 4096, 0), 1 << 20, "gtm-v6", 4096, &catalog.Label{BlockSize: 4096}},
		{"GTM512", gtmHead("04", 512, 7), 1 << 20, "gtm-v7", 512, &catalog.Label{Blocks: 7, BlockSize: 512}},
		{"GTM1536", gtmHead("04", 1536, 7), 1 << 20, "gtm-v7", 512, &catalog.Label{Blocks: 7, BlockSize: 1536}},
		{"GTM12K", gtmHead("04", 12288, 7), 1 << 20, "gtm-v7", 4096, &catalog.Label{Blocks: 7, BlockSize: 12288}},
		{"GTM24K", gtmHead("04", 24576, 7), 1 << 20, "gtm-v7", 8192, &catalog.Label{Blocks: 7, BlockSize: 24576}},
		{"GTM32256", gtmHead("04", 32256, 7), 1 << 20, "gtm-v7", 4096, &catalog.Label{Blocks: 7, BlockSize: 32256}},
		{"GTM65024", gtmHead("03", 65024, 0), 1 << 20, "gtm-v6", 4096, &catalog.Label{BlockSize: 65024}},
		{"GTMGarbageBlocks", gtmHead("04", 8192, -5), 1 << 20, "gtm-v7", 8192, &catalog.Label{BlockSize: 8192}},
		{"GTMShort", gtmHead("04", 8192, 100)[:16], 16, "gtm-v7", 8192, &catalog.Label{BlockSize: 8192}},
		{"GTMTooShort", gtmHead("04", 8192, 100)[:15], 15, "", 65536, nil},
		{"GTMOtherVersion", gtmHead("05", 8192, 100), 1 << 20, "", 65536, nil},
		{"GTMOddBlock", gtmHead("04", 1000, 100), 1 << 20, "", 65536, nil},
		{"GTMZeroBlock", gtmHead("04", 0, 100), 1 << 20, "", 65536, nil},
		{"GTMNegativeBlock", gtmHead("04", -512, 100), 1 << 20, "", 65536, nil},
		{"GTMHugeBlock", gtmHead("04", 65536, 100), 1 << 20, "", 65536, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			format, bs, label := Recognise(tt.head, tt.size)
			if format != tt.format || bs != tt.bs {
				t.Errorf("format %q, block size %d; want %q, %d", format, bs, tt.format, tt.bs)
			}
			if !reflect.DeepEqual(label, tt.label) {
				t.Errorf("label = %+v, want %+v", label, tt.label)
			}
		})
	}
}

func TestSizeSaid(t *testing.T) {
	tests := []struct {
		name string
		head []byte
		size int64
		want int64
	}{
		{"IRIS", irisHead{blocks: 128}.bytes(), 128 * 8192, 128 * 8192},
		{"IRISCutOff", irisHead{blocks: 128, mapAt: 8192}.bytes(), 1 << 19, 128 * 8192},
		{"IRISCutOffOddly", irisHead{blocks: 128, mapAt: 8192}.bytes(), 1000001, 128 * 8192},
		{"GTMv7", gtmHead("04", 8192, 100), 0, 4<<20 + 101*8192},
		{"GTMv6", gtmHead("03", 8192, 0), 0, 0},
		{"GTMNoStart", slices.Concat(gtmHead("04", 8192, 100)[:gtmStartVBNv7], make([]byte, 512)), 0, 0},
		{"Other", make([]byte, HeadSize), 77, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			format, _, label := Recognise(tt.head, tt.size)
			if got := sizeSaid(tt.head, format, label); got != tt.want {
				t.Errorf("size said = %d, want %d", got, tt.want)
			}
		})
	}
}

// TestRecognise_RealFiles reads real database files where they are present: in
// shared/data/real beside the checkout or above it.
func TestRecognise_RealFiles(t *testing.T) {
	tests := []struct {
		file  string
		label catalog.Label
	}{
		{"smihand-globalsproxy-2019.CACHE.DAT", catalog.Label{Directory: `c:\globals\mgr\data\`, Resource: "%DB_%DEFAULT", Blocks: 128, BlockSize: 8192}},
		{"rcemper-microdurability-2020-05-14.IRIS.DAT", catalog.Label{Directory: "/external/demo/", Resource: "%DB_%DEFAULT", Blocks: 128, BlockSize: 8192}},
		{"rcemper-microdurability-2021-07-05.IRIS.DAT", catalog.Label{Directory: "/external/demo/", Resource: "%DB_%DEFAULT", Blocks: 128, BlockSize: 8192}},
		{"sguilbaud-dataenstemp-2024.IRIS.DAT", catalog.Label{
			Directory: "/usr/irissys/mgr/IRISAPP_DATA/irisapp_dataenstemp/",
			Resource:  "%DB_IRISAPP_DATA", Blocks: 128, BlockSize: 8192,
		}},
	}
	dir := realFiles(t)
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			if dir == "" {
				t.Skip("optional input: no shared/data/real beside the checkout")
			}
			src, err := openSource(filepath.Join(dir, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			head, err := src.head()
			if err != nil {
				t.Fatal(err)
			}
			format, bs, label := Recognise(head, src.opened.Size)
			if format != "iris" || bs != 8192 || !reflect.DeepEqual(label, &tt.label) {
				t.Errorf("got %q, %d, %+v; want iris, 8192, %+v", format, bs, label, tt.label)
			}
			// The size must not be what the block size rests on.
			if _, bs, _ := Recognise(head, src.opened.Size+1); bs != 8192 {
				t.Errorf("block size by map block = %d, want 8192", bs)
			}
		})
	}
}

// realFiles returns the directory of real database files, or "".
func realFiles(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, "shared", "data", "real")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

// FuzzRecognise holds what callers rely on for any input at all. The input is a
// patch to the start of a file that is recognised, or to nothing: whole starts
// of files would be too long to be varied well.
func FuzzRecognise(f *testing.F) {
	bases := [][]byte{
		make([]byte, HeadSize),
		irisHead{blocks: 128, mapAt: 8192, dir: "/d/", resource: "%DB_D"}.bytes(),
		gtmHead("03", 8192, 0),
		gtmHead("04", 8192, 100),
	}
	f.Add(uint8(0), uint32(HeadSize), uint16(0), []byte("GDSDYNUNX04\x00\x00\x02"), int64(0))
	f.Add(uint8(1), uint32(HeadSize), uint16(irisBlocks), []byte{0, 0, 0, 0}, int64(1<<20))
	f.Add(uint8(1), uint32(irisMinSize), uint16(irisResource), []byte{0xff, 0xff, 0x1b}, int64(irisMinSize))
	f.Add(uint8(2), uint32(16), uint16(gtmBlockSize), []byte{0, 6, 0, 0}, int64(-1))
	f.Add(uint8(3), uint32(gtmHeadV7), uint16(gtmStartVBNv7), []byte{255, 255, 255, 255, 255, 255, 255, 127}, int64(1<<62))
	f.Fuzz(func(t *testing.T, base uint8, length uint32, at uint16, patch []byte, size int64) {
		head := slices.Clone(bases[int(base)%len(bases)])
		copy(head[at:], patch)
		head = head[:min(int(length), len(head))]
		checkRecognised(t, head, size)
	})
}

func checkRecognised(t *testing.T, head []byte, size int64) {
	t.Helper()
	format, bs, label := Recognise(head, size)
	if bs < 512 || bs > 65536 || bs&(bs-1) != 0 {
		t.Errorf("block size %d", bs)
	}
	if !slices.Contains([]string{"", "iris", "gtm-v6", "gtm-v7"}, format) {
		t.Errorf("format %q", format)
	}
	if (label == nil) != (format == "") {
		t.Errorf("format %q with label %v", format, label)
	}
	if said := sizeSaid(head, format, label); said < 0 {
		t.Errorf("size said = %d", said)
	}
	if label == nil {
		return
	}
	for _, s := range []string{label.Directory, label.Resource} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("label says %q", s)
		}
	}
}
