package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// kindValidated is the kind of the notes whose body is a Validation.
const kindValidated = "validated"

// A Validation says that a set was restored somewhere and what came out of it
// was checked. Its JSON form is the body of a note of the kind "validated".
type Validation struct {
	Time      time.Time `json:"time"`              // when it was checked, UTC
	Check     string    `json:"check"`             // what checked: "CheckList^Integrity"
	Instance  string    `json:"instance"`          // where it was restored to
	Host      string    `json:"host"`              //
	Program   string    `json:"program"`           // version of datfs that did it
	Databases []string  `json:"databases"`         // names of those checked
	Whole     bool      `json:"whole"`             // these are all databases of the set
	Clean     bool      `json:"clean"`             // nothing was found
	Findings  int       `json:"findings"`          // how much was found
	Damaged   []string  `json:"damaged,omitempty"` // names of those in which it was found; none if not Clean: any of those checked
	Report    string    `json:"report,omitempty"`  // name of the note with the report, "" if there is none
}

// AddValidation adds a note of the kind "validated" to a sealed set. A zero Time
// means now. The note with the report, if there is one, is to be added before:
// a crash then leaves no validation without its report.
func (r *Repository) AddValidation(set SetName, v Validation) (Note, error) {
	if v.Time.IsZero() {
		v.Time = time.Now()
	}
	v.Time = v.Time.UTC().Truncate(time.Second)
	if v.Databases == nil {
		v.Databases = []string{}
	}
	if v.Report != "" {
		if _, err := r.readNote(set, v.Report); err != nil {
			return Note{}, fmt.Errorf("add a validation to set %v: its report %s: %w", set, v.Report, err)
		}
	}
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return Note{}, fmt.Errorf("add a validation to set %v: %w", set, err)
	}
	return r.AddNote(set, kindValidated, "json", v.Time, append(body, '\n'))
}

// standing returns what validations of one set, oldest first, come to, nil for
// none: damage that was found and that no later clean one has looked at again;
// else the newest clean one of the whole set; else the newest clean one.
func standing(all []*Validation) *Validation {
	var whole, part *Validation
	for i, v := range slices.Backward(all) {
		switch {
		case !v.Clean:
			again := func(later *Validation) bool { return later.Clean && later.covers(v) }
			if !slices.ContainsFunc(all[i+1:], again) {
				return v
			}
		case v.Whole && whole == nil:
			whole = v
		case part == nil:
			part = v
		}
	}
	if whole != nil {
		return whole
	}
	return part
}

// damaged returns what validations of one set, oldest first, know to be damaged:
// names of databases in which damage was found and no later clean one has looked
// at again.
func damaged(all []*Validation) (names []string) {
	for i, v := range all {
		for _, db := range v.damagedNames() {
			again := func(later *Validation) bool {
				return later.Clean && (later.Whole || slices.Contains(later.Databases, db))
			}
			if !slices.Contains(names, db) && !slices.ContainsFunc(all[i+1:], again) {
				names = append(names, db)
			}
		}
	}
	return names
}

// damagedNames returns in which databases v found damage, or may have.
func (v *Validation) damagedNames() []string {
	switch {
	case v.Clean:
		return nil
	case len(v.Damaged) > 0:
		return v.Damaged
	}
	return v.Databases
}

// covers reports whether v looked at all that o looked at, or at all that o found
// to be damaged.
func (v *Validation) covers(o *Validation) bool {
	missing := func(db string) bool { return !slices.Contains(v.Databases, db) }
	if len(o.Damaged) > 0 && !slices.ContainsFunc(o.Damaged, missing) {
		return true
	}
	return v.Whole || !o.Whole && len(o.Databases) > 0 && !slices.ContainsFunc(o.Databases, missing)
}
