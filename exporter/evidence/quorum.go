package evidence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"licensekit/exporter/evidence/witness"
)

// pinPolicy gives a trust that also pins the logs that its policy names.
func (t Trust) pinPolicy() (Trust, error) {
	if t.Policy == nil {
		return t, nil
	}
	t.LogKeys = slices.Clone(t.LogKeys)
	for _, text := range t.Policy.Logs() {
		key, err := ParseLogKey([]byte(text))
		if err != nil {
			return t, fmt.Errorf("policy: %w", err)
		}
		if !slices.ContainsFunc(t.LogKeys, func(k LogKey) bool { return k.String() == text }) {
			t.LogKeys = append(t.LogKeys, key)
		}
	}
	if len(t.LogKeys) == 0 {
		return t, errors.New("the policy names no log, and no log key is pinned: nothing says whose checkpoints it is about")
	}
	return t, nil
}

// checkWitnesses (10) wants the checkpoint to bear the cosignatures that the
// policy asks for. Who asks for them is not content with a file that has none.
func (c *check) checkWitnesses() (string, error) {
	policy := c.trust.Policy
	if policy == nil {
		return "", notRun("no policy was given")
	}
	if c.proof == nil {
		return "", &mismatch{"the log's checkpoint", c.asked(), "no proof of the log"}
	}
	if logs := policy.Logs(); len(logs) > 0 && !slices.Contains(logs, c.logKey.String()) {
		return "", &mismatch{"the log", "one that the policy names: " + strings.Join(logs, " or "), c.logKey.String()}
	}
	cosigned, err := witness.Read(c.proof.Signed, c.logKey.verifier, policy.Witnesses())
	if err != nil {
		return "", err
	}
	if !policy.Met(cosigned.By) {
		return "", &mismatch{fmt.Sprintf("the log's checkpoint of size %d", cosigned.Size), c.asked(), cosignedBy(policy, cosigned)}
	}
	return fmt.Sprintf("size %d of %s: %s; the policy asks for %s", cosigned.Size, cosigned.Origin, cosignedBy(policy, cosigned), c.asked()), nil
}

// asked is what the policy asks for.
func (c *check) asked() string {
	if quorum := c.trust.Policy.Quorum(); quorum != "" {
		return "cosigned by " + quorum
	}
	return "signed by the log alone"
}

// cosignedBy names the witnesses and the times that they say.
func cosignedBy(policy *witness.Policy, c *witness.Cosigned) string {
	var by []string
	for _, s := range c.By {
		name := policy.NameOf(s.Witness)
		if !s.At.IsZero() {
			name += " at " + s.At.Format(time.RFC3339)
		}
		by = append(by, name)
	}
	if len(by) == 0 {
		return "cosigned by none of its witnesses"
	}
	return "cosigned by " + strings.Join(by, ", ")
}
