package cli

import (
	"path/filepath"
	"slices"

	"datfs/catalog"
	"datfs/fs"
)

// A runbook is how one set is restored, step by step, in one language.
type runbook struct {
	lang string // "en", "ja"
	text string // Markdown
}

// A bookPlace is where a run-book is read: what its reader types for the set and for
// datfs.
type bookPlace struct {
	dir   string // the set's directory in a mount; "": the repository is not mounted
	datfs string // the command, with the repository, for a shell
}

// placeOf returns where a run-book is read that a command prints: of the mount of
// the repository, if it has one. Its commands name the repository whatever the
// environment says: they may be typed in another one.
func placeOf(repo *catalog.Repository, set catalog.SetName) bookPlace {
	at := bookPlace{datfs: datfsOf(repo)}
	if mounts := fs.MountsOf(repo.Dir()); len(mounts) > 0 {
		at.dir = filepath.Join(mounts[0], "sets", set.String())
	}
	return at
}

// datfsOf returns what runs datfs on a repository, for a shell.
func datfsOf(repo *catalog.Repository) string { return "datfs --repo " + shellWord(repo.Dir()) }

// runbooksOf returns the run-books that there are of a set. What they say is each
// product's own: see product.runbooks.
func runbooksOf(info *catalog.SetInfo, at bookPlace) []runbook {
	p := productOf(info.Engine)
	if p.runbooks == nil {
		return nil
	}
	return slices.DeleteFunc(p.runbooks(info, at), func(b runbook) bool { return b.text == "" })
}

// setDocuments returns what a mount shows in a set's directory beside the set
// itself: RESTORE.md, and RESTORE.ja.md and so on for other languages.
func setDocuments(info *catalog.SetInfo, at bookPlace) []fs.Document {
	var docs []fs.Document
	for _, b := range runbooksOf(info, at) {
		name := "RESTORE." + b.lang + ".md"
		if b.lang == "en" {
			name = "RESTORE.md"
		}
		docs = append(docs, fs.Document{Name: name, Text: []byte(b.text)})
	}
	return docs
}
