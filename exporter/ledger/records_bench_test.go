package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"licensekit/exporter/report"
)

// benchCustomers have three subscriptions, orders and licenses each.
const benchCustomers = 10_000

// holdings are the records of a vendor's customers, a hundred thousand in all.
// Every second license leaves it to its order to say whose it is.
func holdings() (all []report.Record) {
	for c := range benchCustomers {
		customer := fmt.Sprintf("cust_%05d", c)
		all = append(all, record(report.Customers, "id", customer, "name", "Customer "+customer))
		for n := range 3 {
			subscription, order := fmt.Sprintf("sub_%05d_%d", c, n), fmt.Sprintf("ord_%05d_%d", c, n)
			product := fmt.Sprintf("prod_%d", (c+n)%20)
			license := record(report.Licenses, "id", fmt.Sprintf("lic_%05d_%d", c, n), "product_id", product, "order_id", order,
				"subscription_id", subscription, "status", "active", "license_type", "subscription")
			if n%2 == 0 {
				license.Set("customer_id", customer)
			}
			for _, name := range []string{"starts_at", "expires_at", "created_at", "updated_at"} {
				license.Set(name, int64(1_767_225_600_000+c))
			}
			all = append(all,
				record(report.Subscriptions, "id", subscription, "product_id", product, "customer_id", customer, "status", "active"),
				record(report.Orders, "id", order, "product_id", product, "customer_id", customer, "subscription_id", subscription, "status", "paid"),
				license)
		}
	}
	return all
}

// BenchmarkReportOfOne reads live reports that the filters narrow to one of many
// customers.
func BenchmarkReportOfOne(b *testing.B) {
	l, err := Open(openDB(b, filepath.Join(b.TempDir(), "meta.db")), testOptions(b))
	if err == nil {
		_, err = l.Put(context.Background(), holdings())
	}
	if err != nil {
		b.Fatal(err)
	}
	for name, one := range map[string]struct {
		kind   report.Kind
		filter map[string]string
	}{
		"customer-summary of a customer":    {report.CustomerSummary, map[string]string{"customer_id": "cust_05000"}},
		"license-audit of a license":        {report.LicenseAudit, map[string]string{"license_id": "lic_05000_1"}},
		"license-audit of a customer":       {report.LicenseAudit, map[string]string{"customer_id": "cust_05000"}},
		"settlement of a subscription":      {report.SubscriptionSettlement, map[string]string{"subscription_id": "sub_05000_1"}},
		"customer-summary of all customers": {report.CustomerSummary, nil},
	} {
		b.Run(name, func(b *testing.B) {
			filters, err := report.ParseFilters(one.kind, one.filter)
			if err != nil {
				b.Fatal(err)
			}
			busy := processor()
			for b.Loop() {
				readReport(b, l, one.kind, filters)
			}
			b.ReportMetric((processor()-busy).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

func readReport(b *testing.B, l *Ledger, kind report.Kind, filters report.Filters) {
	err := l.View(context.Background(), func(s *Snapshot) error {
		d, err := report.Build(context.Background(), s, kind, filters)
		if err != nil {
			return err
		}
		for _, section := range d.Sections {
			for _, err := range section.Rows {
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
