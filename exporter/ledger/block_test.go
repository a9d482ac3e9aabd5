package ledger

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"licensekit/exporter/report"
)

// decodeAll reads a block whole, by row.
func decodeAll(data []byte) ([]report.Activity, error) {
	b, err := openBlock(data)
	if err != nil {
		return nil, err
	}
	rows := make([]report.Activity, b.rows)
	for i := range rows {
		if rows[i], err = b.activity(i); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func TestBlockRoundTrip(t *testing.T) {
	encoder := newEncoder()
	for seed := range uint64(16) {
		w := &world{Rand: rand.New(rand.NewPCG(seed, 1))}
		rows := make([]report.Activity, 1+w.IntN([]int{1, 10, 600, BlockRows}[seed%4]))
		for i := range rows {
			rows[i] = w.activity()
			rows[i].Sequence = 1000 + int64(i)
		}
		data := encoder.encode(1000, storedRows(rows))
		got, err := decodeAll(data)
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, seed, got, rows)
		if again := newEncoder().encode(1000, storedRows(got)); !bytes.Equal(again, data) {
			t.Fatalf("seed %d: the block encodes to other bytes", seed)
		}
	}
}

func TestIntColumnForms(t *testing.T) {
	null := report.Null
	for _, values := range [][]int64{
		{5}, {null}, {null, null}, {5, 5, null}, {0, 255}, {0, 254, null}, {0, 255, null}, {-3, 65_532},
		{0, 65_535, null}, {0, 1 << 32}, {0, 1<<32 - 1}, {0, 1<<32 - 1, null}, {null + 1, 1<<63 - 1}, {null + 1, 1<<63 - 1, null, 0},
		{1<<63 - 1, 1<<63 - 3, null},
	} {
		data := appendInts(nil, values)
		c, err := openInts(data, len(values))
		if err != nil {
			t.Fatalf("%v: %v", values, err)
		}
		for i, got := range c.all() {
			if got != values[i] || c.at(i) != values[i] || c.pick([]uint32{uint32(i)})[0] != values[i] {
				t.Errorf("%v: value %d: got %d and %d", values, i, got, c.at(i))
			}
		}
	}
}

func TestFlippedBitsAreFound(t *testing.T) {
	rows := facts(rand.New(rand.NewPCG(1, 1)), 0, 40)
	data := newEncoder().encode(1, storedRows(rows))
	for at := range data {
		flipped := bytes.Clone(data)
		flipped[at] ^= 1 << (at % 8)
		if _, err := decodeAll(flipped); err == nil {
			t.Errorf("a flip in byte %d of %d went unnoticed", at, len(data))
		}
	}
	if _, err := decodeAll(data[:len(data)-1]); err == nil {
		t.Error("a missing byte went unnoticed")
	}
}

// resum makes the checksums right, so that a fuzzer gets behind them.
func resum(data []byte) {
	if len(data) < blockHeader {
		return
	}
	columns, start := data[blockHeader:], uint32(0)
	for column := range numColumns {
		slot := data[directory+8*column:]
		end := binary.LittleEndian.Uint32(slot)
		if end < start || uint64(end) > uint64(len(columns)) {
			break
		}
		binary.LittleEndian.PutUint32(slot[4:], checksum(columns[start:end]))
		start = end
	}
	binary.LittleEndian.PutUint32(data, checksum(data[4:blockHeader]))
}

func TestGarbageBehindRightChecksums(t *testing.T) {
	random, refused := rand.New(rand.NewPCG(8, 8)), 0
	good := newEncoder().encode(1, storedRows(facts(random, 0, 30)))
	for range 8000 {
		bad := bytes.Clone(good)
		for range 1 + random.IntN(3) {
			bad[8+random.IntN(len(bad)-8)] = byte(random.Uint32())
		}
		resum(bad)
		if _, err := decodeAll(bad); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

func FuzzBlock(f *testing.F) {
	w := &world{Rand: rand.New(rand.NewPCG(2, 2))}
	for _, n := range []int{1, 3, 40} {
		rows := make([]report.Activity, n)
		for i := range rows {
			rows[i] = w.activity()
		}
		f.Add(newEncoder().encode(1, storedRows(rows)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		resum(data)
		rows, err := decodeAll(data)
		if err != nil {
			return
		}
		b, err := openBlock(data)
		if err != nil {
			t.Fatal(err)
		}
		all, err := readAll(b, report.AllFields, &constants{})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			row.Inferred = 0
			if got := rowOf(all, i, report.AllFields); got != row {
				t.Fatalf("row %d\n got %+v\nwant %+v", i, got, row)
			}
		}
	})
}

func FuzzTailRow(f *testing.F) {
	w := &world{Rand: rand.New(rand.NewPCG(2, 2))}
	for range 5 {
		a := w.activity()
		r := storedRow(&a)
		f.Add(appendRow(nil, &r))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < sealBytes {
			return
		}
		value := seal(bytes.Clone(data))
		a, err := readRow(1, value)
		if err != nil {
			return
		}
		r := storedRow(&a)
		again, err := readRow(1, appendRow(nil, &r))
		if err != nil || again != a {
			t.Fatalf("got %+v, %v\nwant %+v", again, err, a)
		}
	})
}
