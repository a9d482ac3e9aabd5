package evidence

import (
	"fmt"
	"strings"
)

// zip (1) checks the structure of the bundle. What the files in it hold is for
// the steps that are about them.
func (c *check) zip() (string, error) {
	if c.input.Bundle == nil {
		c.text, c.signature, c.proofText = c.input.Manifest, c.input.Signature, c.input.Proof
		return "", notRun("the files were given one by one")
	}
	opened, err := openBundle(c.source)
	if err != nil {
		return "", fmt.Errorf("not a sound bundle: %w", err)
	}
	c.bundle = opened
	c.text, c.signature, c.proofText = opened.small[ManifestName], opened.small[SignatureName], opened.small[ProofName]
	return fmt.Sprintf("the %d files of a bundle, in order, and no byte between them", len(places)), nil
}

// readManifest (2) takes the manifest for its word; whose word that is shows
// in the next step.
func (c *check) readManifest() (string, error) {
	m, err := ParseManifest(c.text)
	if err != nil {
		return "", err
	}
	c.manifest = m
	return "canonical, " + PredicateType, nil
}

// checkSignature (3) wants the pinned key that the manifest names.
func (c *check) checkSignature() (string, error) {
	var pinned []string
	var confused error // the key is trusted, but with something else
	for _, key := range c.trust.LogKeys {
		if key.ID() == c.manifest.KeyID {
			return "", key.usableFor(ForExport)
		}
	}
	for _, key := range c.trust.Keys {
		switch err := key.usableFor(ForExport); {
		case key.ID() != c.manifest.KeyID && err == nil:
			pinned = append(pinned, key.ID())
		case key.ID() == c.manifest.KeyID && err == nil:
			return c.checkSigned(key)
		case key.ID() == c.manifest.KeyID:
			confused = err
		}
	}
	switch {
	case confused != nil:
		return "", confused
	case len(pinned) == 0:
		return "", notRun("no key was pinned, so nothing vouches for the manifest")
	}
	return "", &mismatch{"the key that signed", "the pinned " + strings.Join(pinned, " or "), c.manifest.KeyID}
}

func (c *check) checkSigned(key PublicKey) (string, error) {
	if !key.signed(c.text, c.signature) {
		return "", &mismatch{SignatureName, "a signature of this manifest by key " + key.ID(), fmt.Sprintf("%.8x… (%d bytes), which is none", c.signature, len(c.signature))}
	}
	c.anchored = true
	return "by the pinned key " + key.ID(), nil
}
