package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"licensekit/exporter"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

// comparisonPage is what the page that compares exports shows.
type comparisonPage struct {
	Export     exporter.Export
	With       string            // the id of the other one, "" before it is chosen
	Others     []exporter.Export // of the same kind
	Failure    *failure
	Comparison *comparison
	Sections   []comparedSection
	First      string // the first page's URL, "" on it
	Later      string // the following page's URL, "" on the last
}

// comparison is what the API answers with.
type comparison struct {
	Before, After exporter.Export
	Sections      map[string]*report.Compared
	TotalsBefore  report.Totals `json:"totals_before"`
	TotalsAfter   report.Totals `json:"totals_after"`
	Count         int64         `json:"difference_count"`
	Differences   []difference
}

// difference is a row that the two reports don't share.
type difference struct {
	Section       string
	Change        report.Change
	Before, After map[string]json.RawMessage
}

// compareExports shows by which rows two exports differ.
func (c *Console) compareExports(v *visit) error {
	query := v.query("with", "cursor")
	page := comparisonPage{With: query.Get("with")}
	if _, err := v.call(http.MethodGet, v.apiExport(""), nil, nil, &page.Export); err != nil {
		return err
	}
	var err error
	if page.Others, err = v.comparable(page.Export); err != nil {
		return err
	}
	if page.With == "" {
		return v.show(http.StatusOK, "comparison", page)
	}
	found := &comparison{}
	next, err := v.compare(page.Export, page.With, query.Get("cursor"), found)
	if err != nil {
		page.Failure = v.failureOf(err)
		return v.show(page.Failure.Status, "comparison", page)
	}
	page.Comparison, page.Sections = found, v.locale.compared(found)
	if next.NextCursor != nil {
		page.Later = with(v.r.URL.Path, query, "cursor", strconv.FormatInt(*next.NextCursor, 10))
	}
	if query.Has("cursor") {
		page.First = with(v.r.URL.Path, query, "cursor", "")
	}
	return v.show(http.StatusOK, "comparison", page)
}

// compare asks for what became of the older one of two exports in the newer one.
func (v *visit) compare(x exporter.Export, with, cursor string, found *comparison) (client.Page, error) {
	var other exporter.Export
	if _, err := v.call(http.MethodGet, apiExportsPath+"/"+url.PathEscape(with), nil, nil, &other); err != nil {
		return client.Page{}, err
	}
	before, after := x.ID, other.ID
	if x.CreatedAt > other.CreatedAt {
		before, after = after, before
	}
	ask := url.Values{"limit": {"100"}, "with": {string(after)}}
	if cursor != "" {
		ask.Set("cursor", cursor)
	}
	return v.call(http.MethodGet, apiExportsPath+"/"+url.PathEscape(string(before))+"/comparison", ask, nil, found)
}

// comparable finds exports that one may be compared with, the newest of them.
func (v *visit) comparable(x exporter.Export) (others []exporter.Export, err error) {
	ask := url.Values{"limit": {"100"}, "status": {string(exporter.Ready)}, "report_kind": {string(x.Kind)}}
	_, err = v.call(http.MethodGet, apiExportsPath, ask, nil, &others)
	return slices.DeleteFunc(others, func(other exporter.Export) bool { return other.ID == x.ID }), err
}

// comparedSection is a section of two reports, with those of its differences
// that are on the page.
type comparedSection struct {
	Name string
	*report.Compared
	Sums    []comparedSum
	Columns []report.Column
	Rows    []comparedRow
}

// comparedSum is a total in both reports.
type comparedSum struct {
	Name          string
	Before, After int64
}

// By is how much was added.
func (s comparedSum) By() int64 { return s.After - s.Before }

// comparedRow is a row that changed, with a cell for each column.
type comparedRow struct {
	Change report.Change
	Cells  []comparedCell
}

// comparedCell is a value, and what it was before if that is something else.
type comparedCell struct {
	Column, Value, Was string
	Changed, Number    bool
}

// compared gives the sections in the order of the reports.
func (l *locale) compared(c *comparison) (sections []comparedSection) {
	for _, s := range report.Sections(c.After.Kind, c.After.Filters) {
		shown := comparedSection{Name: s.Name, Compared: c.Sections[s.Name]}
		if shown.Compared == nil {
			continue
		}
		after := c.TotalsAfter[s.Name]
		for _, name := range slices.Sorted(maps.Keys(after)) {
			shown.Sums = append(shown.Sums, comparedSum{name, c.TotalsBefore[s.Name][name], after[name]})
		}
		rows := slices.DeleteFunc(slices.Clone(c.Differences), func(d difference) bool { return d.Section != s.Name })
		shown.Columns = slices.DeleteFunc(slices.Clone(s.Columns), func(c report.Column) bool { return !anyHas(rows, c.Name) })
		for _, d := range rows {
			row := comparedRow{Change: d.Change}
			for _, column := range shown.Columns {
				row.Cells = append(row.Cells, l.comparedCell(d, column))
			}
			shown.Rows = append(shown.Rows, row)
		}
		sections = append(sections, shown)
	}
	return sections
}

// anyHas tells whether any of the rows has a value in a column.
func anyHas(rows []difference, column string) bool {
	return slices.ContainsFunc(rows, func(d difference) bool { return has(d.Before[column]) || has(d.After[column]) })
}

func has(value json.RawMessage) bool { return len(value) > 0 && string(value) != "null" }

func (l *locale) comparedCell(d difference, column report.Column) comparedCell {
	before, after := d.Before[column.Name], d.After[column.Name]
	cell := comparedCell{Column: column.Name, Number: column.Type == report.Integer}
	if d.Change == report.Removed {
		after = before
	}
	cell.Value = l.value(after, column)
	if d.Change == report.Changed && string(before) != string(after) {
		cell.Changed, cell.Was = true, l.value(before, column)
	}
	return cell
}

// value writes a value of a report.
func (l *locale) value(raw json.RawMessage, column report.Column) string {
	if !has(raw) {
		return ""
	}
	if column.Type == report.Integer {
		if column.Name == "sequence" || column.Name == "status_code" { // which name, and don't count
			return string(raw)
		}
		return l.number(json.Number(raw))
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	if at, ok := timeOf(text); ok && column.Type == report.Time {
		return at.Format(l.day + ",\u00a015:04:05 UTC")
	}
	return text
}
