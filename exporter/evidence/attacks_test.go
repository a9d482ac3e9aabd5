package evidence

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// attacks are what forgers are known to try, with the tests that try it. A test
// of another package stands behind its directory.
var attacks = []struct {
	attack string
	tests  []string
}{
	{"each byte of a bundle flipped", []string{"TestEveryFlippedByte"}},
	{"truncation at every length, prefix and suffix bytes, a byte inserted anywhere", []string{"TestCutAndPadded"}},
	{"zip: traversal names, duplicate entries, swapped order, other writers", []string{"TestOtherArchives", "TestOtherWriters", "TestWrongChecksums"}},
	{"zip: a symbolic link", []string{"TestSymbolicLinks"}},
	{"zip: a deflated bomb", []string{"TestDeflatedBomb", "../render.TestXLSXRefusesArchives"}},
	{"duplicate JSON keys, non-canonical JSON, numbers beyond 2^53", []string{"TestParseManifestRefuses", "TestParseEnvelopeRefuses", "TestOtherFormsOfTheData"}},
	{"another export's proof", []string{"TestForgedProofs"}},
	{"another instance's bundle, and its log", []string{"TestUnknownKeyNamesBoth", "TestAnotherInstance", "TestForgedProofs"}},
	{"artifact and manifest signed by another key", []string{"TestForgeries"}},
	{"log key used as export key, and the other way round", []string{"TestKeysAreForOnePurpose", "TestForgeries", "TestOneKeyForTwoPurposes"}},
	{"checkpoint, rotation or restart presented as a manifest", []string{"TestKeysAreForOnePurpose", "TestRotationIsNoManifest"}},
	{"algorithm confusion", []string{"TestOtherAlgorithms", "TestParsePublicKey", "TestForgeries"}},
	{"a rolled-back directory", []string{"tilelog.TestAnchorJudges", "tilelog.TestLogThatWasRolledBackInItsPlace", "../.TestOlderCopyIsRefusedByItsAnchor"}},
	{"two instances with one key", []string{"TestAnotherInstance", "TestFork", "tilelog.TestAnchorMovedByAnother"}},
	{"an old bundle presented as the latest", []string{"TestTrustStore", "TestConsistency"}},
	{"the checkpoint of a fork", []string{"TestFork", "TestTrustStore", "TestCosignerRefuses"}},
	{"an interior node as leaf", []string{"tilelog.TestInteriorNodeIsNoLeaf", "TestForgedProofs"}},
	{"a tree size above 2^40", []string{"TestForgedProofs", "tilelog.TestHugeTreesEnd"}},
	{"a CSV altered before it was signed", []string{"TestContentAlteredBeforeSigning"}},
	{"a PDF altered before it was signed", []string{"TestPagesAlteredBeforeSigning"}},
	{"an XLSX with a formula", []string{"TestFormulaBeforeSigning", "../render.TestXLSXRefusesChangedParts"}},
	{"what others take and we refuse, or the other way round", []string{"tilelog.TestProofsLikeOthers", "tilelog.TestConsistencyLikeOthers", "tilelog.TestFormsByOthers", "witness.TestPolicyLikeTorchwood", "TestPolicy"}},
}

// Each attack has the tests that are named for it.
func TestAttacksAreTested(t *testing.T) {
	known := map[string]map[string]bool{}
	for _, a := range attacks {
		for _, name := range a.tests {
			at := strings.LastIndex(name, "Test")
			dir := strings.TrimSuffix(name[:at], ".")
			if known[dir] == nil {
				known[dir] = testsIn(t, filepath.Join(".", dir))
			}
			if !known[dir][name[at:]] {
				t.Errorf("%s: no test is called %s", a.attack, name)
			}
		}
	}
}

