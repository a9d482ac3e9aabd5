package ledger

import (
	"encoding/binary"
	"fmt"
)

// Small values carry their checksum in front: CRC32C (4 bytes), then the
// payload. bbolt itself has none for its pages.
const sealBytes = 4

// seal completes a value that was built behind sealBytes of room.
func seal(value []byte) []byte {
	binary.LittleEndian.PutUint32(value, checksum(value[sealBytes:]))
	return value
}

// unseal gives the payload of a sealed value.
func unseal(value []byte) ([]byte, error) {
	if len(value) < sealBytes || binary.LittleEndian.Uint32(value) != checksum(value[sealBytes:]) {
		return nil, errChecksum
	}
	return value[sealBytes:], nil
}

// damage names the place of a value that can't be trusted.
func damage(bucket, key []byte, err error) error {
	return fmt.Errorf("bucket %s, key %x: %w", bucket, key, err)
}

// number is a key that sorts as its number does.
func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// parser reads a payload from the front. After an error it reads zeros.
type parser struct {
	data []byte
	bad  bool
}

func (p *parser) uint() uint64 {
	v, n := binary.Uvarint(p.data)
	if n <= 0 {
		p.data, p.bad = nil, true
		return 0
	}
	p.data = p.data[n:]
	return v
}

func (p *parser) int() int64 {
	v, n := binary.Varint(p.data)
	if n <= 0 {
		p.data, p.bad = nil, true
		return 0
	}
	p.data = p.data[n:]
	return v
}

// bytes reads a length and that many bytes, in place.
func (p *parser) bytes() []byte {
	n := p.uint()
	if n > uint64(len(p.data)) {
		p.data, p.bad = nil, true
		return nil
	}
	taken := p.data[:n]
	p.data = p.data[n:]
	return taken
}

// done tells whether everything was read, and well.
func (p *parser) done() error {
	if p.bad || len(p.data) > 0 {
		return errMalformed
	}
	return nil
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}
