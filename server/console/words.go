package console

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"licensekit/exporter/report"
)

// labels are the names that the contract has for things, as people say them.
var labels = map[string]string{
	"usage-summary":           "Usage summary",
	"usage-ledger":            "Usage ledger",
	"license-audit":           "License audit",
	"customer-summary":        "Customer summary",
	"subscription-settlement": "Subscription settlement",

	"json": "JSON", "csv": "CSV", "pdf": "PDF", "xlsx": "Excel",

	"pending": "waiting", "processing": "in progress", "ready": "ready", "failed": "failed",

	"product_id": "Product", "customer_id": "Customer", "license_id": "License", "order_id": "Order",
	"subscription_id": "Subscription", "feature_code": "Feature", "action": "Action", "source": "Source",
	"result_class": "Result", "status_code": "Status code", "request_id": "Request",
	"group_by": "Grouped by", "bucket": "Per", "time_zone": "Time zone", "from": "From", "to": "Until", "owner": "Owner",
	"1h": "hour", "1d": "day",

	"usage": "Usage", "activities": "Activities", "licenses": "Licenses", "customers": "Customers", "orders": "Orders",
	"subscriptions": "Subscriptions", "products": "Products",

	"span 30d": "30 days", "span 90d": "90 days", "span 12m": "12 months",

	"rows": "Rows", "amount": "Amount", "events": "Events", "sequence": "Number", "id": "Id", "occurred_at": "Occurred", "bucket_start": "Begins",
	"added": "added", "removed": "removed", "changed": "changed",

	"active": "active", "expired": "expired", "revoked": "revoked", "retired": "retired",

	"scope admin": "Everything", "scope report:read": "Read reports", "scope report:export": "Freeze reports", "scope report:write": "Send data",
	"scope event:read": "Read the audit trail", "scope webhook:write": "Manage webhooks",
	"about admin":         "Whatever there is, tokens too.",
	"about report:read":   "Activities, records and live reports.",
	"about report:export": "Make exports, see and download all of them.",
	"about report:write":  "Activities and records go in.",
	"about event:read":    "Who did what.",
	"about webhook:write": "Where to tell that an export is ready.",

	"by api_key": "Tokens", "by system": "Server and owner", "server": "Server", "unknown": "Unknown",

	"event api_key.created":                 "Token issued",
	"event api_key.revoked":                 "Token revoked",
	"event activities.imported":             "Activities imported",
	"event records.imported":                "Records imported",
	"event report_export.created":           "Export asked for",
	"event report_export.ready":             "Export frozen",
	"event report_export.failed":            "Export failed",
	"event report_export.downloaded":        "Export downloaded",
	"event report_export.bundle_downloaded": "Evidence bundle downloaded",
	"event report_export.page_viewed":       "Page of an export viewed",
	"event signing_key.rotated":             "Signing key rotated",
	"event log.restarted":                   "Log restarted",
	"event log.checkpoint_cosigned":         "Checkpoint cosigned",
	"event directory.checked":               "Data directory checked",
	"event directory.backed_up":             "Data directory backed up",
	"event server.started":                  "Server started",
	"event server.stopped":                  "Server stopped",
	"event authentication.failed":           "Login failed",
	"event webhook_endpoint.created":        "Webhook added",
	"event webhook_endpoint.updated":        "Webhook changed",
	"event webhook_endpoint.deleted":        "Webhook removed",
	"event webhook.test":                    "Test",
	"event webhook_delivery.replayed":       "Delivery sent again",
	"event report_schedule.created":         "Schedule added",
	"event report_schedule.deleted":         "Schedule removed",
	"event report_schedule.ran":             "Schedule ran",
	"event report_schedule.refused":         "Schedule could not run",
	"event directory.scrubbed":              "All that is kept read back",
	"event directory.damaged":               "Damage found",
	"event blobs.collected":                 "Unused files removed",

	"delivery pending": "pending", "delivery delivered": "delivered", "delivery failed": "failed",

	"period day": "day", "period week": "week", "period month": "month", "period quarter": "quarter",

	"about activities":    "What happened: usage, licenses that were issued, and so on. Appended once.",
	"about products":      "What is licensed.",
	"about customers":     "Who has licenses.",
	"about licenses":      "Who may use what, until when.",
	"about orders":        "What was bought.",
	"about subscriptions": "What renews itself, with its current period.",
	"ndjson":              "NDJSON",

	"step zip":        "The bundle is built as it must be",
	"step manifest":   "The manifest can be read in one way only",
	"step signature":  "A pinned key signed the manifest",
	"step artifact":   "The file is the one that was signed",
	"step data":       "The data are those that were signed",
	"step log":        "The export is in the log, where it says",
	"step checkpoint": "The log shows one history",
	"step content":    "The file says what the data say",
	"step pages":      "The pages show what the data say",
	"step witnesses":  "Witnesses have seen the log",

	"passed": "passed", "not run": "not run", "VERIFIED": "verified", "INVALID": "not genuine", "UNANCHORED": "without a pinned key", "FORK": "two histories",

	"about usage-summary":           "How much was used, by what you group by.",
	"about usage-ledger":            "Every usage event, in the order of time.",
	"about license-audit":           "What licenses allowed, what happened to them, who used what and when.",
	"about customer-summary":        "What customers hold, and what they use.",
	"about subscription-settlement": "What was used in each settlement period, late and adjusted usage shown as such.",
	"about json":                    "The canonical form itself, for programs.",
	"about csv":                     "One table, of any size, for every tool.",
	"about pdf":                     "To read and to file; the data is attached. Up to 200,000 rows.",
	"about xlsx":                    "A workbook with typed cells.",
}

