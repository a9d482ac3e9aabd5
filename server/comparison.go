package server

import (
	"net/http"
	"strings"

	"licensekit/exporter"
	"licensekit/exporter/report"
)

// comparison is two exports with what they differ in, and some of the rows.
type comparison struct {
	*exporter.Compared
	Count int64               `json:"difference_count"`
	Rows  []report.Difference `json:"differences"`
}

// compareExports answers with the rows by which an export differs from another.
// The cursor of a following page is how many of them stand before it; as a
// stream it has all of them, and the account in the last line.
func (s *Server) compareExports(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "with", "cursor", "limit")
	if err != nil {
		return err
	}
	before, after := exporter.ID(r.params.ByName("id")), exporter.ID(q.Get("with"))
	if after == "" {
		return invalidQuery("with is missing; it names the export to compare with")
	}
	if strings.Contains(r.Header.Get("Accept"), ndjson) {
		return s.streamComparison(w, r, before, after)
	}
	skip, limit, err := pageOf(q)
	if err != nil {
		return err
	}
	page := comparison{Rows: []report.Difference{}}
	page.Compared, err = s.exports.Compare(r.Context(), before, after, func(d report.Difference) error {
		if page.Count++; page.Count > skip && len(page.Rows) < limit {
			page.Rows = append(page.Rows, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	next := skip + int64(len(page.Rows))
	if next >= page.Count {
		next = 0
	}
	return s.replyPage(w, r, page, next)
}

func (s *Server) streamComparison(w http.ResponseWriter, r *request, before, after exporter.ID) error {
	lines := &lineWriter{w: w}
	found, err := s.exports.Compare(r.Context(), before, after, func(d report.Difference) error {
		lines.write(d)
		return r.Context().Err()
	})
	if err != nil {
		return s.cutOff(r, lines, err)
	}
	lines.write(found)
	return nil
}
