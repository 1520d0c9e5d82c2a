package cli

import (
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris"
	"datfs/dbback/iris/restore"
	"datfs/dbback/iris/session"
)

// irisProduct is InterSystems IRIS and Caché.
func irisProduct() product {
	return product{
		name:       "iris",
		title:      "an InterSystems IRIS or Caché instance",
		connect:    irisConnectFlags,
		tune:       irisTuneFlags,
		checkText:  "datfs [--repo DIR] check iris --instance IRIS [options]",
		checkHelp:  irisCheckHelp,
		backupText: "datfs [--repo DIR] backup iris --instance IRIS [options]",
		backupHelp: irisBackupHelp,
		engine:     irisEngine,

		// InterSystems manual, Backup and Restore: "Concurrent External Backup".
		applyWith:    "^DBREST (EXTSELCT^DBREST), without a journal restore",
		journalsWith: "^JRNRESTO or the class Journal.Restore",
		checkWith:    "^Integrity",
		restore:      "restore iris %s --to DIR --instance NAME",
		restoreInUse: "restore iris %s --database NAME --instance INSTANCE dismounts a database, restores it, and mounts it",
		noRunbook:    restore.NoBook,
		runbooks: func(set *catalog.SetInfo, at bookPlace) []runbook {
			place := restore.BookPlace{SetDir: at.dir, Datfs: at.datfs}
			return []runbook{{restore.English, restore.SetBook(set, restore.English, place)}, {restore.Japanese, restore.SetBook(set, restore.Japanese, place)}}
		},
	}
}

func irisConnectFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "instance", Usage: "the instance's `NAME`, as \"iris list\" shows it"},
		&cli.StringFlag{Name: "command", Usage: "`COMMAND` that opens a session in %SYS"},
		&cli.StringFlag{Name: "user", Usage: "sign on as `USER`, where the operating system does not do it"},
		pathFlag("password-file", "`FILE` with the password, or "+session.PasswordEnv),
		pathFlag("work-dir", "`DIR` for the instance's output; <manager>/Backup/datfs"),
	}
}

func irisTuneFlags() []cli.Flag {
	return []cli.Flag{
		timeFlag("quiesce-timeout", "to wait for a quiet moment", 5*time.Minute),
		timeFlag("backup-timeout", "for the incremental", 12*time.Hour),
		timeFlag("step-timeout", "for other statements; for the mark 10m", 2*time.Minute),
	}
}

// timeFlag is a flag with a time limit, of which 0 is none.
func timeFlag(name, usage string, value time.Duration) cli.Flag {
	return &cli.DurationFlag{Name: name, Usage: "most `TIME` " + usage + "; 0: no limit", Value: value}
}

// timeLimit returns the flag's value as engines want it: negative for no limit.
func timeLimit(c *cli.Context, name string) time.Duration {
	if d := c.Duration(name); d != 0 || !c.IsSet(name) {
		return d
	}
	return -1
}

// markTimeout returns the time limit of the mark: the engine's own unless another
// one is given for all statements.
func markTimeout(c *cli.Context) time.Duration {
	if !c.IsSet("step-timeout") {
		return 0
	}
	return timeLimit(c, "step-timeout")
}

// abortTimeout returns how long what was aborted may take to end: no longer than
// any other statement, if a limit is given for these.
func abortTimeout(c *cli.Context) time.Duration {
	if d := timeLimit(c, "step-timeout"); c.IsSet("step-timeout") && d > 0 {
		return min(d, session.DefaultAbortTimeout)
	}
	return 0
}

func irisEngine(c *cli.Context) (dbback.Engine, string, error) {
	if err := needFlag(c, "instance", "NAME"); err != nil {
		return nil, "", err
	}
	in, err := openIris(c, c.String("instance"))
	if err != nil {
		return nil, "", err
	}
	e, err := iris.New(in, iris.Options{QuiesceTimeout: timeLimit(c, "quiesce-timeout"), MarkTimeout: markTimeout(c)})
	if err != nil {
		return nil, "", usageErrorf(c, "%w", err)
	}
	return e, in.Name(), nil
}

