package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"licensekit/exporter/evidence/tilelog"
)

// OpenClosedLog opens a log that grows no more, to be read, and gives its key:
// of those in the keys' directory, active and retired, the one that signed its
// last checkpoint. Errors: fs.ErrNotExist, [tilelog.ErrNotSigned].
func OpenClosedLog(dir, keys string) (*tilelog.Log, PublicKeyRecord, error) {
	key, record, err := signerOf(dir, keys)
	if err != nil {
		return nil, PublicKeyRecord{}, fmt.Errorf("open log %s: %w", dir, err)
	}
	l, err := tilelog.OpenClosed(dir, key.verifier)
	return l, record, err
}

// Parted tells how a log's directory and the keys are of before and after a
// restart, as where they were copied meanwhile; "" if they aren't.
func Parted(dir, keys string) (how string, err error) {
	active, err := Load(keys, ForLog)
	if err != nil {
		return "", err
	}
	switch _, record, err := signerOf(dir, keys); {
	case errors.Is(err, tilelog.ErrNotSigned) && begunWithAnother(dir, active.Public):
		return "its key is missing", nil
	case err != nil: // there is no log yet, or it is damaged, or someone else's
		return "", nil
	case record.KID != active.Public.ID():
		return "it was closed, and the log that follows it is missing", nil
	}
	return "", nil
}

// begunWithAnother tells whether a log was begun by a restart with another key.
func begunWithAnother(dir string, key PublicKey) bool {
	leaf, err := tilelog.FirstLeaf(dir)
	if err != nil {
		return false
	}
	r, err := ParseRestart(leaf)
	if err != nil {
		return false
	}
	named, err := NewLogKey(r.New.Origin(), key)
	return err == nil && named.String() != r.New.String()
}

// signedBy tells whether a key signed the checkpoint of a log's directory, which
// may not be there yet.
func signedBy(dir string, key PublicKey) (bool, error) {
	signed, err := readBounded(filepath.Join(dir, checkpointName), tilelog.MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c, err := tilelog.ParseCheckpoint(signed)
	if err != nil {
		return false, err
	}
	named, err := NewLogKey(c.Origin, key)
	if err != nil {
		return false, err
	}
	_, err = tilelog.VerifyCheckpoint(signed, named.verifier)
	return err == nil, nil
}

// signerOf finds the key that signed the checkpoint of a log's directory.
func signerOf(dir, keys string) (LogKey, PublicKeyRecord, error) {
	signed, err := readBounded(filepath.Join(dir, checkpointName), tilelog.MaxCheckpoint)
	if err != nil {
		return LogKey{}, PublicKeyRecord{}, err
	}
	c, err := tilelog.ParseCheckpoint(signed)
	if err != nil {
		return LogKey{}, PublicKeyRecord{}, err
	}
	records, err := logKeyRecords(keys)
	if err != nil {
		return LogKey{}, PublicKeyRecord{}, err
	}
	for _, record := range records {
		key, err := record.logKey(c.Origin)
		if err != nil {
			return LogKey{}, PublicKeyRecord{}, err
		}
		if _, err := tilelog.VerifyCheckpoint(signed, key.verifier); err == nil {
			return key, key.Record(Retired, record.CreatedAt), nil
		}
	}
	return LogKey{}, PublicKeyRecord{}, fmt.Errorf("checkpoint of %s: %w, nor by one of the retired", c.Origin, tilelog.ErrNotSigned)
}

// logKeyRecords are the keys of logs: the active one, then the retired.
func logKeyRecords(keys string) ([]PublicKeyRecord, error) {
	active, err := Load(keys, ForLog)
	if err != nil {
		return nil, err
	}
	records := []PublicKeyRecord{active.Public.Record(Active, active.CreatedAt)}
	retired, err := RetiredKeys(keys)
	for _, record := range retired {
		if record.Purpose == ForLog {
			records = append(records, record)
		}
	}
	return records, err
}

// ReadAnchor reads the checkpoint of an anchor. If it is of the log that the key
// is named after, the key must have signed it.
func (r *PublicKeyRecord) ReadAnchor(signed []byte) (tilelog.Head, error) {
	head, err := tilelog.ParseHead(signed)
	if err != nil {
		return head, err
	}
	named, err := ParseLogKey([]byte(r.VerifierKey))
	if err == nil && named.Origin() == head.Origin {
		_, err = tilelog.VerifyCheckpoint(signed, named.verifier)
	}
	return head, err
}

// logKey is the key under the name of a log.
func (r *PublicKeyRecord) logKey(origin string) (LogKey, error) {
	key, err := ParsePublicKey(r.Purpose, []byte(r.PEM))
	if err != nil {
		return LogKey{}, err
	}
	return NewLogKey(origin, key)
}
