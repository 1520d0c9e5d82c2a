package cli

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/gtm"
)

// gtmProduct is GT.M and YottaDB.
func gtmProduct() product {
	return product{
		name:       "gtm",
		title:      "GT.M or YottaDB databases",
		connect:    gtmConnectFlags,
		tune:       func() []cli.Flag { return nil },
		checkText:  "datfs [--repo DIR] check gtm [--gbldir FILE] [options]",
		checkHelp:  gtmCheckHelp,
		backupText: "datfs [--repo DIR] backup gtm [--gbldir FILE] [--region NAME,...] [options]",
		backupHelp: gtmBackupHelp,
		engine:     gtmEngine,
		runbooks: func(set *catalog.SetInfo, at bookPlace) []runbook {
			if at.dir == "" {
				return []runbook{{"en", gtm.Runbook(set)}}
			}
			return []runbook{{"en", gtm.RunbookAt(set, at.dir)}}
		},
		applyWith: "mupip restore", journalsWith: "mupip journal -recover -forward", checkWith: "mupip integ",
		restore:      "restore gtm %s --to DIR",
		restoreInUse: "restore gtm %s --to DIR makes databases ready for use in another directory; put them in their place when nobody uses those there",
		first: "run mupip rundown -file on each copy before any other program of GT.M sees it: its header names the semaphores " +
			"of the running databases, and others would remove them; then dse must set its transaction number to the incremental's start",
	}
}

func gtmConnectFlags() []cli.Flag {
	return []cli.Flag{
		pathFlag("gbldir", "the global directory `FILE`; default: $gtmgbldir"),
		regionFlag(),
		gtmDistFlag(),
		pathFlag("work-dir", "absolute `DIR` for the incremental; default: the first database's"),
	}
}

func regionFlag() cli.Flag {
	return &cli.StringFlag{Name: "region", Usage: "only these regions, `NAMES` with commas between"}
}

func gtmDistFlag() cli.Flag {
	return pathFlag("gtm-dist", "`DIR` with GT.M's programs; default: $gtm_dist, or found")
}

// regions returns the names that --region gives.
func regions(c *cli.Context) []string {
	return strings.FieldsFunc(c.String("region"), func(r rune) bool { return r == ',' || r == ' ' })
}

func gtmEngine(c *cli.Context) (dbback.Engine, string, error) {
	e, err := gtm.New(gtm.Options{
		Gbldir: c.Path("gbldir"), Regions: regions(c), Dist: c.Path("gtm-dist"), Work: c.Path("work-dir"),
	})
	if err != nil {
		return nil, "", gtmUsage(c, err)
	}
	name := filepath.Base(e.Gbldir())
	return e, strings.TrimSuffix(name, filepath.Ext(name)), nil
}

// gtmUsage makes an error of how to reach the engine a usage error.
func gtmUsage(c *cli.Context, err error) error {
	if errors.Is(err, gtm.ErrNoEngine) {
		return withHint(usageErrorf(c, "%w", err), "--gtm-dist DIR names the directory that has the program mupip")
	}
	return usageErrorf(c, "%w", err)
}

const gtmCheckHelp = `check gtm looks at the regions of a global directory as a backup does before it
begins: are their files there, can GT.M take an incremental of them, are they
journaled? With --repo or DATFS_REPO it looks at the repository too, also whether
sets were ever validated: restored elsewhere and checked. It writes to no global; it
opens the databases as any process of GT.M does.

It prints a line for each thing that it looked at, the worst last:

   OK    fine
   WARN  a backup would succeed, but something is to be known; exit code 3
   FAIL  a backup would fail, or be worth nothing; exit code 4

With --json it prints an array of objects with level, check, text and do.

   datfs check gtm --gbldir /data/mumps.gld`

const gtmBackupHelp = `backup gtm takes the concurrent external backup of GT.M or YottaDB databases while
they are in use: all regions of a global directory, as of one moment.

   preflight    what "datfs check gtm" does; if that fails nothing is done
   prepare      a working directory; the list of regions
   mark         changes count from here on (a small mupip backup -bytestream)
   copy         the database files as they are, while they are written to
   list         still the same regions?
   incremental  what changed since the mark: one mupip backup over all regions,
                in which no transaction is half done
   journals     switch the journals; store those since the incremental
   seal         the set is final

The set also holds the databases as they were at the moment of the incremental: in
a mount they are below consistent/, and a plain copy of them is ready for use.

Each backup is an incremental one in the eyes of GT.M: where you take incremental
backups of your own, give them -SINCE=COMPREHENSIVE or -TRANSACTION. The journals
are not cut off from those before.

Run it as a user who may write to the databases and to --work-dir, with the same
gtm_tmp as the other processes have. Every user of the databases must be able to
enter --work-dir: what they change meanwhile they save in a directory in it.

The sets are named like the global directory, unless --name says another.

   datfs backup gtm --gbldir /data/mumps.gld --dry-run
   datfs backup gtm --gbldir /data/mumps.gld --io-limit 200MB/s
   0 3 * * *  datfs --repo /backup/repo backup gtm --gbldir /data/mumps.gld   (in a crontab)`