// label gives a name of the contract as people say it, or as it is.
func (l *locale) label(name any) string {
	text := stringOf(name)
	if label := labels[text]; label != "" {
		return l.text(label)
	}
	switch of, rest, _ := strings.Cut(text, " "); of {
	case "event", "delivery", "scope":
		return rest // one of a newer server, or that is of no use here
	}
	return text
}

func stringOf(name any) string {
	switch name := name.(type) {
	case string:
		return name
	case interface{ String() string }:
		return name.String()
	case report.Kind:
		return string(name)
	case report.Change:
		return string(name)
	}
	return ""
}

// fact is something said of a thing, under a label.
type fact struct{ Label, Value string }

// narrowing says what filters narrow a report to, "" for nothing.
func (l *locale) narrowing(f report.Filters) (facts []fact) {
	if period := l.period(f); period != "" {
		facts = append(facts, fact{l.text("Period"), period})
	}
	for _, one := range []struct{ name, value string }{
		{"product_id", f.ProductID}, {"customer_id", f.CustomerID}, {"license_id", f.LicenseID}, {"order_id", f.OrderID},
		{"subscription_id", f.SubscriptionID}, {"feature_code", f.FeatureCode}, {"action", f.Action},
	} {
		if one.value != "" {
			facts = append(facts, fact{l.label(one.name), one.value})
		}
	}
	if len(f.GroupBy) > 0 {
		var groups []string
		for _, name := range f.GroupBy {
			groups = append(groups, l.label(name))
		}
		facts = append(facts, fact{l.label("group_by"), strings.Join(groups, ", ")})
	}
	if f.Bucket != "" {
		facts = append(facts, fact{l.label("bucket"), l.label(f.Bucket)})
	}
	if f.TimeZone != "" {
		facts = append(facts, fact{l.label("time_zone"), f.TimeZone})
	}
	return facts
}

// period says the half-open period of filters as people do: by its first and
// last day where it is made of whole days.
func (l *locale) period(f report.Filters) string {
	zone, err := f.Location()
	if err != nil || f.From == nil && f.To == nil {
		return ""
	}
	from, to := l.bound(f.From, zone, false), l.bound(f.To, zone, true)
	switch {
	case from == to && from != "":
		return from
	case from == "":
		return l.text("until %s", to)
	case to == "":
		return l.text("from %s", from)
	}
	return from + " – " + to
}

// bound writes an end of a period; an end at midnight is that of the day before.
func (l *locale) bound(t *report.Instant, zone *time.Location, end bool) string {
	if t == nil {
		return ""
	}
	at := time.UnixMilli(int64(*t)).In(zone)
	if clock := at.Format("15:04:05.000"); clock != "00:00:00.000" {
		return at.Format(l.day + ",\u00a015:04:05 MST")
	}
	if end {
		at = at.AddDate(0, 0, -1)
	}
	return at.Format(l.day)
}

// sentence gives a phrase of the API a capital letter and a full stop. A
// parameter's name, such as report_kind, stays as it is written.
func sentence(phrase string) string {
	first, size := utf8.DecodeRuneInString(phrase)
	if size == 0 {
		return ""
	}
	text := phrase
	if word, _, _ := strings.Cut(phrase, " "); !strings.Contains(word, "_") {
		text = string(unicode.ToUpper(first)) + phrase[size:]
	}
	if last := text[len(text)-1]; last != '.' && last != '?' && last != '!' {
		text += "."
	}
	return text
}