// openIris returns the instance of that name, as the flags say how it is reached.
func openIris(c *cli.Context, name string) (*session.Instance, error) {
	words, err := splitWords(c.String("command"))
	if err != nil {
		return nil, usageErrorf(c, "--command: %w", err)
	}
	password, err := session.ReadPassword(c.Path("password-file"))
	if err != nil {
		return nil, usageErrorf(c, "--password-file: %w", err)
	}
	warnIfShared(c.App.ErrWriter, c.Path("password-file"))
	in, err := session.New(session.Options{
		Instance: name, Command: words,
		User: c.String("user"), Password: password,
		WorkDir:          c.Path("work-dir"),
		LongTimeout:      timeLimit(c, "backup-timeout"),
		StatementTimeout: timeLimit(c, "step-timeout"),
		AbortTimeout:     abortTimeout(c),
	})
	switch {
	case errors.Is(err, session.ErrNoCommand):
		return nil, withHint(err, "--command gives it, such as: --command 'docker exec -i CONTAINER iris session IRIS -U %SYS'")
	case err != nil:
		return nil, usageErrorf(c, "%w", err)
	}
	return in, nil
}

const irisCheckHelp = `check iris looks at an InterSystems IRIS or Caché instance as a backup does before
it begins: can a session be opened, with the privileges that are needed? Which
databases would be backed up, and are they mounted? Are journals on, and would they
be purged too soon? Can the files be read? With --repo or DATFS_REPO it looks at the
repository too, also whether sets were ever validated: restored to another instance
and checked. It changes nothing but that it makes --work-dir if that is missing.

It prints a line for each thing that it looked at, the worst last:

   OK    fine
   WARN  a backup would succeed, but something is to be known; exit code 3
   FAIL  a backup would fail, or be worth nothing; exit code 4

With --json it prints an array of objects with level, check, text and do.

   datfs check iris --instance IRIS
   datfs check iris --instance IRIS --command 'docker exec -i c iris session IRIS -U %SYS'`

const irisBackupHelp = `backup iris takes the concurrent external backup of an InterSystems IRIS or Caché
instance while it is in use, as the InterSystems manual describes it:

   preflight    what "datfs check iris" does; if that fails nothing is done
   prepare      a working directory; the list of databases (LISTDIRS^DBACK)
   mark         changes are counted from here on (CLRINC^DBACK)
   copy         the database files as they are, while they are written to
   list         still the same databases?
   record       a full backup is entered in the history (BACKUP^DBACK, type E)
   estimate     is there room for the incremental?
   incremental  what changed since the mark (BACKUP^DBACK, type I)
   journals     close the journal; store the files that a restore needs
   seal         the set is final

CLRINC^DBACK deletes the instance's backup history: incremental and cumulative
backups that others take of the same instance go wrong until their next full one.
If the backup ends between mark and seal, it says what that means; run it again.

Run it as the instance's owner, who needs %Admin_Operate and write access to the
database IRISSYS. The instance writes the incremental in --work-dir; a session in
a container must see that, and all databases, under the same paths as datfs does.

Where the operating system does not sign the user on, --user says who it is. There
is no --password, because every user of the machine can see a command line: write
the password to a file for --password-file, or set DATFS_IRIS_PASSWORD.

A statement that takes too long is aborted, and has a minute to end, or the time of
--step-timeout if that is shorter.

A warning of the preflight is kept in the set and does not change the exit code; a
warning during the backup makes it 3, and so does a set that is incomplete.

   datfs backup iris --instance IRIS --dry-run
   datfs backup iris --instance IRIS --io-limit 200MB/s
   0 3 * * *  datfs --repo /backup/repo backup iris --instance IRIS   (in a crontab)`
