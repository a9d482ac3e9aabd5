package evidence

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/evidence/witness"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// witnessNamed is a witness whose key is made from its name.
func witnessNamed(t testing.TB, name string) (witness.Key, func([]byte) []byte) {
	t.Helper()
	secret := testKey(t, ForLog, name)
	key, err := witness.NewKey(name, ed25519.PublicKey(secret.Public.key))
	if err != nil {
		t.Fatal(err)
	}
	return key, secret.sign
}

// cosigned is the checkpoint of a size with the cosignatures of witnesses.
func cosigned(t testing.TB, l *tilelog.Log, size int64, names ...string) tilelog.Head {
	t.Helper()
	head := headAt(t, l, size)
	logKey, err := NewLogKey(l.Origin(), testLogKey(t).Public)
	if err != nil {
		t.Fatal(err)
	}
	c, err := witness.Read(head.Signed, logKey.verifier, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		key, sign := witnessNamed(t, name)
		if err := c.Cosign(key, sign, noon); err != nil {
			t.Fatal(err)
		}
	}
	if head.Signed, err = c.Marshal(); err != nil {
		t.Fatal(err)
	}
	return head
}

// policyOf has the witnesses a, b and c, and a quorum.
func policyOf(t testing.TB, quorum string, logs ...string) string {
	t.Helper()
	var b strings.Builder
	for _, l := range logs {
		fmt.Fprintf(&b, "log %s\n", l)
	}
	for _, name := range []string{"a", "b", "c"} {
		key, _ := witnessNamed(t, name)
		fmt.Fprintf(&b, "witness %s %s\n", strings.ToUpper(name), key)
	}
	b.WriteString("group two 2 A B C\nquorum " + quorum + "\n")
	return b.String()
}

