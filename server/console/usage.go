package console

import (
	"net/http"
	"net/url"
	"time"

	"licensekit/exporter/report"
)

// usage is what there is to say of the usage in a span.
type usage struct {
	Chart     *chart
	Tiles     []tile
	Customers []ranked
	Features  []ranked
}

// tile is a number that is worth a glance.
type tile struct{ Label, Value, Note string }

// ranked is one of those that had the most.
type ranked struct {
	ID    string // "" where usage names none
	Name  string // of a customer, "" if it is not known
	URL   string // of the activities behind it
	Value int64
	Share string // of the first one's value, as a width
}

// summary is what is read of a usage summary.
type summary struct {
	Rows struct {
		Usage []struct {
			Bucket   time.Time `json:"bucket_start"`
			Customer string    `json:"customer_id"`
			Feature  string    `json:"feature_code"`
			Amount   int64
			Events   int64
		}
	}
	Totals  report.Totals
	Omitted map[string]int64
}

// summarise asks for usage from one instant to another.
func (v *visit) summarise(from, to time.Time, how url.Values) (s summary, err error) {
	query := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}, "limit": {"200"}}
	for name, values := range how {
		query[name] = values
	}
	_, err = v.call(http.MethodGet, "/api/v1/reports/usage-summary", query, nil, &s)
	return s, err
}

// newestUsage is when the usage occurred that came in last; zero for none.
func (v *visit) newestUsage() (at time.Time, err error) {
	var live struct {
		Rows struct {
			Usage []struct {
				OccurredAt time.Time `json:"occurred_at"`
			}
		}
	}
	_, err = v.call(http.MethodGet, "/api/v1/reports/usage-ledger", url.Values{"limit": {"1"}}, nil, &live)
	for _, row := range live.Rows.Usage {
		at = row.OccurredAt
	}
	return at, err
}

// usage gathers what there is to say of a span. The measure is the amount
// unless it is "events".
func (v *visit) usage(s span, measure string) (*usage, error) {
	if measure != "events" {
		measure = "amount"
	}
	const top = "6"
	customers, err := v.summarise(s.From, s.To, url.Values{"group_by": {"customer_id"}, "order": {measure}, "limit": {top}})
	if err != nil {
		return nil, err
	}
	features, err := v.summarise(s.From, s.To, url.Values{"group_by": {"feature_code"}, "order": {measure}, "limit": {top}})
	if err != nil {
		return nil, err
	}
	before, err := v.summarise(s.before(), s.From, url.Values{"group_by": {"action"}})
	if err != nil {
		return nil, err
	}
	now, then := customers.Totals["usage"], before.Totals["usage"]
	u := &usage{Tiles: []tile{
		{v.locale.text("Amount"), v.locale.number(now["amount"]), v.locale.change(now["amount"], then["amount"])},
		{v.locale.text("Events"), v.locale.number(now["events"]), v.locale.change(now["events"], then["events"])},
		{v.locale.text("Customers"), v.locale.number(now["rows"]), v.locale.text("with usage")},
		{v.locale.text("Features"), v.locale.number(features.Totals["usage"]["rows"]), v.locale.text("in use")},
	}}
	for _, row := range customers.Rows.Usage {
		u.Customers = append(u.Customers, ranked{ID: row.Customer, Value: measured(measure, row.Amount, row.Events)})
	}
	for _, row := range features.Rows.Usage {
		u.Features = append(u.Features, ranked{ID: row.Feature, Value: measured(measure, row.Amount, row.Events)})
	}
	if err := v.nameCustomers(u.Customers); err != nil {
		return nil, err
	}
	rank(u.Customers, "customer_id", s)
	rank(u.Features, "feature_code", s)
	u.Chart, err = v.usageChart(s, measure)
	return u, err
}

func measured(measure string, amount, events int64) int64 {
	if measure == "events" {
		return events
	}
	return amount
}

