package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"licensekit/exporter/evidence/tilelog"
)

// The files of a reviewer's directory.
const (
	logKeyName     = "log.vkey"
	checkpointName = "checkpoint"
	forkPrefix     = "fork-"
)

// TrustStore is a reviewer's directory with what is known from elsewhere:
//
//	*.pem              pinned export keys
//	log.vkey           the log's verifier key; may be missing
//	checkpoint         the newest checkpoint that was found good; kept by us
//	fork-<digest>.txt  two checkpoints that can't both be true; kept by us
type TrustStore struct {
	dir   string
	trust Trust
}

// OpenTrust reads a reviewer's directory, which must exist.
func OpenTrust(dir string) (*TrustStore, error) {
	s := &TrustStore{dir: dir}
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
	for _, file := range found {
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
	return s.loadLog()
}

func (s *TrustStore) loadLog() error {
	text, err := readBounded(filepath.Join(s.dir, logKeyName), maxKeyFile)
	if err == nil {
		var key LogKey
		if key, err = ParseLogKey(text); err != nil {
			return fmt.Errorf("%s: %w", logKeyName, err)
		}
		s.trust.LogKeys = []LogKey{key}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.trust.Last, err = s.checkpoint()
	if err != nil || s.trust.Last == nil {
		return err
	}
	if len(s.trust.LogKeys) == 0 {
		return fmt.Errorf("there is a %s, but no %s to check it with", checkpointName, logKeyName)
	}
	if _, err := tilelog.VerifyCheckpoint(s.trust.Last, s.trust.LogKeys[0].verifier); err != nil {
		return fmt.Errorf("%s: %w", checkpointName, err)
	}
	return nil
}

// checkpoint reads the kept checkpoint, nil if there is none.
func (s *TrustStore) checkpoint() ([]byte, error) {
	signed, err := readBounded(filepath.Join(s.dir, checkpointName), tilelog.MaxCheckpoint)
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
		return replaceDurably(filepath.Join(s.dir, name), text)
	}
	if r.Checkpoint == nil {
		return nil
	}
	now, err := s.checkpoint()
	if err != nil {
		return err
	}
	if !bytes.Equal(now, s.trust.Last) {
		return fmt.Errorf("another verification changed %s; verify again", checkpointName)
	}
	if err := replaceDurably(filepath.Join(s.dir, checkpointName), r.Checkpoint); err != nil {
		return err
	}
	s.trust.Last = r.Checkpoint
	return nil
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
