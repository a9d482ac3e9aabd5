package report

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
)

// idFields say in which field an activity, a filter or a record's link holds
// the id of an object.
var idFields = map[Object]Field{
	Products: FieldProduct, Customers: FieldCustomer, Licenses: FieldLicense,
	Orders: FieldOrder, Subscriptions: FieldSubscription,
}

// names is the id by which a record names an object, its own for its own
// object, "" where it names none.
func (r Record) names(object Object) string {
	if object == r.Object {
		return r.ID()
	}
	return r.Text(idFields[object].String())
}

// selects tells whether a record has the ids that a match asks for, as its own
// id or as links. A record that can't have one of them is not selected:
// customers have no product, orders no license.
func (m *Match) selects(r Record) bool {
	for object, field := range idFields {
		if want := m.Equal[field]; want != "" && r.names(object) != want {
			return false
		}
	}
	return true
}

// Asked gives, by the name of the property, the ids that a record of an object
// has if a match selects it. One that leaves some out may get them by its links;
// one that has others is not selected.
func (m *Match) Asked(o Object) map[string]string {
	asked := map[string]string{}
	for object, field := range idFields {
		switch want := m.Equal[field]; {
		case want == "":
		case object == o:
			asked["id"] = want
		default:
			asked[field.String()] = want
		}
	}
	return asked
}

// narrow tells whether a match asks for an id at all.
func (m *Match) narrow() bool {
	for _, field := range idFields {
		if m.Equal[field] != "" {
			return true
		}
	}
	return false
}

// linked gives a record with the links that it leaves out, as its order and
// then its subscription have them: the rule by which activities get the ids
// that their producer left out.
func linked(source Source, r Record) (Record, error) {
	copied := false
	for _, via := range []Object{Orders, Subscriptions} {
		id := r.Text(idFields[via].String())
		if id == "" || !r.lacksLinks() {
			continue
		}
		further, err := source.Record(via, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			further, err = linked(source, further)
		}
		if err != nil {
			return r, err
		}
		if !copied {
			r.values, copied = maps.Clone(r.values), true
		}
		r.fillLinks(further)
	}
	return r, nil
}

func (r Record) lacksLinks() bool {
	for _, p := range r.Object.Properties() {
		if p.Link != "" && r.Text(p.Name) == "" {
			return true
		}
	}
	return false
}

func (r Record) fillLinks(further Record) {
	for _, p := range r.Object.Properties() {
		if p.Link != "" && r.Text(p.Name) == "" {
			r.Set(p.Name, further.names(p.Link))
		}
	}
}

// candidates streams the records of an object that a match may select, without
// links that they leave out.
func candidates(ctx context.Context, source Source, object Object, match Match) iter.Seq2[Record, error] {
	own := match.Equal[idFields[object]]
	if own == "" {
		return source.Records(ctx, object, match)
	}
	return func(yield func(Record, error) bool) {
		r, err := source.Record(object, own)
		if !errors.Is(err, fs.ErrNotExist) {
			yield(r, err)
		}
	}
}

// linkedRecords streams the records of an object, by id, with their links.
func linkedRecords(ctx context.Context, source Source, object Object) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r, err := range source.Records(ctx, object, Match{}) {
			if err == nil {
				r, err = linked(source, r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
