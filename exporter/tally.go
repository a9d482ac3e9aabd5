package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// Class is what exports are counted by.
type Class struct {
	Kind   report.Kind
	Format string
	Status Status
}

func (c Class) key() string {
	return strings.Join([]string{string(c.Kind), c.Format, string(c.Status)}, "\x00")
}

func (x Export) class() Class { return Class{x.Kind, x.Format, x.Status} }

// tally counts an export in, or with -1 out. A count that is damaged is made
// anew at the next start.
func tally(tx *bbolt.Tx, x Export, by int64) error {
	key := x.class().key()
	n, err := sealed.Get[int64](tx, tallyBucket, key)
	if errors.Is(err, sealed.ErrDamaged) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return sealed.Put(tx, tallyBucket, key, n+by)
}

// retally counts an export whose status has changed.
func retally(tx *bbolt.Tx, before, after Export) error {
	return errors.Join(tally(tx, before, -1), tally(tx, after, 1))
}

// tallyAll counts what is stored where nothing was counted yet, or the count is
// damaged. Exports that are damaged are left out; [Exporter.Check] tells of
// them.
func tallyAll(tx *bbolt.Tx) error {
	if _, err := tallied(tx); err == nil {
		return nil
	}
	if tx.Bucket([]byte(tallyBucket)) != nil {
		if err := tx.DeleteBucket([]byte(tallyBucket)); err != nil {
			return err
		}
	}
	if _, err := tx.CreateBucket([]byte(tallyBucket)); err != nil {
		return err
	}
	counts := map[Class]int64{}
	err := tx.Bucket([]byte(exportsBucket)).ForEach(func(_, value []byte) error {
		var stored entry
		if text, err := sealed.Open(value); err == nil && json.Unmarshal(text, &stored) == nil {
			counts[stored.Export.class()]++
		}
		return nil
	})
	for class, n := range counts {
		err = errors.Join(err, sealed.Put(tx, tallyBucket, class.key(), n))
	}
	return err
}

func tallied(tx *bbolt.Tx) (map[Class]int64, error) {
	bucket := tx.Bucket([]byte(tallyBucket))
	if bucket == nil {
		return nil, fs.ErrNotExist
	}
	counts := map[Class]int64{}
	err := bucket.ForEach(func(key, _ []byte) error {
		n, err := sealed.Get[int64](tx, tallyBucket, string(key))
		part := strings.Split(string(key), "\x00")
		if err == nil && len(part) != 3 {
			err = fmt.Errorf("%w: %q is no class of exports", sealed.ErrDamaged, key)
		}
		if err != nil {
			return err
		}
		counts[Class{report.Kind(part[0]), part[1], Status(part[2])}] = n
		return nil
	})
	return counts, err
}

// Counts gives how many exports there are. It takes no longer the more there
// are.
func (e *Exporter) Counts() (counts map[Class]int64, err error) {
	making := e.queue.making() // before the entries, as in Get
	err = e.db.View(func(tx *bbolt.Tx) error {
		if counts, err = tallied(tx); err != nil {
			return err
		}
		for id := range making {
			stored, err := loadEntry(tx, id)
			if err != nil || stored.Export.Status != Pending {
				continue
			}
			class := stored.Export.class()
			counts[class]--
			class.Status = Processing
			counts[class]++
		}
		return nil
	})
	return counts, err
}