func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	names := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// A member that an unpacker would make a link of, by the Unix mode in the zip.
func TestSymbolicLinks(t *testing.T) {
	key := testKey(t, ForExport, "a")
	data := freeze(t, key, "rptx_1", "csv", 2).bundle(t)
	header := bytes.Index(data, []byte("PK\x01\x02"))
	for name, change := range map[string]func(h []byte){
		"mode":                   func(h []byte) { binary.LittleEndian.PutUint32(h[38:], uint32(0o120777)<<16) },
		"mode, by a Unix system": func(h []byte) { binary.LittleEndian.PutUint32(h[38:], uint32(0o120777)<<16); h[5] = 3 },
		"a Unix system":          func(h []byte) { h[5] = 3 },
	} {
		linked := bytes.Clone(data)
		change(linked[header:])
		wantFailed(t, name, verifyBundle(t, linked, pin(key)), 1)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	link := &zip.FileHeader{Name: ManifestName, Method: zip.Store}
	link.SetMode(fs.ModeSymlink | 0o777)
	w, err := z.CreateHeader(link)
	if err == nil {
		_, err = io.WriteString(w, "/etc/passwd")
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	wantFailed(t, "a link", verifyBundle(t, b.Bytes(), pin(key)), 1)
}

// Forms of data.json that some reader would take for what is signed, or for
// something else. Here even the signature is right.
func TestOtherFormsOfTheData(t *testing.T) {
	key := testKey(t, ForExport, "a")
	for name, change := range map[string][2]string{
		"duplicate key":        {`"report_kind":"usage-summary"`, `"report_kind":"usage-summary","report_kind":"usage-summary"`},
		"duplicate, other":     {`"report_kind":"usage-summary"`, `"report_kind":"usage-ledger","report_kind":"usage-summary"`},
		"duplicate in a row":   {`"events":1,`, `"events":1,"events":1,`},
		"unknown key":          {`"report_kind":"usage-summary"`, `"reported":1,"report_kind":"usage-summary"`},
		"space":                {`"report_kind":`, `"report_kind": `},
		"escape":               {`prod_0`, `prod\u005f0`},
		"float":                {`"events":1`, `"events":1.0`},
		"exponent":             {`"events":1`, `"events":1e0`},
		"minus zero":           {`"amount":0`, `"amount":-0`},
		"2^53":                 {`"amount":0`, `"amount":9007199254740992`},
		"2^53+1":               {`"amount":0`, `"amount":9007199254740993`},
		"beyond int64":         {`"amount":0`, `"amount":9223372036854775808`},
		"a number as a string": {`"amount":0`, `"amount":"0"`},
		"lone surrogate":       {`prod_0`, `prod\ud800`},
		"invalid UTF-8":        {`prod_0`, "prod\xff"},
		"control character":    {`prod_0`, "prod\x01"},
	} {
		f := freeze(t, key, "rptx_1", "csv", 3)
		changed := bytes.Replace(f.data, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, f.data) {
			t.Fatalf("%s: nothing was changed in %s", name, f.data)
		}
		f.data = changed
		f.seal(t, key)
		wantFailed(t, name, verifyBundle(t, f.bundle(t), pin(key)), 5)
	}
}

// A second instance that was given the first one's keys is told by its log, if
// the reviewer pins one; two logs of one name are a fork, see TestFork.
func TestAnotherInstance(t *testing.T) {
	key, theirs := testKey(t, ForExport, "a"), "licensekit/lki_other"
	f := freeze(t, key, "rptx_1", "csv", 3)
	f.manifest.Instance, f.manifest.Log = "lki_other", &LogPosition{Origin: theirs, Index: 1}
	f.seal(t, key)
	f.proof = proofOfTwo(t, testLogKey(t), theirs, f.envelope.Manifest)
	wantFailed(t, "another log", verifyBundle(t, f.bundle(t), inLog(t, pin(key))), 6)
	wantFailed(t, "another key", verifyBundle(t, f.bundle(t), inLog(t, pin(testKey(t, ForExport, "b")))), 3)
	result := verifyBundle(t, f.bundle(t), pin(key))
	if result.Verdict != Verified || result.Manifest.Instance != "lki_other" || result.Steps[5].Outcome != NotRun {
		t.Errorf("no log pinned: got %s, %+v; want VERIFIED, by name the other instance, and the log not run", result.Verdict, result.Steps[5])
	}
}

// Signatures that other readers of the same key may take: of Ed25519's
// variants, and with another form of the number in it.
func TestOtherAlgorithms(t *testing.T) {
	key := testKey(t, ForExport, "a")
	seed := sha256.Sum256([]byte("a"))
	secret := ed25519.NewKeyFromSeed(seed[:])
	f := freeze(t, key, "rptx_1", "csv", 3)
	message := pae(PayloadType, f.envelope.Manifest)
	hashed := sha512.Sum512(message)
	sign := func(text []byte, options *ed25519.Options) []byte {
		signature, err := secret.Sign(nil, text, options)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	if !bytes.Equal(sign(message, &ed25519.Options{}), f.envelope.Signature) {
		t.Fatal("the test's key is another one than the fixture's")
	}
	for name, signature := range map[string][]byte{
		"Ed25519ph":           sign(hashed[:], &ed25519.Options{Hash: crypto.SHA512}),
		"Ed25519ctx":          sign(message, &ed25519.Options{Context: "DSSE"}),
		"of the hash":         sign(hashed[:], &ed25519.Options{}),
		"S and the order":     malleated(f.envelope.Signature),
		"R alone":             append(slices.Clone(f.envelope.Signature[:32]), make([]byte, 32)...),
		"nothing":             make([]byte, ed25519.SignatureSize),
		"the public key as R": append(slices.Clone([]byte(key.Public.key)), f.envelope.Signature[32:]...),
	} {
		forged := *f
		envelope := *f.envelope
		envelope.Signature = signature
		forged.envelope = &envelope
		wantFailed(t, name, verifyBundle(t, assemble(t, forged.parts(t)), pin(key)), 3)
	}
}

// malleated adds the order of the group to the number in a signature (RFC 8032,
// 8.4).
func malleated(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order)
	s = sum.FillBytes(make([]byte, 32))
	slices.Reverse(s)
	return append(slices.Clone(signature[:32]), s...)
}

// frozenPDF is an export as pdf, of so many rows, of which the file shows and
// carries others if shown says so.
func frozenPDF(t *testing.T, key *SigningKey, rows, shown int) *frozen {
	t.Helper()
	f := freeze(t, key, "rptx_1", "json", rows)
	format, err := render.Parse("pdf")
	if err != nil {
		t.Fatal(err)
	}
	var canonical, artifact bytes.Buffer
	if _, err := report.WriteCanonical(&canonical, testReport(t, shown)); err != nil {
		t.Fatal(err)
	}
	info := render.Info{
		ExportID: "rptx_1", FrozenAt: int64(f.manifest.FrozenAt), Digest: report.DigestOf(f.data), Instance: f.manifest.Instance, KeyID: key.Public.ID(),
		Canonical: section(canonical.Bytes()),
	}
	if err := format.Encode(t.Context(), &artifact, nil, info); err != nil {
		t.Fatal(err)
	}
	f.artifact = artifact.Bytes()
	f.manifest.Format, f.manifest.ContentType = "pdf", format.ContentType
	f.seal(t, key)
	return f
}

// A PDF that does not say what was signed beside it, or whose pages do not say
// what is attached. Where MuPDF can't tell, there is no verdict.
func TestPagesAlteredBeforeSigning(t *testing.T) {
	key := testKey(t, ForExport, "a")
	honest := frozenPDF(t, key, 3, 3)
	result := verifyBundle(t, honest.bundle(t), pin(key))
	if result.Verdict != Verified {
		t.Fatalf("honest: got %s, %+v; want VERIFIED", result.Verdict, result.Failed())
	}
	wantFailed(t, "other data attached", verifyBundle(t, frozenPDF(t, key, 3, 4).bundle(t), pin(key)), 8)
	if result.Steps[8].Outcome == NotRun {
		t.Skip(result.Steps[8].Detail)
	}
	contents := regexp.MustCompile(`/Contents\[(\d+ 0 R) `).FindAllSubmatch(honest.artifact, -1)
	branch := regexp.MustCompile(`(\d+ 0) obj\n<</Type/Pages/Parent .*/Kids\[(\d+ 0) R `).FindSubmatch(honest.artifact)
	if len(contents) < 2 || branch == nil {
		t.Fatalf("the file has %d contents of pages and the branch %q; want two and one", len(contents), branch)
	}
	swap := func(old, new []byte) *frozen {
		if len(old) != len(new) {
			t.Fatalf("%q in the place of %q would move what follows", new, old)
		}
		f := frozenPDF(t, key, 3, 3)
		f.artifact = bytes.Replace(f.artifact, old, new, 1)
		f.seal(t, key)
		return f
	}
	first, second := contents[0], contents[1]
	wantFailed(t, "a page twice", verifyBundle(t, swap(first[0], second[0]).bundle(t), pin(key)), 9)
	wantFailed(t, "no tables", verifyBundle(t, swap(second[0], first[0]).bundle(t), pin(key)), 9)
	looping := swap(branch[0], bytes.Replace(branch[0], append([]byte("/Kids["), branch[2]...), append([]byte("/Kids["), branch[1]...), 1))
	result, err := Verify(t.Context(), Input{Bundle: section(looping.bundle(t))}, pin(key))
	if err == nil || !strings.Contains(err.Error(), "step 9 (pages)") || !strings.Contains(err.Error(), render.ErrUnread.Error()) {
		t.Errorf("pages without end: got %+v, %v; want an error that %q", result, err, render.ErrUnread)
	}
}

// A workbook that shows what it calculates, and not what it holds.
func TestFormulaBeforeSigning(t *testing.T) {
	key := testKey(t, ForExport, "a")
	f := freeze(t, key, "rptx_1", "xlsx", 3)
	if result := verifyBundle(t, f.bundle(t), pin(key)); result.Verdict != Verified {
		t.Fatalf("honest: got %s, %+v; want VERIFIED", result.Verdict, result.Failed())
	}
	archive, err := zip.NewReader(bytes.NewReader(f.artifact), int64(len(f.artifact)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, added := zip.NewWriter(&b), 0
	for _, file := range archive.File {
		text, err := fs.ReadFile(archive, file.Name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(file.Name, "xl/worksheets/") && bytes.Contains(text, []byte("<v>30</v>")) {
			text, added = bytes.Replace(text, []byte("<v>30</v>"), []byte("<f>15+15</f><v>30</v>"), 1), added+1
		}
		to, err := w.CreateHeader(&zip.FileHeader{Name: file.Name, Method: file.Method})
		if err == nil {
			_, err = to.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || added == 0 {
		t.Fatalf("%d formulas were put in, %v; want some", added, err)
	}
	f.artifact = b.Bytes()
	f.seal(t, key)
	wantFailed(t, "formula", verifyBundle(t, f.bundle(t), pin(key)), 8)
}

// What a witness does not sign: the step that refuses is the one that is about
// it, and what it can't judge is no verdict.
func TestCosignerRefuses(t *testing.T) {
	key := testKey(t, ForExport, "a")
	h, forked := sevenExports(t, key), &history{log: openTestLog(t)}
	for i := range 7 {
		forked.all = append(forked.all, logged(t, forked.log, key, "rptx_other_"+string(rune('a'+i))))
	}
	unproven := bytes.Replace(h.consistency(t, 4, 7), []byte("old 4\n"), []byte("old 4\n"+strings.Repeat("A", 43)+"=\n"), 1)
	for name, test := range map[string]struct {
		request []byte
		verdict Verdict // "" for an error
		step    int
		want    string
	}{
		"no request":           {[]byte("old 4\n"), Invalid, 1, ""},
		"nothing":              {nil, Invalid, 1, ""},
		"a bundle's proof":     {h.all[3].proof, Invalid, 1, ""},
		"signed by a thief":    {resigned(t, h, testKey(t, ForLog, "thief")), Invalid, 2, ""},
		"a hash too many":      {unproven, Invalid, 3, ""},
		"another history":      {forked.consistency(t, 4, 7), Invalid, 3, ""},
		"a fork":               {forked.consistency(t, 2, 4), Fork, 3, ""},
		"older than the kept":  {h.consistency(t, 1, 3), "", 0, "newer than this one of 3; ask the operator for: licensekit log consistency --from 4"},
		"from another state":   {h.consistency(t, 2, 7), "", 0, "the proof begins at 2; ask the operator for: licensekit log consistency --from 4"},
		"from the very begin":  {h.consistency(t, 0, 7), "", 0, "--from 4"},
		"of the kept, from it": {h.consistency(t, 4, 4), Verified, 0, ""},
		"what continues it":    {h.consistency(t, 4, 7), Verified, 0, ""},
	} {
		dir := trustDir(t, key)
		if err := openTrust(t, dir).Keep(&Result{Verdict: Verified, Checkpoints: [][]byte{h.checkpoint(t, 4)}}); err != nil {
			t.Fatal(err)
		}
		by, err := InitCosigner(dir, "witness.example", born)
		if err != nil {
			t.Fatal(err)
		}
		result, signed, err := openTrust(t, dir).Cosign(t.Context(), test.request, by, born)
		switch {
		case test.verdict == "":
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %+v, %v; want an error with %q", name, result, err, test.want)
			}
		case err != nil || result.Verdict != test.verdict:
			t.Errorf("%s: got %+v, %v; want %s", name, result, err, test.verdict)
		case test.step != 0 && (result.Failed() == nil || result.Failed().Number != test.step):
			t.Errorf("%s: got %+v failed, want step %d", name, result.Failed(), test.step)
		}
		if (signed != nil) != (test.verdict == Verified) {
			t.Errorf("%s: got the cosignature %q, want one only where all is well", name, signed)
		}
		kept, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
		if err != nil || test.verdict != Verified && !bytes.Equal(kept, h.checkpoint(t, 4)) {
			t.Errorf("%s: kept %q, %v; want the checkpoint as it was", name, kept, err)
		}
	}
}

// A witness has no name, no key, or those of another: it does not sign.
func TestOpenCosignerRefuses(t *testing.T) {
	dir, other := trustDir(t, testKey(t, ForExport, "a")), t.TempDir()
	if c, err := OpenCosigner(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no key: got %v, %v; want %v", c, err, fs.ErrNotExist)
	}
	for _, at := range []string{dir, other} {
		if _, err := InitCosigner(at, "witness.example", born); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := InitCosigner(dir, "another.example", born); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second key: got %v, %v; want %v", c, err, fs.ErrExist)
	}
	if c, err := InitCosigner(t.TempDir(), "a b", born); err == nil {
		t.Errorf("a name with a space: got %v, want an error", c)
	}
	path := filepath.Join(dir, cosignerName)
	own, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(filepath.Join(other, cosignerName))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"another's name": theirs, "no key": []byte("witness.example\n"), "nothing": nil, "cut": own[:len(own)/2]} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := OpenCosigner(dir); err == nil {
			t.Errorf("%s: got %v, want an error", name, c)
		}
	}
	if err := os.WriteFile(path, own, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCosigner(dir); err != nil {
		t.Errorf("its own: got %v, want no error", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if c, err := OpenCosigner(dir); err == nil {
		t.Errorf("no name: got %v, want an error", c)
	}
}
