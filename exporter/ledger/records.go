package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"licensekit/exporter/report"
)

// A record is stored sealed under its id, as its properties that are present:
// the name behind its length, a letter for the type, and the value. Names
// rather than numbers, so that a property which a later version adds or drops
// moves nothing.
const (
	letterText = 's' // bytes behind their length
	letterInt  = 'i' // varint
	letterTrue = 't'
	letterNot  = 'f'
)

func encodeRecord(r report.Record) []byte {
	value := make([]byte, sealBytes, 256)
	for _, p := range r.Object.Properties() {
		if text := r.Text(p.Name); text != "" {
			value = appendText(append(appendText(value, p.Name), letterText), text)
		}
		if n := r.Int(p.Name); n != report.Null {
			value = binary.AppendVarint(append(appendText(value, p.Name), letterInt), n)
		}
		if is, ok := r.Bool(p.Name); ok {
			letter := byte(letterNot)
			if is {
				letter = letterTrue
			}
			value = append(appendText(value, p.Name), letter)
		}
	}
	return seal(value)
}

// propertyNames has the name of each property, for it stands in every record.
var propertyNames = func() map[string]string {
	names := map[string]string{}
	for _, object := range report.Objects {
		for _, p := range object.Properties() {
			names[p.Name] = p.Name
		}
	}
	return names
}()

// decodeRecord copies a record out of the database, its texts as parts of one:
// whoever keeps an id of it copies that, or keeps the whole.
func decodeRecord(object report.Object, value []byte) (report.Record, error) {
	r := report.NewRecord(object)
	payload, err := unseal(value)
	if err != nil {
		return r, err
	}
	copied := string(payload)
	p := parser{data: payload}
	text := func() string { n := len(p.bytes()); end := len(copied) - len(p.data); return copied[end-n : end] }
	for len(p.data) > 0 {
		name := text()
		if known, ok := propertyNames[name]; ok {
			name = known // so that a record that is kept does not keep others' names
		}
		if len(p.data) == 0 {
			return r, errMalformed
		}
		letter := p.data[0]
		p.data = p.data[1:]
		switch letter {
		case letterText:
			r.Set(name, text())
		case letterInt:
			r.Set(name, p.int())
		case letterTrue, letterNot:
			r.Set(name, letter == letterTrue)
		default:
			return r, errMalformed
		}
	}
	return r, p.done()
}

// hasOthers tells whether a stored record has other texts than those that are
// asked for, without copying it. Of one that is damaged it says no, so that it is
// decoded, which says what is wrong.
func hasOthers(value []byte, asked map[string]string) bool {
	payload, err := unseal(value)
	if err != nil {
		return false
	}
	p, others := parser{data: payload}, false
	for len(p.data) > 0 {
		name := p.bytes()
		if len(p.data) == 0 {
			return false
		}
		letter := p.data[0]
		p.data = p.data[1:]
		switch letter {
		case letterText:
			text := p.bytes()
			want, ok := asked[string(name)]
			others = others || ok && len(text) > 0 && string(text) != want
		case letterInt:
			p.int()
		case letterTrue, letterNot:
		default:
			return false
		}
	}
	return others && p.done() == nil
}

// record reads a record of one shelf, an empty one if it isn't there.
func (s *shelf) record(object report.Object, id string) (report.Record, error) {
	value := s.records[object].Get([]byte(id))
	if value == nil {
		return report.NewRecord(object), nil
	}
	r, err := decodeRecord(object, value)
	if err == nil && r.ID() != id {
		err = fmt.Errorf("the record's id is %q", r.ID())
	}
	if err != nil {
		return r, damage(recordBucket(object), []byte(id), err)
	}
	return r, nil
}

// record reads a record as it is in this session, an empty one if it isn't
// there.
func (s *session) record(object report.Object, id string) (report.Record, error) {
	for _, shelf := range s.below {
		if s.own.records[object].Get([]byte(id)) != nil {
			break
		}
		if r, err := shelf.record(object, id); err != nil || r.ID() != "" {
			return r, err
		}
	}
	return s.own.record(object, id)
}

// Put implements [Appender].
func (s *session) Put(ctx context.Context, records []report.Record) ([]Outcome, error) {
	outcomes, changed := make([]Outcome, len(records)), false
	for i, r := range records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if outcomes[i], err = s.putOne(r); err != nil {
			return nil, fmt.Errorf("put records: %w", err)
		}
		changed = changed || outcomes[i].Status == Accepted
	}
	if !changed {
		return outcomes, nil
	}
	return outcomes, s.own.save()
}

func (s *session) putOne(r report.Record) (Outcome, error) {
	at := slices.Index(report.Objects, r.Object)
	if at < 0 {
		return Outcome{}, fmt.Errorf("%q is not an object that has records", r.Object)
	}
	if r.ID() == "" {
		return Outcome{Status: Rejected, Field: "id", Code: CodeRequired, Message: "is missing"}, nil
	}
	known, err := s.record(r.Object, r.ID())
	if err != nil {
		return Outcome{}, err
	}
	if known.ID() != "" && bytes.Equal(encodeRecord(r), encodeRecord(known)) {
		return Outcome{Status: Duplicate}, nil
	}
	if message, err := s.checkProduct(r); err != nil || message != "" {
		return Outcome{Status: Rejected, Field: "product_id", Code: CodeLinkMismatch, Message: message}, err
	}
	if known.ID() == "" {
		s.own.state.Records[at]++
	}
	// Others may link to this record, so whatever was followed may be wrong now.
	s.links.clear()
	if err := s.own.records[r.Object].Put([]byte(r.ID()), encodeRecord(r)); err != nil {
		return Outcome{}, fmt.Errorf("store in bucket %s: %w", recordBucket(r.Object), err)
	}
	return Outcome{Status: Accepted}, nil
}

// checkProduct says how a record's product contradicts the product of its
// order or subscription, "" if it doesn't.
func (s *session) checkProduct(r report.Record) (string, error) {
	product := r.Text("product_id")
	if product == "" {
		return "", nil
	}
	for _, link := range []struct {
		object report.Object
		field  report.Field
	}{{report.Orders, report.FieldOrder}, {report.Subscriptions, report.FieldSubscription}} {
		id := r.Text(link.field.String())
		linked, err := s.linksOf(link.object, id)
		if err != nil {
			return "", err
		}
		if linked.product != "" && linked.product != product {
			return contradiction(product, link.field, id), nil
		}
	}
	return "", nil
}
