package exporter

import (
	"bytes"
	"context"
	"io"
	"slices"

	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// Estimate says what an export would be if it were made now.
type Estimate struct {
	AsOf     int64         `json:"as_of"`     // the ledger's sequence
	RowCount int64         `json:"row_count"` // exact
	Totals   report.Totals `json:"totals"`    // exact
	// SizeBytes is about how large the artifact would be. It is taken from some
	// of the rows, see sampleRows.
	SizeBytes int64 `json:"estimated_size_bytes"`
}

// sampleRows is how many rows of each section are rendered for an estimate.
const sampleRows = 1000

// Estimate counts the rows of an export without making it. Errors: those that
// the export would end with, such as *[render.CapacityError].
func (e *Exporter) Estimate(ctx context.Context, r Request) (estimate Estimate, err error) {
	err = e.ledger.View(ctx, func(snapshot *ledger.Snapshot) error {
		document, err := report.Build(ctx, snapshot, r.Kind, r.Filters)
		if err != nil {
			return err
		}
		if r.Format.MaxRows > 0 {
			document = bounded(document, r.Format)
		}
		estimate.AsOf, estimate.Totals = snapshot.Sequence(), report.Totals{}
		sample, err := survey(document, estimate.Totals)
		if err != nil {
			return err
		}
		estimate.RowCount = estimate.Totals.Rows()
		estimate.SizeBytes, err = e.extrapolate(ctx, sample, r.Format, estimate.Totals)
		return err
	})
	return estimate, err
}

// survey reads a document to its end, adds it up, and keeps the first rows of
// each section.
func survey(d *report.Document, totals report.Totals) (*report.Document, error) {
	sample := *d
	sample.Sections = nil
	for i := range d.Sections {
		section := d.Sections[i]
		if err := totals.Add(&section, nil); err != nil {
			return nil, err
		}
		var kept []report.Batch
		rows := 0
		for batch, err := range section.Rows {
			if err == nil {
				err = totals.Add(&section, batch)
			}
			if err != nil {
				return nil, err
			}
			if rows < sampleRows {
				kept = append(kept, batch.Head(sampleRows-rows))
				rows += kept[len(kept)-1].Len()
			}
		}
		section.Rows = func(yield func(report.Batch, error) bool) {
			for _, batch := range kept {
				if !yield(batch, nil) {
					return
				}
			}
		}
		sample.Sections = append(sample.Sections, section)
	}
	return &sample, nil
}

// extrapolate renders the sample without rows, and then with those of one
// section after the other, to find out what these cost. What a further row
// costs shows in the second half of a section's sample: the first pays for
// what is there once, such as the letters of a font.
func (e *Exporter) extrapolate(ctx context.Context, sample *report.Document, format render.Format, totals report.Totals) (int64, error) {
	empty, err := e.sizeOf(ctx, format, sample, "", 0)
	if err != nil {
		return 0, err
	}
	size := empty
	for i := range sample.Sections {
		name := sample.Sections[i].Name
		rows := totals[name]["rows"]
		if rows == 0 {
			continue
		}
		whole, err := e.sizeOf(ctx, format, sample, name, sampleRows)
		if err != nil {
			return 0, err
		}
		size += whole - empty
		if rows <= sampleRows {
			continue
		}
		half, err := e.sizeOf(ctx, format, sample, name, sampleRows/2)
		if err != nil {
			return 0, err
		}
		size += int64(float64(whole-half) / (sampleRows / 2) * float64(rows-sampleRows))
	}
	return size, nil
}

// sizeOf renders a document with so many rows of one section, and none of the
// others.
func (e *Exporter) sizeOf(ctx context.Context, format render.Format, d *report.Document, only string, rows int) (int64, error) {
	reduced := *d
	reduced.Sections = slices.Clone(d.Sections)
	for i := range reduced.Sections {
		section := &reduced.Sections[i]
		most := rows
		if section.Name != only {
			most = 0
		}
		section.Rows = head(section.Rows, most)
	}
	counted := &checksum{w: io.Discard}
	info := render.Info{ExportID: string(newID()), FrozenAt: int64(timestamp(e.opts.Now())), Instance: e.instance, KeyID: e.Key().ID(), Paper: e.opts.Paper}
	if format.FromCanonical {
		var text bytes.Buffer
		if _, err := report.WriteCanonical(&text, &reduced); err != nil {
			return 0, err
		}
		info.Digest, info.Canonical = report.DigestOf(text.Bytes()), io.NewSectionReader(bytes.NewReader(text.Bytes()), 0, int64(text.Len()))
	}
	err := encode(ctx, format, counted, &reduced, info)
	return counted.size, err
}

// head gives the first rows alone.
func head(rows report.Rows, most int) report.Rows {
	return func(yield func(report.Batch, error) bool) {
		left := most
		for batch, err := range rows {
			if left == 0 {
				return
			}
			if err == nil {
				batch = batch.Head(left)
				left -= batch.Len()
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}