// rank gives a list, which is sorted, its bars and links.
func rank(list []ranked, field string, s span) {
	for i := range list {
		one := &list[i]
		one.Share = share(one.Value, list[0].Value)
		if one.ID != "" {
			one.URL = activitiesPath + "?" + url.Values{
				field: {one.ID}, firstDay: {s.From.Format(time.DateOnly)}, lastDay: {s.LastDay().Format(time.DateOnly)},
			}.Encode()
		}
	}
}

// nameCustomers finds the names of customers: among all of them where they are
// few, or else one by one.
func (v *visit) nameCustomers(list []ranked) error {
	const path = "/api/v1/records/customers"
	var records []struct{ ID, Name string }
	page, err := v.call(http.MethodGet, path, url.Values{"limit": {"200"}}, nil, &records)
	if err != nil {
		return err
	}
	for i := range list {
		if page.NextCursor != nil && list[i].ID != "" {
			if _, err := v.call(http.MethodGet, path, url.Values{"limit": {"20"}, "search": {list[i].ID}}, nil, &records); err != nil {
				return err
			}
		}
		for _, r := range records {
			if r.ID == list[i].ID {
				list[i].Name = r.Name
			}
		}
	}
	return nil
}

// usageChart draws the usage of a span, by day or by month.
func (v *visit) usageChart(s span, measure string) (c *chart, err error) {
	c = &chart{Value: v.locale.text("Amount")}
	if measure == "events" {
		c.Value = v.locale.text("Events")
	}
	if s.Monthly {
		c.Title, c.Column = v.locale.text("Usage per month"), v.locale.text("Month")
		c.Bars, err = v.months(s, measure)
	} else {
		c.Title, c.Column = v.locale.text("Usage per day"), v.locale.text("Day")
		c.Bars, err = v.days(s, measure)
	}
	if err != nil {
		return nil, err
	}
	c.draw(v.locale)
	return c, nil
}

func (v *visit) months(s span, measure string) (bars []bar, err error) {
	for from := s.From; from.Before(s.To); from = from.AddDate(0, 1, 0) {
		month, err := v.summarise(from, from.AddDate(0, 1, 0), url.Values{"group_by": {"action"}, "limit": {"1"}})
		if err != nil {
			return nil, err
		}
		sums := month.Totals["usage"]
		bars = append(bars, bar{Label: from.Format(v.locale.month), Mark: from.Format(v.locale.month), Value: measured(measure, sums["amount"], sums["events"])})
	}
	return bars, nil
}

func (v *visit) days(s span, measure string) (bars []bar, err error) {
	sums := map[time.Time]int64{}
	if err := v.sumDays(s.From, s.To, measure, sums); err != nil {
		return nil, err
	}
	for day := s.From; day.Before(s.To); day = day.AddDate(0, 0, 1) {
		bars = append(bars, bar{Label: day.Format(v.locale.day), Mark: day.Format(v.locale.short), Value: sums[day]})
	}
	return bars, nil
}

// sumDays adds up the usage of each day. What has more rows than an answer
// holds is asked for in two halves; of one day the total will do.
func (v *visit) sumDays(from, to time.Time, measure string, sums map[time.Time]int64) error {
	s, err := v.summarise(from, to, url.Values{"group_by": {"action"}, "bucket": {"1d"}})
	if err != nil {
		return err
	}
	days := int(to.Sub(from).Hours() / 24)
	switch {
	case s.Omitted["usage"] == 0:
		for _, row := range s.Rows.Usage {
			sums[row.Bucket.UTC()] += measured(measure, row.Amount, row.Events)
		}
	case days == 1:
		sums[from] = measured(measure, s.Totals["usage"]["amount"], s.Totals["usage"]["events"])
	default:
		middle := from.AddDate(0, 0, days/2)
		if err := v.sumDays(from, middle, measure, sums); err != nil {
			return err
		}
		return v.sumDays(middle, to, measure, sums)
	}
	return nil
}

// change says how a number compares to that of the span before; "" where that
// would say nothing.
func (l *locale) change(now, then int64) string {
	percent := (float64(now)/float64(then) - 1) * 100
	if then <= 0 || percent < -100 || percent >= 1000 {
		return ""
	}
	return l.text("%s on the time before", l.percent(percent))
}
