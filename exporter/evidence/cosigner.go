package evidence

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/evidence/witness"
)

// cosignerName is the file of a witness's verifier key, beside that of its
// secret, witness.key.
const cosignerName = "witness.pub"

// Cosigner is a witness that signs: a reviewer's directory with a key.
type Cosigner struct {
	Key    witness.Key
	secret *SigningKey
}

// InitCosigner makes a reviewer's directory a witness's, with a new key under a
// name, such as a URL without its scheme. A key that is there is never
// replaced; errors: fs.ErrExist.
func InitCosigner(dir, name string, now time.Time) (*Cosigner, error) {
	c, err := initCosigner(dir, name, now)
	if err != nil {
		return nil, fmt.Errorf("make a witness of %s: %w", dir, err)
	}
	return c, nil
}

func initCosigner(dir, name string, now time.Time) (*Cosigner, error) {
	if _, err := witness.NewKey(name, make([]byte, 32)); err != nil { // before there is a key without a name
		return nil, err
	}
	secret, err := LoadOrCreate(dir, ForWitness, now)
	if err != nil {
		return nil, err
	}
	key, err := witness.NewKey(name, secret.Public.key)
	if err != nil {
		return nil, err
	}
	return &Cosigner{key, secret}, createDurably(filepath.Join(dir, cosignerName), []byte(key.String()+"\n"))
}

// OpenCosigner reads the key of a witness. Errors: fs.ErrNotExist.
func OpenCosigner(dir string) (*Cosigner, error) {
	secret, err := Load(dir, ForWitness)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, cosignerName)
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the witness's name: %w", err)
	}
	key, err := witness.ParseKey(strings.TrimSpace(string(text)))
	if err == nil {
		var own witness.Key
		if own, err = witness.NewKey(key.Name(), secret.Public.key); err == nil {
			err = sameText("the public half of "+KeyPath(dir, ForWitness), own.String(), key.String())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Cosigner{key, secret}, nil
}

// cosignSteps are what a witness makes sure of (C2SP tlog-witness).
var cosignSteps = []step{
	{1, "request", (*check).readRequest},
	{2, "log", (*check).checkRequest},
	{3, "checkpoint", (*check).checkGrowth},
}

// unable says why there was no checking; it is no verdict.
type unable string

func (u unable) Error() string { return string(u) }

// Cosign answers a request, as licensekit log consistency writes it: where the
// log is pinned, signed the checkpoint, and continues the one that was kept, it
// keeps the new one durably and then gives it with the cosignature. Any other
// result comes without. A request that is for another state than the kept one
// is an error. Of one log only the largest checkpoint is ever signed.
func (s *TrustStore) Cosign(ctx context.Context, request []byte, by *Cosigner, at time.Time) (*Result, []byte, error) {
	c, err := newCheck(ctx, io.NewSectionReader(strings.NewReader(""), 0, 0), s.trust)
	if err != nil {
		return nil, nil, fmt.Errorf("cosign: %w", err)
	}
	c.request, c.anchored = request, true
	result, err := c.walk(cosignSteps)
	if err != nil {
		return nil, nil, fmt.Errorf("cosign: %w", err)
	}
	if result.Verdict != Verified {
		return result, nil, s.Keep(result) // of a fork
	}
	cosigned, err := witness.Read(c.growth.Signed, c.logKey.verifier, nil)
	if err == nil {
		err = cosigned.Cosign(by.Key, by.secret.sign, at)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cosign: %w", err)
	}
	signed, err := cosigned.Marshal()
	if err != nil {
		return nil, nil, fmt.Errorf("cosign: %w", err)
	}
	result.Checkpoints = [][]byte{signed}
	if err := s.Keep(result); err != nil {
		return nil, nil, err
	}
	return result, signed, nil
}

func (c *check) readRequest() (string, error) {
	growth, err := tilelog.ParseConsistency(c.request)
	if err != nil {
		return "", err
	}
	c.growth = growth
	return fmt.Sprintf("from size %d to %d of %s", growth.Old, growth.Size, growth.Origin), nil
}

// checkRequest wants the signature of a pinned log.
func (c *check) checkRequest() (string, error) {
	if len(c.trust.LogKeys) == 0 {
		return "", unable("no log key is pinned, so nothing says whose checkpoint this is")
	}
	key, err := c.signedByLog(c.growth.Signed, c.growth.Origin)
	if err != nil {
		return "", err
	}
	c.logKey = key
	return "signed by the pinned key of " + c.growth.Origin, nil
}

// checkGrowth wants the log to continue what was kept.
func (c *check) checkGrowth() (string, error) {
	last, now := c.last[c.growth.Origin], tilelog.Head{Checkpoint: c.growth.Checkpoint, Signed: c.growth.Signed}
	if last == nil {
		if c.growth.Old != 0 {
			return "", unable(fmt.Sprintf("no checkpoint of %s is kept yet; ask the operator for: licensekit log consistency --from 0", now.Origin))
		}
		return "the first checkpoint of this log", c.growth.Extends(tilelog.Checkpoint{Origin: now.Origin})
	}
	if err := c.forked(*last, now); err != nil {
		return "", err
	}
	switch {
	case now.Size < last.Size:
		return "", unable(fmt.Sprintf("the kept checkpoint of %s has size %d, newer than this one of %d; ask the operator for: licensekit log consistency --from %d", now.Origin, last.Size, now.Size, last.Size))
	case now.Size == last.Size:
		return fmt.Sprintf("the kept checkpoint, of size %d", last.Size), nil
	case c.growth.Old != last.Size:
		return "", unable(fmt.Sprintf("the kept checkpoint of %s has size %d, the proof begins at %d; ask the operator for: licensekit log consistency --from %d", now.Origin, last.Size, c.growth.Old, last.Size))
	}
	return fmt.Sprintf("it continues the kept checkpoint, of size %d", last.Size), c.growth.Extends(last.Checkpoint)
}
