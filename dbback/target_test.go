package dbback

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// TestRestore_InPlace writes the blocks that differ and no others.
func TestRestore_InPlace(t *testing.T) {
	const block = 8192
	dir := mkdir(t, t.TempDir(), "user")
	db := put(t, filepath.Join(dir, "IRIS.DAT"), irisFile(2000, 100, 101, 1500))
	repo := newRepo(t)
	info := repo.backup(t, db)
	to := t.TempDir()
	repo.restore(t, info, to)
	inode := stat(t, to+db).Ino

	tests := []struct {
		name    string
		edit    func(path string)
		written int64
	}{
		{"Nothing", func(string) {}, 0},
		{"ThreeBlocks", func(path string) {
			edit(t, path, 5*block+100, []byte("x"))
			edit(t, path, 6*block, noise(9, block))
			edit(t, path, 1999*block+block-1, []byte("x"))
		}, 3 * block},
		{"AcrossPieces", func(path string) { edit(t, path, 512*block-10, noise(9, 20)) }, 2 * block},
		{"DataToZero", func(path string) { edit(t, path, 700*block, make([]byte, 2*block)) }, 2 * block},
		{"HoleToData", func(path string) { edit(t, path, 100*block, noise(9, 2*block)) }, 0},
		{"ZeroedHole", func(path string) { edit(t, path, 1500*block, make([]byte, block)) }, 0},
		{"Attributes", func(path string) {
			if err := errors.Join(os.Chmod(path, 0o400), os.Chtimes(path, time.Time{}, time.Now())); err != nil {
				t.Fatal(err)
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.edit(to + db)
			report := repo.restore(t, info, to)
			sameFile(t, to+db, db)
			f := report.Files[0]
			if f.Created || f.WrittenBytes != tt.written || f.HoleBytes != 3*block || f.UnchangedBytes != 1997*block-tt.written {
				t.Errorf("report = %+v, want %d bytes written", f, tt.written)
			}
			if st := stat(t, to+db); st.Ino != inode || st.Blocks*512 > 1998*block {
				t.Errorf("inode %d was %d, %d bytes on disk", st.Ino, inode, st.Blocks*512)
			}
			if got := names(t, to); len(got) != 1 {
				t.Errorf("files = %v", got)
			}
		})
	}
}

// TestRestore_WrongSize restores onto targets that are longer or shorter, and
// makes the sparse ones of them right too.
func TestRestore_WrongSize(t *testing.T) {
	const block = 8192
	const size = 600*block + 1000
	dir := t.TempDir()
	data := append(irisFile(600, 10, 590, 599), noise(4, 1000)...)
	db := put(t, filepath.Join(dir, "IRIS.DAT"), data)
	repo := newRepo(t)
	info := repo.backup(t, db)
	if info.Files[0].BlockSize != block {
		t.Fatalf("file = %+v", info.Files[0])
	}
	tests := []struct {
		name    string
		target  []byte
		written int64
	}{
		{"Same", data, 0},
		{"Empty", nil, size - 3*block},
		{"OneByte", data[:1], size - 3*block},
		{"BlockMissing", data[:599*block], 1000},
		{"HalfBlockMissing", data[:598*block+block/2], 1000 + block},
		{"TailIsGarbage", slices.Concat(data[:598*block], noise(7, 1000)), 1000 + block},
		{"Longer", slices.Concat(data, noise(7, 5)), 0},
		{"MuchLonger", slices.Concat(data, noise(7, 20<<20)), 0},
		{"OtherContent", noise(8, size+1), size - 3*block},
		{"Zeros", make([]byte, size), size - 3*block},
	}
	for _, tt := range tests {
		for _, dry := range []bool{true, false} {
			to := t.TempDir()
			mkdir(t, to, dir)
			put(t, to+db, tt.target)
			before := stat(t, to+db)
			report, err := Restore(t.Context(), repo.Repository, RestoreOptions{Set: info.SetName(), To: to, DryRun: dry})
			if err != nil {
				t.Errorf("%s, dry run %v: %v", tt.name, dry, err)
				continue
			}
			if report.WrittenBytes != tt.written || report.HoleBytes != 3*block || report.UnchangedBytes != size-3*block-tt.written {
				t.Errorf("%s, dry run %v: report = %+v, want %d written", tt.name, dry, report, tt.written)
			}
			if !dry {
				sameFile(t, to+db, db)
				continue
			}
			if got, err := os.ReadFile(to + db); err != nil || !bytes.Equal(got, tt.target) || stat(t, to+db).Ctim != before.Ctim {
				t.Errorf("%s: the dry run changed the target", tt.name)
			}
		}
	}
}

// TestRestore_Holes makes holes again where the target has garbage.
func TestRestore_Holes(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "sparse")
	const size = 50 << 20
	writeSparse(t, db, size, map[int64][]byte{10 << 20: noise(1, 1<<20)})
	repo := newRepo(t)
	info := repo.backup(t, db)
	for _, target := range []string{"garbage", "hole"} {
		to := t.TempDir()
		mkdir(t, to, dir)
		if target == "garbage" {
			put(t, to+db, noise(2, size))
		} else {
			writeSparse(t, to+db, size, nil)
		}
		report := repo.restore(t, info, to)
		sameFile(t, to+db, db)
		if st := stat(t, to+db); st.Blocks*512 > 2<<20 {
			t.Errorf("%s: %d bytes on disk", target, st.Blocks*512)
		}
		if report.WrittenBytes != 1<<20 || report.HoleBytes != size-1<<20 {
			t.Errorf("%s: report = %+v", target, report)
		}
	}
}

