package catalog

import (
	"runtime"
	"sync"

	"datfs/catalog/pack"
)

// workers are the goroutines that hash and compress, one a core. Their tasks
// never wait for each other.
type workers struct {
	tasks chan func(*worker)
	wg    sync.WaitGroup
}

// A worker has what may not be shared between cores.
type worker struct {
	hasher *pack.Hasher
	comp   *pack.Compressor
}

func startWorkers(key pack.Key, codec pack.Codec) (*workers, error) {
	ws := &workers{tasks: make(chan func(*worker))}
	for range runtime.GOMAXPROCS(0) {
		comp, err := pack.NewCompressor(codec)
		if err != nil {
			ws.stop()
			return nil, err
		}
		w := &worker{pack.NewHasher(key), comp}
		ws.wg.Go(func() {
			for task := range ws.tasks {
				task(w)
			}
		})
	}
	return ws, nil
}

// do has a worker run the task, when one is free.
func (ws *workers) do(task func(*worker)) { ws.tasks <- task }

// stop ends the workers; do must not be called any more.
func (ws *workers) stop() {
	close(ws.tasks)
	ws.wg.Wait()
}

// identify gives each block its ID, or finds that it is zero.
func (w *worker) identify(blocks []block) {
	for i := range blocks {
		b := &blocks[i]
		if b.zero = pack.IsZero(b.data); !b.zero {
			b.id = w.hasher.BlockID(b.data)
		}
	}
}
