package report

import (
	"context"
	"sync"
)

// customerSummary says what customers hold and what they use.
//
//   - customers has a row per customer, by id, with the numbers of rows in the
//     other sections that name the customer, its usage, and the first and last
//     of its activities of any action.
//   - licenses, orders and subscriptions have a row each, by id. Links that a
//     record leaves out are those of its order and subscription. Licenses come
//     with their usage and the first and last of their activities.
//   - usage has a row per customer, product and feature. Usage that names no
//     customer is in rows with customer_id absent.
//
// The filters select activities by what these say themselves. A record is
// listed if it has all the ids that the filters name, as its own or as links,
// or if a selected activity, license, order or subscription names it, whether
// or not there is a record of it; from, to and feature_code bound activities
// alone. A customer has no product: with product_id, customers are listed that
// hold or use something of the product.
//
// So the totals of usage are those of the usage-summary with the same filters;
// those of customers lack what names none.
var customerSummary = definition{
	liveBy: []string{"customer_id"},
	sections: func(Filters) []Section {
		h := newHoldings()
		return []Section{
			h.customers.section("customers"),
			h.licenses.section("licenses"),
			h.orders.section("orders"),
			h.subscriptions.section("subscriptions"),
			customerUsage().section("usage"),
		}
	},
	rows: func(ctx context.Context, source Source, f Filters) (map[string]Rows, error) {
		h, match := newHoldings(), f.Match()
		fill := sync.OnceValue(func() error { return h.fill(ctx, source, match) })
		return map[string]Rows{
			"customers":     h.customers.rows(ctx, source, match, fill),
			"licenses":      h.licenses.rows(ctx, source, match, fill),
			"orders":        h.orders.rows(ctx, source, match, fill),
			"subscriptions": h.subscriptions.rows(ctx, source, match, fill),
			"usage":         groupedRows(ctx, source, f.usage(), customerUsage),
		}, nil
	},
}

func customerUsage() *groups {
	return newGroups(textDimensions("customer_id", "product_id", "feature_code"), events("events"), amount("amount"))
}

// holdings are customers and what they hold.
type holdings struct {
	customers, licenses, orders, subscriptions *roster
}

func newHoldings() *holdings {
	counts := []measure{tally("licenses"), tally("orders"), tally("subscriptions")}
	return &holdings{
		customers:     newRoster(Customers, []string{"id", "name", "code", "email"}, append(counts, activityMeasures()...)...),
		licenses:      newRoster(Licenses, licenseProperties, activityMeasures()...),
		orders:        newRoster(Orders, orderProperties),
		subscriptions: newRoster(Subscriptions, subscriptionProperties),
	}
}

func (h *holdings) fill(ctx context.Context, source Source, match Match) error {
	err := survey(ctx, source, match, linking, h.customers, h.licenses, h.orders, h.subscriptions)
	if err != nil {
		return err
	}
	for i, held := range []*roster{h.licenses, h.orders, h.subscriptions} { // as newHoldings has the counts
		for record, err := range held.list(ctx, source, match) {
			if err != nil {
				return err
			}
			if customer := h.customers.group(record.Text("customer_id")); customer >= 0 {
				h.customers.named.measures[i].totals[customer]++
			}
		}
	}
	return nil
}
