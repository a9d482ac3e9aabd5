package report

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// period is a settlement period [start, end), Null for an open side, and the
// order whose period it is, "" if it is not an order's.
type period struct {
	start, end int64
	order      string
}

var noPeriod = period{start: Null, end: Null}

// periodDimension groups usage by settlement period.
//
// The periods of a subscription are those of its orders that aren't canceled;
// where it has none, its record's current period. Usage that names an order but
// no subscription has the order's own period. Where periods overlap, usage
// belongs to the one that starts last; of those that start together, to the one
// whose order has the lowest id. Only what starts before it ends is a period.
type periodDimension struct {
	numbering[period]
	whole                 *calendar // of the one period that from and to make; nil without them
	subscriptions, orders *owners
	opened                int64  // when the first activity was received
	isLate                []bool // of the facts that were numbered last
}

func periodsOf(ctx context.Context, source Source, f Filters) (*periodDimension, error) {
	d := &periodDimension{subscriptions: newOwners(Subscriptions, f), orders: newOwners(Orders, f)}
	var err error
	if d.opened, err = opened(ctx, source); err != nil {
		return nil, err
	}
	if f.From == nil && f.To == nil {
		d.numbering.number(noPeriod)
		return d, d.read(ctx, source)
	}
	p := noPeriod
	if f.From != nil {
		p.start = int64(*f.From)
	}
	if f.To != nil {
		p.end = int64(*f.To)
	}
	d.whole = &calendar{starts: []int64{Null}, codes: []uint32{d.numbering.number(p)}}
	return d, nil
}

// opened tells when the books were: when the first activity was received,
// [Null] if none was.
func opened(ctx context.Context, source Source) (int64, error) {
	for facts, err := range source.Activities(ctx, Scan{}) {
		if err != nil {
			return Null, err
		}
		return facts.ReceivedAt[0], nil
	}
	return Null, nil
}

// read gathers the periods of the records.
func (d *periodDimension) read(ctx context.Context, source Source) error {
	for order, err := range source.Records(ctx, Orders, Match{}) {
		if err != nil {
			return err
		}
		if order.Text("status") == "canceled" {
			continue
		}
		p := period{order.Int("period_start"), order.Int("period_end"), strings.Clone(order.ID())}
		d.orders.add(p.order, p)
		d.subscriptions.add(order.Text("subscription_id"), p)
		if len(d.orders.periods) > groupLimit {
			return ErrTooManyGroups
		}
	}
	for subscription, err := range source.Records(ctx, Subscriptions, Match{}) {
		if err != nil {
			return err
		}
		if id := subscription.ID(); d.subscriptions.periods[id] == nil {
			d.subscriptions.add(id, period{subscription.Int("current_period_start"), subscription.Int("current_period_end"), ""})
		}
		if len(d.subscriptions.periods) > groupLimit {
			return ErrTooManyGroups
		}
	}
	return nil
}

func (d *periodDimension) columns() []Column {
	return []Column{{Name: "period_order_id", Type: String}, {Name: "period_start", Type: Time}, {Name: "period_end", Type: Time}}
}

func (d *periodDimension) key() []string {
	return []string{"period_start", "period_end", "period_order_id"}
}

func (d *periodDimension) fields() FieldSet { return SetOf(FieldSubscription, FieldOrder) }

func (d *periodDimension) number(facts *Facts, codes []uint32) {
	if d.whole == nil {
		d.subscriptions.number(facts, d.numbering.number)
		d.orders.number(facts, d.numbering.number)
	}
	d.isLate = d.isLate[:0]
	for i, ms := range facts.OccurredAt {
		codes[i] = d.calendar(i).at(ms)
		end := d.values[codes[i]].end
		d.isLate = append(d.isLate, end != Null && end > d.opened && facts.ReceivedAt[i] >= end)
	}
}

// calendar finds the periods that a fact may lie in.
func (d *periodDimension) calendar(fact int) *calendar {
	if d.whole != nil {
		return d.whole
	}
	if c := d.subscriptions.calendar(fact); c != nil {
		return c
	}
	return d.orders.calendar(fact)
}

// late tells of facts that were just numbered whether they were received too
// late for their period. Of a period that was over when the books were opened
// nothing could have come in time, so nothing is late: it is history.
func (d *periodDimension) late(*Facts) []bool { return d.isLate }

func (d *periodDimension) compare(a, b uint32) int {
	p, q := d.values[a], d.values[b]
	return cmp.Or(cmp.Compare(p.start, q.start), cmp.Compare(p.end, q.end), strings.Compare(p.order, q.order))
}

func (d *periodDimension) add(b *Builder, column int, code uint32) {
	p := d.values[code]
	b.String(column, p.order)
	b.Int(column+1, p.start)
	b.Int(column+2, p.end)
}

// owners are the records of an object with their periods.
type owners struct {
	only      string // the one id that facts may have, "" for any
	periods   map[string][]period
	ids       textDimension
	calendars []*calendar // by the number of an id; nil for the absent one
	codes     []uint32    // the number of each fact's id
}

func newOwners(object Object, f Filters) *owners {
	field := idFields[object]
	return &owners{only: f.Match().Equal[field], periods: map[string][]period{}, ids: textDimension{field: field}}
}

func (o *owners) add(id string, p period) {
	if id != "" && (o.only == "" || id == o.only) && p.start != Null && p.start < p.end {
		o.periods[strings.Clone(id)] = append(o.periods[id], p)
	}
}

// number takes in the ids of facts and numbers the periods of new ones.
func (o *owners) number(facts *Facts, number func(period) uint32) {
	o.codes = slices.Grow(o.codes[:0], facts.Len())[:facts.Len()]
	o.ids.number(facts, o.codes)
	for _, id := range o.ids.values[len(o.calendars):] {
		var c *calendar
		if id != "" {
			c = newCalendar(o.periods[id], number)
		}
		o.calendars = append(o.calendars, c)
	}
}

func (o *owners) calendar(fact int) *calendar { return o.calendars[o.codes[fact]] }
