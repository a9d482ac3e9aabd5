package report

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strconv"
)

// list streams the records on a filled roster.
func (r *roster) list(ctx context.Context, source Source, match Match) iter.Seq2[Record, error] {
	named := slices.DeleteFunc(slices.Sorted(slices.Values(r.names.values)), func(id string) bool { return id == "" })
	if own := match.Equal[idFields[r.object]]; own != "" {
		return r.lookUp(ctx, source, match, append(named, own))
	}
	if r.surveyed {
		return r.lookUp(ctx, source, match, append(named, r.found...))
	}
	return func(yield func(Record, error) bool) {
		for record, err := range linkedRecords(ctx, source, r.object) {
			if err != nil {
				yield(record, err)
				return
			}
			for ; len(named) > 0 && named[0] < record.ID(); named = named[1:] {
				if !yield(bare(r.object, named[0]), nil) {
					return
				}
			}
			isNamed := len(named) > 0 && named[0] == record.ID()
			if isNamed {
				named = named[1:]
			}
			if (isNamed || match.selects(record)) && !yield(record, nil) {
				return
			}
		}
		for _, id := range named {
			if !yield(bare(r.object, id), nil) {
				return
			}
		}
	}
}

// lookUp is list where it is known which records can be on it, because the
// filters ask for one of the object or a survey found them: nobody needs to walk
// through the others.
func (r *roster) lookUp(ctx context.Context, source Source, match Match, ids []string) iter.Seq2[Record, error] {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return func(yield func(Record, error) bool) {
		for _, id := range ids {
			record, err := source.Record(r.object, id)
			exists := !errors.Is(err, fs.ErrNotExist)
			if !exists {
				record, err = bare(r.object, id), nil
			}
			if err == nil {
				record, err = linked(source, record)
			}
			if err == nil {
				err = ctx.Err()
			}
			on := err != nil || r.group(id) >= 0 || exists && match.selects(record)
			if on && !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// bare is a record of which nothing is known but that it is named.
func bare(object Object, id string) Record {
	record := NewRecord(object)
	record.Set("id", id)
	return record
}

// rows streams what is on the roster, with its measures, once fill has filled
// it.
func (r *roster) rows(ctx context.Context, source Source, match Match, fill func() error) Rows {
	return func(yield func(Batch, error) bool) {
		if err := fill(); err != nil {
			yield(nil, err)
			return
		}
		b := NewBuilder(r.columns())
		for record, err := range r.list(ctx, source, match) {
			if err != nil {
				yield(nil, err)
				return
			}
			r.row(b, record)
			if b.EndRow() && !yield(b.Take(), nil) {
				return
			}
		}
		if b.Len() > 0 {
			yield(b.Take(), nil)
		}
	}
}

func (r *roster) row(b *Builder, record Record) {
	for i, c := range r.properties {
		if c.Type != String {
			b.Int(i, record.Int(c.Name))
		} else if is, ok := record.Bool(c.Name); ok {
			b.String(i, strconv.FormatBool(is))
		} else {
			b.String(i, record.Text(c.Name))
		}
	}
	group := r.group(record.ID())
	for i := range r.named.measures {
		b.Int(len(r.properties)+i, r.named.measures[i].total(group))
	}
}
