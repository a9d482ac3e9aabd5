package evidence

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"licensekit/exporter/evidence/tilelog"
)

// logged is an export in a log on a disk.
func logged(t testing.TB, l *tilelog.Log, key *SigningKey, id string) *frozen {
	t.Helper()
	f := freeze(t, key, id, "csv", 3)
	entry, err := l.Append(t.Context(), func(index int64) ([]byte, error) {
		f.manifest.Log = &LogPosition{Origin: l.Origin(), Index: index}
		f.seal(t, key)
		return f.envelope.Manifest, nil
	})
	if err != nil {
		t.Fatalf("append: got %v, want an entry", err)
	}
	f.proof = proofAt(t, l, entry.Index, entry.Size)
	return f
}

func proofAt(t testing.TB, l *tilelog.Log, index, size int64) []byte {
	t.Helper()
	proof, err := l.Prove(index, headAt(t, l, size))
	if err != nil {
		t.Fatalf("prove: got %v, want a proof", err)
	}
	return proof.Marshal()
}

func headAt(t testing.TB, l *tilelog.Log, size int64) tilelog.Head {
	t.Helper()
	head, err := l.HeadAt(size)
	if err != nil {
		t.Fatalf("checkpoint %d: got %v, want it", size, err)
	}
	return head
}

