package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestVerified(t *testing.T) {
	key := testKey(t, ForExport, "a")
	for _, format := range []string{"json", "csv"} {
		for _, rows := range []int{0, 3} {
			f := freeze(t, key, "rptx_1", format, rows)
			result := verifyBundle(t, f.bundle(t), pin(testKey(t, ForExport, "b"), key))
			if result.Verdict != Verified {
				t.Errorf("%s, %d rows: got %s, %+v; want VERIFIED", format, rows, result.Verdict, result.Failed())
			}
			for i, want := range []Outcome{Passed, Passed, Passed, Passed, Passed, NotRun, NotRun, Passed, NotRun, NotRun} {
				if got := result.Steps[i]; got.Outcome != want || got.Number != i+1 || got.Detail == "" {
					t.Errorf("%s: step %d: got %+v, want it %s with a detail", format, i+1, got, want)
				}
			}
		}
	}
}

func TestUnanchored(t *testing.T) {
	f := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 3)
	for name, trust := range map[string]Trust{"no key": {}, "only a log key": pin(testKey(t, ForLog, "b")), "zero key": {Keys: make([]PublicKey, 1)}} {
		result := verifyBundle(t, f.bundle(t), trust)
		if got := result.Steps[2].Outcome; result.Verdict != Unanchored || got != NotRun {
			t.Errorf("%s: got %s, signature %s; want UNANCHORED, not run", name, result.Verdict, got)
		}
	}
}

func TestLooseFiles(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f, other := freeze(t, key, "rptx_1", "csv", 3), freeze(t, key, "rptx_2", "csv", 4)
	input := func(artifact []byte, e *Envelope) Input {
		return Input{Artifact: section(artifact), Manifest: e.Manifest, Signature: e.Signature}
	}
	result := verify(t, input(f.artifact, f.envelope), pin(key))
	if got := result.Steps[4].Outcome; result.Verdict != Verified || got != NotRun {
		t.Errorf("got %s, data %s, failed %+v; want VERIFIED, not run", result.Verdict, got, result.Failed())
	}
	wantFailed(t, "another export's artifact", verify(t, input(other.artifact, f.envelope), pin(key)), 4)
	mixed := &Envelope{Manifest: f.envelope.Manifest, Signature: other.envelope.Signature}
	wantFailed(t, "another export's signature", verify(t, input(f.artifact, mixed), pin(key)), 3)
	mixed.Signature = nil
	wantFailed(t, "no signature", verify(t, input(f.artifact, mixed), pin(key)), 3)
	wantFailed(t, "no manifest", verify(t, input(f.artifact, &Envelope{}), pin(key)), 2)
}

// Swapping parts between genuine exports, or signing anew, fails where the
// part is looked at.
func TestForgeries(t *testing.T) {
	key, thief := testKey(t, ForExport, "a"), testKey(t, ForExport, "thief")
	logKey := testKey(t, ForLog, "log")
	other := freeze(t, key, "rptx_2", "csv", 4)
	for name, test := range map[string]struct {
		forge func(f *frozen)
		trust Trust
		step  int
	}{
		"another signature":   {func(f *frozen) { f.envelope.Signature = other.envelope.Signature }, pin(key), 3},
		"signed by a thief":   {func(f *frozen) { f.seal(t, thief) }, pin(key), 3},
		"thief in key's name": {func(f *frozen) { f.envelope.Signature = thief.sign(pae(PayloadType, f.envelope.Manifest)) }, pin(key), 3},
		"signed without type": {func(f *frozen) { f.envelope.Signature = key.sign(f.envelope.Manifest) }, pin(key), 3},
		"signed as other type": {func(f *frozen) {
			f.envelope.Signature = key.sign(pae("application/json", f.envelope.Manifest))
		}, pin(key), 3},
		"signed by the log key": {func(f *frozen) { f.seal(t, testKey(t, ForExport, "log")) }, pin(key, logKey), 3},
		"log key pinned first":  {func(f *frozen) { f.seal(t, testKey(t, ForExport, "log")) }, pin(logKey, key), 3},
		"log key alone pinned":  {func(f *frozen) { f.seal(t, testKey(t, ForExport, "log")) }, pin(logKey), 3},
	} {
		f := freeze(t, key, "rptx_1", "csv", 3)
		test.forge(f)
		wantFailed(t, name, verifyBundle(t, assemble(t, f.parts(t)), test.trust), test.step)
	}
	f := freeze(t, key, "rptx_1", "csv", 3)
	wantFailed(t, "another artifact", verifyBundle(t, rebuilt(t, f, "artifact.csv", other.artifact), pin(key)), 4)
	wantFailed(t, "another data.json", verifyBundle(t, rebuilt(t, f, DataName, other.data), pin(key)), 5)
	wantFailed(t, "another manifest", verifyBundle(t, rebuilt(t, f, ManifestName, other.envelope.Manifest), pin(key)), 3)
	wantFailed(t, "an edited README.txt", verifyBundle(t, rebuilt(t, f, ReadmeName, []byte("trust me\n")), pin(key)), 5)
	wantFailed(t, "no SHA256SUMS", verifyBundle(t, rebuilt(t, f, SumsName, nil), pin(key)), 5)
}

// rebuilt is a sound zip in which a file was put in the place of another.
func rebuilt(t testing.TB, f *frozen, name string, content []byte) []byte {
	t.Helper()
	parts := f.parts(t)
	for i := range parts {
		if parts[i].name == name {
			parts[i] = smallPart(name, content)
		}
	}
	return assemble(t, parts)
}

