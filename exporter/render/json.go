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

// decodeJSON also makes sure that the file is about what was asked for: it
// names its own kind and filters, and a file of another report may be sound.
func decodeJSON(r io.ReaderAt, size int64, kind report.Kind, filters report.Filters) (*report.Document, error) {
	d, err := report.ReadCanonical(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	if d.Kind != kind {
		return nil, fmt.Errorf("decode json: report_kind is %s, want %s", d.Kind, kind)
	}
	got, err := report.CanonicalJSON(d.Filters)
	if err != nil {
		return nil, fmt.Errorf("decode json: %w", err)
	}
	want, err := report.CanonicalJSON(filters)
	if err != nil {
		return nil, fmt.Errorf("decode json: %w", err)
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("decode json: filters are %s, want %s", got, want)
	}
	return d, nil
}
