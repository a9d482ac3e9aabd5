package exporter

import (
	"errors"
	"testing"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// Only what a key of the instance signed for is given to readers of pages:
// after a rotation too, and not where the database says something else than the
// signed manifest.
func TestVouched(t *testing.T) {
	h := newHouse(t, Options{Workers: 1})
	h.fill(3)
	x := h.freeze(report.UsageLedger, "pdf")
	h.fill(3)
	y := h.freeze(report.UsageLedger, "pdf")
	if _, err := h.RotateKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	z := h.freeze(report.UsageSummary, "pdf")
	for _, export := range []Export{x, y, z} {
		blob, _, err := h.Vouched(t.Context(), export.ID)
		if err != nil {
			t.Fatalf("%s: %v", export.ID, err)
		}
		blob.Close()
	}
	err := h.db.Update(func(tx *bbolt.Tx) error {
		stored, err := loadEntry(tx, x.ID)
		if err != nil {
			return err
		}
		stored.Export.ArtifactDigest = y.ArtifactDigest
		return sealed.Put(tx, exportsBucket, string(x.ID), stored)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Vouched(t.Context(), x.ID); !errors.Is(err, ErrNotSigned) {
		t.Errorf("with the artifact of another export: %v, want %v", err, ErrNotSigned)
	}
}
