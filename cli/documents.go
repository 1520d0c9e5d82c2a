package cli

import (
	"slices"

	"datfs/catalog"
	"datfs/fs"
)

// A runbook is how one set is restored, step by step, in one language.
type runbook struct {
	lang string // "en", "ja"
	text string // Markdown
}

// runbooksOf returns the run-books that there are of a set whose directory in a
// mount is dir. What they say is each product's own: see product.runbooks.
func runbooksOf(info *catalog.SetInfo, dir string) []runbook {
	p := productOf(info.Engine)
	if p.runbooks == nil {
		return nil
	}
	return slices.DeleteFunc(p.runbooks(info, dir), func(b runbook) bool { return b.text == "" })
}

// setDocuments returns what a mount shows in a set's directory beside the set
// itself: RESTORE.md, and RESTORE.ja.md and so on for other languages.
func setDocuments(info *catalog.SetInfo, dir string) []fs.Document {
	var docs []fs.Document
	for _, b := range runbooksOf(info, dir) {
		name := "RESTORE." + b.lang + ".md"
		if b.lang == "en" {
			name = "RESTORE.md"
		}
		docs = append(docs, fs.Document{Name: name, Text: []byte(b.text)})
	}
	return docs
}
