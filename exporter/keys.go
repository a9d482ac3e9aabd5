package exporter

import (
	"context"
	"fmt"

	"licensekit/exporter/evidence"
)

// openLog finishes a restart of the log that was cut short, loads the keys,
// making them where there are none, opens the logs, and finishes a rotation of
// the export key that was cut short.
func (e *Exporter) openLog(ctx context.Context, dir *Directory) error {
	if err := finishRestart(dir.Path, e.keys); err != nil {
		return err
	}
	if _, err := evidence.LoadOrCreate(e.keys, evidence.ForExport, e.opts.Now()); err != nil {
		return err
	}
	logKey, err := evidence.LoadOrCreate(e.keys, evidence.ForLog, e.opts.Now())
	if err != nil {
		return err
	}
	if err := e.openLogs(ctx, dir, logKey); err != nil {
		return err
	}
	if e.Behind() != nil { // a rotation that was cut short can't be finished in this log
		e.key, err = evidence.Load(e.keys, evidence.ForExport)
		return err
	}
	e.key, err = evidence.FinishRotation(ctx, e.keys, e.log.Log, e.instance, e.opts.Now(), e.keepLeaf)
	return err
}

// Key is the public half of the key that signs exports now.
func (e *Exporter) Key() evidence.PublicKey {
	e.keyMu.RLock()
	defer e.keyMu.RUnlock()
	return e.key.Public
}

// PublicKeys are the keys that signatures are checked with: the active ones of
// exports and of the log, then the retired ones. Of every log that was closed
// there is the key under that log's name, also where it is still in use.
func (e *Exporter) PublicKeys() ([]evidence.PublicKeyRecord, error) {
	retired, err := evidence.RetiredKeys(e.keys)
	if err != nil {
		return nil, err
	}
	e.keyMu.RLock()
	defer e.keyMu.RUnlock()
	keys := []evidence.PublicKeyRecord{e.key.Public.Record(evidence.Active, e.key.CreatedAt), e.log.Key}
	for _, key := range retired {
		if key.Purpose == evidence.ForExport {
			keys = append(keys, key)
		}
	}
	for _, l := range e.logs[:len(e.logs)-1] {
		keys = append(keys, l.Key)
	}
	return keys, nil
}

// RotateKey replaces the key that signs exports. The log says so, signed by
// both; what the old key signed stays valid.
func (e *Exporter) RotateKey(ctx context.Context) (evidence.PublicKey, error) {
	e.keyMu.Lock()
	defer e.keyMu.Unlock()
	if err := e.Behind(); err != nil {
		return evidence.PublicKey{}, fmt.Errorf("rotate key: %w", err)
	}
	key, err := evidence.Rotate(ctx, e.keys, e.log.Log, e.instance, e.opts.Now(), e.keepLeaf)
	if e.outage.notice(err) != nil {
		return evidence.PublicKey{}, err
	}
	e.key = key
	if err := e.enterRotations(ctx); err != nil {
		e.opts.Log.Error("record the rotation, the next start does it", "error", err)
	}
	return key.Public, nil
}
