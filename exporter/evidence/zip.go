package evidence

import (
	"encoding/binary"
	"math"
)

// member is a file of a bundle as its zip headers tell it: stored, dated
// 1980-01-01, without a comment, an attribute or a data descriptor.
//
// archive/zip can't write these: of a raw member beyond 4 GiB its local header
// lacks the sizes, and a reader needs every header as it must be, to compare.
type member struct {
	name string
	size int64
	crc  uint32
}

// The signatures, and the values that every header shares.
const (
	localSignature   = 0x04034b50
	centralSignature = 0x02014b50
	endSignature     = 0x06054b50
	end64Signature   = 0x06064b50
	locatorSignature = 0x07064b50
	plainVersion     = 20             // what a reader must know: 2.0
	zip64Version     = 45             // or 4.5
	zip64Extra       = 0x0001         // the extra field with 64-bit values
	firstDate        = 1<<5 | 1       // 1980-01-01
	overflow32       = math.MaxUint32 // stands for a value that is in the extra field
	localFixed       = 30             // bytes of a local header before the name
)

var little = binary.LittleEndian

// local is the header before the member's bytes.
func (m member) local() []byte {
	b := little.AppendUint32(nil, localSignature)
	return m.fields(b, nil, m.sizes())
}

// central is the member's entry in the directory at the end.
func (m member) central(offset int64) []byte {
	extra := m.sizes()
	if offset >= overflow32 {
		extra = little.AppendUint64(extra, uint64(offset))
	}
	b := little.AppendUint32(nil, centralSignature)
	b = little.AppendUint16(b, version(extra)) // made by: that version, on DOS
	between := make([]byte, 2+2+2+4)           // comment, disk, attributes within and without
	between = little.AppendUint32(between, capped(offset))
	return m.fields(b, between, extra)
}

// sizes is what the extra field holds of the sizes: nothing below 4 GiB.
func (m member) sizes() []byte {
	if m.size < overflow32 {
		return nil
	}
	b := little.AppendUint64(nil, uint64(m.size))
	return little.AppendUint64(b, uint64(m.size))
}

// fields writes what both headers have in common, with what only the central
// one has between the lengths and the name.
func (m member) fields(b, between, extra []byte) []byte {
	if len(extra) > 0 {
		extra = append(little.AppendUint16(little.AppendUint16(nil, zip64Extra), uint16(len(extra))), extra...)
	}
	b = little.AppendUint16(b, version(extra))
	b = append(b, 0, 0, 0, 0, 0, 0) // flags, method (stored), time
	b = little.AppendUint16(b, firstDate)
	b = little.AppendUint32(b, m.crc)
	b = little.AppendUint32(b, capped(m.size))
	b = little.AppendUint32(b, capped(m.size))
	b = little.AppendUint16(b, uint16(len(m.name)))
	b = little.AppendUint16(b, uint16(len(extra)))
	b = append(b, between...)
	b = append(b, m.name...)
	return append(b, extra...)
}

func version(extra []byte) uint16 {
	if len(extra) > 0 {
		return zip64Version
	}
	return plainVersion
}

func capped(n int64) uint32 { return uint32(min(n, overflow32)) }

// directory is all that stands behind the last member's bytes.
func directory(members []member) []byte {
	var b []byte
	var start int64 // of the directory in the file
	for _, m := range members {
		b = append(b, m.central(start)...)
		start += int64(len(m.local())) + m.size
	}
	return appendEnd(b, len(members), start)
}

// appendEnd writes the end records. A directory is small; only where it begins
// may need 64 bits.
func appendEnd(b []byte, members int, start int64) []byte {
	size := len(b)
	if start >= overflow32 {
		b = appendEnd64(b, members, start)
	}
	b = little.AppendUint32(b, endSignature)
	b = append(b, 0, 0, 0, 0) // this disk, the directory's disk
	b = little.AppendUint16(b, uint16(members))
	b = little.AppendUint16(b, uint16(members))
	b = little.AppendUint32(b, uint32(size))
	b = little.AppendUint32(b, capped(start))
	return append(b, 0, 0) // no comment
}

func appendEnd64(b []byte, members int, start int64) []byte {
	size := len(b)
	b = little.AppendUint32(b, end64Signature)
	b = little.AppendUint64(b, 44) // the bytes of this record that follow
	b = little.AppendUint16(b, zip64Version)
	b = little.AppendUint16(b, zip64Version)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // this disk, the directory's disk
	b = little.AppendUint64(b, uint64(members))
	b = little.AppendUint64(b, uint64(members))
	b = little.AppendUint64(b, uint64(size))
	b = little.AppendUint64(b, uint64(start))
	b = little.AppendUint32(b, locatorSignature)
	b = append(b, 0, 0, 0, 0)
	b = little.AppendUint64(b, uint64(start)+uint64(size))
	return little.AppendUint32(b, 1) // disks
}

// archiveSize is the size of the whole file, in bytes.
func archiveSize(members []member) int64 {
	size := int64(len(directory(members)))
	for _, m := range members {
		size += int64(len(m.local())) + m.size
	}
	return size
}
