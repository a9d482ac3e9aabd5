package evidence

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"licensekit/exporter/evidence/tilelog"
)

// place is where a name may stand in a bundle, and how big it may be.
type place struct {
	name  string // ends with a dot where an extension follows
	limit int64  // bytes; what has no limit is bounded by the bundle's own size
	small bool   // held in memory
}

// places is the order of a bundle.
var places = []place{
	{ManifestName, MaxManifest, true},
	{SignatureName, 64, true},
	{SigstoreName, MaxEnvelope, true},
	{ProofName, tilelog.MaxProof, true},
	{SumsName, 4 << 10, true},
	{DataName, math.MaxInt64, false},
	{artifactPrefix, math.MaxInt64, false},
	{ReadmeName, 128 << 10, true},
}

// takes tells whether a member may have this place.
func (p place) takes(m member) error {
	extension, ok := strings.CutPrefix(m.name, p.name)
	if strings.HasSuffix(p.name, ".") {
		ok = ok && formatShape.MatchString(extension)
	} else {
		ok = ok && extension == ""
	}
	if !ok {
		return &mismatch{"name of a file in the zip", p.name, fmt.Sprintf("%.80q", m.name)}
	}
	if m.size > p.limit {
		return &mismatch{"size of " + p.name, fmt.Sprintf("at most %d bytes", p.limit), fmt.Sprint(m.size)}
	}
	return nil
}

// bundle is an opened bundle: its structure is sound, and nothing is known yet
// of what the files hold.
type bundle struct {
	members []member
	content []*io.SectionReader // of members
	small   map[string][]byte   // those that are held in memory
}

// openBundle reads the structure of a bundle. Every byte that is not content
// must be the one that [WriteBundle] writes for these names, sizes and
// checksums; so there is one reading of the file, whatever tool reads it.
func openBundle(src *source) (*bundle, error) {
	b := &bundle{small: map[string][]byte{}}
	var offset int64
	for _, place := range places {
		m, start, err := readMember(src, offset, place)
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", offset, err)
		}
		b.members = append(b.members, m)
		b.content = append(b.content, src.section(start, m.size))
		offset = start + m.size
	}
	if err := checkDirectory(src, offset, b.members); err != nil {
		return nil, err
	}
	return b, b.load()
}

// readMember reads a local header, and gives the offset of the content too.
func readMember(src *source, offset int64, place place) (member, int64, error) {
	fixed, err := src.bytes(offset, localFixed)
	if err != nil {
		return member{}, 0, err
	}
	if err := sameBytes("signature of a zip header", little.AppendUint32(nil, localSignature), fixed[:4]); err != nil {
		return member{}, 0, err
	}
	nameSize, extraSize := int64(little.Uint16(fixed[26:])), int64(little.Uint16(fixed[28:]))
	found, err := src.bytes(offset, localFixed+nameSize+extraSize)
	if err != nil {
		return member{}, 0, err
	}
	m := memberOf(found, localFixed+int(nameSize))
	if err := place.takes(m); err != nil {
		return member{}, 0, err
	}
	if err := sameBytes("zip header of "+m.name, m.local(), found); err != nil {
		return member{}, 0, err
	}
	start := offset + int64(len(found))
	if left := src.file.Size() - start; m.size > left {
		return member{}, 0, &mismatch{"size of " + m.name, fmt.Sprintf("at most %d bytes, which are left", left), fmt.Sprint(m.size)}
	}
	return m, start, nil
}

// memberOf takes from a local header what [member.local] makes one from. The
// rest, and an extra field of another form, shows when the two are compared.
func memberOf(header []byte, nameEnd int) member {
	m := member{
		name: string(header[localFixed:nameEnd]),
		crc:  little.Uint32(header[14:]),
		size: int64(little.Uint32(header[22:])),
	}
	if extra := header[nameEnd:]; m.size == overflow32 && len(extra) == 20 {
		m.size = int64(little.Uint64(extra[4:]) & math.MaxInt64)
	}
	return m
}

// checkDirectory compares all that stands behind the members.
func checkDirectory(src *source, offset int64, members []member) error {
	want := directory(members)
	if err := same("size of the bundle", offset+int64(len(want)), src.file.Size()); err != nil {
		return err
	}
	found, err := src.bytes(offset, int64(len(want)))
	if err != nil {
		return err
	}
	return sameBytes("zip directory", want, found)
}

// load reads the small members.
func (b *bundle) load() error {
	for i, place := range places {
		if !place.small {
			continue
		}
		text, err := io.ReadAll(b.content[i])
		if err != nil {
			return err
		}
		b.small[place.name] = text
	}
	return nil
}

// find gives a member of the bundle, which has all that [places] names.
func (b *bundle) find(name string) (member, *io.SectionReader) {
	for i, place := range places {
		if place.name == name {
			return b.members[i], b.content[i]
		}
	}
	panic("evidence: no place in a bundle has the name " + name)
}

var errShort = errors.New("the file ends here")

// bytes reads a short range that must be within the file.
func (s *source) bytes(offset, size int64) ([]byte, error) {
	if size > s.file.Size()-offset {
		return nil, errShort
	}
	p := make([]byte, size)
	_, err := io.ReadFull(s.section(offset, size), p)
	return p, err
}
