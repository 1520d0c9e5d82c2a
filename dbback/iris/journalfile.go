package iris

import (
	"path/filepath"
	"slices"

	"datfs/dbback"
)

// A journalFile is one that was found.
type journalFile struct {
	path string
	dbback.JournalName
}

// pickJournals returns those of the paths that are journal files from required to
// marker, both included, oldest first, each name once: the one that comes first
// in paths, and of a directory rather the uncompressed one. others are the same
// names in other directories. missing are the names that must have been between
// them and are not there.
func pickJournals(paths []string, required, marker dbback.JournalName) (files, others []journalFile, missing []string) {
	found := make(map[string]int) // by name, in files
	for _, path := range paths {
		n, ok := dbback.ParseJournalName(filepath.Base(path))
		if !ok || n.Prefix != required.Prefix || n.Compare(required) < 0 || n.Compare(marker) > 0 {
			continue
		}
		f := journalFile{path, n}
		i, again := found[n.String()]
		switch {
		case !again:
			found[n.String()] = len(files)
			files = append(files, f)
		case filepath.Dir(files[i].path) != filepath.Dir(path):
			others = append(others, f)
		case files[i].Zipped:
			files[i] = f // a compressed one that is not finished yet may lie beside it
		}
	}
	slices.SortFunc(files, func(a, b journalFile) int { return a.Compare(b.JournalName) })
	return files, others, gaps(files, required, marker)
}

// gaps returns the names that are missing between required and marker.
func gaps(files []journalFile, required, marker dbback.JournalName) (missing []string) {
	there := make([]dbback.JournalName, len(files))
	for i, f := range files {
		there[i] = f.JournalName
	}
	for _, n := range dbback.MissingJournals(there, required, marker, maxMissing) {
		missing = append(missing, n.String())
	}
	return missing
}

// maxMissing bounds how many missing files are named.
const maxMissing = 20
