package evidence

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// artifact gives the artifact and, from a bundle, what the zip says of it.
func (c *check) artifact() (*io.SectionReader, *member) {
	if c.bundle == nil {
		return c.source.section(0, c.source.file.Size()), nil
	}
	m, content := c.bundle.find(artifactPrefix)
	return content, &m
}

// checkArtifact (4) hashes the artifact.
func (c *check) checkArtifact() (string, error) {
	content, m := c.artifact()
	if m != nil {
		if err := same("name of the artifact", c.manifest.ArtifactName(), m.name); err != nil {
			return "", err
		}
	}
	if err := same("size in bytes", c.manifest.Artifact.Size, content.Size()); err != nil {
		return "", err
	}
	tally := NewTally()
	if _, err := io.Copy(tally, content); err != nil {
		return "", err
	}
	if err := matches(c.manifest.Artifact, tally.File()); err != nil {
		return "", err
	}
	if m != nil {
		if err := sameCRC(m.crc, tally.CRC32()); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d bytes, %s", content.Size(), c.manifest.Artifact.Digest), nil
}

// checkData (5) reads data.json, and compares the files that follow from what
// is known by now: with them every byte of the bundle is accounted for.
//
// What the artifact decodes to is compared with it in the same pass. Where they
// are equal, step 8 has nothing left to do, and data.json is canonical, for a
// canonical form is what was compared; otherwise it is read to see.
func (c *check) checkData() (string, error) {
	if c.bundle == nil {
		return "", notRun(DataName + " was not given; step 8 makes it from the artifact")
	}
	m, content := c.bundle.find(DataName)
	if err := same("size in bytes", c.manifest.Data.Size, content.Size()); err != nil {
		return "", err
	}
	tally := NewTally()
	c.retold = c.retells(io.TeeReader(content, tally))
	if _, err := io.Copy(tally, content); err != nil {
		return "", err
	}
	if err := matches(c.manifest.Data, tally.File()); err != nil {
		return "", err
	}
	if err := sameCRC(m.crc, tally.CRC32()); err != nil {
		return "", err
	}
	if !c.retold {
		if err := c.readCanonical(io.NewSectionReader(content, 0, content.Size())); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d bytes, %s", content.Size(), c.manifest.Data.Digest), c.checkDerived()
}

// readCanonical reads a canonical form to its end. It must be the report that
// the manifest is about.
func (c *check) readCanonical(r io.Reader) error {
	d, err := report.ReadCanonical(r)
	if err != nil {
		return err
	}
	if err := same("report_kind", c.manifest.Kind, d.Kind); err != nil {
		return err
	}
	if !reflect.DeepEqual(c.manifest.Filters, d.Filters) {
		return errors.New("the filters are not those of the manifest")
	}
	totals := report.Totals{}
	for i := range d.Sections {
		for batch, err := range d.Sections[i].Rows {
			if err == nil {
				err = totals.Add(&d.Sections[i], batch)
			}
			if err != nil {
				return err
			}
		}
	}
	return same("rows", c.manifest.RowCount, totals.Rows())
}

// checkDerived compares what follows from manifest, signature and proof, and
// the checksums of the small members.
func (c *check) checkDerived() error {
	want, err := derived(c.manifest, c.text, c.signature, c.proofText)
	if err != nil {
		return err
	}
	for i, place := range places {
		if !place.small {
			continue
		}
		found := c.bundle.small[place.name]
		if err := sameBytes(place.name, want[place.name], found); err != nil {
			return err
		}
		if err := sameCRC(tallyOf(found).CRC32(), c.bundle.members[i].crc); err != nil {
			return fmt.Errorf("%s: %w", place.name, err)
		}
	}
	return nil
}

// checkPages (9) compares what the pages of an artifact show with the data that
// it carries. MuPDF, a big parser in C, reads only what a pinned key has signed;
// that it fails says nothing about the pages.
func (c *check) checkPages() (string, error) {
	format, err := render.Parse(c.manifest.Format)
	switch {
	case err != nil:
		return "", notRun(err.Error())
	case c.manifest.Format != "pdf":
		return "", notRun("the artifact has no pages")
	case format.CheckPages == nil:
		return "", notRun("this build has no MuPDF to read pages with")
	case !c.anchored:
		return "", notRun("MuPDF reads only what a pinned key has signed")
	}
	m := c.manifest
	content, _ := c.artifact()
	err = format.CheckPages(c.source.ctx, content, content.Size(), render.Info{
		ExportID: m.ExportID, FrozenAt: int64(m.FrozenAt), Digest: m.Data.Digest, Instance: m.Instance, KeyID: m.KeyID,
	})
	if errors.Is(err, render.ErrUnread) {
		return "", unable(err.Error())
	}
	if err != nil {
		return "", err
	}
	return "the pages show the values of the attached data", nil
}
