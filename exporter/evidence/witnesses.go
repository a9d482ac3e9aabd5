package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"licensekit/exporter/durable"
	"licensekit/exporter/evidence/witness"
)

// maxWitnesses bounds the file of an instance's witnesses, in bytes.
const maxWitnesses = 1 << 20

// ReadWitnesses reads the file of an instance's witnesses, see
// [witness.ParseKeys]. A file that is not there names none.
func ReadWitnesses(path string) ([]witness.Key, error) {
	text, err := readBounded(path, maxWitnesses)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read witnesses: %w", err)
	}
	keys, err := witness.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("read witnesses %s: %w", path, err)
	}
	return keys, nil
}

// AddWitnesses makes the file name further witnesses, durably. Those that it
// names already are left alone.
func AddWitnesses(path string, more []witness.Key) error {
	known, err := ReadWitnesses(path)
	if err != nil {
		return err
	}
	all := JoinWitnesses(known, more)
	if len(all) == len(known) {
		return nil
	}
	var text bytes.Buffer
	for _, key := range all {
		fmt.Fprintln(&text, key)
	}
	if err := durable.Replace(path, filepath.Dir(path), durable.Content(text.Bytes())); err != nil {
		return fmt.Errorf("write witnesses %s: %w", path, err)
	}
	return nil
}

// JoinWitnesses gives each key once.
func JoinWitnesses(known, more []witness.Key) []witness.Key {
	all := slices.Clone(known)
	for _, key := range more {
		if !slices.ContainsFunc(all, key.Same) {
			all = append(all, key)
		}
	}
	return all
}

// ReadCosigned reads a checkpoint that the log's key must have signed, with
// the cosignatures of known witnesses, see [witness.Read].
func (k LogKey) ReadCosigned(signed []byte, known []witness.Key) (*witness.Cosigned, error) {
	return witness.Read(signed, k.verifier, known)
}
