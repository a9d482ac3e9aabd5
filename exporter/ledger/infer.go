package ledger

import (
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// links are the ids that a record names, its own missing ones followed.
type links struct{ product, customer, order, subscription string }

// or takes what is missing from further links.
func (l links) or(further *links) links {
	return links{
		product:      either(l.product, further.product),
		customer:     either(l.customer, further.customer),
		order:        either(l.order, further.order),
		subscription: either(l.subscription, further.subscription),
	}
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// linkCache remembers the links of records between batches. Whatever changes
// records clears it, and so does a transaction that comes to nothing. A record
// that doesn't exist has no links.
type linkCache struct {
	licenses, orders, subscriptions map[string]*links

	open *bbolt.Tx // whose records it may hold; nil once these are committed
}

// begin takes the cache into a write transaction, in which it may be before.
func (c *linkCache) begin(tx *bbolt.Tx) {
	if c.open == tx {
		return
	}
	if c.open != nil { // it was rolled back
		c.clear()
	}
	c.open = tx
	tx.OnCommit(func() { c.open = nil })
}

// noLinks is what a record has that doesn't exist.
var noLinks = &links{}

// cacheLimit bounds the cache; some 200 bytes an entry.
const cacheLimit = 1 << 16

func newLinkCache() *linkCache {
	c := &linkCache{}
	c.clear()
	return c
}

func (c *linkCache) clear() {
	c.licenses, c.orders, c.subscriptions = map[string]*links{}, map[string]*links{}, map[string]*links{}
}

func (c *linkCache) full() bool {
	return len(c.licenses)+len(c.orders)+len(c.subscriptions) > cacheLimit
}

func (c *linkCache) of(object report.Object) map[string]*links {
	switch object {
	case report.Licenses:
		return c.licenses
	case report.Orders:
		return c.orders
	}
	return c.subscriptions
}

// linksOf gives the links of a record as they are now.
func (s *session) linksOf(object report.Object, id string) (*links, error) {
	if id == "" {
		return noLinks, nil
	}
	cache := s.links.of(object)
	if known := cache[id]; known != nil {
		return known, nil
	}
	record, err := s.record(object, id)
	if err != nil {
		return nil, err
	}
	found := noLinks
	if record.ID() != "" {
		if found, err = s.follow(record); err != nil {
			return nil, err
		}
	}
	cache[strings.Clone(id)] = found
	return found, nil
}

// follow completes a record's own links: first from its order, then from its
// subscription.
func (s *session) follow(record report.Record) (*links, error) {
	text := func(name string) string { return strings.Clone(record.Text(name)) } // for the cache is not to keep whole records
	l := links{
		product:      text("product_id"),
		customer:     text("customer_id"),
		order:        text("order_id"),
		subscription: text("subscription_id"),
	}
	order, err := s.linksOf(report.Orders, l.order)
	if err != nil {
		return nil, err
	}
	l = l.or(order)
	subscription, err := s.linksOf(report.Subscriptions, l.subscription)
	if err != nil {
		return nil, err
	}
	l = l.or(subscription)
	return &l, nil
}

// linkFields are the fields by which an activity names a record with links, in
// the order in which they are followed.
var linkFields = [...]struct {
	field  report.Field
	object report.Object
}{
	{report.FieldLicense, report.Licenses},
	{report.FieldOrder, report.Orders},
	{report.FieldSubscription, report.Subscriptions},
}

// named are the links of the records that an activity names, as linkFields
// lists them; nil where it names none. The links of records that these link to
// are already among them.
type named [len(linkFields)]*links

// complete gives the four ids of an activity as they are to be stored.
func (n *named) complete(a *report.Activity) links {
	l := links{
		product:      a.Text[report.FieldProduct],
		customer:     a.Text[report.FieldCustomer],
		order:        a.Text[report.FieldOrder],
		subscription: a.Text[report.FieldSubscription],
	}
	for _, further := range n {
		if further != nil && further != noLinks {
			l = l.or(further)
		}
	}
	return l
}

// contradicts finds the field of a record that has another product; FieldID,
// the zero value, says that there is none.
func (n *named) contradicts(product string) report.Field {
	for i, further := range n {
		if further != nil && further.product != "" && further.product != product {
			return linkFields[i].field
		}
	}
	return 0
}

// infer finds what is missing on a row. A row that contradicts a record that it
// names is rejected for it later, unless its id is known.
func (s *session) infer(b *batch, row int) error {
	a := &b.rows[row]
	if a.Text[report.FieldLicense] == "" && a.Text[report.FieldOrder] == "" && a.Text[report.FieldSubscription] == "" {
		return nil
	}
	n, err := s.learn(a)
	if err != nil {
		return err
	}
	l := n.complete(a)
	if field := n.contradicts(l.product); field != 0 {
		b.mismatches = append(b.mismatches, mismatch{row, field, l.product})
		return nil
	}
	b.inferred[row] = added(a, &l)
	return nil
}

func contradiction(product string, field report.Field, id string) string {
	return fmt.Sprintf("%q is not the product of %s %q", product, field, id)
}

// learn looks up what an activity names, and leaves it in the cache.
func (s *session) learn(a *report.Activity) (n named, err error) {
	for i, link := range linkFields {
		if id := a.Text[link.field]; id != "" {
			if n[i], err = s.linksOf(link.object, id); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// fields lists the links by the fields of an activity that they complete.
func (l *links) fields() [4]struct {
	field report.Field
	id    string
} {
	return [...]struct {
		field report.Field
		id    string
	}{
		{report.FieldProduct, l.product}, {report.FieldCustomer, l.customer},
		{report.FieldOrder, l.order}, {report.FieldSubscription, l.subscription},
	}
}

// added is the set of fields that links bring to an activity.
func added(a *report.Activity, l *links) (set report.FieldSet) {
	for _, link := range l.fields() {
		if a.Text[link.field] == "" && link.id != "" {
			set |= report.SetOf(link.field)
		}
	}
	return set
}

// fill gives the activity with what was inferred, a copy of it if that is
// anything. It only reads the cache, which the batch has filled by now, so
// several goroutines may.
func (c *linkCache) fill(a *report.Activity, inferred report.FieldSet) *report.Activity {
	if inferred == 0 {
		return a
	}
	var n named
	for i, link := range linkFields {
		n[i] = c.of(link.object)[a.Text[link.field]]
	}
	l, filled := n.complete(a), *a
	for _, link := range l.fields() {
		if inferred.Has(link.field) {
			filled.Text[link.field] = link.id
		}
	}
	return &filled
}
