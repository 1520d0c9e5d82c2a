// Package practice is the practice instance: one process that behaves as an
// InterSystems IRIS instance as far as backup and restore see it, with every
// failure on demand. It is for tests, for the first two minutes of a new user, and
// for rehearsing a restore at the terminal. It knows nothing of datfs; datfs talks
// to it as to any instance, through the iris command.
//
// # What is true and what is a guess
//
// Its behaviour comes from the InterSystems manuals, from transcripts that
// InterSystems staff and users have published, and from public code that talks to
// real instances. A comment beside each text and each return value says which.
// Where no document says what happens, the comment says that too, and, where two
// forms are likely, a variant chooses the other one (see [Failures]), so that a
// program can be tested with both. It was never compared with a real instance.
//
// Nothing of it is the product's: database files carry the label and block headers
// that were read off real files, but their content, the journals and the backup
// files are of formats of their own, and say so in their first bytes.
//
// # An instance on disk
//
//	DIR/iris.cpf           databases, namespaces, journal directories: read at the start
//	DIR/mgr/IRIS.DAT       IRISSYS; mgr/user/IRIS.DAT and so on are the others
//	DIR/mgr/journal/       journal files; journal2/ is the alternate directory
//	DIR/mgr/journal.log    all of them
//	DIR/mgr/IRIS.WIJ, startup.last, messages.log, Backup/
//	DIR/mgr/backup.json    the backup list (the product keeps it in ^SYS)
//	DIR/parameters.isc     owner and group
//	DIR/bin/               iris, csession, ccontrol: scripts for a PATH
//	DIR/practice.*         what is the practice instance's own: settings, armed
//	                       failures, lock, socket (mode 0600)
//
// # Sessions
//
// "iris session" connects to the socket and carries lines and output; the terminal
// itself runs here, an interpreter of package cos in front of the routines and
// classes of this package. A session ends with its client, and what it was doing
// ends with it, a BACKUP too: on a real instance the terminal's process is the one
// that does the work. At a terminal, ^C interrupts the statement only.
//
// Input that ends without HALT ends the session with exit code 0, which is not
// documented. Messages of a session that cannot begin are those of public reports.
//
// A restore wants a database that nobody works on. When a database is dismounted
// its simulated users leave it, and come back when the load is set again.
//
// # Restores
//
// One database is restored into the instance that runs; a whole instance while it
// is down, by way of a second one, whose iris command can reach both if both bin
// directories are on the PATH. A database that another instance has mounted, or
// beside which an iris.lck was left, mounts read-only (seen in public reports).
//
// The restore procedures of the manual move IRIS.WIJ aside before the start, and
// say that journal recovery does not happen then, since what it needs was in the
// WIJ. So it is here; with the WIJ in its place, it is applied to the restored
// files, which damages them.
//
// After "iris start INST EmergencyId=user,password" only that user can sign on, by
// password, until the next start (documented). The manual says too that such a
// start normally does not come fully up after a crash without the WIJ, and that
// ^STURECOV is to be done in a session with -B. Here that is the failure
// "sturecov"; without it the start comes up, which the manual knows as well. Of
// ^STURECOV there are the items 8 and 9.
//
// # Files
//
//	create.go      makes an instance
//	instance.go    start, stop, crash
//	load.go        the simulated users
//	status.go      what an instance says of itself
//	layout.go, settings.go, cpf.go, version.go   its files and its name
//	remote.go      asks an instance from another process
//	iriscmd.go, sessioncmd.go, neighbours.go   the iris command
//	emergency.go   starts with EmergencyId; ^STURECOV
//	wire.go, socket.go, server.go, input.go      the socket, both ends
//	session.go     sign-on and terminal
//	host.go, globals.go, call.go   what statements reach: routines, classes, globals
//	routines.go    the table of routines; JOURNAL and Integrity
//	classes.go     the table of class methods; Backup.General, Config.Databases
//	dback.go, backup.go, backuplog.go   ^DBACK and the text of its logs
//	work.go        the one backup or restore that runs
//	dbrest.go      ^DBREST
//	jrnrestore.go  Journal.Restore
//	sysdatabase.go SYS.Database, %ResultSet and the queries
//	mount.go       its Mount and Dismount
//	databases.go   databases of the configuration, the backup set
//	history.go     the backup list, the view of the history
//	failures.go    the one table of failures
//	armed.go       which are armed
//	moments.go, states.go   where they happen
package practice
