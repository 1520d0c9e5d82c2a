// Package dbback makes sets of database files and brings files back from sets.
//
// # Backing up files
//
// [BackupFiles] stores the named files as one set. What it guarantees:
//
//   - Every byte that was read is stored, from the start of each file to its
//     end as found, whatever the file holds. Knowing a database's format only
//     chooses the block size ([Recognise]).
//   - A set is complete only if all the files named were read to their end. A
//     file that is missing, cannot be read or becomes shorter while it is read
//     makes the set incomplete, and the set says why (I6).
//   - What was seen of a file while it was copied is in the set: its size at
//     open and at end, what its label says, and a warning if it was written to
//     meanwhile.
//
// What it does not guarantee: that the copy of a file which was written to
// meanwhile is of any use by itself. The copy of a live database mixes blocks of
// different moments (a dirty copy), and nothing in this package repairs that: no
// database can be started from it. BackupFiles is meant for a database that is
// down or frozen, or for a copy made by other means. The procedure for a live
// one takes an incremental of what changed during the copy and the journals
// after it into the same set; it is not part of this package yet, but is going
// to use the same path from an open file to a stored one (copier).
//
// # Restoring
//
// [Restore] brings the files of a set to a directory. A target that exists is
// compared with the set block by block, by block IDs, and only what differs is
// written, in place; so a restore that was cut off is finished by repeating it.
// As long as a target's content is not whole, a file beside it named like it
// with ".datfs-partial" at the end says so. Nothing but the targets, the missing
// directories above them and these markers is written to (I7).
//
// # Files
//
//	label.go     what a database file says of itself
//	source.go    reads a file for a set: direct I/O, holes, growth, shrinking
//	copy.go      one file into a set that is being written
//	names.go     which database a file belongs to, as a name
//	files.go     BackupFiles
//	restore.go   Restore: its options, its report, its order
//	plan.go      which files go where, and whether that can be
//	target.go    writes one target: differences, holes, attributes
//	dirs.go      makes the directories above targets
package dbback
