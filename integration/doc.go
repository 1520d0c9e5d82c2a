// Package integration tests datfs from outside: the built program, real
// repositories on disk, real mounts, other people's tools.
//
// There is no code here but tests. A test belongs here if it needs the program
// as a process of its own (mounts, signals, kills, two backups at once) or
// checks what only a stranger's tool can show (rsync, xxhsum, tar). What one
// package can show by itself is tested beside its code.
//
// # How to run them
//
// "make test" runs them with everything else. Alone:
//
//	go test ./integration
//
// They need /dev/fuse, fusermount3, rsync and xxhsum. What is missing makes a
// test skip, so that the others can be run anywhere, unless CI or
// DATFS_REQUIRE_FUSE is set in the environment: then it fails, because a test
// that nobody runs is worse than none.
//
// DATFS_BUILD_FLAGS is added to the "go build" that makes the program; "make
// race" sets it to -race.
//
// # What each test must leave behind
//
// Nothing: no mount, no process, no file outside t.TempDir, also when it fails.
// mount in helper_test.go takes care of the first two. A test never runs a
// program from a mount nor with its working directory there: with one processor
// that deadlocks.
package integration
