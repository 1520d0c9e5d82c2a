// Package cli is the command line of datfs: flags and arguments in, one call
// into catalog, dbback or fs, text or JSON out. It decides nothing about
// backups; it decides what a person or a script gets to see of them.
//
// # What goes where
//
// Standard output carries what was asked for: a table, JSON, the ready line of
// a mount. Standard error carries what one should know besides: progress, the
// steps of a backup with the time, "warning:" and "error:" lines about single
// files, WARN and FAIL lines of a look at an instance that something else was
// asked of, what is still to be done to databases that came back damaged; and at
// the end of a command that did not succeed one line
//
//	datfs: <operation> <object>: <cause>
//
// followed by "hint:" lines where there is something sensible to do next. A
// script that reads standard output therefore never has to skip anything, and
// "--json" is always one JSON value: an array for a listing (empty: []), an
// object for a single thing. Field names are snake_case and stable, sizes are in
// bytes, times in RFC 3339.
//
// Exit codes are an interface too. They are in one table (exit.go), which the
// help prints.
//
// # What the library has to be told
//
// urfave/cli stops reading flags at the first argument, prints usage errors to
// standard output, and ends the process by itself. All of that is settled once,
// in app.go and args.go: flags may stand anywhere, also the global ones after
// the command, and every error comes back through Main.
//
// # Files
//
//	app.go           Main, the application, the global flags
//	args.go          the order of flags and arguments; how many a command wants
//	repo.go          which repository, opening it, finding a set in it
//	exit.go          the table from errors to exit codes
//	hint.go          the table from errors to what to do next
//	output.go        JSON, tables, sizes, paths for people
//	progress.go      prints a catalog.Progress
//	screen.go        progress and lines between on standard error
//	product.go       what check and backup need to know of a database product
//	product_iris.go  InterSystems IRIS and Caché: flags, help, engine
//	check.go         findings; whether a repository would take a set
//	documents.go     run-books of sets: for the command and for the mount
//	set_text.go      the parts of a set as text: steps, method, files, labels
//	restore_text.go  what to do with databases that were copied in use
//	background.go    a mount that goes on when the command has returned
//	version.go       what --version says
//	cmd_*.go         one command each: flags, one call, output
package cli
