package command

import (
	"testing"

	"licensekit/exporter"
)

// An export that failed is told by the code that it has itself.
func TestFailedExportsKeepTheirCode(t *testing.T) {
	t.Parallel()
	export := exporter.Export{ID: "rptx_a", Error: &exporter.Failure{Code: "FORMAT_CAPACITY", Message: "use csv"}}
	err := failed(&failedExport{export}, "mend it")
	if got := codeOf(err); got != "FORMAT_CAPACITY" {
		t.Errorf("the code is %s, want FORMAT_CAPACITY", got)
	}
	if got, want := err.Error(), "export rptx_a failed: use csv (FORMAT_CAPACITY)"; got != want {
		t.Errorf("the message is %q, want %q", got, want)
	}
}