func openTestLog(t testing.TB) *tilelog.Log {
	t.Helper()
	l, err := OpenLog(filepath.Join(t.TempDir(), "log"), testLogKey(t), testOrigin)
	if err != nil {
		t.Fatalf("open log: got %v, want a log", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLogged(t *testing.T) {
	key, l := testKey(t, ForExport, "a"), openTestLog(t)
	trust := inLog(t, pin(key))
	for i := range 3 {
		f := logged(t, l, key, fmt.Sprint("rptx_", i))
		result := verifyBundle(t, f.bundle(t), trust)
		if result.Verdict != Verified || result.Steps[5].Outcome != Passed || result.Steps[6].Outcome != NotRun {
			t.Errorf("entry %d: got %s, %+v; want VERIFIED by the log", i, result.Verdict, result.Steps[5:7])
		}
		if proof, err := tilelog.ParseProof(f.proof); err != nil || len(result.Checkpoints) != 1 || !bytes.Equal(result.Checkpoints[0], proof.Signed) {
			t.Errorf("entry %d: got checkpoint %q to keep, want %q", i, result.Checkpoints, proof.Signed)
		}
		unpinned := verifyBundle(t, f.bundle(t), pin(key))
		if got := unpinned.Steps[5]; unpinned.Verdict != Verified || got.Outcome != NotRun || !strings.Contains(got.Detail, "no log key is pinned") {
			t.Errorf("entry %d, no log key: got %s, %+v; want VERIFIED with the log not run", i, unpinned.Verdict, got)
		}
		if unpinned.Checkpoints != nil {
			t.Errorf("entry %d, no log key: got a checkpoint to keep, want none", i)
		}
		unanchored := verifyBundle(t, f.bundle(t), inLog(t, Trust{}))
		if unanchored.Verdict != Unanchored || unanchored.Steps[5].Outcome != Passed || unanchored.Checkpoints != nil {
			t.Errorf("entry %d, only the log key: got %s, %+v; want UNANCHORED and nothing to keep", i, unanchored.Verdict, unanchored.Steps[5])
		}
	}
}

// unchecked is a bundle with a proof that [WriteBundle] would refuse.
func unchecked(t testing.TB, f *frozen, proof []byte) []byte {
	t.Helper()
	m, err := f.envelope.Parse()
	if err != nil {
		t.Fatal(err)
	}
	small, err := derived(m, f.envelope.Manifest, f.envelope.Signature, proof)
	if err != nil {
		t.Fatal(err)
	}
	parts := f.parts(t)
	for i := range parts {
		if content, ok := small[parts[i].name]; ok {
			parts[i] = smallPart(parts[i].name, content)
		}
	}
	return assemble(t, parts)
}

func TestForgedProofs(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f, other := freeze(t, key, "rptx_1", "csv", 3), freeze(t, key, "rptx_2", "csv", 3)
	leaf := tlog.RecordHash(f.envelope.Manifest)
	first := tlog.RecordHash([]byte("first"))
	hand := func(index int64, path string, size int64, root tlog.Hash) []byte {
		return fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nindex %d\n%s\n%s", index, path, signCheckpoint(t, testLogKey(t), testOrigin, size, root))
	}
	for name, proof := range map[string][]byte{
		"none":                     nil,
		"another export's":         other.proof,
		"another instance's":       proofOfTwo(t, testLogKey(t), "licensekit/lki_other", f.envelope.Manifest),
		"by another key":           proofOfTwo(t, testKey(t, ForLog, "thief"), testOrigin, f.envelope.Manifest),
		"by the export key":        proofOfTwo(t, testKey(t, ForLog, "a"), testOrigin, f.envelope.Manifest),
		"another index":            hand(0, "", 1, leaf),
		"index beyond the tree":    hand(2, "", 2, leaf),
		"sides swapped":            hand(1, first.String()+"\n", 2, tlog.NodeHash(leaf, first)),
		"path too long":            hand(1, first.String()+"\n"+first.String()+"\n", 2, tlog.NodeHash(first, leaf)),
		"path too short":           hand(1, "", 2, tlog.NodeHash(first, leaf)),
		"interior node":            hand(1, "", 2, tlog.NodeHash(leaf, leaf)),
		"tree above 2^40":          hand(1, first.String()+"\n", 1<<40+1, tlog.NodeHash(first, leaf)),
		"tree above 2^62":          hand(1, first.String()+"\n", 1<<62+1, tlog.NodeHash(first, leaf)),
		"a line at the end":        append(bytes.Clone(f.proof), '\n'),
		"extra data":               bytes.Replace(f.proof, []byte("index"), []byte("extra AA==\nindex"), 1),
		"cut":                      f.proof[:len(f.proof)/2],
		"the checkpoint alone":     signCheckpoint(t, testLogKey(t), testOrigin, 2, leaf),
		"signed without a name":    bytes.Replace(f.proof, []byte("— "+testOrigin), []byte("— x"), 1),
		"another index, same path": bytes.Replace(f.proof, []byte("index 1"), []byte("index 0"), 1),
	} {
		wantFailed(t, name, verifyBundle(t, unchecked(t, f, proof), inLog(t, pin(key))), 6)
	}
	// No key of the log: what anybody can check is still checked.
	wantFailed(t, "another export's, no log key", verifyBundle(t, unchecked(t, f, other.proof), pin(key)), 6)
	result := verifyBundle(t, unchecked(t, f, f.proof), inLog(t, pin(key)))
	if result.Verdict != Verified {
		t.Errorf("sound proof: got %s, %+v; want VERIFIED", result.Verdict, result.Failed())
	}
}

func TestKeysAreForOnePurpose(t *testing.T) {
	logKey := testLogKey(t)
	thief := testKey(t, ForExport, "log") // who has the log's key, and would sign exports
	f := freeze(t, thief, "rptx_1", "csv", 3)
	wantFailed(t, "log key as export key", verifyBundle(t, f.bundle(t), inLog(t, pin(testKey(t, ForExport, "a")))), 3)
	wantFailed(t, "log key alone", verifyBundle(t, f.bundle(t), inLog(t, Trust{})), 3)
	wantFailed(t, "one key pinned for both", verifyBundle(t, f.bundle(t), inLog(t, pin(thief))), 3)
	checkpoint := signCheckpoint(t, logKey, testOrigin, 2, tlog.Hash{})
	for _, text := range [][]byte{checkpoint, checkpoint[:bytes.Index(checkpoint, []byte("\n\n"))+1]} {
		wantFailed(t, "checkpoint as manifest", verifyBundle(t, rebuilt(t, f, ManifestName, text), inLog(t, pin(thief))), 2)
	}
	if l, err := OpenLog(t.TempDir(), testKey(t, ForExport, "a"), testOrigin); err == nil {
		t.Errorf("log with an export key: got %v, want an error", l)
	}
	if k, err := NewLogKey(testOrigin, testKey(t, ForExport, "a").Public); err == nil {
		t.Errorf("export key as log key: got %v, want an error", k)
	}
	for _, origin := range []string{"", "a b", "a+b", "a\nb", "../a", strings.Repeat("a", 129)} {
		if l, err := OpenLog(t.TempDir(), logKey, origin); err == nil {
			t.Errorf("origin %q: got %v, want an error", origin, l)
		}
	}
}

func TestLooseFilesInALog(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 3)
	input := Input{Artifact: section(f.artifact), Manifest: f.envelope.Manifest, Signature: f.envelope.Signature, Proof: f.proof}
	trust := inLog(t, pin(key))
	if result := verify(t, input, trust); result.Verdict != Verified || result.Steps[5].Outcome != Passed {
		t.Errorf("got %s, %+v; want VERIFIED by the log", result.Verdict, result.Steps[5])
	}
	input.Proof = nil
	if result := verify(t, input, trust); result.Verdict != Verified || result.Steps[5].Outcome != NotRun {
		t.Errorf("no proof: got %s, %+v; want the log not run", result.Verdict, result.Steps[5])
	}
	input.Proof = []byte("proof\n")
	wantFailed(t, "no such proof", verify(t, input, trust), 6)
}

// An export in no log is one that the log's readers never hear of.
func TestExportInNoLog(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 3)
	sound := f.proof
	f.manifest.Log = nil
	f.seal(t, key)
	if result := verifyBundle(t, f.bundle(t), pin(key)); result.Verdict != Verified || result.Steps[5].Outcome != NotRun {
		t.Errorf("no log key: got %s, %+v; want VERIFIED with the log not run", result.Verdict, result.Steps[5])
	}
	wantFailed(t, "log key pinned", verifyBundle(t, f.bundle(t), inLog(t, pin(key))), 6)
	wantFailed(t, "a proof of another", verifyBundle(t, unchecked(t, f, sound), pin(key)), 6)
}
