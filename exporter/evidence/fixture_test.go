package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// zeroTime is nobody's time.
var zeroTime time.Time

// testKey gives the same key for the same name.
func testKey(t testing.TB, purpose Purpose, name string) *SigningKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der})
	key, err := parseKey(append([]byte(title(purpose, 0)+"\n"), text...), purpose, zeroTime)
	if err != nil {
		t.Fatalf("parse key: got %v, want a key", err)
	}
	return key
}

// testReport is a usage summary of so many rows.
func testReport(t testing.TB, rows int) *report.Document {
	t.Helper()
	filters, err := report.Filters{}.Normalise(report.UsageSummary)
	if err != nil {
		t.Fatal(err)
	}
	sections := report.Sections(report.UsageSummary, filters)
	b := report.NewBuilder(sections[0].Columns)
	for i := range rows {
		b.String(0, fmt.Sprintf("prod_%d", i))
		b.String(1, "=seats, \"all\"")
		b.Int(2, int64(i+1))
		b.Int(3, int64(10*i))
		b.EndRow()
	}
	batch := b.Take()
	sections[0].Rows = func(yield func(report.Batch, error) bool) { yield(batch, nil) }
	return &report.Document{Kind: report.UsageSummary, Filters: filters, Sections: sections}
}

// frozen is an export with all that a bundle is made of.
type frozen struct {
	manifest Manifest
	envelope *Envelope
	proof    []byte
	artifact []byte
	data     []byte
}

// testOrigin is the log that the fixtures are in, at index 1 of a tree of 2.
const testOrigin = "licensekit/lki_test"

// testLogKey signs for that log.
func testLogKey(t testing.TB) *SigningKey { return testKey(t, ForLog, "log") }

// inLog trusts the fixtures' log beside what is trusted already.
func inLog(t testing.TB, trust Trust) Trust {
	t.Helper()
	key, err := NewLogKey(testOrigin, testLogKey(t).Public)
	if err != nil {
		t.Fatal(err)
	}
	trust.LogKeys = append(trust.LogKeys, key)
	return trust
}

// proofOfTwo proves that a text is the second of two in a log.
func proofOfTwo(t testing.TB, key *SigningKey, origin string, text []byte) []byte {
	t.Helper()
	first := tlog.RecordHash([]byte("first"))
	root := tlog.NodeHash(first, tlog.RecordHash(text))
	return fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nindex 1\n%s\n\n%s", first, signCheckpoint(t, key, origin, 2, root))
}

func signCheckpoint(t testing.TB, key *SigningKey, origin string, size int64, root tlog.Hash) []byte {
	t.Helper()
	public, err := NewLogKey(origin, key.Public)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
	signed, err := note.Sign(&note.Note{Text: text}, logSigner{public.verifier, key.sign})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// freeze makes the two forms of a report and signs them.
func freeze(t testing.TB, key *SigningKey, id, formatName string, rows int) *frozen {
	t.Helper()
	format, err := render.Parse(formatName)
	if err != nil {
		t.Fatal(err)
	}
	var artifact, data bytes.Buffer
	if err := format.Encode(t.Context(), &artifact, testReport(t, rows), render.Info{}); err != nil {
		t.Fatal(err)
	}
	if _, err := report.WriteCanonical(&data, testReport(t, rows)); err != nil {
		t.Fatal(err)
	}
	f := &frozen{artifact: artifact.Bytes(), data: data.Bytes()}
	f.manifest = Manifest{
		Instance: "Example & Söhne <billing>", ExportID: id, Kind: report.UsageSummary, Format: format.Name,
		ContentType: format.ContentType, Filters: testReport(t, 0).Filters, AsOf: 4711,
		FrozenAt: 1767225600123, RowCount: int64(rows), Version: "1.0.0",
		Log: &LogPosition{Origin: testOrigin, Index: 1},
	}
	f.seal(t, key)
	return f
}

// seal signs what the fields say now.
func (f *frozen) seal(t testing.TB, key *SigningKey) {
	t.Helper()
	f.manifest.Artifact, f.manifest.Data = tallyOf(f.artifact).File(), tallyOf(f.data).File()
	envelope, err := key.Seal(f.manifest)
	if err != nil {
		t.Fatalf("seal: got %v, want an envelope", err)
	}
	f.envelope = envelope
	f.proof = nil
	if f.manifest.Log != nil {
		f.proof = proofOfTwo(t, testLogKey(t), testOrigin, envelope.Manifest)
	}
}

func (f *frozen) contents() Contents {
	return Contents{
		Envelope: f.envelope, Proof: f.proof,
		Artifact: bytes.NewReader(f.artifact), ArtifactCRC: tallyOf(f.artifact).CRC32(),
		Data: func(w io.Writer) error { _, err := w.Write(f.data); return err }, DataCRC: tallyOf(f.data).CRC32(),
	}
}

func (f *frozen) bundle(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteBundle(t.Context(), &b, f.contents()); err != nil {
		t.Fatalf("write bundle: got %v, want no error", err)
	}
	return b.Bytes()
}

// parts are the bundle's members, for tests that build it wrongly.
func (f *frozen) parts(t testing.TB) []part {
	t.Helper()
	c := f.contents()
	parts, err := c.plan()
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// assemble builds a zip of parts as they are, without any check.
func assemble(t testing.TB, parts []part) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		b.Write(p.local())
		if err := p.write(&b); err != nil {
			t.Fatal(err)
		}
	}
	b.Write(directory(membersOf(parts)))
	return b.Bytes()
}

func section(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// pin trusts the public halves of keys.
func pin(keys ...*SigningKey) (trust Trust) {
	for _, key := range keys {
		trust.Keys = append(trust.Keys, key.Public)
	}
	return trust
}

func verifyBundle(t testing.TB, data []byte, trust Trust) *Result {
	t.Helper()
	return verify(t, Input{Bundle: section(data)}, trust)
}

func verify(t testing.TB, input Input, trust Trust) *Result {
	t.Helper()
	result, err := Verify(t.Context(), input, trust)
	if err != nil {
		t.Fatalf("verify: got error %v, want a result", err)
	}
	return result
}

// wantFailed wants a result to be INVALID for this step.
func wantFailed(t testing.TB, what string, result *Result, number int) {
	t.Helper()
	got := result.Failed()
	if result.Verdict != Invalid || got == nil || got.Number != number {
		t.Errorf("%s: got %s, failed %+v; want INVALID for step %d", what, result.Verdict, got, number)
	}
}
