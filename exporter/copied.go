package exporter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"licensekit/blobstore"
	"licensekit/exporter/durable"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/metadb"
	"licensekit/exporter/report"
)

// Copied says what a copy of a data directory was like when it was opened
// first, and what was made of it. The parts of a copy that was taken while the
// original was in use are of different moments. What had been acknowledged when
// the copying began is in all of them; an export that came meanwhile may lack
// its artifact, its signed manifest or its place in the log here, and is named.
//
// The file is written before a copy is taken for a directory of its own, and
// again once all is put in order: a crash between the two leaves it to be done
// by the next open.
type Copied struct {
	Opened  time.Time `json:"opened"`
	InUse   bool      `json:"in_use"`  // the original was open when it was copied
	Settled bool      `json:"settled"` // what follows is known

	Database *metadb.Recovery `json:"database,omitempty"` // where an earlier state took its place
	Logs     []MendedLog      `json:"logs,omitempty"`     // those that were not of one moment
	Entered  []ID             `json:"entered,omitempty"`  // exports that the log had and the database had not
	Lacking  []Lacking        `json:"lacking,omitempty"`  // exports that are not whole
}

// MendedLog is a log that was not in order.
type MendedLog struct {
	Origin  string  `json:"origin"`
	Found   int64   `json:"found"`              // the size that its checkpoint showed, -1 if there was none
	Size    int64   `json:"size"`               // the size that it has
	PutBack []int64 `json:"put_back,omitempty"` // entries that came from the blobs and the database
	Signed  bool    `json:"signed"`             // the checkpoint was signed again
	Known   int64   `json:"known"`              // the size that it is known to have had; beyond Size entries were lost
}

// Lacking is an export of which something did not come along.
type Lacking struct {
	Export   ID       `json:"export"`
	LogIndex int64    `json:"log_index"`
	Parts    []string `json:"parts"` // "artifact", "signed manifest", "log entry"
}

func (d *Directory) copiedPath() string { return filepath.Join(d.Path, copiedFile) }

// noteCopy is told of a database that is in another place than it was left in.
func (d *Directory) noteCopy(inUse bool) error {
	return d.writeCopied(&Copied{Opened: time.Now().UTC().Truncate(time.Second), InUse: inUse})
}

func (d *Directory) writeCopied(c *Copied) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(d.copiedPath(), d.Tmp(), durable.Content(append(text, '\n')))
}

// readCopied gives what is noted of a copy that is still to be put in order.
func (d *Directory) readCopied() (*Copied, error) {
	c, err := readCopied(d.copiedPath())
	if err != nil || c == nil || c.Settled {
		return nil, err
	}
	return c, nil
}

// readCopied reads the file, nil if there is none.
func readCopied(path string) (*Copied, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	c := &Copied{}
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return c, nil
}

// settle puts what is known after an open in order.
func (e *Exporter) settle(ctx context.Context, dir *Directory, entered []ID) error {
	if dir.copied != nil {
		if err := e.settleCopy(ctx, dir, entered); err != nil {
			return fmt.Errorf("put the copy in order: %w", err)
		}
	} else {
		var err error
		if e.copied, err = readCopied(dir.copiedPath()); err != nil {
			return err
		}
		for _, l := range e.logs {
			if m := l.Mended(); m != nil && m.Changed {
				e.mended = append(e.mended, mendedLog(l.Log, m))
				e.opts.Log.Warn("the log was damaged and is mended", "log", l.Origin(), "checkpoint_found", m.Found, "entries", m.Size, "put_back", len(m.PutBack), "lost", m.Known-m.Size)
			}
		}
	}
	if err := e.Behind(); err != nil {
		e.opts.Log.Warn("no exports can be frozen: licensekit log restart begins a log that says what is lost", "error", err)
	}
	return nil
}

// lacks are the exports that are not whole.
func (c *Copied) lacks() map[ID]Lacking {
	all := map[ID]Lacking{}
	if c != nil {
		for _, x := range c.Lacking {
			all[x.Export] = x
		}
	}
	return all
}

// settleCopy finds what a copy lacks, and notes it. What was entered into its
// database is known by now.
func (e *Exporter) settleCopy(ctx context.Context, dir *Directory, entered []ID) error {
	c := dir.copied
	c.Settled, c.Database, c.Entered = true, e.recovery, entered
	for _, l := range e.logs {
		if m := l.Mended(); m != nil {
			c.Logs = append(c.Logs, mendedLog(l.Log, m))
		}
	}
	var err error
	if c.Lacking, err = e.lacking(ctx); err != nil {
		return err
	}
	if !c.InUse && c.Database == nil && len(c.Logs) == 0 && len(c.Lacking) == 0 {
		err = os.Remove(dir.copiedPath())
	} else {
		err = dir.writeCopied(c)
	}
	if err == nil {
		e.copied, dir.copied = c, nil
		c.tell(e)
	}
	return err
}

func mendedLog(l *tilelog.Log, m *tilelog.Mended) MendedLog {
	return MendedLog{Origin: l.Origin(), Found: m.Found, Size: m.Size, PutBack: m.PutBack, Signed: m.Signed, Known: m.Known}
}

// lacking looks for the parts of all exports that are ready. What they hold is
// for a check.
func (e *Exporter) lacking(ctx context.Context) (all []Lacking, err error) {
	for before := int64(0); ; {
		page, next, err := e.List(ctx, Query{Before: before, Limit: 200, Status: Ready})
		if err != nil {
			return nil, err
		}
		for _, x := range page {
			parts, err := e.partsLacking(x)
			if err != nil {
				return nil, err
			}
			if len(parts) > 0 {
				all = append(all, Lacking{x.ID, *x.LogIndex, parts})
			}
		}
		if next == 0 {
			slices.Reverse(all) // the list begins with the newest
			return all, nil
		}
		before = next
	}
}

func (e *Exporter) partsLacking(x Export) (parts []string, err error) {
	stored, err := e.entry(x.ID)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		name string
		blob *report.Digest
	}{{"artifact", x.ArtifactDigest}, {"signed manifest", stored.Manifest}} {
		there := part.blob != nil
		if there {
			if there, err = e.blobs.Has(blobstore.Ref(*part.blob)); err != nil {
				return nil, err
			}
		}
		if !there {
			parts = append(parts, part.name)
		}
	}
	if l, err := e.logOf(*x.LogOrigin); err != nil || *x.LogIndex >= l.Size() {
		parts = append(parts, "log entry")
	}
	return parts, nil
}

// maxTold bounds the lines about exports in the log of the server; all are in
// the file.
const maxTold = 100

// tell warns of what is amiss.
func (c *Copied) tell(e *Exporter) {
	log := e.opts.Log
	if c.InUse {
		log.Warn("this is a copy of a data directory that was in use; if the original has frozen reports since, its log must not go on here: see licensekit log restart --help", "told_in", copiedFile)
	}
	for _, m := range c.Logs {
		log.Warn("the log of the copy was of several moments and is mended", "log", m.Origin, "checkpoint_found", m.Found, "entries", m.Size, "put_back", len(m.PutBack), "lost", m.Known-m.Size)
	}
	for n, x := range c.Lacking {
		if n == maxTold {
			log.Warn("more exports are not whole in the copy", "exports", len(c.Lacking)-n, "told_in", copiedFile)
			break
		}
		log.Warn("an export came while the directory was copied and is not whole here", "export_id", x.Export, "log_index", x.LogIndex, "lacks", x.Parts)
	}
}
