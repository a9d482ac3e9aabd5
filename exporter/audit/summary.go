package audit

import (
	"errors"
	"io/fs"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

// ofType is what is known of all events of a type.
type ofType struct {
	Count  int64
	Newest int64 // the sequence of the newest one
}

// count enters an event, which is stored already, into the summary of its type.
// Damage there is no reason to refuse the event.
func count(tx *bbolt.Tx, e Event) error {
	known, err := sealed.Get[ofType](tx, typesBucket, string(e.Type))
	if errors.Is(err, sealed.ErrDamaged) {
		return errors.Join(tx.DeleteBucket([]byte(typesBucket)), countAll(tx))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return sealed.Put(tx, typesBucket, string(e.Type), ofType{known.Count + 1, e.Sequence})
}

// summarize makes the summaries of a trail that has none yet.
func (t *Trail) summarize() error {
	missing := false
	err := t.db.View(func(tx *bbolt.Tx) error { missing = tx.Bucket([]byte(typesBucket)) == nil; return nil })
	if err != nil || !missing {
		return err
	}
	return t.db.Update(countAll)
}

// countAll makes the summaries where there are none. Events that are damaged
// are left out; [Trail.Check] tells of them.
func countAll(tx *bbolt.Tx) error {
	if tx.Bucket([]byte(typesBucket)) != nil {
		return nil
	}
	if _, err := tx.CreateBucket([]byte(typesBucket)); err != nil {
		return err
	}
	known := map[Type]ofType{}
	err := tx.Bucket([]byte(eventsBucket)).ForEach(func(place, value []byte) error {
		if e, err := open(place, value); err == nil {
			known[e.Type] = ofType{known[e.Type].Count + 1, e.Sequence}
		}
		return nil
	})
	for name, of := range known {
		err = errors.Join(err, sealed.Put(tx, typesBucket, string(name), of))
	}
	return err
}

// Summary is what there is of events of one type.
type Summary struct {
	Count  int64
	Newest Event
}

// Summaries gives, by type, how many events there are and the newest of them.
// It takes no longer the longer the trail is.
func (t *Trail) Summaries() (all map[Type]Summary, err error) {
	all = map[Type]Summary{}
	err = t.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(typesBucket)).ForEach(func(name, _ []byte) error {
			known, err := sealed.Get[ofType](tx, typesBucket, string(name))
			if err != nil {
				return err
			}
			place := []byte(key(known.Newest))
			newest, err := open(place, tx.Bucket([]byte(eventsBucket)).Get(place))
			all[Type(name)] = Summary{known.Count, newest}
			return err
		})
	})
	return all, err
}
