package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	activitiesPath    = "/console/activities"
	apiActivitiesPath = "/api/v1/activities"
)

// The filters of the activities, which are those of the API but for the period,
// which is whole days in UTC. Most people look for the first ones.
var (
	activityFilters = []string{"customer_id", "product_id", "feature_code", "action"}
	furtherFilters  = []string{"license_id", "order_id", "subscription_id", "source", "request_id", "result_class", "status_code"}
)

// activity is a fact as the API tells it, with "" and nil for what it lacks.
type activity struct {
	Sequence       int64
	ID             string
	OccurredAt     time.Time `json:"occurred_at"`
	ReceivedAt     time.Time `json:"received_at"`
	Action         string
	Source         string
	ProductID      string `json:"product_id"`
	CustomerID     string `json:"customer_id"`
	LicenseID      string `json:"license_id"`
	OrderID        string `json:"order_id"`
	SubscriptionID string `json:"subscription_id"`
	FeatureCode    string `json:"feature_code"`
	Amount         *int64
	RequestID      string `json:"request_id"`
	ResultClass    string `json:"result_class"`
	StatusCode     *int64 `json:"status_code"`
	Metadata       json.RawMessage
}

// activityList is what the page of activities shows.
type activityList struct {
	Filter     url.Values // as the page's URL has it
	Filters    []string
	Further    []string
	Narrowed   bool // some filter is set
	NarrowedBy bool // one of the further ones is
	Failure    *failure
	Activities []activity
	Older      string // the following page's URL, "" on the last
	Newest     string // the first page's URL, "" on it
}

// listActivities shows activities, newest first. The filter is in the URL; what
// is wrong with it is said beside it.
func (c *Console) listActivities(v *visit) error {
	names := slices.Concat(activityFilters, furtherFilters, []string{firstDay, lastDay})
	query := v.query(append(names, "cursor")...)
	list := activityList{Filter: query, Filters: activityFilters, Further: furtherFilters}
	ask := url.Values{"limit": {"50"}}
	for name := range query {
		switch name {
		case firstDay:
			ask.Set("from", midnight(query.Get(name), "", false))
		case lastDay:
			ask.Set("to", midnight(query.Get(name), "", true))
		default:
			ask.Set(name, query.Get(name))
		}
		list.Narrowed = list.Narrowed || name != "cursor"
		list.NarrowedBy = list.NarrowedBy || slices.Contains(furtherFilters, name)
	}
	page, err := v.call(http.MethodGet, apiActivitiesPath, ask, nil, &list.Activities)
	if err != nil {
		list.Failure = v.failureOf(err)
		if list.Failure.Status != http.StatusBadRequest {
			return err
		}
		return v.show(list.Failure.Status, "activities", list)
	}
	if page.NextCursor != nil {
		list.Older = with(activitiesPath, query, "cursor", strconv.FormatInt(*page.NextCursor, 10))
	}
	if query.Has("cursor") {
		list.Newest = with(activitiesPath, query, "cursor", "")
	}
	return v.show(http.StatusOK, "activities", list)
}

// activityPage is what the page of one activity shows.
type activityPage struct {
	Activity activity
	Links    []linkedFact
	Metadata string
}

// linkedFact is a fact that others may share.
type linkedFact struct {
	fact
	URL string // of the activities that share it
}

// showActivity shows an activity with all there is of it.
func (c *Console) showActivity(v *visit) error {
	sequence, err := strconv.ParseInt(v.r.PathValue("sequence"), 10, 64)
	if err != nil || sequence < 1 || sequence == 1<<63-1 {
		return c.notFound(v)
	}
	var found []activity
	ask := url.Values{"limit": {"1"}, "cursor": {strconv.FormatInt(sequence+1, 10)}}
	if _, err := v.call(http.MethodGet, apiActivitiesPath, ask, nil, &found); err != nil {
		return err
	}
	if len(found) == 0 || found[0].Sequence != sequence {
		return &failure{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "there is no such activity"}
	}
	page := activityPage{Activity: found[0]}
	a := page.Activity
	for _, one := range []struct{ name, value string }{
		{"action", a.Action}, {"source", a.Source}, {"customer_id", a.CustomerID}, {"product_id", a.ProductID}, {"license_id", a.LicenseID},
		{"order_id", a.OrderID}, {"subscription_id", a.SubscriptionID}, {"feature_code", a.FeatureCode}, {"request_id", a.RequestID}, {"result_class", a.ResultClass},
	} {
		if one.value != "" {
			page.Links = append(page.Links, linkedFact{fact{v.locale.label(one.name), one.value}, with(activitiesPath, nil, one.name, one.value)})
		}
	}
	if len(a.Metadata) > 0 && string(a.Metadata) != "null" {
		page.Metadata = indented(a.Metadata)
	}
	return v.show(http.StatusOK, "activity", page)
}

// indented writes JSON for people.
func indented(text json.RawMessage) string {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // the template does that
	encoder.SetIndent("", "  ")
	if decoder.Decode(&value) != nil || encoder.Encode(value) != nil {
		return string(text)
	}
	return strings.TrimSpace(out.String())
}

// Picks tells whether values of a filter can be offered.
func (l activityList) Picks(filter string) bool {
	_, ok := pickable[filter]
	return ok
}
