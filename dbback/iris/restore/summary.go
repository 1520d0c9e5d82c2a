package restore

import "time"

// A Summary is a plan for programs. Its JSON field names are stable.
type Summary struct {
	Set       string            `json:"set"`
	Way       Way               `json:"way"`
	Instance  string            `json:"instance"`         // whose sessions are used
	Target    string            `json:"target,omitempty"` // the instance that gets its databases back, if it is another one
	Databases []SummaryDatabase `json:"databases"`
	Overwrite []string          `json:"overwrites"` // files that there are, and that become the set's
	Steps     []SummaryStep     `json:"steps"`
	WorkDir   string            `json:"work_dir"` // what it keeps until it is done

	FirstJournal string    `json:"first_journal,omitempty"` // "": none is applied
	LastJournal  string    `json:"last_journal,omitempty"`  // "": the current one of the instance
	Reaches      time.Time `json:"reaches,omitzero"`        // the moment to which they bring the databases, if that is known
	Until        string    `json:"until,omitempty"`         // what --until comes to
	Gap          string    `json:"gap,omitempty"`           // which journal files are missing
	Validated    string    `json:"validated"`               // what is known of the set from restores before
	Damaged      []string  `json:"damaged,omitempty"`       // databases of the plan that the set is known to have damaged
}

// A SummaryDatabase is a database of a Summary.
type SummaryDatabase struct {
	Name  string   `json:"name"`
	From  string   `json:"from"` // its directory when it was backed up
	To    string   `json:"to"`
	Files []string `json:"files"` // that it has then
}

// A SummaryStep is a step of a Summary.
type SummaryStep struct {
	Step       string   `json:"step"`
	Does       string   `json:"does"`
	Statements []string `json:"statements,omitempty"` // that sessions are told
}

// Summary returns what the plan does, for programs.
func (p *Plan) Summary() *Summary {
	s := &Summary{
		Set: p.Set.SetName().String(), Way: p.Way, Instance: p.Instance, WorkDir: p.Work, Overwrite: p.Existing(),
		Until: p.UntilText(English), Gap: p.gapText(English), Validated: p.ValidatedText(English), Damaged: p.damaged(),
	}
	if p.Target != p.Instance {
		s.Target = p.Target
	}
	if s.Overwrite == nil {
		s.Overwrite = []string{}
	}
	if j := &p.journals; !j.none {
		s.FirstJournal, s.LastJournal = j.first, j.last
		if j.last != "" {
			s.Reaches = j.reaches
		}
	}
	for _, db := range p.Databases {
		to := SummaryDatabase{Name: db.Name, From: db.Directory, To: db.To}
		for _, i := range sortedKeys(db.Files) {
			to.Files = append(to.Files, db.Files[i])
		}
		s.Databases = append(s.Databases, to)
	}
	for _, step := range p.steps {
		to := SummaryStep{Step: step.name, Does: english("step." + step.name)}
		for _, a := range step.acts {
			if t, ok := a.(telling); ok {
				to.Statements = append(to.Statements, t.tells()...)
			}
		}
		s.Steps = append(s.Steps, to)
	}
	return s
}

// Existing returns the files that the restore would overwrite.
func (p *Plan) Existing() []string { return existing(p.paths()) }
