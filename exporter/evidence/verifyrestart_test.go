package evidence

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"licensekit/exporter/evidence/tilelog"
)

// restartOf begins a log that follows another, and gives its first leaf with
// the proof.
func restartOf(t testing.TB, kept, last tilelog.Head) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	err := BeginLog(t.Context(), dir, nextOrigin, nextLogKey(t), testLogKey(t), testKey(t, ForExport, "a"), Restart{Instance: "lki_1", At: 1767225600123, Kept: kept.Signed, Last: last.Signed})
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenLog(dir, nextLogKey(t), nextOrigin)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	leaf, err := l.Entry(0)
	if err != nil {
		t.Fatal(err)
	}
	return append(append(leaf, '\n'), proofAt(t, l, 0, 1)...)
}

// What a restart says of the log that it closed is held against what was kept.
func TestVerifyRestart(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h := sevenExports(t, key)
	at := func(size int64) tilelog.Head { return headAt(t, h.log, size) }
	forked := func(size int64) tilelog.Head {
		head := at(size)
		head.Root[0] ^= 1
		head.Signed = signCheckpoint(t, testLogKey(t), testOrigin, size, head.Root)
		return head
	}
	for name, test := range map[string]struct {
		kept, last tilelog.Head
		reviewer   int64
		proof      []byte
		verdict    Verdict
		outcome    Outcome
	}{
		"the same":            {at(5), at(5), 5, nil, Verified, Passed},
		"grew, with a proof":  {at(5), at(5), 3, h.consistency(t, 3, 5), Verified, Passed},
		"grew, without":       {at(5), at(5), 3, nil, Verified, NotRun},
		"lost, and said so":   {at(5), at(7), 7, nil, Verified, Passed},
		"lost in between":     {at(5), at(7), 6, nil, Verified, NotRun},
		"seen more than said": {at(5), at(5), 7, nil, Invalid, Failed},
		"another history":     {forked(5), forked(5), 5, nil, Fork, Failed},
		"nothing kept":        {at(5), at(5), 0, nil, Verified, NotRun},
	} {
		trust := inLog(t, pin(key))
		trust.LogKeys = append(trust.LogKeys, named(t, nextOrigin, nextLogKey(t)))
		if test.reviewer > 0 {
			trust.Last = [][]byte{at(test.reviewer).Signed}
		}
		if test.proof != nil {
			trust.Consistency = [][]byte{test.proof}
		}
		result, err := VerifyRestart(t.Context(), restartOf(t, test.kept, test.last), trust)
		if err != nil || result.Verdict != test.verdict || result.Steps[4].Outcome != test.outcome {
			t.Errorf("%s: got %+v, %v; want %s with step 5 %s", name, result, err, test.verdict, test.outcome)
		}
	}
}

func TestVerifyRestartRefuses(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h := sevenExports(t, key)
	sound := restartOf(t, headAt(t, h.log, 5), headAt(t, h.log, 5))
	trust := inLog(t, pin(key))
	trust.LogKeys = append(trust.LogKeys, named(t, nextOrigin, nextLogKey(t)))
	leaf, proof, _ := bytes.Cut(sound, []byte("\n"))
	other := trust
	other.LogKeys = inLog(t, Trust{}).LogKeys
	thief := trust
	thief.LogKeys = []LogKey{trust.LogKeys[0], named(t, nextOrigin, testKey(t, ForLog, "thief"))}
	swapped := trust
	swapped.LogKeys = []LogKey{named(t, testOrigin, testKey(t, ForLog, "thief")), trust.LogKeys[1]}
	for name, test := range map[string]struct {
		text  []byte
		trust Trust
		step  int
	}{
		"no proof":               {leaf, trust, 1},
		"a manifest":             {append(append(bytes.Clone(h.all[0].envelope.Manifest), '\n'), h.all[0].proof...), trust, 1},
		"by another key":         {sound, pin(testKey(t, ForExport, "b")), 2},
		"another's proof":        {append(append(bytes.Clone(leaf), '\n'), h.all[0].proof...), trust, 3},
		"the new log not pinned": {sound, other, 3},
		"pinned with another":    {sound, thief, 3},
		"closed, another key":    {sound, swapped, 5},
		"proof cut":              {sound[:len(sound)-len(proof)/2], trust, 3},
	} {
		result, err := VerifyRestart(t.Context(), test.text, test.trust)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantFailed(t, name, result, test.step)
	}
	if result, err := VerifyRestart(t.Context(), sound, Trust{}); err != nil || result.Verdict != Unanchored {
		t.Errorf("nothing pinned: got %+v, %v; want UNANCHORED", result, err)
	}
	var text strings.Builder
	result, err := VerifyRestart(t.Context(), sound, trust)
	if err != nil || result.WriteText(&text) != nil || !strings.Contains(text.String(), "5 closed log") || len(result.Checkpoints) != 1 {
		t.Errorf("sound: got %s, %+v, %v; want its steps, and the new log's checkpoint to keep", &text, result, err)
	}
}
