package console_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
)

// reviewed is what both verifiers are given: a bundle and what is trusted.
type reviewed struct {
	bundle []byte
	keys   []string // PEM
	logs   []string // verifier keys
	last   []string // checkpoints that were kept
	proofs []string // of consistency
}

// outcome is what both must come to.
type outcome struct {
	Verdict string
	Steps   []struct {
		Step                 int
		Name, Status, Detail string
	}
}

// failed is the number of the step that failed, 0 for none.
func (o outcome) failed() int {
	for _, s := range o.Steps {
		if s.Status == "failed" {
			return s.Step
		}
	}
	return 0
}

// verifyInGo is what licensekit verify comes to.
func (r reviewed) verifyInGo(t *testing.T) outcome {
	t.Helper()
	var trust evidence.Trust
	for _, text := range r.keys {
		key, err := evidence.ParsePublicKey(evidence.ForExport, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		trust.Keys = append(trust.Keys, key)
	}
	for _, text := range r.logs {
		key, err := evidence.ParseLogKey([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		trust.LogKeys = append(trust.LogKeys, key)
	}
	for _, text := range r.last {
		trust.Last = append(trust.Last, []byte(text))
	}
	for _, text := range r.proofs {
		trust.Consistency = append(trust.Consistency, []byte(text))
	}
	result, err := evidence.Verify(t.Context(), evidence.Input{Bundle: io.NewSectionReader(bytes.NewReader(r.bundle), 0, int64(len(r.bundle)))}, trust)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	var o outcome
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// texts are what the page is given to trust.
func (r reviewed) texts() string {
	text, _ := json.Marshal(append([]string{}, slices.Concat(r.keys, r.logs, r.last, r.proofs)...))
	return string(text)
}

// agree checks that the page comes to the same as licensekit verify, step by
// step. What the page does not run is not compared.
func agree(t *testing.T, what string, page, program outcome) {
	t.Helper()
	elsewhere := []string{"pages", "witnesses"}
	if strings.Contains(what, "pdf") || strings.Contains(what, "xlsx") {
		elsewhere = append(elsewhere, "content")
	}
	if page.Verdict != program.Verdict || page.failed() != program.failed() || len(page.Steps) != len(program.Steps) {
		t.Errorf("%s: the page says %s, step %d; licensekit verify %s, step %d\n%+v\n%+v", what, page.Verdict, page.failed(), program.Verdict, program.failed(), page.Steps, program.Steps)
		return
	}
	for i, s := range page.Steps {
		if slices.Contains(elsewhere, s.Name) {
			if s.Status == "passed" {
				t.Errorf("%s: step %s passed, which the page can't run", what, s.Name)
			}
			continue
		}
		if s.Status != program.Steps[i].Status || s.Name != program.Steps[i].Name {
			t.Errorf("%s: step %s %s (%s); licensekit verify says %+v", what, s.Name, s.Status, s.Detail, program.Steps[i])
		}
	}
}

// verifyInPage is what the page comes to.
func (b *tab) verifyInPage(r reviewed) outcome {
	b.t.Helper()
	evaluate[chromedp.Void](b, `globalThis.held = Uint8Array.from(atob("`+base64.StdEncoding.EncodeToString(r.bundle)+`"), (c) => c.charCodeAt(0)); undefined`)
	text := evaluate[string](b, `licensekit.verify(new Blob([held]), licensekit.readTrust(`+r.texts()+`)).then((r) => JSON.stringify(r))`)
	var o outcome
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		b.t.Fatal(err)
	}
	return o
}

// verifier opens the page from a file, as a reviewer without a network does.
func (s *site) verifier(t *testing.T, language string) *tab {
	t.Helper()
	resp, page := newVisitor(t, s.url).send("GET", "/console/verify.html?download", nil)
	if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("the verify page: status %d, %v", resp.StatusCode, resp.Header)
	}
	path := filepath.Join(t.TempDir(), "verify.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newTab(t, "file://"+filepath.Dir(path), language)
	b.do(chromedp.Navigate("file://" + path))
	return b
}

// fetch reads a file of the API as the owner.
func (s *site) fetch(t testing.TB, path string) []byte {
	t.Helper()
	resp, err := s.owner.Get("http://owner" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, resp.StatusCode, err)
	}
	return body
}

// reviewed gives an export with all keys of the site pinned.
func (s *site) reviewed(t *testing.T, id string) reviewed {
	t.Helper()
	var keys []struct {
		Purpose, PEM string
		VerifierKey  string `json:"verifier_key"`
	}
	s.api(t, "GET", "/api/v1/system/public-keys", "", nil, &keys)
	r := reviewed{bundle: s.fetch(t, "/api/v1/reports/exports/"+id+"/bundle")}
	for _, k := range keys {
		if k.Purpose == "export" {
			r.keys = append(r.keys, k.PEM)
		} else {
			r.logs = append(r.logs, k.VerifierKey)
		}
	}
	return r
}

// Genuine bundles of every kind and format, with more and less that is trusted.
func TestVerifyPageAgreesOnGenuineBundles(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	s.api(t, "POST", "/api/v1/activities", "application/json", strings.NewReader(`[
		{"id":"odd 1","occurred_at":"2026-03-01T00:00:00.001Z","action":"usage.consumed","customer_id":"=SUM(\"a\",1)","feature_code":"'+x","amount":-9007199254740991},
		{"id":"odd 2","occurred_at":"2026-03-01T00:00:00Z","action":"usage.consumed","customer_id":"Müller \\ \"Söhne\", ünd","feature_code":"😀\u2028","amount":9007199254740991},
		{"id":"odd 3","occurred_at":"2026-03-01T00:00:00Z","action":"usage.adjusted","source":"-","amount":9007199254740991},
		{"id":"odd 4","occurred_at":"2026-03-01T00:00:00Z","action":"usage.consumed","source":"@","status_code":200}]`), nil)
	b := s.verifier(t, "en-GB")
	for _, body := range []string{
		`{"report_kind":"usage-ledger","format":"csv"}`,
		`{"report_kind":"usage-ledger","format":"json","filters":{"action":"usage.adjusted"}}`,
		`{"report_kind":"usage-summary","format":"csv","filters":{"group_by":["feature_code","customer_id"],"bucket":"1d","time_zone":"Europe/Berlin","from":"2026-01-01T00:00:00Z"}}`,
		`{"report_kind":"usage-summary","format":"csv","filters":{"group_by":["source"]}}`,
		`{"report_kind":"usage-summary","format":"json","filters":{"bucket":"1h","to":"2020-01-01T00:00:00Z"}}`,
		`{"report_kind":"license-audit","format":"csv"}`,
		`{"report_kind":"customer-summary","format":"csv"}`,
		`{"report_kind":"customer-summary","format":"json","filters":{"customer_id":"nobody"}}`,
		`{"report_kind":"subscription-settlement","format":"csv","filters":{"group_by":["subscription_id","action"]}}`,
		`{"report_kind":"subscription-settlement","format":"json"}`,
		`{"report_kind":"usage-summary","format":"pdf"}`,
		`{"report_kind":"usage-summary","format":"xlsx"}`,
	} {
		r := s.reviewed(t, s.freeze(t, body))
		program := r.verifyInGo(t)
		if program.Verdict != "VERIFIED" {
			t.Fatalf("%s: %s", body, program.Verdict)
		}
		agree(t, body, b.verifyInPage(r), program)
		for what, less := range map[string]reviewed{"no keys": {bundle: r.bundle}, "no log key": {bundle: r.bundle, keys: r.keys}, "only the log's": {bundle: r.bundle, logs: r.logs}} {
			agree(t, body+", "+what, b.verifyInPage(less), less.verifyInGo(t))
		}
	}
}

// What the reviewer kept of the log counts: the same, a later, an earlier one,
// with and without the proof, and a log that was written twice.
func TestVerifyPageAgreesOnHistory(t *testing.T) {
	t.Parallel()
	s, other := newSite(t).stock(t), newSite(t)
	b := s.verifier(t, "en-GB")
	var checkpoints []string
	var exports []reviewed
	for range 5 {
		exports = append(exports, s.reviewed(t, s.freeze(t, `{"report_kind":"usage-summary","format":"csv"}`)))
		checkpoints = append(checkpoints, string(s.fetch(t, "/api/v1/log/checkpoint")))
	}
	foreign := other.reviewed(t, other.freeze(t, `{"report_kind":"usage-summary"}`))
	for first := range 5 {
		for second := range 5 {
			r := exports[first]
			r.last = []string{checkpoints[second]}
			what := fmt.Sprintf("bundle of size %d, kept %d", first+1, second+1)
			agree(t, what, b.verifyInPage(r), r.verifyInGo(t))
			small, large := min(first, second)+1, max(first, second)+1
			r.proofs = []string{string(s.fetch(t, fmt.Sprintf("/api/v1/log/consistency?from=%d&to=%d", small, large)))}
			agree(t, what+", with the proof", b.verifyInPage(r), r.verifyInGo(t))
			r.proofs = []string{strings.Replace(r.proofs[0], fmt.Sprintf("old %d\n", small), fmt.Sprintf("old %d\n", small%5+1), 1)}
			agree(t, what+", with another proof", b.verifyInPage(r), r.verifyInGo(t))
		}
	}
	foreign.logs = exports[0].logs
	agree(t, "a bundle of another instance", b.verifyInPage(foreign), foreign.verifyInGo(t))
	mixed := exports[0]
	mixed.keys = foreign.keys
	agree(t, "the key of another instance", b.verifyInPage(mixed), mixed.verifyInGo(t))
	mixed.keys = append(mixed.keys, exports[0].keys...)
	agree(t, "both keys", b.verifyInPage(mixed), mixed.verifyInGo(t))
}

// forger signs what is not so with the instance's own key.
type forger struct {
	key      *evidence.SigningKey
	manifest evidence.Manifest
	data     []byte
	artifact []byte
}

// seal makes a bundle of what the fields say, in no log.
func (f forger) seal(t *testing.T) []byte {
	t.Helper()
	artifact, data := evidence.NewTally(), evidence.NewTally()
	artifact.Write(f.artifact)
	data.Write(f.data)
	f.manifest.Artifact, f.manifest.Data, f.manifest.Log = artifact.File(), data.File(), nil
	envelope, err := f.key.Seal(f.manifest)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err = evidence.WriteBundle(t.Context(), &b, evidence.Contents{
		Envelope: envelope, Artifact: bytes.NewReader(f.artifact), ArtifactCRC: artifact.CRC32(),
		Data: func(w io.Writer) error { _, err := w.Write(f.data); return err }, DataCRC: data.CRC32(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// forger takes an export apart.
func (s *site) forger(t *testing.T, r reviewed) forger {
	t.Helper()
	f := forger{}
	archive, err := zip.NewReader(bytes.NewReader(r.bundle), int64(len(r.bundle)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.File {
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case file.Name == "manifest.json":
			m, err := evidence.ParseManifest(content)
			if err != nil {
				t.Fatal(err)
			}
			f.manifest = *m
		case file.Name == "data.json":
			f.data = content
		case strings.HasPrefix(file.Name, "artifact."):
			f.artifact = content
		}
	}
	if f.key, err = evidence.LoadOrCreate(t.TempDir(), evidence.ForExport, time.Now()); err != nil {
		t.Fatal(err)
	}
	return f
}

// What was altered before it was signed, in the data or in the artifact.
func TestVerifyPageAgreesOnForgeries(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	b := s.verifier(t, "en-GB")
	for _, body := range []string{
		`{"report_kind":"usage-summary","format":"csv"}`,
		`{"report_kind":"customer-summary","format":"csv"}`,
	} {
		f := s.forger(t, s.reviewed(t, s.freeze(t, body)))
		check := func(what string, forged forger) {
			t.Helper()
			r := reviewed{bundle: forged.seal(t), keys: []string{string(f.key.Public.PEM())}}
			program := r.verifyInGo(t)
			if program.Verdict == "VERIFIED" && what != "nothing" {
				t.Errorf("%s, %s: VERIFIED in Go", body, what)
			}
			agree(t, body+", "+what, b.verifyInPage(r), program)
		}
		check("nothing", f)
		alter := func(text []byte, old, fresh string) []byte {
			if !bytes.Contains(text, []byte(old)) {
				t.Fatalf("%s: there is no %q to alter", body, old)
			}
			return bytes.Replace(bytes.Clone(text), []byte(old), []byte(fresh), 1)
		}
		for what, pair := range map[string][2]string{
			"LF alone": {"\r\n", "\n"}, "a BOM": {"section", "\ufeffsection"}, "an empty line": {"\r\n", "\r\n\r\n"}, "a needless quote": {"prod_", `"prod_"`},
			"a bare quote": {"prod_", `pr"od_`}, "bad UTF-8": {"prod_", "prod\xff"}, "an extra field": {"\r\n", ",\r\n"}, "a leading zero": {",1", ",01"},
			"a plus": {",1", ",+1"}, "a guard": {"prod_", "'prod_"}, "an unguarded formula": {"prod_", "=prod_"}, "another value": {",1", ",2"}, "another header": {"events", "event"},
			"a NUL": {"prod_", "prod_\x00"}, "a huge integer": {",1", ",99999999999999999999"},
		} {
			if bytes.Contains(f.artifact, []byte(pair[0])) {
				forged := f
				forged.artifact = alter(f.artifact, pair[0], pair[1])
				check("the artifact with "+what, forged)
			}
		}
		forged := f
		forged.artifact = f.artifact[:len(f.artifact)-2]
		check("the artifact without its end", forged)
		forged.artifact = append(bytes.Clone(f.artifact), f.artifact[bytes.IndexByte(f.artifact, '\n')+1:]...)
		check("the artifact's rows twice", forged)
		forged.artifact = nil
		check("an empty artifact", forged)
		for what, pair := range map[string][2]string{
			"a space": {`{"columns"`, `{ "columns"`}, "an escape": {"prod_", `\u0070rod_`}, "an empty text": {"null", `""`}, "a float": {`"events":`, `"events":1.0,"x":`},
			"another total": {`"totals":{`, `"totals":{"x":{},`}, "another kind": {"report_kind", "report_kinD"}, "a lone surrogate": {"prod_", `\ud800`}, "bad UTF-8": {"prod_", "\xc0\xaf"},
			"a quoted number": {`"events":1`, `"events":"1"`}, "a control character": {"prod_", "pr\nod_"}, "another schema": {"licensekit.report/1", "licensekit.report/2"},
		} {
			if bytes.Contains(f.data, []byte(pair[0])) {
				forged := f
				forged.data = alter(f.data, pair[0], pair[1])
				check("data with "+what, forged)
			}
		}
		forged = f
		forged.data = append(bytes.Clone(f.data), '\n')
		check("data with a line end", forged)
		forged.data = f.data[:len(f.data)-1]
		check("data cut", forged)
		forged = f
		forged.manifest.RowCount++
		check("another number of rows", forged)
		forged = f
		forged.manifest.Filters.CustomerID = "cus_1"
		check("another filter", forged)
		from := report.Instant(0)
		forged = f
		forged.manifest.Filters.From = &from
		check("another period", forged)
	}
}

// Bytes all over a small bundle, each in turn.
func TestVerifyPageAgreesOnFlippedBytes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api(t, "POST", "/api/v1/activities", "application/json", strings.NewReader(`[{"id":"e1","occurred_at":"2026-03-01T00:00:00Z","action":"usage.consumed","customer_id":"=c","feature_code":"a,b","amount":3}]`), nil)
	b := s.verifier(t, "en-GB")
	r := s.reviewed(t, s.freeze(t, `{"report_kind":"usage-ledger","format":"csv"}`))
	agree(t, "genuine", b.verifyInPage(r), r.verifyInGo(t)) // leaves the bundle in the page
	var places []int
	for at := range r.bundle {
		if at%13 == 0 || at > len(r.bundle)-700 && at%5 == 0 { // the directory
			places = append(places, at)
		}
	}
	for part := range slices.Chunk(places, 60) {
		text, _ := json.Marshal(part)
		got := evaluate[[]outcome](b, `(async () => {
			const trust = licensekit.readTrust(`+r.texts()+`);
			const all = [];
			for (const at of `+string(text)+`) {
				const flipped = held.slice();
				flipped[at] ^= 1 << at % 8;
				const { verdict, steps } = await licensekit.verify(new Blob([flipped]), trust);
				all.push({ Verdict: verdict, Steps: steps.map(({ step, name, status, detail }) => ({ Step: step, Name: name, Status: status, Detail: detail })) });
			}
			return all;
		})()`)
		for i, at := range part {
			flipped := r
			flipped.bundle = bytes.Clone(r.bundle)
			flipped.bundle[at] ^= 1 << (at % 8)
			program := flipped.verifyInGo(t)
			if program.Verdict != "INVALID" {
				t.Fatalf("byte %d flipped: %s", at, program.Verdict)
			}
			if got[i].Verdict != program.Verdict || got[i].failed() != program.failed() {
				t.Errorf("byte %d flipped: the page says %s, step %d; licensekit verify step %d", at, got[i].Verdict, got[i].failed(), program.failed())
			}
		}
	}
	for what, data := range map[string][]byte{
		"empty": {}, "cut": r.bundle[:len(r.bundle)/2], "cut by one": r.bundle[:len(r.bundle)-1], "padded": append(bytes.Clone(r.bundle), 0),
		"prefixed": append([]byte("PK"), r.bundle...), "twice": append(bytes.Clone(r.bundle), r.bundle...), "no zip": []byte("hello"), "zipped again": rezipped(t, r.bundle),
	} {
		other := r
		other.bundle = data
		agree(t, what, b.verifyInPage(other), other.verifyInGo(t))
	}
}

// rezipped is what other programs make of a bundle's files.
func rezipped(t *testing.T, bundle []byte) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, file := range archive.File {
		if err := w.Copy(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The page's own Ed25519, and that of the browser, take what Go's takes.
func TestVerifyPageEd25519(t *testing.T) {
	t.Parallel()
	b := newSite(t).verifier(t, "en-GB")
	type vector struct {
		Key, Message, Signature string // hex
		want                    bool
		what                    string
	}
	var vectors []vector
	add := func(what string, key, message, signature []byte) {
		vectors = append(vectors, vector{fmt.Sprintf("%x", key), fmt.Sprintf("%x", message), fmt.Sprintf("%x", signature), ed25519.Verify(key, message, signature), what})
	}
	for i := range 12 {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		message := bytes.Repeat([]byte{byte(i)}, i*37)
		signature := ed25519.Sign(private, message)
		add("a signature", public, message, signature)
		add("another message", public, append(bytes.Clone(message), 0), signature)
		for _, at := range []int{0, 31, 32, 63} {
			flipped := bytes.Clone(signature)
			flipped[at] ^= 0x80
			add(fmt.Sprintf("bit flipped in byte %d", at), public, message, flipped)
		}
		add("S plus the order", public, message, append(bytes.Clone(signature[:32]), plusOrder(signature[32:])...))
	}
	small := make([]byte, 32) // a point of small order: y = 0
	neutral := append([]byte{1}, make([]byte, 31)...)
	for _, key := range [][]byte{small, neutral, bytes.Repeat([]byte{0xff}, 32), append(bytes.Repeat([]byte{0xee}, 1), bytes.Repeat([]byte{0xff}, 31)...)} {
		add("an odd key", key, []byte("m"), make([]byte, 64))
		add("an odd key, R neutral", key, []byte("m"), append(bytes.Clone(neutral), make([]byte, 32)...))
	}
	text, _ := json.Marshal(vectors)
	got := evaluate[[][]bool](b, `(async () => {
		const all = [];
		for (const v of `+string(text)+`) {
			const [key, message, signature] = [v.Key, v.Message, v.Signature].map(licensekit.unhex);
			all.push([licensekit.verifyHere(key, message, signature), await licensekit.ed25519(key, message, signature)]);
		}
		return all;
	})()`)
	for i, v := range vectors {
		if got[i][0] != v.want {
			t.Errorf("%s: the page's own says %v, want %v: %+v", v.what, got[i][0], v.want, v)
		}
		if got[i][1] != v.want {
			t.Errorf("%s: with the browser's it says %v, want %v: %+v", v.what, got[i][1], v.want, v)
		}
	}
}

// plusOrder adds the order of the base point to a little-endian scalar.
func plusOrder(s []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	be := bytes.Clone(s)
	slices.Reverse(be)
	sum := new(big.Int).Add(new(big.Int).SetBytes(be), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return sum
}

// A reviewer gives keys and bundles by hand, in either language.
func TestVerifyPageByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	r := s.reviewed(t, s.freeze(t, `{"report_kind":"usage-ledger","format":"csv"}`))
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, key, log := write("good.lkbundle.zip", r.bundle), write("export.pub.pem", []byte(r.keys[0])), write("log.vkey", []byte(r.logs[0]+"\n"))
	bad := bytes.Clone(r.bundle)
	bad[len(bad)/2] ^= 1
	broken := write("bad.lkbundle.zip", bad)
	b := s.verifier(t, "en-GB")
	b.inspect("verify")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#bundle_files"), []string{good}))
	b.until(`document.querySelector(".result").dataset.verdict === "UNANCHORED"`, "without a key it is UNANCHORED")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#key_files"), []string{key, log}))
	b.until(`document.querySelector(".result").dataset.verdict === "VERIFIED"`, "with the keys it is VERIFIED")
	b.shows("export key ", "key of log licensekit/", "4,029", "usage-ledger, csv", "Keep the log's checkpoint")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#bundle_files"), []string{broken}))
	b.until(`document.querySelectorAll(".result")[1].dataset.verdict === "INVALID"`, "a broken one is INVALID")
	b.inspect("verify-done")
	b.press("details summary")
	b.fill("#key_text", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----")
	b.press("#key_add")
	b.shows("this is a private key, which must stay where it is")
	b.press("#keys li:first-child button")
	b.until(`document.querySelector(".result").dataset.verdict === "UNANCHORED"`, "without the key it is UNANCHORED again")
	if got := evaluate[string](b, `document.activeElement.ariaLabel`); got != "Remove log.vkey" {
		t.Errorf("after a key was removed the keyboard is at %q, want the next one's button", got)
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#key_files"), []string{key}))
	b.until(`document.querySelector(".result").dataset.verdict === "VERIFIED"`, "with the same file once more it is VERIFIED again")
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	b.press("#keys li:first-child button")
	b.until(`document.querySelectorAll(".result")[1].dataset.verdict === "ERROR" && document.querySelector("#say").innerText.endsWith("bad.lkbundle.zip: It could not be checked")`, "what can't be read is an error, and said to be one")
	german := s.verifier(t, "de-DE")
	german.shows("Nachweispaket prüfen")
	german.do(chromedp.SetUploadFiles(chromedp.CSS("#bundle_files"), []string{good}))
	german.shows("kein Schlüssel wurde angegeben")
	// A browser that has neither workers for files nor Ed25519 comes to the same.
	evaluate[chromedp.Void](german, `globalThis.Worker = undefined; Object.defineProperty(crypto, "subtle", { value: undefined }); undefined`)
	german.do(chromedp.SetUploadFiles(chromedp.CSS("#key_files"), []string{key, log}))
	german.until(`document.querySelector(".result").dataset.verdict === "VERIFIED"`, "without workers and without WebCrypto it is VERIFIED too")
}

// The page of a server is the same file as the one to keep.
func TestVerifyPageOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := newTab(t, s.url, "en-GB")
	if status := b.open("/console/verify.html"); status != 200 {
		t.Errorf("status %d, want 200 for everybody", status)
	}
	b.shows("Verify an evidence bundle")
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open("/console/verify.html")
	b.shows("This page needs JavaScript, which is switched off here")
	b.picture("verify-no-script")
}
