package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"licensekit/exporter/ledger"
	"licensekit/exporter/report"
)

// readReport answers with a report as it is now.
func (s *Server) readReport(kind report.Kind) func(http.ResponseWriter, *request) error {
	names := append(report.FilterNames(kind), "limit")
	switch kind {
	case report.UsageLedger:
		names = append(names, "cursor")
	case report.UsageSummary:
		names = append(names, "order")
	}
	return func(w http.ResponseWriter, r *request) error {
		q, err := queryOf(r, names...)
		if err != nil {
			return err
		}
		excerpt := report.Excerpt{Order: q.Get("order")}
		if order := excerpt.Order; order != "" && order != "amount" && order != "events" {
			return invalidQuery(fmt.Sprintf("order %q must be amount or events", order))
		}
		if excerpt.Before, excerpt.Limit, err = pageOf(q); err != nil {
			return err
		}
		filters, err := filtersOf(kind, q)
		if err != nil {
			return err
		}
		if err := report.CheckLive(kind, filters); err != nil {
			return invalidQuery(err.Error())
		}
		var live *report.Live
		var next int64
		err = s.ledger.View(r.Context(), func(snapshot *ledger.Snapshot) (err error) {
			live, next, err = s.summaries.ReadLive(r.Context(), snapshot, kind, filters, excerpt)
			return err
		})
		if err != nil {
			return err
		}
		if kind == report.UsageLedger {
			return s.replyPage(w, r, live, next)
		}
		return s.reply(w, r, http.StatusOK, live)
	}
}

// filtersOf takes the filters out of a query.
func filtersOf(kind report.Kind, q url.Values) (report.Filters, error) {
	values := map[string]string{}
	for name := range q {
		if name != "limit" && name != "cursor" && name != "order" {
			values[name] = q.Get(name)
		}
	}
	filters, err := report.ParseFilters(kind, values)
	if err != nil {
		return filters, invalidQuery(err.Error())
	}
	return filters, nil
}

// feedFilters are what the activity feed can be narrowed by, beside a period.
var feedFilters = []report.Field{
	report.FieldProduct, report.FieldCustomer, report.FieldLicense, report.FieldOrder, report.FieldSubscription,
	report.FieldFeature, report.FieldAction, report.FieldSource, report.FieldRequest, report.FieldResultClass,
}

// listActivities answers with the activity feed, newest first.
func (s *Server) listActivities(w http.ResponseWriter, r *request) error {
	names := []string{"from", "to", "status_code", "cursor", "limit"}
	for _, f := range feedFilters {
		names = append(names, f.String())
	}
	q, err := queryOf(r, names...)
	if err != nil {
		return err
	}
	match, err := feedMatch(q)
	if err != nil {
		return err
	}
	var limit int
	if match.Below, limit, err = pageOf(q); err != nil {
		return err
	}
	var activities []map[string]any
	var next int64
	err = s.ledger.View(r.Context(), func(snapshot *ledger.Snapshot) (err error) {
		activities, next, err = report.Feed(r.Context(), snapshot, match, limit)
		return err
	})
	if err != nil {
		return err
	}
	return s.replyPage(w, r, activities, next)
}

func feedMatch(q url.Values) (match report.Match, err error) {
	for _, f := range feedFilters {
		match.Equal[f] = q.Get(f.String())
		if problem := report.CheckText(match.Equal[f], report.MaxText); problem != "" {
			return match, invalidQuery(f.String() + " " + problem)
		}
	}
	for name, bound := range map[string]**report.Instant{"from": &match.From, "to": &match.To} {
		if text := q.Get(name); text != "" {
			*bound = new(report.Instant)
			if err := (*bound).UnmarshalText([]byte(text)); err != nil {
				return match, invalidQuery(name + " " + err.Error())
			}
		}
	}
	if match.From != nil && match.To != nil && *match.From > *match.To {
		return match, invalidQuery("from is after to")
	}
	if text := q.Get("status_code"); text != "" {
		if match.Status, err = strconv.ParseInt(text, 10, 64); err != nil || match.Status < 1 {
			return match, invalidQuery(fmt.Sprintf("status_code %q must be a whole number above 0", text))
		}
	}
	return match, nil
}
