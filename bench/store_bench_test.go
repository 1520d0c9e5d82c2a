package bench

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
)

// benchBytes is the size of the database that is stored and read.
const benchBytes = 256 << 20

// benchDatabase makes the database of the benchmarks and returns its path.
func benchDatabase(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "IRIS.DAT")
	if err := WriteDatabase(path, Options{Bytes: benchBytes, Seed: 1}); err != nil {
		b.Fatal(err)
	}
	return path
}

// newRepository makes a repository that is open until the benchmark ends.
func newRepository(b *testing.B) *catalog.Repository {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "repo")
	if err := catalog.Init(dir); err != nil {
		b.Fatal(err)
	}
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := repo.Close(); err != nil {
			b.Error(err)
		}
	})
	return repo
}

// store stores path as a set of its own.
func store(b *testing.B, repo *catalog.Repository, path string) *catalog.SetInfo {
	b.Helper()
	set, err := dbback.BackupFiles(b.Context(), repo, dbback.FilesOptions{
		Instance: "BENCH",
		Paths:    []string{path},
	})
	if err != nil {
		b.Fatal(err)
	}
	if set.State != catalog.StateComplete {
		b.Fatalf("set is %s: %v", set.State, set.Problems)
	}
	return set
}

func BenchmarkStore(b *testing.B) {
	b.Run("fresh", func(b *testing.B) {
		path := benchDatabase(b)
		b.SetBytes(benchBytes)
		for b.Loop() {
			b.StopTimer()
			repo := newRepository(b)
			b.StartTimer()
			store(b, repo, path)
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		path, repo := benchDatabase(b), newRepository(b)
		store(b, repo, path)
		b.SetBytes(benchBytes)
		for b.Loop() {
			if set := store(b, repo, path); set.NewBytes != 0 {
				b.Fatalf("%d bytes of an unchanged file are new", set.NewBytes)
			}
		}
	})
	b.Run("changed=1%", storeChanged)
	b.Run("zeros=1TiB", storeZeros)
}

// storeChanged also reports the growth in packs as a multiple of the changed
// blocks' sizes, each compressed alone. bench/speed.sh measures the same on a whole
// repository, catalog and set files included.
func storeChanged(b *testing.B) {
	path, repo := benchDatabase(b), newRepository(b)
	store(b, repo, path)
	b.SetBytes(benchBytes)
	var grown, ideal int64
	for seed := uint64(2); b.Loop(); seed++ {
		b.StopTimer()
		changed, err := ChangeBlocks(path, 0.01, seed)
		if err != nil {
			b.Fatal(err)
		}
		alone, err := CompressedAlone(path, changed)
		if err != nil {
			b.Fatal(err)
		}
		ideal += alone
		b.StartTimer()
		grown += store(b, repo, path).StoredBytes
	}
	b.ReportMetric(float64(grown)/float64(ideal), "x-ideal")
}

// storeZeros stores a sparse file of 1 TiB; its holes are never read.
func storeZeros(b *testing.B) {
	path, repo := filepath.Join(b.TempDir(), "zeros"), newRepository(b)
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	before := diskUsage(b, repo.Dir())
	n := 0
	for b.Loop() {
		store(b, repo, path)
		n++
	}
	b.ReportMetric(float64(diskUsage(b, repo.Dir())-before)/float64(n), "B-grown")
}

// diskUsage sums up the sizes of the files below dir.
func diskUsage(b *testing.B, dir string) (total int64) {
	b.Helper()
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}

// storedFile stores the database in a repository and returns the file in the
// set, open for reading.
func storedFile(b *testing.B) *catalog.File {
	b.Helper()
	repo := newRepository(b)
	info := store(b, repo, benchDatabase(b))
	set, err := repo.OpenSet(info.SetName())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := set.Close(); err != nil {
			b.Error(err)
		}
	})
	return set.File(0)
}

// BenchmarkReadAt reads single blocks at random. Each is of another frame than
// all that went before, as many as there are, so that the cache of decoded
// frames, which is smaller than the file, does not help.
func BenchmarkReadAt(b *testing.B) {
	const frame = 64 << 10
	f := storedFile(b)
	places := rand.New(rand.NewPCG(1, 1)).Perm(benchBytes / frame)
	buf := make([]byte, BlockSize)
	b.SetBytes(BlockSize)
	i := 0
	for b.Loop() {
		if _, err := f.ReadAt(buf, int64(places[i%len(places)])*frame); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkReader reads the file from start to end as one open handle does, in
// requests of 1 MiB, the largest that a mount gets.
func BenchmarkReader(b *testing.B) {
	f := storedFile(b)
	buf := make([]byte, 1<<20)
	b.SetBytes(benchBytes)
	for b.Loop() {
		r := f.Reader()
		for off := int64(0); off < benchBytes; off += int64(len(buf)) {
			if _, err := r.ReadAt(buf, off); err != nil && !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRestore restores the file to where nothing is, to where it is
// already, and to where one block in a hundred differs.
func BenchmarkRestore(b *testing.B) {
	for _, tt := range []struct {
		name    string
		prepare func(b *testing.B, target string, seed uint64)
	}{
		{"fresh", func(b *testing.B, target string, _ uint64) {
			if err := os.RemoveAll(target); err != nil {
				b.Fatal(err)
			}
		}},
		{"unchanged", func(*testing.B, string, uint64) {}},
		{"changed=1%", func(b *testing.B, target string, seed uint64) {
			if _, err := ChangeBlocks(target, 0.01, seed); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(tt.name, func(b *testing.B) { restore(b, tt.prepare) })
	}
}

func restore(b *testing.B, prepare func(b *testing.B, target string, seed uint64)) {
	path, repo := benchDatabase(b), newRepository(b)
	set, to := store(b, repo, path).SetName(), b.TempDir()
	run := func() {
		if _, err := dbback.Restore(b.Context(), repo, dbback.RestoreOptions{Set: set, To: to}); err != nil {
			b.Fatal(fmt.Errorf("restore %s: %w", set, err))
		}
	}
	run()
	b.SetBytes(benchBytes)
	for seed := uint64(2); b.Loop(); seed++ {
		b.StopTimer()
		prepare(b, filepath.Join(to, path), seed)
		b.StartTimer()
		run()
	}
}
