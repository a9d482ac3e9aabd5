package exporter

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"runtime/debug"

	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// frozen is what a finished freeze knows.
type frozen struct {
	asOf           int64
	at             Timestamp
	key            string // id of the key that the artifact names, "" if none
	rows           int64
	data, artifact sum
}

// sum is what was tallied of a file.
type sum struct {
	evidence.File
	crc uint32
}

// snapshot renders an export from one state of the ledger. Only so many do
// that at a time; what comes after it waits for the disk, not for a processor.
func (e *Exporter) snapshot(ctx context.Context, export Export, run *running, w io.Writer) (f *frozen, err error) {
	select {
	case e.rendering <- struct{}{}:
		defer func() { <-e.rendering }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	run.begin()
	err = e.ledger.View(ctx, func(snapshot *ledger.Snapshot) error {
		run.began = e.opts.Now()
		f = &frozen{asOf: snapshot.Sequence(), at: timestamp(run.began)}
		document, err := report.Build(ctx, snapshot, export.Kind, export.Filters)
		if err != nil {
			return err
		}
		return e.render(ctx, document.Map(run.count), export, w, f)
	})
	return f, err
}

// render writes the artifact and, in the same pass over the rows, tallies the
// canonical form. For json they are one. The artifact's digest is left to the
// blob store, which hashes what it writes.
func (e *Exporter) render(ctx context.Context, d *report.Document, export Export, w io.Writer, f *frozen) error {
	format, err := render.Parse(export.Format)
	if err != nil {
		return err
	}
	canonical := func(w io.Writer) func(*report.Document) error {
		return func(d *report.Document) error {
			totals, err := report.WriteCanonical(w, d)
			f.rows = totals.Rows()
			return err
		}
	}
	if format.MaxRows > 0 {
		d = bounded(d, format)
	}
	artifact := &checksum{w: w}
	if format.FromCanonical {
		err = e.renderTwice(ctx, d, format, export, artifact, f)
		f.artifact = artifact.sum()
		return err
	}
	if format.Canonical {
		err = writeBehind(artifact, func(w io.Writer) error { return canonical(w)(d) })
		f.artifact = artifact.sum()
		return err
	}
	data := evidence.NewTally()
	info := e.info(export, f)
	// What is only hashed is hashed at once, while the processor still has it
	// near; the artifact, which the disk takes its time with, is not.
	err = report.Fork(ctx, d,
		canonical(data),
		func(d *report.Document) error {
			return writeBehind(artifact, func(w io.Writer) error { return encode(ctx, format, w, d, info) })
		})
	f.data, f.artifact = sum{data.File(), data.CRC32()}, artifact.sum()
	return err
}

// info is what a format shows beside the data.
func (e *Exporter) info(export Export, f *frozen) render.Info {
	f.key = e.Key().ID()
	return render.Info{ExportID: string(export.ID), FrozenAt: int64(f.at), Instance: e.instance, KeyID: f.key, Paper: e.opts.Paper}
}

// bounded gives a document that fails once it has more rows than the format
// holds.
func bounded(d *report.Document, format render.Format) *report.Document {
	rows := int64(0)
	return d.Map(func(_ *report.Section, batch report.Batch) error {
		if rows += int64(batch.Len()); rows > format.MaxRows {
			return &render.CapacityError{Format: format.Name, Problem: fmt.Sprintf("it has more than %d rows", format.MaxRows), Instead: "csv"}
		}
		return nil
	})
}

// renderTwice makes the canonical form first, in a file without a name, for a
// format whose first page needs the digest and the totals.
func (e *Exporter) renderTwice(ctx context.Context, d *report.Document, format render.Format, export Export, w io.Writer, f *frozen) error {
	spool, err := spool(e.tmp, "canonical-*")
	if err != nil {
		return err
	}
	defer spool.Close()
	data := evidence.NewTally()
	totals, err := report.WriteCanonical(io.MultiWriter(spool, data), d)
	if err != nil {
		return err
	}
	f.rows, f.data = totals.Rows(), sum{data.File(), data.CRC32()}
	info := e.info(export, f)
	info.Digest, info.Canonical = f.data.Digest, io.NewSectionReader(spool, 0, f.data.Size)
	return encode(ctx, format, w, d, info)
}

// encode keeps an encoder that panics from ending the process: the export would
// be tried again at every start.
func encode(ctx context.Context, format render.Format, w io.Writer, d *report.Document, info render.Info) (err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = fmt.Errorf("encoder of %s crashed: %v\n%s", format.Name, crash, debug.Stack())
		}
	}()
	return format.Encode(ctx, w, d, info)
}

// checksum passes on what it is given and keeps its size and CRC-32.
type checksum struct {
	w    io.Writer
	crc  uint32
	size int64
}

// Write passes p on.
func (c *checksum) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	c.size += int64(n)
	return n, err
}

// sum is what is known; the digest is missing.
func (c *checksum) sum() sum { return sum{evidence.File{Size: c.size}, c.crc} }
