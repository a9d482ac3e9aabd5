package ledger

import (
	"encoding/binary"
)

// A run of the id index is stored in chunks of entries in the order of their
// hashes:
//
//	 0  CRC32C of what follows up to the end of the hashes
//	 4  CRC32C of the sequences
//	 8  entries (4 bytes)
//	12  the hashes (8 bytes each), then the sequences as an integer column
//
// A lookup that finds nothing, as most do, reads the hashes alone.
const (
	chunkEntries = 2048
	chunkHeader  = 12
)

// chunkKey is the run, the chunk's greatest hash, and the chunk's number in its
// run, which keeps chunks apart that end with the same hash. Seeking to a hash
// thus lands on the first chunk that can hold it.
func chunkKey(run, last uint64, number uint32) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, 20), run)
	key = binary.BigEndian.AppendUint64(key, last)
	return binary.BigEndian.AppendUint32(key, number)
}

// inRun tells whether a chunk's key is one of the run.
func inRun(key []byte, run uint64) bool {
	return len(key) == 20 && binary.BigEndian.Uint64(key) == run
}

func lastHash(key []byte) uint64 { return binary.BigEndian.Uint64(key[8:]) }

// encodeChunk stores entries that are in order.
func encodeChunk(entries []entry) []byte {
	size := chunkHeader + 8*len(entries)
	value := make([]byte, size, size+intHeader+8*len(entries))
	binary.LittleEndian.PutUint32(value[8:], uint32(len(entries)))
	sequences := make([]int64, len(entries))
	for i, e := range entries {
		binary.LittleEndian.PutUint64(value[chunkHeader+8*i:], e.key)
		sequences[i] = int64(e.value)
	}
	value = appendInts(value, sequences)
	binary.LittleEndian.PutUint32(value[4:], checksum(value[size:]))
	binary.LittleEndian.PutUint32(value, checksum(value[8:size]))
	return value
}

// chunk reads a chunk in place.
type chunk struct {
	data      []byte
	count     int
	sequences *ints // opened at the first hit
}

func openChunk(data []byte) (chunk, error) {
	c := chunk{data: data}
	if len(data) < chunkHeader {
		return c, errHeader
	}
	c.count = int(binary.LittleEndian.Uint32(data[8:]))
	if c.count < 1 || c.count > chunkEntries || len(data) < chunkHeader+8*c.count {
		return c, errHeader
	}
	if binary.LittleEndian.Uint32(data) != checksum(data[8:c.end()]) {
		return c, errChecksum
	}
	return c, nil
}

func (c *chunk) end() int { return chunkHeader + 8*c.count }

func (c *chunk) hash(i int) uint64 { return binary.LittleEndian.Uint64(c.data[chunkHeader+8*i:]) }

func (c *chunk) sequence(i int) (uint64, error) {
	if c.sequences == nil {
		rest := c.data[c.end():]
		if binary.LittleEndian.Uint32(c.data[4:]) != checksum(rest) {
			return 0, errChecksum
		}
		sequences, err := openInts(rest, c.count)
		if err != nil {
			return 0, err
		}
		c.sequences = &sequences
	}
	return uint64(c.sequences.at(i)), nil
}

// stride is how many entries a search passes over at once. Batches are large
// against chunks or nearly empty: in both cases short steps beat bisection.
const stride = 16

// seek finds the first entry from i on whose hash is not below the given one.
func (c *chunk) seek(i int, hash uint64) int {
	for i+stride < c.count && c.hash(i+stride) < hash {
		i += stride
	}
	for i < c.count && c.hash(i) < hash {
		i++
	}
	return i
}

// match reports the entries that have the hash of a query. It gives back the
// queries that later chunks may answer, too: those from the last hash on.
func (c *chunk) match(queries []entry, hit func(query, sequence uint64)) ([]entry, error) {
	last, at := c.hash(c.count-1), 0
	rest := queries
	for i, q := range queries {
		if q.key > last {
			break
		}
		at = c.seek(at, q.key)
		for j := at; j < c.count && c.hash(j) == q.key; j++ {
			sequence, err := c.sequence(j)
			if err != nil {
				return nil, err
			}
			hit(q.value, sequence)
		}
		if q.key < last {
			rest = queries[i+1:]
		}
	}
	return rest, nil
}

// appendTo decodes the entries from one position to another.
func (c *chunk) appendTo(dst []entry, from, to int) ([]entry, error) {
	for i := from; i < to; i++ {
		sequence, err := c.sequence(i)
		if err != nil {
			return nil, err
		}
		dst = append(dst, entry{c.hash(i), sequence})
	}
	return dst, nil
}
