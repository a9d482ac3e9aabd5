package exporter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/evidence/witness"
)

// The errors of cosigned checkpoints that callers branch on.
var (
	// ErrCheckpoint says that a checkpoint was not taken, and why.
	ErrCheckpoint = errors.New("the checkpoint was not taken")
	// ErrCheckpointDamaged says that a cosigned checkpoint was damaged after it
	// was kept.
	ErrCheckpointDamaged = tilelog.ErrUnsound
	// ErrNotCosigned says that no cosigned checkpoint covers an export yet.
	ErrNotCosigned = errors.New("no cosigned checkpoint covers it")
)

// Shown says to which checkpoint of its log an export's bundle leads.
type Shown string

// What bundles can show.
const (
	ShowFirst    Shown = "first"    // the first that covered the export, for ever the same
	ShowNewest   Shown = "newest"   // the newest, whatever that is now
	ShowCosigned Shown = "cosigned" // the newest that witnesses signed too
)

// KeepCosigned keeps a checkpoint of one of the logs that witnesses have signed
// too, beside what was kept of that size before. The witnesses are those that
// were named here or before; what others signed is left out. Named ones that
// signed are remembered. It gives all that is kept of that size, and the
// strangers on what was given. Errors: [ErrCheckpoint]; [ErrRolledBack] where
// the log's key signed what the log does not continue.
func (e *Exporter) KeepCosigned(ctx context.Context, signed []byte, named []witness.Key) (*witness.Cosigned, error) {
	e.cosigning.Lock()
	defer e.cosigning.Unlock()
	known, err := evidence.ReadWitnesses(e.witnesses)
	if err != nil {
		return nil, err
	}
	l, given, err := e.readCosigned(signed, evidence.JoinWitnesses(known, named))
	if err != nil {
		return nil, err
	}
	if err := l.Continues(given.Checkpoint); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRolledBack, err)
	}
	all, err := e.joined(l, given, known)
	if err != nil {
		return nil, err
	}
	return all, e.storeCosigned(ctx, l, given, all)
}

// joined adds what was given of a size to what was kept of it before. What is
// damaged there is set aside.
func (e *Exporter) joined(l *Log, given *witness.Cosigned, known []witness.Key) (*witness.Cosigned, error) {
	kept, err := l.readKept(given.Size, known)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return given, nil
	case errors.Is(err, ErrCheckpointDamaged):
		e.opts.Log.Warn("a damaged cosigned checkpoint is set aside, and another one kept in its place", "error", err)
		return given, l.SetCosignedAside(given.Size)
	case err != nil:
		return nil, err
	case len(kept.By) == 0: // its witnesses were forgotten, and with them would be what they signed
		return nil, fmt.Errorf("what was kept of size %d before: no known witness signed it", given.Size)
	}
	kept.Merge(given)
	return kept, nil
}

// readKept reads a kept checkpoint and the cosignatures of known witnesses.
// Errors: fs.ErrNotExist; [ErrCheckpointDamaged]; [ErrRolledBack], with it, if
// the log does not continue it.
func (l *Log) readKept(size int64, known []witness.Key) (*witness.Cosigned, error) {
	head, err := l.Cosigned(size)
	if err != nil && !errors.Is(err, ErrRolledBack) {
		return nil, err
	}
	c, readErr := l.cosignatures(head, known)
	if readErr != nil {
		return nil, readErr
	}
	return c, err
}

// cosignatures reads those on a kept checkpoint. Errors: [ErrCheckpointDamaged].
func (l *Log) cosignatures(head tilelog.Head, known []witness.Key) (*witness.Cosigned, error) {
	key, err := evidence.ParseLogKey([]byte(l.Key.VerifierKey))
	if err != nil {
		return nil, err
	}
	c, err := key.ReadCosigned(head.Signed, known)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrCheckpointDamaged, err)
	}
	return c, err
}

// checkKept wants the kept checkpoint of a size to be of the log's tree, and each
// cosignature on it to be a known witness's. Errors: fs.ErrNotExist,
// [ErrRolledBack], and what is damaged.
func (l *Log) checkKept(size int64, witnesses string) error {
	head, err := l.Cosigned(size)
	if err != nil {
		return err
	}
	known, err := evidence.ReadWitnesses(witnesses) // now: they are named before what they signed is kept
	if err != nil {
		return err
	}
	c, err := l.cosignatures(head, known)
	switch {
	case err != nil:
		return err
	case len(c.By) == 0:
		return fmt.Errorf("no known witness signed it; %d of the signatures on it are by others", len(c.Strangers))
	case len(c.Strangers) > 0:
		return fmt.Errorf("%d of the signatures on it are by nobody that is known", len(c.Strangers))
	}
	return nil
}

// readCosigned reads a checkpoint of whichever log, with at least one known
// cosignature.
func (e *Exporter) readCosigned(signed []byte, known []witness.Key) (*Log, *witness.Cosigned, error) {
	c, err := tilelog.ParseCheckpoint(signed)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	l, err := e.logOf(c.Origin)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: it is of log %q, which is none of this instance's", ErrCheckpoint, c.Origin)
	}
	key, err := evidence.ParseLogKey([]byte(l.Key.VerifierKey))
	if err != nil {
		return nil, nil, err
	}
	cosigned, err := key.ReadCosigned(signed, known)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	case len(cosigned.By) == 0:
		return nil, nil, fmt.Errorf("%w: no known witness signed it; %d of the signatures on it are by others", ErrCheckpoint, len(cosigned.Strangers))
	}
	return l, cosigned, nil
}

