package exporter

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

// checkIndexes compares the buckets that lead to exports with the exports: a
// database that was put together of several states differs there.
func checkIndexes(tx *bbolt.Tx) error {
	if tx.Bucket([]byte(exportsBucket)) == nil {
		return nil // a new one
	}
	for _, check := range []func(*bbolt.Tx) error{checkOrder, checkUnfinished, checkIdempotency, checkLogged} {
		if err := check(tx); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder wants every export to be in the order, at its place.
func checkOrder(tx *bbolt.Tx) error {
	ordered := 0
	err := tx.Bucket([]byte(orderBucket)).ForEach(func(key, id []byte) error {
		ordered++
		found, err := loadEntry(tx, ID(id))
		if err == nil && sequenceKey(found.Sequence) != string(key) {
			err = fmt.Errorf("export %s is at place %x of the order, and says %d", id, key, found.Sequence)
		}
		return err
	})
	if exports := tx.Bucket([]byte(exportsBucket)).Inspect().KeyN; err == nil && exports != ordered {
		err = fmt.Errorf("%d exports are there, and %d in the order", exports, ordered)
	}
	return err
}

// checkUnfinished wants the exports that are not final to be listed as such.
func checkUnfinished(tx *bbolt.Tx) error {
	unfinished := tx.Bucket([]byte(unfinishedBucket))
	return tx.Bucket([]byte(orderBucket)).ForEach(func(key, id []byte) error {
		found, err := loadEntry(tx, ID(id))
		if err == nil && found.Export.Status.Final() != (unfinished.Get(key) == nil) {
			err = fmt.Errorf("export %s is %s, and its place among the unfinished ones says otherwise", id, found.Export.Status)
		}
		return err
	})
}

func checkIdempotency(tx *bbolt.Tx) error {
	return tx.Bucket([]byte(idempotencyBucket)).ForEach(func(key, _ []byte) error {
		known, err := sealed.Get[idempotency](tx, idempotencyBucket, string(key))
		if err == nil {
			_, err = loadEntry(tx, known.Export)
		}
		return err
	})
}

// checkLogged wants the exports in the index of a log to say so themselves.
func checkLogged(tx *bbolt.Tx) error {
	return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		if log, _, _ := strings.Cut(string(name), " "); log != loggedBucket {
			return nil
		}
		return bucket.ForEach(func(key, value []byte) error {
			id := exportLogged(value)
			if id == "" {
				return nil
			}
			found, err := loadEntry(tx, id)
			if errors.Is(err, fs.ErrNotExist) || err == nil && (found.Export.LogIndex == nil || sequenceKey(*found.Export.LogIndex) != string(key)) {
				err = fmt.Errorf("bucket %s has export %s at index %x, and the export does not say so", name, id, key)
			}
			return err
		})
	})
}
