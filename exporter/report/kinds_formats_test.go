package report_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// canonical writes a document and gives its digest.
func canonical(t *testing.T, d *report.Document) report.Digest {
	t.Helper()
	var file bytes.Buffer
	if _, err := report.WriteCanonical(&file, d); err != nil {
		t.Fatal(err)
	}
	return report.DigestOf(file.Bytes())
}

func built(t *testing.T, source report.Source, kind report.Kind, values map[string]string) *report.Document {
	t.Helper()
	filters, err := report.ParseFilters(kind, values)
	if err != nil {
		t.Fatal(err)
	}
	d, err := report.Build(t.Context(), source, kind, filters)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Every kind survives json and csv, read once by two readers side by side, and
// equal data has one digest, however often and from whatever source it is read.
func TestKindsSurviveFormats(t *testing.T) {
	const start = 1_774_569_600_000
	for seed := range uint64(5) {
		source := report.RandomSource(rand.New(rand.NewPCG(seed, 1)), start)
		same := report.RandomSource(rand.New(rand.NewPCG(seed, 1)), start)
		for _, name := range report.KindNames() {
			kind := report.Kind(name)
			for _, values := range []map[string]string{nil, {"customer_id": "customer_id 1"}, {"from": "2026-03-28T00:00:00Z"}} {
				d := built(t, source, kind, values)
				want := canonical(t, d)
				if got := canonical(t, built(t, same, kind, values)); got != want {
					t.Errorf("%s %q: equal data has the digests %s and %s", kind, values, got, want)
				}
				for _, format := range []string{"json", "csv"} {
					if got, err := throughFormat(t, d, format); err != nil || got != want {
						t.Errorf("%s %q as %s: %v, %v; want %v", kind, values, format, got, err, want)
					}
				}
			}
		}
	}
}

// throughFormat forks a document to a format and the canonical form, and gives
// the digest of what the format decodes to.
func throughFormat(t *testing.T, d *report.Document, name string) (report.Digest, error) {
	format, err := render.Parse(name)
	if err != nil {
		return report.Digest{}, err
	}
	var file, data bytes.Buffer
	err = report.Fork(t.Context(), d,
		func(d *report.Document) error { return format.Encode(t.Context(), &file, d, render.Info{}) },
		func(d *report.Document) error {
			_, err := report.WriteCanonical(&data, d)
			return err
		})
	if err != nil {
		return report.Digest{}, err
	}
	decoded, err := format.Decode(bytes.NewReader(file.Bytes()), int64(file.Len()), d.Kind, d.Filters)
	if err != nil {
		return report.Digest{}, err
	}
	digest := canonical(t, decoded)
	if beside := report.DigestOf(data.Bytes()); beside != digest {
		return digest, fmt.Errorf("the canonical form beside it has the digest %s", beside)
	}
	return digest, nil
}
