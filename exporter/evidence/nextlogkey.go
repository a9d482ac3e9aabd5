package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"licensekit/exporter/durable"
)

// NextLogKey gives the key for a log that is about to be begun. It waits in a
// file of its own, see [TakeNextLogKey]; one that waits there is given again.
func NextLogKey(dir string, now time.Time) (*SigningKey, error) {
	path := nextPath(dir, ForLog)
	if err := createKey(path, ForLog, now); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create key %s: %w", path, err)
	}
	key, err := readKey(path, ForLog)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	return key, nil
}

// TakeNextLogKey lets the key that waits take the place of the log's key, once
// the log in a directory is one that it has signed. The old key's public half
// is recorded, and the old secret is gone then. Where no key waits, or the log
// is still the old key's, nothing is done; it is called before the key is used.
func TakeNextLogKey(dir, logDir string) error {
	next, err := readKey(nextPath(dir, ForLog), ForLog)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = takeNext(dir, logDir, next)
	}
	if err != nil {
		return fmt.Errorf("take key %s: %w", nextPath(dir, ForLog), err)
	}
	return nil
}

func takeNext(dir, logDir string, next *SigningKey) error {
	signed, err := signedBy(logDir, next.Public)
	if err != nil || !signed {
		return err
	}
	old, err := Load(dir, ForLog)
	if err != nil {
		return err
	}
	if err := old.retire(dir); err != nil {
		return err
	}
	if err := os.Rename(nextPath(dir, ForLog), KeyPath(dir, ForLog)); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}
