package ledger

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// index finds sequences by the hash of an id, in one transaction. Random keys
// are slow in a B+tree, so it is a log-structured one: small commits go to the
// recent bucket, larger ones make a sorted run at once, and runs of one tier
// are merged into one of the next, a few chunks per commit.
//
// A hash leads to candidates only; whoever looks up compares the ids.
type index struct {
	state  *state
	recent *bbolt.Bucket // hash and sequence, 8 bytes each; sealed, with nothing inside
	runs   *bbolt.Bucket // run number -> run
	chunks *bbolt.Bucket
	known  []run // all runs, by number

	moved, scratch []entry // a merge step's, for the next one
}

// recentLimit is how many entries the recent bucket takes before it is made a
// run; a commit of directRun entries makes one at once.
const (
	recentLimit = 32 << 10
	directRun   = 8 << 10
)

// run describes a sorted run. While its entries move to another run, both
// are searched: every entry is in exactly one of them.
type run struct {
	number  uint64
	entries uint64 // that it holds now
	tier    uint64 // of the size that it was made with
	into    uint64 // the run that it is being merged into, 0 for none
	chunks  uint64 // written so far, which numbers the next one
}

func openIndex(tx *bbolt.Tx, s *state) (*index, error) {
	x := &index{state: s, recent: tx.Bucket(bucketRecent), runs: tx.Bucket(bucketRuns), chunks: tx.Bucket(bucketChunks)}
	err := x.runs.ForEach(func(key, value []byte) error {
		payload, err := unseal(value)
		if err != nil {
			return damage(bucketRuns, key, err)
		}
		p := parser{data: payload}
		r := run{number: p.uint(), entries: p.uint(), tier: p.uint(), into: p.uint(), chunks: p.uint()}
		x.known = append(x.known, r)
		return p.done()
	})
	return x, err
}

// save stores the description of a run, or drops it when nothing is left.
func (x *index) save(r *run) error {
	if r.entries == 0 {
		return x.runs.Delete(number(int64(r.number)))
	}
	value := make([]byte, sealBytes, 32)
	for _, v := range []uint64{r.number, r.entries, r.tier, r.into, r.chunks} {
		value = binary.AppendUvarint(value, v)
	}
	return x.runs.Put(number(int64(r.number)), seal(value))
}

// find reports every entry whose hash is that of a query; queries are in order.
func (x *index) find(queries []entry, hit func(query, sequence uint64)) error {
	if len(queries) == 0 {
		return nil
	}
	for i := range x.known {
		if err := x.findInRun(x.known[i].number, queries, hit); err != nil {
			return err
		}
	}
	if len(queries) < directRun {
		return x.probeRecent(queries, hit)
	}
	recent, err := x.readRecent()
	if err != nil || len(recent) == 0 {
		return err
	}
	join(queries, recent, hit)
	return nil
}

func (x *index) findInRun(number uint64, queries []entry, hit func(query, sequence uint64)) error {
	cursor := x.chunks.Cursor()
	key, value := cursor.Seek(chunkKey(number, queries[0].key, 0))
	for len(queries) > 0 && inRun(key, number) {
		if lastHash(key) < queries[0].key {
			key, value = cursor.Seek(chunkKey(number, queries[0].key, 0))
			continue
		}
		c, err := openChunk(value)
		if err == nil {
			queries, err = c.match(queries, hit)
		}
		if err != nil {
			return damage(bucketChunks, key, err)
		}
		key, value = cursor.Next()
	}
	return nil
}

func (x *index) probeRecent(queries []entry, hit func(query, sequence uint64)) error {
	if x.state.Recent == 0 {
		return nil
	}
	cursor := x.recent.Cursor()
	for _, q := range queries {
		for key, value := cursor.Seek(number(int64(q.key))); key != nil; key, value = cursor.Next() {
			e, err := readRecentEntry(key, value)
			if err != nil {
				return err
			}
			if e.key != q.key {
				break
			}
			hit(q.value, e.value)
		}
	}
	return nil
}

// readRecent gives the recent entries in order.
func (x *index) readRecent() ([]entry, error) {
	entries := make([]entry, 0, x.state.Recent)
	err := x.recent.ForEach(func(key, value []byte) error {
		e, err := readRecentEntry(key, value)
		entries = append(entries, e)
		return err
	})
	if err == nil && uint64(len(entries)) != x.state.Recent {
		err = fmt.Errorf("bucket %s: %d of %d entries are there", bucketRecent, len(entries), x.state.Recent)
	}
	return entries, err
}

// A recent entry is all key; its value is the checksum of the key.
func readRecentEntry(key, value []byte) (entry, error) {
	if len(key) != 16 || len(value) != sealBytes || binary.LittleEndian.Uint32(value) != checksum(key) {
		return entry{}, damage(bucketRecent, key, errChecksum)
	}
	return entry{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])}, nil
}

// join reports the entries with the hash of a query; both lists are in order.
func join(queries, entries []entry, hit func(query, sequence uint64)) {
	at := 0
	for _, q := range queries {
		for at < len(entries) && entries[at].key < q.key {
			at++
		}
		for i := at; i < len(entries) && entries[i].key == q.key; i++ {
			hit(q.value, entries[i].value)
		}
	}
}

// add takes new entries, which are in order. Making a run pays for merging;
// commits that are small enough for the recent bucket stay quick.
func (x *index) add(tx *bbolt.Tx, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	if len(entries) < directRun && x.state.Recent+uint64(len(entries)) <= recentLimit {
		return x.addRecent(entries)
	}
	recent, err := x.readRecent()
	if err != nil {
		return err
	}
	if len(recent) > 0 {
		entries = append(entries, recent...)
		entries = sortByKey(entries, make([]entry, len(entries)))
		if err := x.emptyRecent(tx); err != nil {
			return err
		}
	}
	if err := x.addRun(entries); err != nil {
		return err
	}
	return x.merge(mergeShare * len(entries))
}

func (x *index) addRecent(entries []entry) error {
	for _, e := range entries {
		key := binary.BigEndian.AppendUint64(number(int64(e.key)), e.value)
		value := binary.LittleEndian.AppendUint32(nil, checksum(key))
		if err := x.recent.Put(key, value); err != nil {
			return fmt.Errorf("store in bucket %s: %w", bucketRecent, err)
		}
	}
	x.state.Recent += uint64(len(entries))
	return nil
}

func (x *index) emptyRecent(tx *bbolt.Tx) (err error) {
	x.recent, err = emptyBucket(tx, bucketRecent)
	x.state.Recent = 0
	return err
}

func (x *index) addRun(entries []entry) error {
	r := x.newRun(tierOf(len(entries)))
	if err := x.extend(r, entries); err != nil {
		return err
	}
	return x.save(r)
}

// newRun numbers a run. The pointer is good until the next call.
func (x *index) newRun(tier uint64) *run {
	x.state.Runs++
	x.known = append(x.known, run{number: x.state.Runs, tier: tier})
	return &x.known[len(x.known)-1]
}

// extend writes entries behind those that a run has.
func (x *index) extend(r *run, entries []entry) error {
	r.entries += uint64(len(entries))
	for len(entries) > 0 {
		n := min(chunkEntries, len(entries))
		key := chunkKey(r.number, entries[n-1].key, uint32(r.chunks))
		if err := x.chunks.Put(key, encodeChunk(entries[:n])); err != nil {
			return fmt.Errorf("store in bucket %s: %w", bucketChunks, err)
		}
		entries = entries[n:]
		r.chunks++
	}
	return nil
}
