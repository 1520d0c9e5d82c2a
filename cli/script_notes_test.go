package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"datfs/catalog"
)

// scriptNoteTime is the time of the notes that scripts add.
var scriptNoteTime = time.Date(2026, 11, 23, 10, 4, 0, 0, time.UTC)

// inRepo runs fn on the repository that the script's DATFS_REPO names.
func inRepo(ts *testscript.TestScript, fn func(*catalog.Repository) error) {
	repo, err := catalog.Open(ts.MkAbs(ts.Getenv("DATFS_REPO")), catalog.Shared)
	ts.Check(err)
	ts.Check(errors.Join(fn(repo), repo.Close()))
}

func oldSet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: oldset INSTANCE ENGINE DAYS")
	}
	days, err := strconv.Atoi(args[2])
	ts.Check(err)
	inRepo(ts, func(repo *catalog.Repository) error {
		w, err := repo.Begin(catalog.BeginOptions{Instance: args[0], Engine: args[1], Time: time.Now().AddDate(0, 0, -days)})
		if err != nil {
			return err
		}
		const path = "/data/user.dat"
		w.SetMethod(&catalog.Method{Databases: []catalog.Database{{Name: "USER", Directory: "/data/", Paths: []string{path}}}})
		info := catalog.FileInfo{Path: path, Section: catalog.SectionDatabases, Database: "USER", Mode: 0o600, ModTime: scriptNoteTime}
		ctx := context.Background()
		if _, err := w.Store(ctx, info, catalog.FromReader(strings.NewReader("text")), nil); err != nil {
			return errors.Join(err, w.Abort(err))
		}
		_, err = w.Seal(ctx)
		return err
	})
}

func addNote(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: note SET KIND EXT FILE")
	}
	inRepo(ts, func(repo *catalog.Repository) error {
		set, err := repo.Resolve(args[0])
		if err != nil {
			return err
		}
		_, err = repo.AddNote(set, args[1], args[2], scriptNoteTime, []byte(ts.ReadFile(args[3])))
		return err
	})
}

func addValidation(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: validated SET FILE")
	}
	var v catalog.Validation
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &v))
	inRepo(ts, func(repo *catalog.Repository) error {
		set, err := repo.Resolve(args[0])
		if err != nil {
			return err
		}
		_, err = repo.AddValidation(set, v)
		return err
	})
}
