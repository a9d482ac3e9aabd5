package exporter

import (
	"os"
	"path/filepath"
	"testing"

	"licensekit/blobstore/smalldisk"
	"licensekit/exporter/report"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	blobs := filepath.Join(path, blobsDir)
	smalldisk.Mount(t, blobs, "8m")
	h := openHouse(t, path, Options{Workers: 1})
	h.fill(500)
	before := h.freeze(report.UsageLedger, "json")
	filler := filepath.Join(blobs, "filler")
	for _, leave := range []int64{0, 4 << 10, 16 << 10} {
		smalldisk.Fill(t, filler, leave)
		for _, format := range []string{"json", "csv"} {
			x := h.await(h.create(ask(t, report.UsageLedger, format)).ID, Failed)
			if x.Error == nil || x.Error.Code != "STORAGE_FULL" {
				t.Errorf("%s with %d bytes left: got failure %+v, want STORAGE_FULL", format, leave, x.Error)
			}
		}
	}
	if got := report.DigestOf(h.artifact(before.ID)); got != *before.ArtifactDigest {
		t.Errorf("an artifact of before: got %v, want %v", got, *before.ArtifactDigest)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"json", "csv"} {
		h.bundle(h.freeze(report.UsageLedger, format).ID)
	}
}
