package intake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// plan says where the fields of a target come from.
type plan struct {
	*target
	options Options
	clock   *clock
	sources map[string][]int // column or member name -> fields
	open    bool             // names that mean nothing are ignored, for something was mapped or set
	mapped  []Mapping
	set     []constant
	fixed   uint64 // fields that are constants
	claimed uint64 // fields that were mapped or set
}

type constant struct {
	field int
	value cell
}

// newPlan checks the options. Errors: *[FileError].
func newPlan(o Options) (*plan, error) {
	t, err := newTarget(o.Object)
	if err != nil {
		return nil, err
	}
	c, err := newClock(o.DateFormat, o.TimeZone)
	if err != nil {
		return nil, err
	}
	p := &plan{target: t, options: o, clock: c, sources: map[string][]int{}, mapped: o.Map, open: len(o.Map)+len(o.Set) > 0}
	p.options.Limits = o.Limits.withDefaults()
	if err := p.explicit(); err != nil {
		return nil, err
	}
	p.byName()
	return p, p.checkConstants()
}

// explicit enters what was mapped and set: every field once at most.
func (p *plan) explicit() error {
	claim := func(option, name, from string) (int, error) {
		i := p.find(name)
		if from == "" {
			return i, &FileError{Field: name, Code: CodeInvalidOption, Message: option + ": names nothing to take the value from"}
		}
		if i < 0 {
			return i, &FileError{Field: name, Code: CodeUnknownField, Message: option + ": " + unknown(name, p.target), Hint: "fields are " + p.names()}
		}
		if p.claimed&(1<<i) != 0 {
			return i, &FileError{Field: name, Code: CodeDuplicate, Message: option + ": gets a value from two places", Hint: "map or set a field once"}
		}
		p.claimed |= 1 << i
		return i, nil
	}
	for _, m := range p.options.Map {
		i, err := claim("map", m.Field, m.Column)
		if err != nil {
			return err
		}
		p.sources[m.Column] = append(p.sources[m.Column], i)
	}
	for _, c := range p.options.Set {
		i, err := claim("set", c.Field, c.Value)
		if err != nil {
			return err
		}
		p.set = append(p.set, constant{i, cell{plainText, []byte(c.Value)}})
		p.fixed |= 1 << i
	}
	return nil
}

// byName lets the fields that were neither mapped nor set come from columns of
// their name, unless that column was mapped to other fields.
func (p *plan) byName() {
	for i, f := range p.fields {
		if _, elsewhere := p.sources[f.name]; !elsewhere && p.claimed&(1<<i) == 0 {
			p.sources[f.name] = []int{i}
		}
	}
}

func (p *plan) checkConstants() error {
	d := newDraft(p)
	d.begin(nil)
	for _, c := range p.set {
		if bad := d.put(c.field, c.value); bad != nil {
			return &FileError{Field: bad.field, Code: bad.code, Message: "set: " + bad.message}
		}
	}
	return nil
}

// unknown is what is wrong with a name that is no field.
func unknown(name string, t *target) string {
	if name == "sequence" || name == "received_at" {
		return "is given by the ledger and can't be set"
	}
	return "is not a field of " + t.object
}

func (p *plan) unknownHint() string {
	return "fields are " + p.names() + "; to read one from another column, map field=column: what is named nowhere is ignored then"
}

// columnHint is what to do about a column that means nothing, which may be a
// field in another spelling.
func (p *plan) columnHint(name string) string {
	likely := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
	if i := p.find(likely); i < 0 || p.claimed&(1<<i) != 0 {
		return ""
	}
	return fmt.Sprintf("if %q is %s, rename it or map %s=%s", name, likely, likely, name)
}

// binding connects a column of a table with a field, or with none (-1) to
// watch over a column that has no name.
type binding struct{ column, field int }

// bind finds the fields in a header that stands on some line. Errors:
// *[FileError].
func (p *plan) bind(header []string, line int64) ([]binding, error) {
	if err := p.checkHeader(header); err != nil {
		err.Line = line
		return nil, err
	}
	var bindings []binding
	given := p.fixed
	for column, name := range header {
		if name == "" && !p.open {
			bindings = append(bindings, binding{column, -1})
		}
		for _, i := range p.sources[name] {
			bindings = append(bindings, binding{column, i})
			given |= 1 << i
		}
	}
	for i, f := range p.fields {
		if f.required && given&(1<<i) == 0 {
			return nil, &FileError{Line: line, Field: f.name, Code: CodeMissingField, Message: "has no column",
				Hint: fmt.Sprintf("map %s=column, or set %s=value; the columns are %s", f.name, f.name, someOf(header))}
		}
	}
	return bindings, nil
}

func (p *plan) checkHeader(header []string) *FileError {
	isNamed := func(name string) bool { return len(p.sources[name]) > 0 }
	for _, m := range p.mapped {
		if !slices.Contains(header, m.Column) {
			return &FileError{Field: m.Field, Code: CodeMissingColumn, Message: fmt.Sprintf("is mapped to the column %q, which the header does not have", m.Column),
				Hint: "the columns are " + someOf(header)}
		}
	}
	if !slices.ContainsFunc(header, isNamed) {
		return &FileError{Code: CodeMissingHeader, Message: "the first row is not a header: it names no field of " + p.object, Hint: p.headerHint(header)}
	}
	for i, name := range header {
		switch {
		case name == "":
		case isNamed(name) && slices.Contains(header[:i], name):
			return &FileError{Field: name, Code: CodeDuplicate, Message: "is the name of two columns", Hint: "rename or remove one of them"}
		case !isNamed(name) && !p.open:
			return &FileError{Field: name, Code: CodeUnknownField, Message: unknown(name, p.target), Hint: cmp.Or(p.columnHint(name), p.unknownHint())}
		}
	}
	return nil
}

// someOf lists the columns of a header, not too many of them.
func someOf(header []string) string {
	const most = 40
	if len(header) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(header[:most], ", "), len(header)-most)
	}
	return strings.Join(header, ", ")
}

// headerHint guesses why a header means nothing.
func (p *plan) headerHint(header []string) string {
	if len(header) == 1 {
		for _, delimiter := range []struct{ text, shown string }{{";", `";"`}, {"\t", "tab"}, {"|", `"|"`}} {
			if strings.Contains(header[0], delimiter.text) {
				return fmt.Sprintf("is the delimiter %s?", delimiter.shown)
			}
		}
	}
	for _, name := range header {
		if hint := p.columnHint(name); hint != "" {
			return hint
		}
	}
	return p.unknownHint()
}
