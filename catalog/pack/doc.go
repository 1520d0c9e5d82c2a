// Package pack reads and writes pack files: the immutable files that hold a
// repository's blocks. It also has what the format is made of: sums, block IDs
// and compression. It knows nothing of sets, files or paths.
//
// This comment is the specification of the format, version 1. A reader written
// from it alone, in any language, must be able to read every version 1 pack.
//
// # Terms
//
// A block is 1 to 65,536 bytes. Its number within its pack is its ordinal: 0,
// 1, 2, … in the order of writing, never changed afterwards. A frame is a run
// of blocks, together at most 65,536 bytes, compressed as one. Integers are
// little-endian, reserved bytes are zero, and "sum" is always XXH64 with seed 0.
// Header and footer keep their size and the places of magic, version and sum in
// all versions, so that a later one is told from a damaged one.
//
// # Layout
//
//	+-------------+-------------------+---------------------+-------+-------------+
//	| header (64) | frames, one after | directory segments, | index | footer (64) |
//	|             | the other         | one after the other |       |             |
//	+-------------+-------------------+---------------------+-------+-------------+
//
// The header:
//
//	offset  size  field
//	     0     8  magic "DATFSPAK"
//	     8     4  version, 1
//	    12     4  flags, 0
//	    16    16  pack ID, random; also the file's name, in hex
//	    32    16  key ID; zero means that nothing is encrypted
//	    48     8  reserved
//	    56     8  sum of bytes 0 to 55
//
// A frame has no header of its own: its place, its sum and what it holds are in
// the directory. With key ID zero its stored bytes are the blocks one after the
// other (codec 0) or one zstd frame of them without zstd's own checksum (codec
// 1), which must be shorter than they are.
//
// A directory segment covers at most 1,024 consecutive ordinals. It can be read
// and checked by itself, so that a look-up needs 20 KB and not the whole
// directory:
//
//	offset  size  field
//	     0     4  magic "DSEG"
//	     4     4  first ordinal
//	     8     4  n, number of ordinals, 1 to 1,024
//	    12     2  f, number of frames, 0 to n
//	    14     2  r, number of length runs, 1 to n
//	    16  f*32  frames, by first ordinal
//	     …  r*8   length runs: count (4), length of each of these blocks (4)
//	     …  n*16  block IDs
//
// An ordinal in a run of length 0 is absent: its block was removed by a
// compaction that kept all other addresses. Its ID is zero and no frame covers
// it; every other ordinal has an ID that is not zero and is covered by exactly
// one frame. Neighbouring length runs have different lengths.
//
//	frame   offset  size  field
//	             0     8  offset of the stored bytes in the pack
//	             8     4  stored length, 1 to 65,536
//	            12     4  raw length, sum of its blocks' lengths, 1 to 65,536
//	            16     2  first ordinal, counted from the segment's first
//	            18     2  number of ordinals, 1 to 1,024
//	            20     1  codec
//	            21     3  reserved
//	            24     8  sum of the stored bytes
//
// The index has 32 bytes for each segment, by first ordinal, from ordinal 0 on
// and without gaps:
//
//	offset  size  field
//	     0     4  first ordinal
//	     4     4  number of ordinals
//	     8     8  offset of the segment in the pack
//	    16     4  length of the segment
//	    20     4  reserved
//	    24     8  sum of the segment
//
// The footer:
//
//	offset  size  field
//	     0     8  offset of the index
//	     8     4  number of segments
//	    12     4  number of ordinals
//	    16     8  raw bytes: the lengths of all blocks that are not absent
//	    24     8  sum of the index
//	    32     4  version, 1
//	    36     4  number of ordinals that are not absent
//	    40     8  reserved
//	    48     8  sum of bytes 0 to 47
//	    56     8  magic "DATFSEND"
//
// # What a reader must reject
//
// Another magic, a higher version ([ErrVersion]), a sum that does not match,
// reserved bytes that are set, a key ID it has no key for, lengths over the
// limits, a part that does not lie between header and footer, ordinals out of
// order, and a frame whose decoded length is not its raw length. There is one
// encoding of a header, footer, index or segment: what parses encodes to the
// same bytes.
//
// # What a crash can leave
//
// Nothing. A pack is written under a temporary name and renamed when it is
// complete and synced; a file without a footer is never called a pack.
//
// # Identity
//
// A block ID is the first 128 bits of the keyed BLAKE3 of the block, the key
// being the repository's own. Equal IDs mean equal blocks: 128 bits leave a
// chance of 2^-40 for one collision among 2^44 blocks (128 PiB at 8 KiB), and
// without the key nobody can make one on purpose. XXH64 is a checksum here and
// never an identity. An ID whose last byte has its low six bits clear, 1 in 64,
// is a hook: the catalog's index knows those only.
package pack
