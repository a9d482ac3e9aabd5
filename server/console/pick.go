package console

import (
	"net/http"
	"net/url"

	"licensekit/exporter/report"
)

// pickable says where the values of a filter are found: among the records of
// an object, or among what usage was of.
var pickable = map[string]report.Object{
	"product_id": report.Products, "customer_id": report.Customers, "license_id": report.Licenses,
	"order_id": report.Orders, "subscription_id": report.Subscriptions, "feature_code": "", "action": "",
}

// choice is a value with the name that people know it by.
type choice struct{ Value, Name string }

// pick answers with values of a filter that hold a text, for a datalist.
func (c *Console) pick(v *visit) error {
	field, search := v.r.PathValue("field"), v.r.URL.Query().Get("search")
	object, ok := pickable[field]
	if !ok {
		return c.notFound(v)
	}
	var choices []choice
	var err error
	if object == "" {
		choices, err = v.usedValues(field)
	} else {
		choices, err = v.records(object, search)
	}
	if err != nil {
		return err
	}
	v.begin(http.StatusOK)
	return v.put("pick", "choices", choices)
}

const pickLimit = "60"

func (v *visit) records(object report.Object, search string) (choices []choice, err error) {
	query := url.Values{"limit": {pickLimit}}
	if search != "" {
		query.Set("search", search)
	}
	var records []struct {
		ID           string
		Name         string
		CustomerName string `json:"customer_name"`
		Status       string
	}
	_, err = v.call(http.MethodGet, "/api/v1/records/"+string(object), query, nil, &records)
	for _, r := range records {
		name := r.Name
		if name == "" {
			name = r.CustomerName
		}
		if name == "" {
			name = r.Status
		}
		choices = append(choices, choice{r.ID, name})
	}
	return choices, err
}

// usedValues are those that most usage has.
func (v *visit) usedValues(field string) (choices []choice, err error) {
	var live report.Live
	query := url.Values{"group_by": {field}, "order": {"events"}, "limit": {pickLimit}}
	_, err = v.call(http.MethodGet, "/api/v1/reports/usage-summary", query, nil, &live)
	for _, row := range live.Rows["usage"] {
		if value, ok := row[field].(string); ok {
			choices = append(choices, choice{Value: value})
		}
	}
	return choices, err
}
