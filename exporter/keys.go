package exporter

import (
	"context"

	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
)

// openLog loads the keys, making them where there are none, opens the log, and
// finishes a rotation that was cut short.
func (e *Exporter) openLog(ctx context.Context, dir string) error {
	if _, err := evidence.LoadOrCreate(e.keys, evidence.ForExport, e.opts.Now()); err != nil {
		return err
	}
	logKey, err := evidence.LoadOrCreate(e.keys, evidence.ForLog, e.opts.Now())
	if err != nil {
		return err
	}
	if e.log, err = evidence.OpenLog(dir, logKey, "licensekit/"+e.instance); err != nil {
		return err
	}
	e.key, err = evidence.FinishRotation(ctx, e.keys, e.log, e.instance, e.opts.Now())
	return err
}

// Log is the log of exports, for those who read it.
func (e *Exporter) Log() *tilelog.Log { return e.log }

// Key is the public half of the key that signs exports now.
func (e *Exporter) Key() evidence.PublicKey {
	e.keyMu.RLock()
	defer e.keyMu.RUnlock()
	return e.key.Public
}

// PublicKeys are the keys that signatures are checked with: the active ones of
// exports and of the log, then the retired ones.
func (e *Exporter) PublicKeys() ([]evidence.PublicKeyRecord, error) {
	logKey, err := evidence.Load(e.keys, evidence.ForLog)
	if err != nil {
		return nil, err
	}
	named, err := evidence.NewLogKey(e.log.Origin(), logKey.Public)
	if err != nil {
		return nil, err
	}
	retired, err := evidence.RetiredKeys(e.keys)
	if err != nil {
		return nil, err
	}
	e.keyMu.RLock()
	defer e.keyMu.RUnlock()
	return append([]evidence.PublicKeyRecord{
		e.key.Public.Record(evidence.Active, e.key.CreatedAt),
		named.Record(evidence.Active, logKey.CreatedAt),
	}, retired...), nil
}

// RotateKey replaces the key that signs exports. The log says so, signed by
// both; what the old key signed stays valid.
func (e *Exporter) RotateKey(ctx context.Context) (evidence.PublicKey, error) {
	e.keyMu.Lock()
	defer e.keyMu.Unlock()
	key, err := evidence.Rotate(ctx, e.keys, e.log, e.instance, e.opts.Now())
	if err != nil {
		return evidence.PublicKey{}, err
	}
	e.key = key
	return key.Public, nil
}