func policy(t testing.TB, text string) *witness.Policy {
	t.Helper()
	p, err := witness.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testVerifierKey(t testing.TB, origin string) string {
	t.Helper()
	key, err := NewLogKey(origin, testLogKey(t).Public)
	if err != nil {
		t.Fatal(err)
	}
	return key.String()
}

// A checkpoint bears what the policy asks for, or the bundle is INVALID.
func TestPolicy(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h := sevenExports(t, key)
	ours := testVerifierKey(t, testOrigin)
	theirs, err := NewLogKey("licensekit/lki_other", testKey(t, ForLog, "other").Public)
	if err != nil {
		t.Fatal(err)
	}
	other := theirs.String()
	elsewhere := cosigned(t, h.log, 5, "a", "b")
	pasted := cosigned(t, h.log, 7)
	for line := range strings.Lines(string(elsewhere.Signed)) {
		if strings.HasPrefix(line, "— a ") || strings.HasPrefix(line, "— b ") {
			pasted.Signed = append(pasted.Signed, line...)
		}
	}
	for name, test := range map[string]struct {
		at              tilelog.Head
		policy          string
		expected, found string // of the failure; "" where the quorum is met
		detail          string // of the step
	}{
		"met":              {at: cosigned(t, h.log, 7, "a", "c"), policy: policyOf(t, "two"), detail: "cosigned by A at 2026-11-28T12:00:00Z, C at 2026-11-28T12:00:00Z; the policy asks for cosigned by 2 of (A, B, C)"},
		"met by one":       {at: cosigned(t, h.log, 7, "b"), policy: policyOf(t, "B"), detail: "cosigned by B"},
		"none asked for":   {at: cosigned(t, h.log, 7), policy: policyOf(t, "none"), detail: "signed by the log alone"},
		"the log is named": {at: cosigned(t, h.log, 7, "a", "b"), policy: policyOf(t, "two", other, ours), detail: "size 7 of " + testOrigin},
		"one too few":      {cosigned(t, h.log, 7, "a"), policyOf(t, "two"), "cosigned by 2 of (A, B, C)", "cosigned by A at 2026-11-28T12:00:00Z", "size 7"},
		"nobody":           {cosigned(t, h.log, 7), policyOf(t, "two"), "cosigned by 2 of (A, B, C)", "cosigned by none of its witnesses", ""},
		"only strangers":   {cosigned(t, h.log, 7, "d", "e"), policyOf(t, "two"), "cosigned by 2 of (A, B, C)", "cosigned by none of its witnesses", ""},
		"another witness":  {cosigned(t, h.log, 7, "a", "b"), policyOf(t, "C"), "cosigned by C", "cosigned by A at 2026-11-28T12:00:00Z, B at 2026-11-28T12:00:00Z", ""},
		"of another size":  {pasted, policyOf(t, "two"), "", "", "invalid signature"},
		"another log":      {cosigned(t, h.log, 7, "a", "b"), policyOf(t, "two", other), "one that the policy names: " + other, ours, "the log"},
	} {
		f := h.all[3]
		proof, err := h.log.Prove(f.manifest.Log.Index, test.at)
		if err != nil {
			t.Fatal(err)
		}
		f.proof = proof.Marshal()
		trust := inLog(t, pin(key))
		trust.Policy = policy(t, test.policy)
		result := verifyBundle(t, f.bundle(t), trust)
		step := result.Steps[9]
		failed := test.expected != "" || test.detail == "invalid signature"
		if (step.Outcome == Failed) != failed || (result.Verdict == Verified) == failed || step.Expected != test.expected || step.Found != test.found || !strings.Contains(step.Detail, test.detail) {
			t.Errorf("%s: got %s, %+v; want %+v", name, result.Verdict, step, test)
		}
		if failed {
			wantFailed(t, name, result, 10)
		}
		if name == "the log is named" || name == "none asked for" {
			continue // torchwood asks for all logs of a policy, and for a signature that the policy names
		}
		text := test.policy
		if !strings.HasPrefix(text, "log ") { // it wants the log to be named
			text = "log " + ours + "\n" + text
		}
		theirs, err := torchwood.ParsePolicy([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := torchwood.VerifyProof(theirs, tlog.RecordHash(f.envelope.Manifest), f.proof); (err != nil) != failed {
			t.Errorf("%s: torchwood says %v, want failure %t", name, err, failed)
		}
	}
}

// Who asks for witnesses is not content without a checkpoint, and says whose
// checkpoints are meant.
func TestPolicyNeedsALog(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 3)
	trust := inLog(t, pin(key))
	trust.Policy = policy(t, policyOf(t, "A"))
	loose := Input{Artifact: section(f.artifact), Manifest: f.envelope.Manifest, Signature: f.envelope.Signature}
	wantFailed(t, "no proof", verify(t, loose, trust), 10)
	trust.LogKeys = nil
	if result, err := Verify(t.Context(), Input{Bundle: section(f.bundle(t))}, trust); err == nil {
		t.Errorf("no log: got %s, want an error", result.Verdict)
	}
	trust.Policy = policy(t, policyOf(t, "none", testVerifierKey(t, testOrigin)))
	if result := verifyBundle(t, f.bundle(t), trust); result.Verdict != Verified || result.Steps[5].Outcome != Passed || len(result.Checkpoints) != 1 {
		t.Errorf("a log of the policy: got %s, %+v; want VERIFIED by the log", result.Verdict, result.Steps[5])
	}
	wantFailed(t, "another log's key", verifyBundle(t, unchecked(t, f, proofOfTwo(t, testKey(t, ForLog, "thief"), testOrigin, f.envelope.Manifest)), trust), 6)
}

func TestTrustStorePolicy(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h, dir := sevenExports(t, key), trustDir(t, key)
	path := filepath.Join(dir, policyName)
	if err := os.WriteFile(path, []byte(policyOf(t, "A", testVerifierKey(t, testOrigin))), 0o600); err != nil {
		t.Fatal(err)
	}
	store := openTrust(t, dir)
	f := h.all[2]
	wantFailed(t, "not cosigned", verifyBundle(t, f.bundle(t), store.Trust()), 10)
	head := cosigned(t, h.log, 5, "a", "stranger")
	proof, err := h.log.Prove(2, head)
	if err != nil {
		t.Fatal(err)
	}
	f.proof = proof.Marshal()
	result := verifyBundle(t, f.bundle(t), store.Trust())
	if err := store.Keep(result); err != nil || result.Verdict != Verified {
		t.Fatalf("cosigned: got %s, %v; want VERIFIED", result.Verdict, err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil || string(kept) != string(head.Signed) {
		t.Errorf("got %s, %v kept; want %s", kept, err, head.Signed)
	}
	if result := verifyBundle(t, f.bundle(t), openTrust(t, dir).Trust()); result.Verdict != Verified || result.Steps[6].Outcome != Passed {
		t.Errorf("again: got %s, %+v; want VERIFIED", result.Verdict, result.Steps[6])
	}
	if err := store.SetPolicy([]byte(policyOf(t, "B"))); err != nil {
		t.Fatal(err)
	}
	wantFailed(t, "another policy", verifyBundle(t, f.bundle(t), store.Trust()), 10)
	for name, text := range map[string]string{
		"a log without its file": policyOf(t, "A", testVerifierKey(t, nextOrigin)), "no policy": "hello\n", "empty": "", "too long": strings.Repeat("#\n", witness.MaxPolicy),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := OpenTrust(dir); err == nil {
			t.Errorf("%s: got %+v, want an error", name, s.Trust())
		}
	}
}
