package ledger

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// The tail holds what small commits appended since the last block was made,
// one activity per key: a commit of one row then writes one row, not a block.
// Its value is sealed: occurred_at, received_at, amount, status_code (varints),
// the inferred mask (uvarint) and each text behind its length.

func appendRow(dst []byte, r *row) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, sealBytes)...)
	for column := range columnInferred {
		dst = binary.AppendVarint(dst, r.integer(column))
	}
	dst = binary.AppendUvarint(dst, uint64(r.inferred))
	for _, text := range r.Text {
		dst = appendText(dst, text)
	}
	seal(dst[start:])
	return dst
}

// readRow reads a row in place.
func readRow(sequence int64, value []byte) (report.Activity, error) {
	a := report.Activity{Sequence: sequence}
	payload, err := unseal(value)
	if err != nil {
		return a, err
	}
	p := parser{data: payload}
	a.OccurredAt, a.ReceivedAt, a.Amount, a.StatusCode = p.int(), p.int(), p.int(), p.int()
	a.Inferred = report.FieldSet(p.uint())
	for field := range a.Text {
		a.Text[field] = inPlace(p.bytes())
	}
	return a, p.done()
}

// readTail reads the whole tail, whose last sequence must be last.
func readTail(bucket *bbolt.Bucket, count, last int64) ([]report.Activity, error) {
	if count == 0 {
		return nil, nil
	}
	rows := make([]report.Activity, 0, count)
	cursor := bucket.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if len(key) != 8 {
			return nil, damage(bucketTail, key, errMalformed)
		}
		row, err := readRow(int64(binary.BigEndian.Uint64(key)), value)
		if err != nil {
			return nil, damage(bucketTail, key, err)
		}
		if want := last - count + 1 + int64(len(rows)); row.Sequence != want {
			return nil, damage(bucketTail, key, fmt.Errorf("expected sequence %d", want))
		}
		rows = append(rows, row)
	}
	if int64(len(rows)) != count {
		return nil, damage(bucketTail, number(last), fmt.Errorf("%d of %d rows are there", len(rows), count))
	}
	return rows, nil
}
