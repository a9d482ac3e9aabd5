package exporter

import (
	"context"
	"fmt"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// Compared are two exports with what they differ in.
type Compared struct {
	Before Export `json:"before"`
	After  Export `json:"after"`
	*report.Comparison
}

// Compare hands each row by which two frozen reports differ to each, see
// [report.Compare]. Their formats need not be the same. Errors: [ErrNotReady],
// *[report.IncomparableError], that of each.
func (e *Exporter) Compare(ctx context.Context, before, after ID, each func(report.Difference) error) (*Compared, error) {
	a, closeA, err := e.document(ctx, before)
	if err != nil {
		return nil, err
	}
	defer closeA()
	b, closeB, err := e.document(ctx, after)
	if err != nil {
		return nil, err
	}
	defer closeB()
	found, err := report.Compare(a.Document, b.Document, each)
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", before, after, err)
	}
	return &Compared{Before: a.Export, After: b.Export, Comparison: found}, nil
}

// opened is an export with the report that its artifact holds.
type opened struct {
	Export
	*report.Document
}

// document opens the report that an artifact holds, whose rows end with ctx.
func (e *Exporter) document(ctx context.Context, id ID) (opened, func() error, error) {
	blob, export, err := e.Artifact(ctx, id)
	if err != nil {
		return opened{}, nil, err
	}
	format, err := render.Parse(export.Format)
	if err == nil {
		var d *report.Document
		if d, err = format.Decode(blob, blob.Size(), export.Kind, export.Filters); err == nil {
			d = d.Map(func(*report.Section, report.Batch) error { return ctx.Err() })
			return opened{export, d}, blob.Close, nil
		}
	}
	blob.Close()
	return opened{}, nil, fmt.Errorf("artifact of %s: %w", id, err)
}
