package report

import (
	"context"
	"slices"
)

// subscriptionSettlement says what was used in each settlement period.
//
//   - orders and subscriptions have a row each, by id. Links that a record
//     leaves out are those of its subscription. Subscriptions come with their
//     usage and the first and last of their activities of any action.
//   - usage has a row per subscription, period and group of group_by (license
//     and feature, if nothing else is asked for), sorted in this order with
//     what is absent first. events and amount are all usage in the row. Parts
//     of them are shown again: adjusted_events and adjusted_amount, whose
//     action is usage.adjusted, and late_events and late_amount, received at or
//     after the period's end. One event may be both. Periods that had ended
//     when the ledger received its first activity have nothing late: what is
//     known of them was brought in later on purpose.
//
// With from or to there is one period, from from to to. Otherwise periods are
// those of the records, half-open: see [periodDimension]. Usage that lies in
// none is in rows with the three period columns absent, usage without a
// subscription in rows with subscription_id absent.
//
// The filters select activities by what these say themselves: order_id those
// that name the order, whichever period they lie in. An order or subscription
// is listed if it has all the ids that the filters name, as its own or as
// links, or if a selected activity, license, order or subscription names it,
// whether or not there is a record of it; from, to and feature_code bound
// activities alone.
//
// So the totals of usage are those of the usage-summary with the same filters.
var subscriptionSettlement = definition{
	filters: []string{"group_by"},
	groupBy: []string{"license_id", "feature_code"},
	liveBy:  []string{"subscription_id", "order_id"},
	sections: func(f Filters) []Section {
		orders, subscriptions := settledRosters()
		return []Section{
			orders.section("orders"),
			subscriptions.section("subscriptions"),
			settlementGroups(f, &periodDimension{}).section("usage"),
		}
	},
	rows: func(ctx context.Context, source Source, f Filters) (map[string]Rows, error) {
		match := f.Match()
		orders, subscriptions := settledRosters()
		fill := surveyed(ctx, source, match, linking, orders, subscriptions)
		return map[string]Rows{
			"orders":        orders.rows(ctx, source, match, fill),
			"subscriptions": subscriptions.rows(ctx, source, match, fill),
			"usage": func(yield func(Batch, error) bool) {
				periods, err := periodsOf(ctx, source, f)
				if err != nil {
					yield(nil, err)
					return
				}
				groupedRows(ctx, source, f.usage(), func() *groups { return settlementGroups(f, periods) })(yield)
			},
		}, nil
	},
}

func settledRosters() (orders, subscriptions *roster) {
	return newRoster(Orders, orderProperties), newRoster(Subscriptions, subscriptionProperties, activityMeasures()...)
}

func settlementGroups(f Filters, periods *periodDimension) *groups {
	dimensions := append(textDimensions("subscription_id"), periods)
	further := slices.DeleteFunc(slices.Clone(f.GroupBy), func(name string) bool { return name == "subscription_id" })
	return newGroups(append(dimensions, textDimensions(further...)...),
		events("events"), amount("amount"),
		events("adjusted_events").whereAction(isAdjustment), amount("adjusted_amount").whereAction(isAdjustment),
		events("late_events").where(periods.late, 0), amount("late_amount").where(periods.late, 0))
}

func isAdjustment(action string) bool { return action == AdjustedUsage }