func (e *Exporter) storeCosigned(ctx context.Context, l *Log, given, all *witness.Cosigned) error {
	text, err := all.Marshal()
	if err != nil {
		return err
	}
	var keys []witness.Key
	var names []string
	for _, s := range given.By {
		keys, names = append(keys, s.Witness), append(names, s.Witness.Name())
	}
	if err := evidence.AddWitnesses(e.witnesses, keys); err != nil { // first, so that what is kept can be checked
		return err
	}
	if err := l.KeepCosigned(text); err != nil {
		return err
	}
	all.Strangers = given.Strangers
	return e.db.Update(func(tx *bbolt.Tx) error {
		return e.opts.Trail.Record(ctx, tx, audit.Event{
			Type: audit.CheckpointCosigned, ResourceType: "log", ResourceID: l.Origin(),
			Metadata: audit.Metadata{"size": given.Size, "witnesses": names},
		})
	})
}

// KeptCheckpoint is a cosigned checkpoint that is kept.
type KeptCheckpoint struct {
	*witness.Cosigned
	Contradicts bool  // the log holds something else: it was closed for that, or lacks entries
	Damage      error // for which no more than its log and size are known; nil if it is sound
}

// ListCosigned gives the cosigned checkpoints of a log, the largest first: those
// that are smaller than before, which is 0 for all. next is the before of the
// following page, 0 if there is none.
func (e *Exporter) ListCosigned(ctx context.Context, l *Log, before int64, limit int) (page []KeptCheckpoint, next int64, err error) {
	page = []KeptCheckpoint{}
	sizes, err := l.CosignedSizes()
	if err != nil {
		return nil, 0, err
	}
	known, err := evidence.ReadWitnesses(e.witnesses)
	if err != nil {
		return nil, 0, err
	}
	for _, size := range slices.Backward(sizes) {
		if before > 0 && size >= before {
			continue
		}
		if len(page) == max(limit, 1) {
			return page, page[len(page)-1].Size, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		kept, err := l.kept(size, known)
		if errors.Is(err, fs.ErrNotExist) { // it was just set aside
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		page = append(page, kept)
	}
	return page, 0, nil
}

// kept is the checkpoint of a size. One that is damaged is no reason not to tell
// of the others.
func (l *Log) kept(size int64, known []witness.Key) (KeptCheckpoint, error) {
	c, err := l.readKept(size, known)
	switch {
	case errors.Is(err, ErrCheckpointDamaged):
		return KeptCheckpoint{&witness.Cosigned{Checkpoint: tilelog.Checkpoint{Origin: l.Origin(), Size: size}}, false, err}, nil
	case errors.Is(err, ErrRolledBack):
		return KeptCheckpoint{c, true, nil}, nil
	}
	return KeptCheckpoint{c, false, nil}, err
}

// shown is the checkpoint that a bundle is to lead to. Errors: [ErrNotCosigned].
func (e *Exporter) shown(m *evidence.Manifest, stored entry, what Shown) (*Log, tilelog.Head, error) {
	l, err := e.logOf(m.Log.Origin)
	if err != nil {
		return nil, tilelog.Head{}, err
	}
	switch what {
	case ShowNewest:
		return l, l.Head(), nil
	case ShowCosigned:
		head, err := l.CosignedOver(m.Log.Index)
		return l, head, err
	}
	head, err := tilelog.ParseHead([]byte(stored.Checkpoint))
	return l, head, err
}

// CosignedOver is the newest cosigned checkpoint, which must cover an entry.
// Errors: [ErrNotCosigned].
func (l *Log) CosignedOver(index int64) (tilelog.Head, error) {
	head, err := l.NewestCosigned()
	if errors.Is(err, fs.ErrNotExist) || err == nil && head.Size <= index {
		err = fmt.Errorf("%w: entry %d of %s", ErrNotCosigned, index, l.Origin())
	}
	return head, err
}

// checkCosigned wants each kept checkpoint to be of the log's tree, and each
// cosignature to be a known witness's.
func (e *Exporter) checkCosigned(r *CheckResult, l *Log) error {
	sizes, err := l.CosignedSizes()
	if err != nil {
		return err
	}
	if _, err := evidence.ReadWitnesses(e.witnesses); err != nil {
		r.note("log", witnessesFile, err)
		return nil
	}
	for _, size := range sizes {
		err := l.checkKept(size, e.witnesses)
		if errors.Is(err, ErrRolledBack) && (l.Closed() || e.Behind() != nil) { // for that it was closed, or is behind, which is told of it
			continue
		}
		if errors.Is(err, fs.ErrNotExist) { // it was just set aside
			continue
		}
		r.note("log", fmt.Sprintf("%s cosigned %d", l.Origin(), size), err)
	}
	return nil
}
