package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// checkContent (8) makes the canonical form from the artifact. So the digest
// that was signed is that of what a person sees in the artifact.
func (c *check) checkContent() (string, error) {
	if !c.retold {
		tally := NewTally()
		rows, err := c.retell(&cappedWriter{tally, c.manifest.Data.Size})
		if err != nil {
			return "", err
		}
		if err := matches(c.manifest.Data, tally.File()); err != nil {
			return "", fmt.Errorf("the artifact decoded: %w", err)
		}
		if err := same("rows", c.manifest.RowCount, rows); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("the artifact says the same as %s: rows: %d", DataName, c.manifest.RowCount), nil
}

// retell writes the canonical form of what the artifact says, and counts the
// rows. Decoding and encoding have a processor each.
func (c *check) retell(w io.Writer) (rows int64, err error) {
	format, err := render.Parse(c.manifest.Format)
	if err != nil { // made by a program that knew more formats
		return 0, notRun(err.Error())
	}
	content, _ := c.artifact()
	d, err := format.Decode(content, content.Size(), c.manifest.Kind, c.manifest.Filters)
	if err != nil {
		return 0, err
	}
	err = report.Fork(c.source.ctx, d, func(d *report.Document) error {
		totals, err := report.WriteCanonical(w, d)
		rows = totals.Rows()
		return err
	})
	return rows, err
}

// retells tells whether the artifact says what r, data.json, holds. What is
// wrong where it doesn't is for the steps that are about it.
func (c *check) retells(r io.Reader) bool {
	same := &comparer{r: r}
	rows, err := c.retell(same)
	return err == nil && rows == c.manifest.RowCount && same.size == c.manifest.Data.Size
}

// comparer fails when it is given other bytes than a reader has.
type comparer struct {
	r    io.Reader
	buf  []byte
	size int64 // how many were the same
}

var errDiffers = errors.New("the bytes differ")

func (s *comparer) Write(p []byte) (int, error) {
	s.buf = slices.Grow(s.buf[:0], len(p))[:len(p)]
	if _, err := io.ReadFull(s.r, s.buf); err != nil {
		return 0, err
	}
	if !bytes.Equal(p, s.buf) {
		return 0, errDiffers
	}
	s.size += int64(len(p))
	return len(p), nil
}

// cappedWriter fails when more is written than was announced, so that a small
// artifact can't be decoded without end.
type cappedWriter struct {
	w    io.Writer
	left int64
}

func (l *cappedWriter) Write(p []byte) (int, error) {
	l.left -= int64(len(p))
	if l.left < 0 {
		return 0, errors.New("the artifact decodes to more bytes than the manifest says")
	}
	return l.w.Write(p)
}
