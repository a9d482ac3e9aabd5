package evidence

import (
	"fmt"
	"strings"

	"licensekit/exporter/evidence/tilelog"
)

// readLast reads the checkpoints that were kept. They are the reviewer's own,
// so what is wrong with them is no finding.
func (c *check) readLast() error {
	c.last = map[string]*tilelog.Head{}
	for _, signed := range c.trust.Last {
		checkpoint, err := tilelog.ParseCheckpoint(signed)
		if err != nil {
			return err
		}
		if _, err := c.signedByLog(signed, checkpoint.Origin); err != nil {
			return err
		}
		if c.last[checkpoint.Origin] != nil {
			return fmt.Errorf("there are two of log %s", checkpoint.Origin)
		}
		c.last[checkpoint.Origin] = &tilelog.Head{Checkpoint: checkpoint, Signed: signed}
	}
	return nil
}

// signedByLog gives the pinned key of a log that signed a checkpoint.
func (c *check) signedByLog(signed []byte, origin string) (*LogKey, error) {
	var pinned []string
	for i, key := range c.trust.LogKeys {
		if key.Origin() != origin {
			pinned = append(pinned, key.Origin())
			continue
		}
		if _, err := tilelog.VerifyCheckpoint(signed, key.verifier); err == nil {
			return &c.trust.LogKeys[i], nil
		}
	}
	if len(pinned) == len(c.trust.LogKeys) {
		return nil, &mismatch{"the log", "the pinned " + strings.Join(pinned, " or "), fmt.Sprintf("%q", origin)}
	}
	return nil, fmt.Errorf("checkpoint of %s: %w", origin, tilelog.ErrNotSigned)
}

// checkLog (6) makes sure that the manifest is in the log, where it says.
func (c *check) checkLog() (string, error) {
	position := c.manifest.Log
	switch {
	case position == nil && len(c.trust.LogKeys) > 0: // it may have been hidden from the log
		return "", &mismatch{"the log", "the pinned " + c.trust.LogKeys[0].Origin(), "a manifest that names none"}
	case position == nil && len(c.proofText) == 0:
		return "", notRun("the manifest names no log")
	case position == nil:
		return "", &mismatch{ProofName, "nothing, as the manifest names no log", fmt.Sprintf("%d bytes", len(c.proofText))}
	case len(c.proofText) == 0 && c.bundle == nil:
		return "", notRun("no proof of the log was given")
	}
	proof, err := tilelog.ParseProof(c.proofText)
	if err != nil {
		return "", err
	}
	if err := placed(proof, position, c.text); err != nil {
		return "", err
	}
	if len(c.trust.LogKeys) == 0 {
		return "", notRun("no log key is pinned, so nothing vouches for the checkpoint that the proof leads to")
	}
	key, err := c.signedByLog(proof.Signed, proof.Origin)
	if err != nil {
		return "", err
	}
	c.proof, c.logKey = proof, key
	return fmt.Sprintf("entry %d of %s, in the tree of %d", proof.Index, proof.Origin, proof.Size), nil
}

// placed tells whether a proof is about this text in this place.
func placed(proof *tilelog.Proof, position *LogPosition, text []byte) error {
	if err := sameText("log_origin", position.Origin, proof.Origin); err != nil {
		return err
	}
	if err := same("log_index", position.Index, proof.Index); err != nil {
		return err
	}
	return proof.Includes(text)
}

// checkCheckpoint (7) compares the checkpoint that the proof leads to with the
// one that was kept.
func (c *check) checkCheckpoint() (string, error) {
	if c.proof == nil {
		return "", notRun("no checkpoint was found good")
	}
	last := c.last[c.proof.Origin]
	if last == nil {
		c.keep = append(c.keep, c.proof.Signed)
		return "", notRun("no checkpoint of this log was kept before this one")
	}
	found := tilelog.Head{Checkpoint: c.proof.Checkpoint, Signed: c.proof.Signed}
	if err := c.consistent(*last, found); err != nil {
		return "", err
	}
	if found.Size > last.Size {
		c.keep = append(c.keep, found.Signed)
	}
	return fmt.Sprintf("one history: the kept checkpoint has size %d, this one %d", last.Size, found.Size), nil
}

// consistent tells whether the smaller of two trees is the beginning of the
// larger. Two trees of one size need no proof: they are the same or a fork.
// A proof that does not hold is no fork, for anybody can make a bad one.
func (c *check) consistent(last, found tilelog.Head) error {
	if err := c.forked(last, found); err != nil || last.Size == found.Size {
		return err
	}
	small, large := last, found
	if large.Size < small.Size {
		small, large = large, small
	}
	for _, text := range c.trust.Consistency {
		proof, err := tilelog.ParseConsistency(text)
		if err != nil {
			return err
		}
		if proof.Origin != last.Origin {
			continue // it is for another bundle
		}
		if _, err := c.signedByLog(proof.Signed, proof.Origin); err != nil {
			return err
		}
		shown := tilelog.Head{Checkpoint: proof.Checkpoint, Signed: proof.Signed}
		for _, known := range []tilelog.Head{last, found} {
			if err := c.forked(known, shown); err != nil {
				return err
			}
		}
		if proof.Old == small.Size && proof.Size == large.Size {
			return proof.Extends(small.Checkpoint)
		}
	}
	return notRun(fmt.Sprintf("the kept checkpoint has size %d, this one %d; ask the instance's operator for: licensekit log consistency --from %d --to %d",
		last.Size, found.Size, small.Size, large.Size))
}

// forked refuses two checkpoints of one size with two roots.
func (c *check) forked(kept, seen tilelog.Head) error {
	if kept.Size != seen.Size || kept.Root == seen.Root {
		return nil
	}
	c.fork = &ForkEvidence{Key: c.logKey.String(), Kept: string(kept.Signed), Seen: string(seen.Signed)}
	return &mismatch{fmt.Sprintf("root of %s at size %d", kept.Origin, kept.Size), kept.Root.String(), seen.Root.String()}
}
