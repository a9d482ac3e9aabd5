package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/report"
)

// memory is what the directory holds of a log beside the log itself: the
// database knows each leaf's export and the checkpoint that covered it first,
// and the export's signed manifest, whose text is the leaf, is a blob. A leaf
// that is no export is in the database itself, and a blob.
type memory struct {
	ctx      context.Context
	dir      *Directory
	origin   string
	known    map[int64]report.Digest // blobs by their leaf's place in the log, once they were looked through
	lookedIn bool
}

// recallOf gives it to who opens the log.
func recallOf(ctx context.Context, dir *Directory, origin string) (*tilelog.Recall, error) {
	m := &memory{ctx: ctx, dir: dir, origin: origin}
	size, err := m.size()
	if err != nil {
		return nil, err
	}
	r := &tilelog.Recall{Size: size, Heads: m.heads(), Leaf: m.leaf}
	if dir.copied != nil {
		r.Ours = m.ours
	}
	return r, nil
}

// view reads the bucket of the log, if there is one.
func (m *memory) view(read func(*bbolt.Tx, *bbolt.Cursor) error) error {
	return m.dir.DB.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(loggedIn(m.dir.Instance, m.origin))
		if b == nil {
			return nil
		}
		return read(tx, b.Cursor())
	})
}

// size is that of the log when the last of the known leaves was put into it.
func (m *memory) size() (size int64, err error) {
	err = m.view(func(_ *bbolt.Tx, c *bbolt.Cursor) error {
		if key, _ := c.Last(); key != nil {
			size = indexOf(key) + 1
		}
		return nil
	})
	return size, err
}

// heads are the checkpoints that bundles lead to, the newest leaf's first.
func (m *memory) heads() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		m.view(func(tx *bbolt.Tx, c *bbolt.Cursor) error {
			for key, value := c.Last(); key != nil; key, value = c.Prev() {
				stored, err := loadEntry(tx, exportLogged(value))
				if err != nil || stored.Checkpoint == "" { // another leaf, or damage, which is for a check
					continue
				}
				if !yield([]byte(stored.Checkpoint)) {
					break
				}
			}
			return nil
		})
	}
}

// leaf finds the leaf of an index. Errors: fs.ErrNotExist.
func (m *memory) leaf(index int64) (leaf []byte, err error) {
	if err := m.ctx.Err(); err != nil {
		return nil, err
	}
	var blob *report.Digest
	err = m.view(func(tx *bbolt.Tx, c *bbolt.Cursor) error {
		key, value := c.Seek([]byte(sequenceKey(index)))
		if string(key) != sequenceKey(index) {
			return nil
		}
		id := exportLogged(value)
		if id == "" {
			leaf = append([]byte{}, value...)
			return nil
		}
		stored, err := loadEntry(tx, id)
		blob = stored.Manifest
		return err
	})
	if err != nil || len(leaf) > 0 {
		return leaf, err
	}
	if blob == nil {
		if blob, err = m.search(index); err != nil {
			return nil, err
		}
	}
	if leaf, err = leafIn(m.ctx, m.dir.Blobs, *blob); err == nil && !m.ours(index, leaf) {
		err = errors.New("it is not of that place in the log")
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d of %s: %w: %w", index, m.origin, fs.ErrNotExist, err)
	}
	return leaf, nil
}

// ours tells whether a leaf says that it stands there.
func (m *memory) ours(index int64, leaf []byte) bool {
	place, err := m.place(leaf)
	return err == nil && place.Log.Index == index
}

// place is where a leaf says that it stands, in this log.
func (m *memory) place(leaf []byte) (evidence.LeafPlace, error) {
	place, err := evidence.ParseLeafPlace(leaf)
	if err == nil && (place.Instance != m.dir.Instance || place.Log.Origin != m.origin) {
		err = errors.New("it is not of this log")
	}
	return place, err
}

// search finds a leaf that the database does not know, in the blobs of a copy:
// it came after the database was copied, and before the log was.
func (m *memory) search(index int64) (*report.Digest, error) {
	if !m.lookedIn && m.dir.copied != nil {
		m.lookedIn = true
		if err := m.look(); err != nil {
			return nil, err
		}
	}
	if blob, ok := m.known[index]; ok {
		return &blob, nil
	}
	return nil, fmt.Errorf("entry %d of %s: %w", index, m.origin, fs.ErrNotExist)
}

// look goes through the blobs. Of two that claim one place the later counts: the
// first came to nothing. The log makes sure of what it takes.
func (m *memory) look() error {
	m.known = map[int64]report.Digest{}
	when := map[int64]report.Instant{}
	return m.dir.Blobs.Walk(m.ctx, func(ref blobstore.Ref, size int64) error {
		if size > evidence.MaxEnvelope {
			return nil
		}
		leaf, err := leafIn(m.ctx, m.dir.Blobs, report.Digest(ref))
		var found evidence.LeafPlace
		if err == nil {
			found, err = m.place(leaf)
		}
		if err != nil { // most are artifacts
			return m.ctx.Err()
		}
		if index := found.Log.Index; found.At >= when[index] {
			m.known[index], when[index] = report.Digest(ref), found.At
		}
		return nil
	})
}

// leafIn gives the leaf that a blob holds: the text of a signed manifest, or the
// blob as it is.
func leafIn(ctx context.Context, blobs *blobstore.Store, ref report.Digest) ([]byte, error) {
	text, err := readSmall(ctx, blobs, ref)
	if err != nil {
		return nil, err
	}
	e, err := evidence.ParseEnvelope(text)
	if err != nil {
		return text, nil
	}
	if _, err := e.Parse(); err != nil {
		return nil, err
	}
	return e.Manifest, nil
}

// readEnvelope reads a signed manifest.
func readEnvelope(ctx context.Context, blobs *blobstore.Store, signed report.Digest) (*evidence.Envelope, error) {
	text, err := readSmall(ctx, blobs, signed)
	if err != nil {
		return nil, fmt.Errorf("signed manifest: %w", err)
	}
	return evidence.ParseEnvelope(text)
}

// readSmall reads a blob that may be a signed manifest, and a byte more than
// those have at most.
func readSmall(ctx context.Context, blobs *blobstore.Store, ref report.Digest) ([]byte, error) {
	blob, err := blobs.Open(ctx, blobstore.Ref(ref))
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(io.LimitReader(blob, evidence.MaxEnvelope+1))
}
