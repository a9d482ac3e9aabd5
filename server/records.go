package server

import (
	"context"
	"net/http"
	"strings"

	"licensekit/exporter/ledger"
	"licensekit/exporter/report"
)

// objectOf is the object that a path names.
func objectOf(r *request) (report.Object, error) {
	object := report.Object(r.params.ByName("object"))
	if object.Properties() == nil {
		return "", &problem{status: 404, code: "NOT_FOUND", message: "there is no such object", detail: "objects are " + strings.Join(report.ObjectNames(), ", ")}
	}
	return object, nil
}

// listRecords answers with the records of an object, in the order of their ids.
// The cursor of a following page is how many of the list stand before it.
func (s *Server) listRecords(w http.ResponseWriter, r *request) error {
	object, err := objectOf(r)
	if err != nil {
		return err
	}
	q, err := queryOf(r, "search", "cursor", "limit")
	if err != nil {
		return err
	}
	skip, limit, err := pageOf(q)
	if err != nil {
		return err
	}
	var records []map[string]any
	var next int64
	err = s.ledger.View(r.Context(), func(snapshot *ledger.Snapshot) (err error) {
		records, next, err = pageOfRecords(r.Context(), snapshot, object, strings.ToLower(q.Get("search")), skip, limit)
		return err
	})
	if err != nil {
		return err
	}
	return s.replyPage(w, r, records, next)
}

func pageOfRecords(ctx context.Context, source report.Source, object report.Object, search string, skip int64, limit int) (page []map[string]any, next int64, err error) {
	page = []map[string]any{}
	at := int64(0)
	for record, err := range source.Records(ctx, object, report.Match{}) {
		if err != nil {
			return nil, 0, err
		}
		if !speaksOf(record, search) {
			continue
		}
		if at++; at <= skip {
			continue
		}
		if len(page) == limit {
			return page, at - 1, nil
		}
		page = append(page, record.Members())
	}
	return page, 0, nil
}

// speaksOf tells whether a record's id or one of its names holds a text, in
// any case.
func speaksOf(record report.Record, text string) bool {
	for _, name := range []string{"id", "name", "code", "email", "customer_name", "customer_email", "external_id"} {
		if strings.Contains(strings.ToLower(record.Text(name)), text) {
			return true
		}
	}
	return false
}
