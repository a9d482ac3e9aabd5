package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"licensekit/exporter/durable"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/evidence/witness"
)

// The files of a reviewer's directory.
const (
	logKeySuffix   = ".vkey"
	logKeyBase     = "log" // log.vkey goes with checkpoint, next.vkey with next.checkpoint
	checkpointName = "checkpoint"
	policyName     = "policy"
	forkPrefix     = "fork-"
)

// TrustStore is a reviewer's directory with what is known from elsewhere:
//
//	*.pem              pinned export keys
//	log.vkey           the log's verifier key; may be missing
//	checkpoint         the newest checkpoint that was found good; kept by us
//	<name>.vkey        the verifier key of another log, of one that was begun
//	                   anew or of another instance
//	<name>.checkpoint  the newest checkpoint of that log; kept by us
//	policy             whose cosignatures a checkpoint must bear, see package
//	                   witness; may be missing
//	fork-<digest>.txt  two checkpoints that can't both be true; kept by us
type TrustStore struct {
	dir   string
	trust Trust
	kept  map[string]string // origin of a log to the name of its checkpoint's file
}

// OpenTrust reads a reviewer's directory, which must exist.
func OpenTrust(dir string) (*TrustStore, error) {
	s := &TrustStore{dir: dir, kept: map[string]string{}}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("read trusted keys in %s: %w", dir, err)
	}
	return s, nil
}

// Trust is what the directory holds.
func (s *TrustStore) Trust() Trust { return s.trust }

func (s *TrustStore) load() error {
	found, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var names []string
	for _, file := range found {
		names = append(names, file.Name())
		if filepath.Ext(file.Name()) != ".pem" {
			continue
		}
		text, err := readBounded(filepath.Join(s.dir, file.Name()), maxKeyFile)
		if err != nil {
			return err
		}
		key, err := ParsePublicKey(ForExport, text)
		if err != nil {
			return fmt.Errorf("%s: %w", file.Name(), err)
		}
		s.trust.Keys = append(s.trust.Keys, key)
	}
	if err := s.loadLogs(names); err != nil {
		return err
	}
	if !slices.Contains(names, policyName) {
		return nil
	}
	text, err := readBounded(filepath.Join(s.dir, policyName), witness.MaxPolicy)
	if err != nil {
		return err
	}
	return s.SetPolicy(text)
}

// SetPolicy takes a policy in the place of the directory's own. Each log that
// it names must be pinned in the directory, for its checkpoint is kept there.
func (s *TrustStore) SetPolicy(text []byte) error {
	policy, err := witness.ParsePolicy(text)
	if err != nil {
		return err
	}
	for _, text := range policy.Logs() {
		if !slices.ContainsFunc(s.trust.LogKeys, func(k LogKey) bool { return k.String() == text }) {
			return fmt.Errorf("the policy names log %s, of which no *%s in %s has that key", text, logKeySuffix, s.dir)
		}
	}
	s.trust.Policy = policy
	return nil
}

// loadLogs reads the keys of logs, and the checkpoint that was kept of each.
func (s *TrustStore) loadLogs(names []string) error {
	for _, name := range names {
		if base, ok := strings.CutSuffix(name, logKeySuffix); ok {
			if err := s.loadLog(name, checkpointOf(base)); err != nil {
				return err
			}
		}
	}
	for _, name := range names {
		base, ok := strings.CutSuffix(name, "."+checkpointName)
		if name == checkpointName {
			base, ok = logKeyBase, true
		}
		if ok && !slices.Contains(names, base+logKeySuffix) {
			return fmt.Errorf("there is a %s, but no %s to check it with", name, base+logKeySuffix)
		}
	}
	return nil
}

func (s *TrustStore) loadLog(name, checkpoint string) error {
	text, err := readBounded(filepath.Join(s.dir, name), maxKeyFile)
	if err != nil {
		return err
	}
	key, err := ParseLogKey(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if other, known := s.kept[key.Origin()]; known {
		return fmt.Errorf("%s: another file has a key of log %s too, the one with %s", name, key.Origin(), other)
	}
	s.kept[key.Origin()] = checkpoint
	s.trust.LogKeys = append(s.trust.LogKeys, key)
	last, err := s.checkpoint(checkpoint)
	if err != nil || last == nil {
		return err
	}
	if _, err := tilelog.VerifyCheckpoint(last, key.verifier); err != nil {
		return fmt.Errorf("%s: %w", checkpoint, err)
	}
	s.trust.Last = append(s.trust.Last, last)
	return nil
}

// checkpointOf is the file of the checkpoint that belongs to a key's.
func checkpointOf(base string) string {
	if base == logKeyBase {
		return checkpointName
	}
	return base + "." + checkpointName
}

// checkpoint reads a kept checkpoint, nil if there is none.
func (s *TrustStore) checkpoint(name string) ([]byte, error) {
	signed, err := readBounded(filepath.Join(s.dir, name), tilelog.MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return signed, err
}

// Keep makes durable what a verification by this trust has shown: a newer
// checkpoint, or the evidence of a fork. If another process kept one in the
// meantime it fails: the two were not compared.
func (s *TrustStore) Keep(r *Result) error {
	if err := s.keep(r); err != nil {
		return fmt.Errorf("keep in %s: %w", s.dir, err)
	}
	return nil
}

func (s *TrustStore) keep(r *Result) error {
	if r.Fork != nil {
		text := fmt.Appendf(nil, "%s\n\n%s\n%s", r.Fork.Key, r.Fork.Kept, r.Fork.Seen)
		name := forkPrefix + tallyOf(text).File().Digest.Hex()[:16] + ".txt"
		return durable.Replace(filepath.Join(s.dir, name), s.dir, durable.Content(text))
	}
	for _, signed := range r.Checkpoints {
		if err := s.keepCheckpoint(signed); err != nil {
			return err
		}
	}
	return nil
}

func (s *TrustStore) keepCheckpoint(signed []byte) error {
	seen, err := tilelog.ParseCheckpoint(signed)
	if err != nil {
		return err
	}
	name, pinned := s.kept[seen.Origin]
	if !pinned {
		return fmt.Errorf("no *%s there has a key of log %s", logKeySuffix, seen.Origin)
	}
	now, err := s.checkpoint(name)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(s.trust.Last, func(last []byte) bool { return isOf(last, seen.Origin) })
	if known := i >= 0; known != (now != nil) || known && !bytes.Equal(now, s.trust.Last[i]) {
		return fmt.Errorf("another verification changed %s; verify again", name)
	}
	if err := durable.Replace(filepath.Join(s.dir, name), s.dir, durable.Content(signed)); err != nil {
		return err
	}
	if i >= 0 {
		s.trust.Last = slices.Delete(slices.Clone(s.trust.Last), i, i+1)
	}
	s.trust.Last = append(s.trust.Last, signed)
	return nil
}

func isOf(signed []byte, origin string) bool {
	c, err := tilelog.ParseCheckpoint(signed)
	return err == nil && c.Origin == origin
}

// readBounded reads a small file, and refuses one that is not.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	return text, err
}
