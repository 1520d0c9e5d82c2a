// Package bench measures datfs: how fast it stores, reads and restores, and
// how much a repository grows.
//
// Measuring needs input that behaves like a production database, and no such
// database can be published. WriteDatabase therefore makes one: blocks of 8 KiB
// with the label, block types and header fields of an InterSystems database
// file, filled with rows that compress about three times. The same Options
// always give the same bytes, so that two measurements can be compared.
//
// # What the numbers stand on
//
//   - Every used block is different from every other, as in a real database
//     (its keys are unique). All deduplication seen here is between sets, never
//     within a file.
//   - The last tenth of the blocks is zero: space the database has expanded into
//     and not used yet. The zeros are written, not left as a hole.
//   - ChangeBlocks replaces a block's whole content. A real database changes a
//     row or two of a block, which makes no difference to a program that stores
//     whole blocks.
//
// # Parts
//
//   - data.go, block.go, rows.go: the database file.
//   - ideal.go: the least a change can take, to compare growth with.
//   - gendat: the generator as a command, for bench/speed.sh.
//   - measure: memory of a command, read speed of a file, for bench/speed.sh.
//   - *_bench_test.go: Go benchmarks; "make bench" runs them.
//
// This package may use zstd itself, beside catalog/pack: it is the yardstick
// and must not be made of the code that it measures.
package bench
