package iris

import (
	"path/filepath"
	"strings"

	"datfs/dbback/iris/session"
)

// facts keeps what a restore of the whole instance has to know: where the write
// image journal (WIJ) is, which must not be applied to restored files, and who
// owns the instance's files. What cannot be read is left out.
func (l *look) facts() {
	e := l.engine
	facts := l.survey.Facts
	wij := session.ReadSettings(filepath.Join(e.mgr, "startup.last"))["wijlast"]
	if wij == "" && e.cpf != nil {
		wij = e.cpf.values["config/wijdir"]
	}
	if wij == "" {
		wij = e.mgr // where it is by default (InterSystems manual, Backup and Restore)
	}
	facts["WIJ"] = wij
	// The names in parameters.isc are those that public code reads
	// (ontariosystems/isclib).
	for _, path := range e.configFiles() {
		if filepath.Base(path) != "parameters.isc" {
			continue
		}
		for key, value := range session.ReadSettings(path) {
			switch name, ok := strings.CutPrefix(key, "security_settings."); {
			case ok && value != "" && (name == "iris_user" || name == "iris_group" || name == "cache_user" || name == "cache_group"):
				facts["installation "+strings.ReplaceAll(name, "_", " ")] = value
			}
		}
	}
	if e.cpf != nil {
		if v := e.cpf.values["Journal/CompressFiles"]; v != "" {
			facts["journal compression"] = v
		}
	}
}
