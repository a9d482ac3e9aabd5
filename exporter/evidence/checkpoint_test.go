package evidence

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"licensekit/exporter/evidence/tilelog"
)

// history is a log and the exports in it.
type history struct {
	log *tilelog.Log
	all []*frozen
}

func sevenExports(t testing.TB, key *SigningKey) *history {
	h := &history{log: openTestLog(t)}
	for i := range 7 {
		h.all = append(h.all, logged(t, h.log, key, fmt.Sprint("rptx_", i)))
	}
	return h
}

func (h *history) checkpoint(t testing.TB, size int64) []byte {
	t.Helper()
	return headAt(t, h.log, size).Signed
}

func (h *history) consistency(t testing.TB, old, size int64) []byte {
	t.Helper()
	proof, err := h.log.Consistency(old, headAt(t, h.log, size))
	if err != nil {
		t.Fatal(err)
	}
	return proof.Marshal()
}

// The bundle of export 3 leads to the tree of 4.
func TestConsistency(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h := sevenExports(t, key)
	bundle := h.all[3].bundle(t)
	wrong := bytes.Replace(h.consistency(t, 2, 4), []byte("old 2\n"), []byte("old 2\n"+tlog.Hash{1}.String()+"\n"), 1)
	thief := testKey(t, ForLog, "thief")
	for name, test := range map[string]struct {
		kept    int64
		proofs  [][]byte
		outcome Outcome
		keep    bool
	}{
		"the same":                {4, nil, Passed, false},
		"older, no proof":         {2, nil, NotRun, false},
		"newer, no proof":         {7, nil, NotRun, false},
		"older":                   {2, [][]byte{h.consistency(t, 2, 4)}, Passed, true},
		"newer":                   {7, [][]byte{h.consistency(t, 4, 7)}, Passed, false},
		"empty":                   {0, [][]byte{h.consistency(t, 0, 4)}, Passed, true},
		"among others":            {2, [][]byte{h.consistency(t, 2, 7), h.consistency(t, 2, 4)}, Passed, true},
		"for other sizes":         {2, [][]byte{h.consistency(t, 2, 7)}, NotRun, false},
		"not a proof":             {2, [][]byte{[]byte("old 2\n")}, Failed, false},
		"a hash too many":         {2, [][]byte{wrong}, Failed, false},
		"not signed by the log":   {2, [][]byte{resigned(t, h, thief)}, Failed, false},
		"a bundle's proof itself": {2, [][]byte{h.all[3].proof}, Failed, false},
	} {
		trust := inLog(t, pin(key))
		trust.Consistency = test.proofs
		trust.Last = [][]byte{emptyCheckpoint(t)}
		if test.kept > 0 {
			trust.Last = [][]byte{h.checkpoint(t, test.kept)}
		}
		result := verifyBundle(t, bundle, trust)
		if got := result.Steps[6]; got.Outcome != test.outcome || (result.Verdict == Verified) != (test.outcome != Failed) {
			t.Errorf("%s: got %s, %+v; want step 7 %s", name, result.Verdict, got, test.outcome)
		}
		if (len(result.Checkpoints) > 0) != test.keep {
			t.Errorf("%s: got checkpoint %q to keep, want one: %t", name, result.Checkpoints, test.keep)
		}
	}
}

func emptyCheckpoint(t testing.TB) []byte {
	t.Helper()
	empty, err := tlog.TreeHash(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return signCheckpoint(t, testLogKey(t), testOrigin, 0, empty)
}

// resigned is a good proof of consistency from 2 to 4 with another signature.
func resigned(t testing.TB, h *history, key *SigningKey) []byte {
	t.Helper()
	proof, err := h.log.Consistency(2, headAt(t, h.log, 4))
	if err != nil {
		t.Fatal(err)
	}
	proof.Signed = signCheckpoint(t, key, testOrigin, 4, proof.Root)
	return proof.Marshal()
}

// Two trees of one size with two roots are a fork, wherever they come from.
func TestFork(t *testing.T) {
	key := testKey(t, ForExport, "a")
	ours, theirs := sevenExports(t, key), &history{log: openTestLog(t)}
	for i := range 7 { // the same log key, another history
		theirs.all = append(theirs.all, logged(t, theirs.log, key, fmt.Sprint("rptx_other_", i)))
	}
	for name, test := range map[string]struct {
		last        []byte
		consistency []byte
	}{
		"the kept one":          {theirs.checkpoint(t, 4), nil},
		"a proof from the kept": {theirs.checkpoint(t, 2), theirs.consistency(t, 2, 4)},
		"a proof to the kept":   {theirs.checkpoint(t, 6), ours.consistency(t, 4, 6)},
	} {
		trust := inLog(t, pin(key))
		trust.Last = [][]byte{test.last}
		if test.consistency != nil {
			trust.Consistency = [][]byte{test.consistency}
		}
		result := verifyBundle(t, ours.all[3].bundle(t), trust)
		if got := result.Failed(); result.Verdict != Fork || got == nil || got.Number != 7 || result.Fork == nil || result.Checkpoints != nil || result.Manifest != nil {
			t.Fatalf("%s: got %s, %+v; want FORK", name, result.Verdict, got)
		}
		wantEvidence(t, name, result.Fork)
		var text strings.Builder
		if err := result.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"FORK: ", "step", strings.Split(result.Fork.Kept, "\n")[2], strings.Split(result.Fork.Seen, "\n")[2]} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: got text\n%s\nwant %q in it", name, &text, want)
			}
		}
	}
}

// wantEvidence wants both checkpoints signed, of one size, with two roots.
func wantEvidence(t *testing.T, name string, fork *ForkEvidence) {
	t.Helper()
	key, err := ParseLogKey([]byte(fork.Key))
	if err != nil {
		t.Fatal(err)
	}
	kept, err1 := tilelog.VerifyCheckpoint([]byte(fork.Kept), key.verifier)
	seen, err2 := tilelog.VerifyCheckpoint([]byte(fork.Seen), key.verifier)
	if err1 != nil || err2 != nil || kept.Size != seen.Size || kept.Root == seen.Root {
		t.Errorf("%s: got %+v (%v) and %+v (%v); want two roots of one size", name, kept, err1, seen, err2)
	}
}

// A kept checkpoint that is not the log's is the reviewer's trouble.
func TestKeptCheckpointMustBeSound(t *testing.T) {
	key := testKey(t, ForExport, "a")
	data := freeze(t, key, "rptx_1", "csv", 3).bundle(t)
	for name, last := range map[string][]byte{
		"nonsense":    []byte("checkpoint\n"),
		"another key": signCheckpoint(t, testKey(t, ForLog, "thief"), testOrigin, 1, tlog.Hash{}),
		"another log": signCheckpoint(t, testLogKey(t), "licensekit/lki_other", 1, tlog.Hash{}),
	} {
		trust := inLog(t, pin(key))
		trust.Last = [][]byte{last}
		if result, err := Verify(t.Context(), Input{Bundle: section(data)}, trust); err == nil {
			t.Errorf("%s: got %s, want an error", name, result.Verdict)
		}
	}
}
