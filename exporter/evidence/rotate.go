package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"licensekit/exporter/durable"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/report"
)

// retiredDir holds the public halves of keys, one a file, named by their ids. That
// of an export key is there as soon as it signs: a tool that copies the directory
// during a rotation may come too early for the record of the old key, and too
// late for the key itself.
const retiredDir = "retired"

// nextPath is the file of a key that is about to replace another. Where it is,
// a rotation has begun and not ended.
func nextPath(dir string, purpose Purpose) string {
	return filepath.Join(dir, string(purpose)+".next.key")
}

// Rotate replaces the export key by a new one, and gives that. In this order,
// each step durable: the new key's file, the log's leaf that both sign, the
// records of both public halves, the new key in the old one's place. The
// old secret is gone then. One that was cut short is finished instead. keep is
// given the leaf, to be made durable elsewhere too before the log shows it.
func Rotate(ctx context.Context, dir string, l *tilelog.Log, instance string, now time.Time, keep func(ctx context.Context, leaf []byte) error) (*SigningKey, error) {
	if err := createKey(nextPath(dir, ForExport), ForExport, now); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("rotate key: %w", err)
	}
	return FinishRotation(ctx, dir, l, instance, now, keep)
}

// FinishRotation finishes a rotation that was cut short, and gives the export
// key that signs from now on. It is called before the key is used. keep is as in
// [Rotate].
func FinishRotation(ctx context.Context, dir string, l *tilelog.Log, instance string, now time.Time, keep func(ctx context.Context, leaf []byte) error) (*SigningKey, error) {
	old, err := Load(dir, ForExport)
	if err != nil {
		return nil, err
	}
	next, err := readKey(nextPath(dir, ForExport), ForExport)
	if errors.Is(err, fs.ErrNotExist) {
		return old, nil
	}
	if err == nil {
		rotation := Rotation{Instance: instance, Old: old.Public, New: next.Public, At: report.Instant(now.UnixMilli())}
		err = replaceKey(ctx, dir, l, rotation, old, next, keep)
	}
	if err != nil {
		return nil, fmt.Errorf("rotate key %s: %w", old.Public.ID(), err)
	}
	return Load(dir, ForExport)
}

func replaceKey(ctx context.Context, dir string, l *tilelog.Log, r Rotation, old, next *SigningKey, keep func(ctx context.Context, leaf []byte) error) error {
	logged, err := isLogged(ctx, l, next.Public)
	if err != nil {
		return err
	}
	if !logged {
		var leaf []byte
		sign := func(index int64) (_ []byte, err error) {
			r.Log = LogPosition{l.Origin(), index}
			leaf, err = r.leaf(old.sign, next.sign)
			return leaf, err
		}
		_, err = l.Append(ctx, sign, func() error { return keep(ctx, leaf) })
	}
	if err == nil {
		err = errors.Join(old.retire(dir), next.retire(dir))
	}
	if err == nil {
		err = os.Rename(nextPath(dir, ForExport), KeyPath(dir, ForExport))
	}
	if err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// isLogged tells whether the log has the rotation to a key.
func isLogged(ctx context.Context, l *tilelog.Log, key PublicKey) (found bool, err error) {
	id := []byte(key.ID())
	err = l.Walk(ctx, 0, func(_ int64, leaf []byte) error {
		if !bytes.Contains(leaf, id) { // nearly all; the signature of a rotation holds it in clear
			return nil
		}
		if r, err := ParseRotation(leaf); err == nil && r.New.ID() == key.ID() {
			found = true
		}
		return nil
	})
	return found, err
}

// retire records the public half of a key.
func (k *SigningKey) retire(dir string) error {
	text := append([]byte(title(k.Public.purpose, k.CreatedAt)+"\n"), k.Public.PEM()...)
	err := createDurably(filepath.Join(dir, retiredDir, k.Public.ID()+".pem"), text)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// RetiredKeys gives the records of the keys that no longer sign.
func RetiredKeys(dir string) (records []PublicKeyRecord, err error) {
	active := ""
	if key, err := readKey(KeyPath(dir, ForExport), ForExport); err == nil {
		active = key.Public.ID()
	}
	found, err := os.ReadDir(filepath.Join(dir, retiredDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list retired keys: %w", err)
	}
	for _, file := range found {
		path := filepath.Join(dir, retiredDir, file.Name())
		if filepath.Ext(path) != ".pem" {
			continue
		}
		record, err := retiredKey(path)
		if err != nil {
			return nil, fmt.Errorf("read retired key %s: %w", path, err)
		}
		if record.KID != active {
			records = append(records, record)
		}
	}
	return records, nil
}

func retiredKey(path string) (PublicKeyRecord, error) {
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return PublicKeyRecord{}, err
	}
	head, _, _ := strings.Cut(string(text), "\n")
	purpose, created, ok := parseTitle(head)
	if !ok {
		return PublicKeyRecord{}, errors.New("it has no line with purpose and date")
	}
	key, err := ParsePublicKey(purpose, text)
	if err != nil {
		return PublicKeyRecord{}, err
	}
	return key.Record(Retired, created), sameText("name of the file", key.ID()+".pem", filepath.Base(path))
}
