package practice

import (
	"context"

	"datfs/dbback/practice/cos"
	"datfs/dbback/practice/storage"
)

// Global shows what scripts look at: ^SYS("BUHISTORY",…) and ^SYS("BACKUPDB",…),
// and ^%SYS("JOURNAL",…), all read-only, as they are now. The subscripts of the
// first are those that public readers of the product's source name; that
// ^SYS("BACKUPDB",name) has the list was seen in an error text.
func (h *host) Global(_ context.Context, name string) (*cos.Array, error) {
	switch name {
	case "SYS":
		return h.inst.sysGlobal()
	case "%SYS":
		st := h.inst.db.Status()
		primary, alternate := h.inst.journalDirs()
		a := &cos.Array{ReadOnly: true}
		journal := cos.String("JOURNAL")
		a.Set(cos.String("1^"+st.Journal), journal, cos.String("CURRENT")) // status and file: documented, not how they are put together
		a.Set(cos.String(primary), journal, cos.String("CURDIR"))
		a.Set(cos.String(alternate), journal, cos.String("ALTDIR"))
		return a, nil
	case "IRIS.TempIntegrityOutput":
		return &cos.Array{}, nil // what Display^Integrity has shown is forgotten by KILL
	}
	return nil, nil //nolint:nilnil // as the interpreter wants it: there is no such global
}

func (i *Instance) sysGlobal() (*cos.Array, error) {
	a := &cos.Array{ReadOnly: true}
	for _, name := range i.backups.list() {
		a.Set(cos.String(""), cos.String("BACKUPDB"), cos.String(name))
	}
	history, err := i.db.History()
	if err != nil {
		return nil, err
	}
	last := int64(0)
	for _, h := range history {
		last = max(hindex(h.Time), last+1) // two within a second
		setHistory(a, last, h)
	}
	return a, nil
}

func setHistory(a *cos.Array, index int64, h storage.HistoryEntry) {
	status := "Failed"
	if h.Complete {
		status = "Completed"
	}
	dirs := make([]cos.Value, len(h.Databases))
	for n, dir := range h.Databases {
		dirs[n] = cos.String(dir)
	}
	for name, v := range map[string]cos.Value{
		"TYPE": cos.String(string(h.Type)), "STATUS": cos.String(status), "DESC": cos.String(h.Description), "DEVICE": cos.String(h.Device),
		"LOG": cos.String(h.Log), "LIST": cos.List(dirs...), "Complete": cos.Bool(h.Complete),
	} {
		a.Set(v, cos.String("BUHISTORY"), cos.Int(index), cos.String(name))
	}
}
