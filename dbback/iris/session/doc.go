// Package session speaks with an InterSystems IRIS or Caché instance: what both a
// backup and a restore tell it, how that is told, and what is answered.
//
// # How the instance is spoken to
//
// Each session is one process, "iris session INSTANCE -U %SYS" or "csession", with a
// script of one-line commands on its standard input. What it answers are markers,
// lines that begin with @@; prompts and greetings are noise. A marker that is
// missing is an error, which quotes the end of what was said and says what that
// probably means. The exit code decides nothing. All of it is there as a transcript,
// without the password.
//
// What a session says goes to a file without a name, not to a pipe: one whose datfs
// was killed goes on to its end, and does not die of it that nobody reads.
//
// A session that takes too long, or whose work is cancelled, is ended gently: the
// instance is asked to abort, if there is a way, then the process gets time, SIGTERM,
// and only then SIGKILL. An error tells if it came to that, since switch 13 or a
// suspended write daemon can then be left behind.
//
// # What instance and datfs share
//
// The work directory: each run has a directory of its own in it, which the instance
// writes to and datfs reads, or the other way round, under the same paths. Locks
// there and in the usual work directory keep a second datfs away from the instance;
// the sessions hold them too, so that one which outlives its datfs does the same.
//
// # What is unknown
//
// What $zversion, the states of "iris qlist" and the refusals of a session look like
// in versions of which nothing was published: a text that is not recognised is shown
// as it is.
//
// # Sources
//
// InterSystems manual: Using the ObjectScript Shell; Using Multiple Instances (iris
// qlist); Backup and Restore. Public reports of refused sessions. What public code
// reads of parameters.isc (github.com/ontariosystems/isclib). Where a fact is from
// is said beside its use.
//
// # Files
//
//	options.go       how an instance is reached, and for how long
//	instance.go      Instance: New, its tasks, its other programs
//	script.go        what a session is told; the statements that both a backup and a restore have
//	session.go       Run: one session, its limits and its end
//	answer.go        what a session said, and what is wrong with it
//	marker.go        the lines of it that count
//	spool.go         the file that a session writes its output to
//	output.go        bounded texts
//	text.go          texts made fit for scripts, people and transcripts
//	workdir.go       work directory and locks
//	unfinished.go    what restores that have not ended say of themselves
//	alone.go         how that is read, which anybody may have put there
//	installation.go  manager directory, journal places, iris qlist, $zversion, settings
package session