func TestUnknownKeyNamesBoth(t *testing.T) {
	key, pinned := testKey(t, ForExport, "a"), testKey(t, ForExport, "b")
	result := verifyBundle(t, freeze(t, key, "rptx_1", "csv", 3).bundle(t), pin(pinned))
	wantFailed(t, "unknown key", result, 3)
	step := result.Failed()
	if !strings.Contains(step.Expected, pinned.Public.ID()) || step.Found != key.Public.ID() {
		t.Errorf("got expected %q, found %q; want %s and %s", step.Expected, step.Found, pinned.Public.ID(), key.Public.ID())
	}
}

// An artifact that was altered before it was signed is caught by its content.
func TestContentAlteredBeforeSigning(t *testing.T) {
	key := testKey(t, ForExport, "a")
	for name, alter := range map[string]func(f *frozen){
		"a value":       func(f *frozen) { f.artifact = bytes.Replace(f.artifact, []byte(",20"), []byte(",21"), 1) },
		"not csv":       func(f *frozen) { f.artifact = []byte("\xff\"") },
		"fewer rows":    func(f *frozen) { f.artifact = freeze(t, key, "rptx_1", "csv", 2).artifact },
		"far more rows": func(f *frozen) { f.artifact = freeze(t, key, "rptx_1", "csv", 9000).artifact },
	} {
		f := freeze(t, key, "rptx_1", "csv", 3)
		alter(f)
		f.seal(t, key)
		wantFailed(t, name, verifyBundle(t, f.bundle(t), pin(key)), 8)
	}
}

func TestDataAlteredBeforeSigning(t *testing.T) {
	key := testKey(t, ForExport, "a")
	for name, alter := range map[string]func(f *frozen){
		"a space":     func(f *frozen) { f.data = append(f.data, ' ') },
		"other rows":  func(f *frozen) { f.manifest.RowCount++ },
		"other query": func(f *frozen) { f.manifest.Filters.CustomerID = "cus_1" },
	} {
		f := freeze(t, key, "rptx_1", "csv", 3)
		alter(f)
		f.seal(t, key)
		wantFailed(t, name, verifyBundle(t, f.bundle(t), pin(key)), 5)
	}
}

// What can't be read is an error, and never a verdict.
func TestCouldNotCheck(t *testing.T) {
	key := testKey(t, ForExport, "a")
	data := freeze(t, key, "rptx_1", "csv", 3).bundle(t)
	broken := errors.New("the disk is gone")
	for limit := range len(data) {
		file := io.NewSectionReader(&failingReader{data, limit, broken}, 0, int64(len(data)))
		if result, err := Verify(t.Context(), Input{Bundle: file}, pin(key)); !errors.Is(err, broken) {
			t.Fatalf("disk fails at byte %d: got %+v, %v; want %v", limit, result, err, broken)
		}
	}
	long := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))+1)
	if result, err := Verify(t.Context(), Input{Bundle: long}, pin(key)); err == nil && result.Verdict != Invalid {
		t.Errorf("a file shorter than said: got %s; want an error or INVALID", result.Verdict)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if result, err := Verify(ctx, Input{Bundle: section(data)}, pin(key)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %+v, %v; want %v", result, err, context.Canceled)
	}
	if result, err := Verify(t.Context(), Input{}, pin(key)); err == nil {
		t.Errorf("nothing given: got %+v, want an error", result)
	}
}

// failingReader fails for every byte from limit on.
type failingReader struct {
	data  []byte
	limit int
	err   error
}

func (f *failingReader) ReadAt(p []byte, offset int64) (int, error) {
	if int(offset)+len(p) > f.limit {
		return 0, f.err
	}
	return copy(p, f.data[offset:]), nil
}

func TestResultForms(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 3)
	for name, test := range map[string]struct {
		data []byte
		text []string
		not  string
	}{
		"verified": {f.bundle(t), []string{"VERIFIED: ", "rptx_1", "usage-summary as csv, rows: 3", "2026-01-01T00:00:00.123Z", "6 log         not run"}, "\x1b"},
		"hostile":  {rebuilt(t, f, ManifestName, []byte(`{"_type":"\u001b[2J\u202e"}`)), []string{"INVALID: step 2 (manifest) failed", "expected  ", "found  "}, "\x1b"},
	} {
		result := verifyBundle(t, test.data, pin(key))
		var text strings.Builder
		if err := result.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.text {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: got text\n%s\nwant %q in it", name, &text, want)
			}
		}
		if strings.Contains(text.String(), test.not) {
			t.Errorf("%s: got text %q, want no %q in it", name, text.String(), test.not)
		}
		var got struct {
			Verdict  Verdict
			Manifest struct{ Predicate map[string]any }
			Steps    []map[string]any
		}
		encoded, err := json.Marshal(result)
		if err == nil {
			err = json.Unmarshal(encoded, &got)
		}
		if err != nil || got.Verdict != result.Verdict || len(got.Steps) != len(steps) {
			t.Errorf("%s: got JSON %s, %v; want verdict %s and %d steps", name, encoded, err, result.Verdict, len(steps))
		}
		if id := got.Manifest.Predicate["export_id"]; (id == "rptx_1") != (result.Verdict == Verified) {
			t.Errorf("%s: got export %v in the JSON of %s; want one only if VERIFIED", name, id, result.Verdict)
		}
	}
}

func TestWriteTextPassesErrorsOn(t *testing.T) {
	closed, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if err := (&Result{Verdict: Invalid}).WriteText(closed); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write to a closed file: got %v, want %v", err, os.ErrClosed)
	}
}
