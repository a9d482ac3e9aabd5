package render

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"licensekit/exporter/report"
)

// jsonFormat is the canonical form itself, so the file's digest is the report's.
var jsonFormat = Format{
	Name:        "json",
	ContentType: "application/json",
	Extension:   "json",
	Canonical:   true,
	Encode:      encodeJSON,
	Decode:      decodeJSON,
}

func encodeJSON(ctx context.Context, w io.Writer, d *report.Document, _ Info) error {
	if _, err := report.WriteCanonical(w, heeding(ctx, d)); err != nil {
		return fmt.Errorf("encode json: %w", err)
	}
	return nil
}

func decodeJSON(r io.ReaderAt, size int64, kind report.Kind, filters report.Filters) (*report.Document, error) {
	d, err := readReport(io.NewSectionReader(r, 0, size), kind, filters)
	if err != nil {
		return nil, fmt.Errorf("decode json: %w", err)
	}
	return d, nil
}

// readReport reads a canonical form that should be about what was asked for:
// it names its own kind and filters, and one of another report may be sound.
func readReport(r io.Reader, kind report.Kind, filters report.Filters) (*report.Document, error) {
	d, err := report.ReadCanonical(r)
	if err != nil {
		return nil, err
	}
	if d.Kind != kind {
		return nil, fmt.Errorf("report_kind is %s, want %s", d.Kind, kind)
	}
	got, err := report.CanonicalJSON(d.Filters)
	if err != nil {
		return nil, err
	}
	want, err := report.CanonicalJSON(filters)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("filters are %s, want %s", got, want)
	}
	return d, nil
}
