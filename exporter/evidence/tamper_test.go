package evidence

import (
	"archive/zip"
	"bytes"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/evidence/tilelog"
)

// Every flipped byte is refused, also where only the signature by a pinned key
// would tell, and the step that fails is the one that is about the byte.
func TestEveryFlippedByte(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 2)
	data := f.bundle(t)
	spans := contentSpans(t, data)
	// Thousands of verifications, each with its few buffers: collect rarely.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	for i := range data {
		flipped := bytes.Clone(data)
		flipped[i] ^= 1 << (i % 8)
		want, file := stepsAbout(spans, i)
		result := verifyBundle(t, flipped, pin(key))
		if got := result.Failed(); result.Verdict != Invalid || result.Manifest != nil || !slices.Contains(want, got.Number) {
			t.Fatalf("byte %d (%s): got %s, %+v; want INVALID for a step of %v", i, file, result.Verdict, got, want)
		}
		if !slices.Contains(want, 3) {
			continue // no step that runs here knows of keys
		}
		if result := verifyBundle(t, flipped, Trust{}); result.Verdict != Invalid {
			t.Fatalf("byte %d (%s), no key: got %s, want INVALID", i, file, result.Verdict)
		}
	}
}

type span struct {
	name       string
	start, end int
}

func contentSpans(t *testing.T, data []byte) (spans []span) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("archive/zip: got %v, want a zip", err)
	}
	for _, file := range z.File {
		start, err := file.DataOffset()
		if err != nil {
			t.Fatalf("archive/zip: %s: got %v, want its offset", file.Name, err)
		}
		spans = append(spans, span{file.Name, int(start), int(start) + int(file.CompressedSize64)})
	}
	return spans
}

// stepsAbout gives the steps that may catch a flip at an offset.
func stepsAbout(spans []span, at int) ([]int, string) {
	for _, s := range spans {
		if s.start <= at && at < s.end {
			return map[string][]int{
				ManifestName: {2, 3}, SignatureName: {3}, SigstoreName: {5}, ProofName: {5}, SumsName: {5}, DataName: {5}, "artifact.csv": {4}, ReadmeName: {5},
			}[s.name], s.name
		}
	}
	return []int{1}, "zip headers"
}

func TestCutAndPadded(t *testing.T) {
	key := testKey(t, ForExport, "a")
	data := freeze(t, key, "rptx_1", "csv", 2).bundle(t)
	for n := range data {
		wantFailed(t, fmt.Sprintf("cut to %d bytes", n), verifyBundle(t, data[:n], pin(key)), 1)
	}
	for _, padding := range []string{"\x00", "\n", "PK\x05\x06", string(data)} {
		wantFailed(t, "appended", verifyBundle(t, append(bytes.Clone(data), padding...), pin(key)), 1)
		wantFailed(t, "prepended", verifyBundle(t, append([]byte(padding), data...), pin(key)), 1)
	}
	for i := range len(data) {
		inserted := slices.Insert(bytes.Clone(data), i, 0)
		if got := verifyBundle(t, inserted, Trust{}).Verdict; got != Invalid {
			t.Fatalf("a byte inserted at %d: got %s, want INVALID", i, got)
		}
	}
}

// The zip is sound in all of these, but is not a bundle.
func TestOtherArchives(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 2)
	evil := smallPart("x", []byte("evil"))
	rename := func(name string, at int) func([]part) []part {
		return func(p []part) []part { p[at].name = name; return p }
	}
	for name, change := range map[string]func([]part) []part{
		"duplicate":        func(p []part) []part { return slices.Insert(p, 1, p[0]) },
		"duplicate at end": func(p []part) []part { return append(p, p[0]) },
		"swapped":          func(p []part) []part { p[5], p[6] = p[6], p[5]; return p },
		"missing":          func(p []part) []part { return slices.Delete(p, 2, 3) },
		"extra":            func(p []part) []part { return append(p, evil) },
		"extra first":      func(p []part) []part { return slices.Insert(p, 0, evil) },
		"nothing":          func([]part) []part { return nil },
		"traversal":        rename("../manifest.json", 0),
		"absolute":         rename("/etc/passwd", 7),
		"backslash":        rename(`..\README.txt`, 7),
		"other case":       rename("readme.txt", 7),
		"trailing NUL":     rename("README.txt\x00", 7),
		"artifact path":    rename("artifact./../../x", 6),
		"artifact upper":   rename("artifact.CSV", 6),
		"no extension":     rename("artifact.", 6),
		"empty name":       rename("", 0),
		"long name":        rename(strings.Repeat("a", 65535), 0),
		"big manifest":     func(p []part) []part { p[0] = smallPart(ManifestName, make([]byte, MaxManifest+1)); return p },
		"big signature":    func(p []part) []part { p[1] = smallPart(SignatureName, make([]byte, 65)); return p },
		"big proof":        func(p []part) []part { p[3] = smallPart(ProofName, make([]byte, tilelog.MaxProof+1)); return p },
		"big sums":         func(p []part) []part { p[4] = smallPart(SumsName, make([]byte, 5000)); return p },
	} {
		wantFailed(t, name, verifyBundle(t, assemble(t, change(f.parts(t))), pin(key)), 1)
	}
	other := assemble(t, rename("artifact.json", 6)(f.parts(t)))
	wantFailed(t, "another extension", verifyBundle(t, other, pin(key)), 4)
}

// A checksum that is wrong in both headers is consistent, but not ours.
func TestWrongChecksums(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 2)
	for i, step := range []int{5, 5, 5, 5, 5, 5, 4, 5} {
		parts := f.parts(t)
		parts[i].crc++
		wantFailed(t, parts[i].name, verifyBundle(t, assemble(t, parts), Trust{}), step)
	}
}

// What archive/zip writes by itself: deflated, with descriptors, dates, extras.
func TestOtherWriters(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 2)
	for name, header := range map[string]zip.FileHeader{
		"deflated":     {Method: zip.Deflate},
		"descriptors":  {Method: zip.Store},
		"extra fields": {Method: zip.Store, Extra: []byte{0xfe, 0xca, 0, 0}},
		"comments":     {Method: zip.Store, Comment: "hello"},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, p := range f.parts(t) {
			own := header
			own.Name = p.name
			w, err := z.CreateHeader(&own)
			if err == nil {
				err = p.write(w)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		wantFailed(t, name, verifyBundle(t, b.Bytes(), pin(key)), 1)
	}
}

func TestDeflatedBomb(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "csv", 2)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range f.parts(t) {
		w, err := z.Create(p.name)
		if err == nil && p.name == ManifestName {
			_, err = w.Write(make([]byte, 4<<20))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	wantFailed(t, "bomb", verifyBundle(t, b.Bytes(), pin(key)), 1)
	// The method alone, in both headers of an otherwise sound bundle.
	data := f.bundle(t)
	data[8], data[bytes.Index(data, []byte("PK\x01\x02"))+10] = 8, 8
	wantFailed(t, "deflated in name only", verifyBundle(t, data, pin(key)), 1)
}
