package gtm

import (
	"os"
	"path/filepath"
	"testing"
	"fmt"
	"encoding/binary"
)

func TestZZ(t *testing.T) {
	l := newLive(t, shape{blockSize: 512, allocation: 1200})
	l.load(1)
	for i := range 3 { 
		cmd := l.program(l.tools.gbldir, "grow", fmt.Sprintf("%d 0", i))
		if err := cmd.Start(); err != nil { t.Fatal(err) }
		l.procs = append(l.procs, cmd)
	}
	l.moved("DEFAULT", 200)
	e, err := New(Options{Gbldir: l.tools.gbldir})
	if err != nil { t.Fatal(err) }
	for round := range 25 {
		e.work = t.TempDir()
		tn, err := e.markRegion(t.Context(), "DEFAULT")
		if err != nil { t.Fatal(err) }
		dirty := filepath.Join(e.work, "d.dat")
		copyFile(t, filepath.Join(l.dir, "t.dat"), dirty)
		inc := filepath.Join(e.work, "i.bck")
		l.mupip("backup", "-bytestream", "-since=bytestream", "-nonewjnlfiles", "-bkupdbjnl=disable", "DEFAULT", inc)
		h, err := readHeaderFile(dirty)
		if err != nil { t.Fatal(err) }
		st, _ := os.Stat(dirty)
		a, b := filepath.Join(e.work, "a.dat"), filepath.Join(e.work, "b.dat")
		copyFile(t, dirty, a)
		copyFile(t, dirty, b)
		overlay(t, a, inc)
		d := &restoredDB{}
		d.Target, d.StartTN = b, tn
		l.mupip("rundown", "-file", b)
		if err := prepare(d); err != nil { t.Fatal(err) }
		out := l.mupip("restore", b, inc)
		in, err := openIncremental(inc)
		if err != nil { t.Fatal(err) }
		mk, err := openIncremental(filepath.Join(e.work, "DEFAULT.mark"))
		if err != nil { t.Fatal(err) }
		fmt.Println(round, "mark", mk.TotalBlocks, "copy header", h.TotalBlocks, "copy blocks", (st.Size()-h.Start)/512-1, "inc", in.TotalBlocks, len(out))
		x, _ := os.ReadFile(a)
		y, _ := os.ReadFile(b)
		z, _ := os.ReadFile(dirty)
		if len(x) != len(y) { t.Errorf("sizes %d %d", len(x), len(y)) }
		for n := int64(0); n < in.TotalBlocks; n++ {
			o := h.Start + n*512
			if o+512 > int64(len(y)) || o+512 > int64(len(x)) { break }
			if string(x[o:o+512]) != string(y[o:o+512]) {
				rec := -1
				for i, r := range in.records { if r.block == n { rec = i } }
				var zz []byte
				if o+512 <= int64(len(z)) { zz = z[o:o+20] }
				t.Errorf("block %d (%d): overlay %x restore %x copy %x record %d tn %d", n, n%512, x[o:o+20], y[o:o+40], zz, rec, binary.LittleEndian.Uint64(y[o+8:]))
			}
		}
	}
}
