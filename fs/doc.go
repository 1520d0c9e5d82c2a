// Package fs shows a repository as a read-only file system, through FUSE.
//
// # The tree
//
//	README.txt                               what this is, how to restore from it
//	latest/PROD                              link to the newest complete set of PROD
//	sets/PROD/2026-11-22T03-00-00Z/          a complete set
//	    set.json                             everything known of it (catalog.SetInfo)
//	    SUMS.xxh64                           for "xxhsum -c"
//	    RESTORE.md                           and other documents that Options.Documents makes
//	    notes/                               what was said of the set since it was sealed
//	    databases/data/user/IRIS.DAT         files below their original absolute path
//	    incremental/  journals/              the other sections, if the set has them,
//	    configuration/  transcripts/         by plain name
//	databases/PROD/USER/2026-11-22T03-00-00Z/IRIS.DAT
//	                                         the files of complete sets by database
//	journals/PROD/20261122.003               journal files that were copied between
//	                                         backups, if there are any: the files of all
//	                                         sets below sets/PROD.journals
//	incomplete/PROD/2026-11-22T04-00-00Z/    any other set: the same, and PROBLEMS.txt
//
// Only complete sets are below latest, sets and databases (I6), and those of
// journal archives (PROD.journals) neither below latest nor below databases. What
// is below incomplete is for looking: a file there has passed its checksums like
// any other (I3), but the set cannot be restored as a whole.
//
// A name that is taken within its directory gets "-2", "-3" and so on. Database
// names with a slash have an underscore in its place.
//
// # Attributes
//
// A stored file has the owner, the mode, the size and the modification time of
// the original; its access and change times equal the latter. st_blocks counts
// what is not a hole, so that du, tar and cp see how sparse it is. A directory
// below databases/ has the attributes of the original directory where the set
// knows them. Everything else belongs to root, with mode 0755 (directories) or
// 0444 (files made by this package) and the time of the set, or of the newest
// set below it. The link count is always 1.
//
// An inode number is 63 bits of the SHA-256 of the path in the mount: the same
// after every mount, here and elsewhere. The two views of one file (by set and
// by database) are different inodes with different numbers.
//
// # What changes, and when it is seen
//
// A sealed set never changes (I2), so the kernel may keep what it knows of the
// inside of one for an hour, and file content for as long as it likes. All
// else, which is the upper levels, the sets that are still being written, and
// what shows the notes of a sealed one (its set.json and the list of notes/), is
// asked for again after a second, so that a new set appears in a running mount
// within about two. A set that is removed from the repository disappears as quickly;
// files of it that are open stay readable. Files of a set that is not sealed are
// read past the page cache, because they can grow.
//
// A damaged set file hides its own set and no other. It is logged once.
//
// # Errors
//
// The table in errno.go is the only place where an errno is chosen. What becomes
// EIO is logged, with the pack and offset if the cause is damage, because the
// reader of the file is told no more than "input/output error". A read never returns
// bytes that have not passed their checksum: one bad frame fails the requests
// that touch it and no others.
//
// # Not supported
//
// Writing of any kind (EROFS), extended attributes and ACLs (EOPNOTSUPP: rsync
// -AX copes with it), hard links, NFS export.
//
// # The process that serves
//
// It must not use its own mount in ways that block one of its threads outside
// of a system call: no memory mapping of a file in it, no program started from
// it or with a working directory in it. Such a process waits for itself. If it is
// killed, the mount stays and answers "transport endpoint is not connected" until
// it is unmounted. That is on purpose: an rsync --delete that runs at that moment
// gets errors, where an empty directory would make it delete its target.
//
// # The files
//
//	mount.go mountpoint.go     mounting and unmounting, and where it is refused
//	mounts.go                  where a repository is mounted
//	tree.go set.go view.go     the tree as plain data, without FUSE
//	journals.go                the part of it that shows journal archives
//	text.go                    the files that are not stored: README.txt and so on
//	list.go                    what the repository holds now; the tree of that
//	open.go                    sets that are open, shared by their readers
//	node.go handle.go attr.go  what the kernel asks for, answered from the tree
//	errno.go                   errors as the kernel knows them
//
// Locks: listing.mu before openSets.mu. Neither is held while a file is read, and
// a set is opened under neither.
package fs
