package exporter

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
)

// prove proves that an export is where its manifest says, in the tree of the
// checkpoint that is to be shown.
func (e *Exporter) prove(envelope *evidence.Envelope, stored entry, what Shown) (*tilelog.Proof, error) {
	m, err := envelope.Parse()
	if err != nil {
		return nil, err
	}
	l, at, err := e.shown(m, stored, what)
	if err != nil {
		return nil, err
	}
	if m.Log.Index >= l.Size() { // see [Copied]
		return nil, fmt.Errorf("entry %d of %s: %w", m.Log.Index, l.Origin(), ErrLost)
	}
	return l.Prove(m.Log.Index, at)
}

// HeadAt is the checkpoint of a log at a size up to its newest. Of a closed
// log, whose key signs no more, these are the last one and those that bundles
// lead to. Errors: [tilelog.ErrClosed] for others.
func (e *Exporter) HeadAt(l *Log, size int64) (tilelog.Head, error) {
	head, err := l.HeadAt(size)
	if !errors.Is(err, tilelog.ErrClosed) {
		return head, err
	}
	shown, known, lookErr := e.shownAt(l, size)
	if lookErr != nil {
		return tilelog.Head{}, fmt.Errorf("checkpoint %d of %s: %w", size, l.Origin(), lookErr)
	}
	if known {
		return shown, nil
	}
	return tilelog.Head{}, err
}

// shownAt finds the checkpoint of a size that bundles lead to: each bundle
// leads to the first that covered its manifest, so the newest leaf under it
// knows it.
func (e *Exporter) shownAt(l *Log, size int64) (head tilelog.Head, known bool, err error) {
	err = e.db.View(func(tx *bbolt.Tx) error {
		id := exportLogged(tx.Bucket(e.loggedIn(l.Origin())).Get([]byte(sequenceKey(size - 1))))
		if id == "" { // size 0, or a leaf that is no export
			return nil
		}
		stored, err := loadEntry(tx, id)
		if err != nil {
			return err
		}
		head, err = tilelog.ParseHead([]byte(stored.Checkpoint))
		known = head.Size == size && head.Origin == l.Origin()
		return err
	})
	return head, known, err
}