// TestRestore_NoHoles restores onto a file system that has no holes.
func TestRestore_NoHoles(t *testing.T) {
	const size = 20 << 20
	to := mount(t, "ramfs", "")
	db := filepath.Join(t.TempDir(), "sparse")
	writeSparse(t, db, size, map[int64][]byte{10 << 20: noise(1, 1<<20)})
	repo := newRepo(t)
	info := repo.backup(t, db)
	tests := []struct {
		name           string
		written, holes int64
	}{
		{"New", 1 << 20, size - 1<<20},
		{"Same", 0, size - 1<<20},
		{"Garbage", 2 << 20, size - 2<<20},
	}
	for _, tt := range tests {
		if tt.name == "Garbage" {
			edit(t, to+db, 1<<20, noise(2, 1<<20))  // where the set has a hole
			edit(t, to+db, 10<<20, noise(3, 1<<20)) // where it has data
		}
		f := repo.restore(t, info, to).Files[0]
		if f.WrittenBytes != tt.written || f.HoleBytes != tt.holes || f.UnchangedBytes != size-tt.written-tt.holes {
			t.Errorf("%s: report = %+v", tt.name, f)
		}
		sameFile(t, to+db, db)
	}
}

// TestTarget_MakeHole_Zeros is for file systems without holes.
func TestTarget_MakeHole_Zeros(t *testing.T) {
	path := writeFile(t, noise(1, 10<<20))
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(want[5000:9_000_000])
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &restorer{buf: noise(3, pieceSize)}
	tg := &target{job: &job{target: path}, r: r, f: f, noPunch: true}
	zeros, err := tg.makeHole(t.Context(), catalog.Range{Off: 5000, Len: 9_000_000 - 5000, Hole: true})
	if err != nil || zeros != 9_000_000-5000 {
		t.Errorf("wrote %d zeros, err = %v", zeros, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("content differs, err = %v", err)
	}
}

// TestRestorer_OpenTarget does not follow a link that was put there after the
// plan was made.
func TestRestorer_OpenTarget(t *testing.T) {
	precious := writeFile(t, []byte("precious"))
	link := precious + "-link"
	if err := os.Symlink(precious, link); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		r := &restorer{opts: RestoreOptions{DryRun: dry}}
		if _, err := r.openTarget(&job{target: link, size: 8}); !errors.Is(err, unix.ELOOP) {
			t.Errorf("dry run %v: err = %v, want ELOOP", dry, err)
		}
	}
}
