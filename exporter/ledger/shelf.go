package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// The ledger's buckets.
var (
	bucketState  = []byte("ledger.state")
	bucketFacts  = []byte("ledger.facts")  // first sequence -> block
	bucketTail   = []byte("ledger.tail")   // sequence -> activity
	bucketRecent = []byte("ledger.recent") // id index: hash, sequence -> nothing
	bucketRuns   = []byte("ledger.runs")   // id index: run -> description
	bucketChunks = []byte("ledger.chunks") // id index: run, hash, number -> entries
)

// recordBucket is where the records of an object are: id -> record.
func recordBucket(object report.Object) []byte { return []byte("ledger.records." + string(object)) }

var keyState = []byte("state")

const stateVersion = 1

// state is what a commit changes beside its rows. It is stored sealed, as
// fixed-width little-endian integers.
type state struct {
	Version uint64
	Seed    uint64 // of the hash of ids; drawn once, so that no one can aim for collisions
	Last    uint64 // the highest sequence
	Tail    uint64 // activities in the tail
	Recent  uint64 // entries in the recent bucket
	Runs    uint64 // the highest number of a run
	Records [5]uint64
}

// shelf is the ledger in one transaction: its buckets, all opened beforehand
// so that reading from several goroutines shares nothing that changes.
type shelf struct {
	tx          *bbolt.Tx
	state       state
	facts, tail *bbolt.Bucket
	index       *index
	records     map[report.Object]*bbolt.Bucket
	recent      *block // the block that activity read last
}

func allBuckets() [][]byte {
	all := [][]byte{bucketState, bucketFacts, bucketTail, bucketRecent, bucketRuns, bucketChunks}
	for _, object := range report.Objects {
		all = append(all, recordBucket(object))
	}
	return all
}

// create makes the buckets of an empty ledger where there is none.
func create(tx *bbolt.Tx, seed uint64) error {
	if tx.Bucket(bucketState) != nil {
		return nil
	}
	for _, name := range allBuckets() {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	s := state{Version: stateVersion, Seed: seed}
	return s.save(tx)
}

func (s *state) save(tx *bbolt.Tx) error {
	value, err := binary.Append(make([]byte, sealBytes), binary.LittleEndian, s)
	if err != nil {
		return fmt.Errorf("encode the ledger's state: %w", err)
	}
	if err := tx.Bucket(bucketState).Put(keyState, seal(value)); err != nil {
		return fmt.Errorf("store the ledger's state: %w", err)
	}
	return nil
}

func loadState(tx *bbolt.Tx) (state, error) {
	var s state
	payload, err := unseal(tx.Bucket(bucketState).Get(keyState))
	if err == nil {
		_, err = binary.Decode(payload, binary.LittleEndian, &s)
	}
	if err == nil && s.Version != stateVersion {
		err = fmt.Errorf("version %d of the ledger is not known to this program, which knows %d", s.Version, stateVersion)
	}
	if err != nil {
		return s, damage(bucketState, keyState, err)
	}
	return s, nil
}

func openShelf(tx *bbolt.Tx) (*shelf, error) {
	for _, name := range allBuckets() {
		if tx.Bucket(name) == nil {
			return nil, fmt.Errorf("bucket %s is missing", name)
		}
	}
	s := &shelf{tx: tx, facts: tx.Bucket(bucketFacts), tail: tx.Bucket(bucketTail), records: map[report.Object]*bbolt.Bucket{}}
	for _, object := range report.Objects {
		s.records[object] = tx.Bucket(recordBucket(object))
	}
	var err error
	if s.state, err = loadState(tx); err != nil {
		return nil, err
	}
	if s.state.Tail > s.state.Last {
		return nil, damage(bucketState, keyState, errMalformed)
	}
	s.index, err = openIndex(tx, &s.state)
	return s, err
}

func (s *shelf) save() error { return s.state.save(s.tx) }

// sealed is the highest sequence that stands in a block.
func (s *shelf) sealed() int64 { return int64(s.state.Last - s.state.Tail) }

// activity reads one activity; its text lies in the transaction's pages.
func (s *shelf) activity(sequence int64) (report.Activity, error) {
	if sequence > s.sealed() {
		key := number(sequence)
		row, err := readRow(sequence, s.tail.Get(key))
		if err != nil {
			return row, damage(bucketTail, key, err)
		}
		return row, nil
	}
	if s.recent == nil || sequence < s.recent.first || sequence >= s.recent.first+int64(s.recent.rows) {
		var err error
		if s.recent, err = s.blockOf(sequence); err != nil {
			return report.Activity{}, err
		}
	}
	row, err := s.recent.activity(int(sequence - s.recent.first))
	if err != nil {
		return row, damage(bucketFacts, number(s.recent.first), err)
	}
	return row, nil
}

var errNoBlock = errors.New("no block holds this sequence")

// blockOf opens the block that holds a sequence.
func (s *shelf) blockOf(sequence int64) (*block, error) {
	key, value := seekBlock(s.facts.Cursor(), sequence)
	if key == nil {
		return nil, damage(bucketFacts, number(sequence), errNoBlock)
	}
	b, err := openStored(key, value)
	if err == nil && sequence >= b.first+int64(b.rows) {
		err = damage(bucketFacts, number(sequence), errNoBlock)
	}
	return b, err
}

// seekBlock finds the last block that begins at or before a sequence.
func seekBlock(cursor *bbolt.Cursor, sequence int64) (key, value []byte) {
	want := number(sequence)
	if key, value = cursor.Seek(want); key == nil {
		return cursor.Last()
	}
	if string(key) == string(want) {
		return key, value
	}
	return cursor.Prev()
}

// openStored opens a block and checks that it stands under its own key.
func openStored(key, value []byte) (*block, error) {
	b, err := openBlock(value)
	if err == nil && (len(key) != 8 || int64(binary.BigEndian.Uint64(key)) != b.first) {
		err = fmt.Errorf("the block begins at sequence %d", b.first)
	}
	if err != nil {
		return nil, damage(bucketFacts, key, err)
	}
	return b, nil
}

// emptyBucket drops all that a bucket holds.
func emptyBucket(tx *bbolt.Tx, name []byte) (*bbolt.Bucket, error) {
	if err := tx.DeleteBucket(name); err != nil {
		return nil, fmt.Errorf("empty bucket %s: %w", name, err)
	}
	bucket, err := tx.CreateBucket(name)
	if err != nil {
		return nil, fmt.Errorf("empty bucket %s: %w", name, err)
	}
	return bucket, nil
}
