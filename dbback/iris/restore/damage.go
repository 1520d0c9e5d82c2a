package restore

import (
	"slices"
	"strings"

	"datfs/catalog"
)

// What is known of a set from restores and drills before this one.

// damaged returns the names of the plan's databases that the set is known to have
// damaged.
func (p *Plan) damaged() (out []string) {
	for _, db := range p.Databases {
		if slices.Contains(p.Set.Damaged, db.Name) {
			out = append(out, db.Name)
		}
	}
	return out
}

// ValidatedText says what the validations of the set come to.
func (p *Plan) ValidatedText(lang string) string { return validatedText(p.Set, lang) }

func validatedText(info *catalog.SetInfo, lang string) string {
	v := info.Validated
	switch {
	case len(info.Damaged) > 0 && v != nil:
		return say(lang, "known.damaged", strings.Join(info.Damaged, ", "), stamp(v.Time), v.Check)
	case v == nil:
		return say(lang, "known.never")
	case v.Whole:
		return say(lang, "known.clean", stamp(v.Time), v.Check)
	}
	return say(lang, "known.part", strings.Join(v.Databases, ", "), stamp(v.Time), v.Check)
}

// checkDamage refuses a set of which it is known that it has the databases damaged.
// One that has begun to overwrite them is gone on with: they are no more what they were.
func (r *restoration) checkDamage() error {
	names := r.plan.damaged()
	if len(names) == 0 || r.opts.Damaged || r.opts.Drill || r.resumed != "" && r.written() {
		return nil
	}
	return refuse("%s Take another set, or restore this one all the same, with --damaged", validatedText(r.plan.Set, English))
}
