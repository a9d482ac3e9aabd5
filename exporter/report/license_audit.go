package report

import "context"

// licenseAudit says what licenses allowed, what happened to them, and who used
// what and when.
//
//   - activities is the timeline: every activity, of every action, by
//     (occurred_at, sequence). Of one license it is the license's history.
//   - licenses has a row per license, by id, with its usage and the first and
//     last of its activities of any action. Links that a record leaves out are
//     those of its order and subscription.
//   - usage has a row per license and feature, and one per feature for usage
//     that names no license, absent in license_id.
//
// The filters select activities by what these say themselves. A license is
// listed if a selected activity names it, whether or not there is a record of
// it, or if its record has all the ids that the filters name; from, to and
// feature_code bound activities alone.
//
// So the totals of usage are those of the usage-summary with the same filters,
// and of the usage in the timeline; those of licenses lack what names none.
var licenseAudit = definition{
	liveBy: []string{"license_id"},
	sections: func(Filters) []Section {
		return []Section{
			{Name: "activities", Columns: timelineColumns, Key: timeKey},
			auditedLicenses().section("licenses"),
			licenseUsage().section("usage"),
		}
	},
	rows: func(ctx context.Context, source Source, f Filters) (map[string]Rows, error) {
		match, licenses := f.Match(), auditedLicenses()
		var among []Object
		if match.narrow() { // few are looked up faster than all are walked through
			among = []Object{Licenses}
		}
		return map[string]Rows{
			"activities": activityRows(ctx, source, Scan{Match: match, Order: ByTime}, timelineColumns),
			"licenses":   licenses.rows(ctx, source, match, surveyed(ctx, source, match, among, licenses)),
			"usage":      groupedRows(ctx, source, f.usage(), licenseUsage),
		}, nil
	},
}

// timelineColumns leave amount without a total: the amounts of different
// actions don't add up to anything.
var timelineColumns = []Column{
	{Name: "sequence", Type: Integer},
	{Name: "id", Type: String},
	{Name: "occurred_at", Type: Time},
	{Name: "action", Type: String},
	{Name: "source", Type: String},
	{Name: "license_id", Type: String},
	{Name: "feature_code", Type: String},
	{Name: "amount", Type: Integer},
	{Name: "request_id", Type: String},
	{Name: "result_class", Type: String},
	{Name: "status_code", Type: Integer},
}

func auditedLicenses() *roster {
	return newRoster(Licenses, licenseProperties, activityMeasures()...)
}

func licenseUsage() *groups {
	return newGroups(textDimensions("license_id", "feature_code"),
		events("events"), amount("amount"), first("first_at"), last("last_at"))
}
