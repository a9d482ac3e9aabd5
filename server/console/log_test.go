package console_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/evidencetest"
	"licensekit/server"
)

// Who may do nothing at all may see what is public.
func TestKeysAndLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.freeze(t, `{"report_kind":"usage-ledger"}`)
	b := s.signedIn(t, auth.ReportWrite)
	b.open("/console/log")
	b.shows("Keys that sign exports", "since", "No one has cosigned a checkpoint yet", "The first time, all that there is")
	if n := b.count("main form, main a[href$=rotation]"); n != 0 {
		t.Errorf("%d ways to change something are shown to who may not", n)
	}
	s.api(t, "POST", "/api/v1/system/keys/rotate", "application/json", nil, nil)
	s.keep(t, evidencetest.NewAuditor(t, "auditor.example/w1"))
	s.freeze(t, `{"report_kind":"usage-summary"}`)
	b.open("/console/log")
	b.shows("active", "retired", "2 entries", "auditor.example/w1", time.Now().UTC().Format("2 Jan 2006"), "what they saw last, 2 entries")
	b.press("details summary")
	b.shows("BEGIN PUBLIC KEY")
	if checkpoint, want := b.text("#checkpoint"), string(s.fetch(t, "/api/v1/log/checkpoint")); checkpoint != strings.Join(strings.Fields(want), " ") {
		t.Errorf("the page shows the checkpoint %q, want %q", checkpoint, want)
	}
	evaluate[chromedp.Void](b, `navigator.clipboard.writeText = async (text) => { globalThis.copied = text }; undefined`)
	b.press(".copy[data-copy=checkpoint]")
	b.press(".copy[data-copy=checkpoint]")
	b.shows("copied")
	if got, want := evaluate[string](b, `copied`), string(s.fetch(t, "/api/v1/log/checkpoint")); got != want {
		t.Errorf("copied is %q, want %q", got, want)
	}
	b.until(`document.querySelector(".copy[data-copy=checkpoint]").innerText.trim() === "Copy"`, "the button can be used once more")
	for name, path := range map[string]string{"cosigned-2.txt": "/api/v1/log/cosigned", "consistency-2-3.txt": "/api/v1/log/consistency?from=2"} {
		link := evaluate[string](b, fmt.Sprintf(`document.querySelector("a[download='%s']").getAttribute("href")`, name))
		if got, want := string(s.fetch(t, link)), string(s.fetch(t, path)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	b.inspect("log")
}

// The key is replaced by who has read what that means, once.
func TestKeyIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.freeze(t, `{"report_kind":"usage-ledger"}`)
	before := s.exportKeys(t)
	b := s.signedIn(t, auth.Admin)
	b.open("/console/log")
	b.click("a[href$=rotation]")
	b.shows("The key that signs now", before[0].KID, "Reviewers need the new key")
	b.inspect("rotation")
	if status := b.click("main form button"); status != 200 {
		t.Errorf("replacing the key gives status %d, want 200", status)
	}
	after := s.exportKeys(t)
	if len(after) != 2 || after[0].KID == before[0].KID || after[1].KID != before[0].KID {
		t.Fatalf("keys %v, want a new one before %v", after, before)
	}
	b.shows("Give reviewers the new key", after[0].KID, strings.Join(strings.Fields(after[0].PEM), " "))
	b.inspect("rotated")
	b.open("/console/exports/" + id + "/verification")
	b.shows("verified")

	// A form that is old, or that comes many times at once, replaces no other key.
	v := s.visitor(t, auth.Admin)
	form := url.Values{"form_token": {v.secret("/console/log/rotation")}, "key": {before[0].KID}}
	if resp, page := v.send("POST", "/console/log/rotation", form); resp.StatusCode != 409 || !containsAll(page, "The key was replaced since", "Look at the keys") {
		t.Errorf("an old form gives status %d, want 409: %.2000s", resp.StatusCode, page)
	}
	form.Set("key", after[0].KID)
	var sent sync.WaitGroup
	for range 6 {
		sent.Go(func() { v.send("POST", "/console/log/rotation", form) })
	}
	sent.Wait()
	if got := s.exportKeys(t); len(got) != 3 {
		t.Errorf("a form that was sent six times leaves %d keys, want 3", len(got))
	}
	form = url.Values{"key": {s.exportKeys(t)[0].KID}}
	if resp, _ := v.send("POST", "/console/log/rotation", form); resp.StatusCode != 403 {
		t.Errorf("without the form's secret: status %d, want 403", resp.StatusCode)
	}
	other := s.visitor(t, auth.ReportExport)
	form.Set("form_token", other.secret("/console/exports"))
	if resp, _ := other.send("POST", "/console/log/rotation", form); resp.StatusCode != 403 {
		t.Errorf("without the scope: status %d, want 403", resp.StatusCode)
	}
	if got := s.exportKeys(t); len(got) != 3 {
		t.Errorf("what was refused leaves %d keys, want 3", len(got))
	}
}

func (s *site) exportKeys(t testing.TB) (keys []evidence.PublicKeyRecord) {
	t.Helper()
	var all []evidence.PublicKeyRecord
	s.api(t, "GET", "/api/v1/system/public-keys", "", nil, &all)
	for _, k := range all {
		if k.Purpose == evidence.ForExport {
			keys = append(keys, k)
		}
	}
	return keys
}

// What a witness brings back is kept, with whoever is known among its signers.
func TestCosignedCheckpointIsBrought(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.freeze(t, `{"report_kind":"usage-ledger"}`)
	one, two := evidencetest.NewAuditor(t, "one.example"), evidencetest.NewAuditor(t, "two.example")
	checkpoint := s.fetch(t, "/api/v1/log/checkpoint")
	signed := s.cosign(t, one, checkpoint)
	others := strings.SplitAfter(string(s.cosign(t, two, checkpoint)), "\n")
	signed = append(signed, others[len(others)-2]...) // its last line, the cosignature
	file := filepath.Join(t.TempDir(), "cosigned.txt")
	if err := os.WriteFile(file, signed, 0o600); err != nil {
		t.Fatal(err)
	}
	b := s.signedIn(t, auth.Admin)
	b.open("/console/log")
	bring := func(keys string) int {
		t.Helper()
		b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
		b.fill("#witnesses", keys)
		return b.click("form[enctype] button")
	}
	if status := bring("nonsense"); status != 422 {
		t.Errorf("a key that is none gives status %d, want 422", status)
	}
	b.shows("witnesses[0]", "Correct the value")
	if got := evaluate[string](b, `document.querySelector("#witnesses").value`); got != "nonsense" {
		t.Errorf("the form comes back with %q, want what was typed", got)
	}
	if status := bring("\n" + one.Key.String() + "\n"); status != 200 {
		t.Errorf("bringing it gives status %d, want 200", status)
	}
	b.shows("The checkpoint of 1 entry is kept", "Left out, since its key is not known: two.example", "one.example")
	if n := b.count("a[download^=consistency]"); n != 0 {
		t.Error("there is something more to send to witnesses, who have seen all")
	}
	b.inspect("cosigned")
	if status := bring(two.Key.String()); status != 200 {
		t.Errorf("bringing it again gives status %d, want 200", status)
	}
	if got := string(s.fetch(t, "/api/v1/log/cosigned")); !containsAll(got, "\n— one.example ", "\n— two.example ") {
		t.Errorf("kept is %s, want the signatures of both", got)
	}

	v := s.visitor(t, auth.Admin)
	secret := v.secret("/console/log")
	for what, try := range map[string]struct {
		fields map[string]string
		file   string
		status int
	}{
		"without a secret":       {nil, string(signed), 403},
		"without a file":         {map[string]string{"form_token": secret}, "", 422},
		"what is no checkpoint":  {map[string]string{"form_token": secret}, "\xff\x00", 422},
		"a file that is too big": {map[string]string{"form_token": secret}, strings.Repeat("x", 2<<20), 413},
	} {
		if resp, page := v.bring(try.fields, try.file); resp.StatusCode != try.status || !strings.Contains(page, "<html") {
			t.Errorf("%s: status %d, want the page of %d", what, resp.StatusCode, try.status)
		}
	}
	if resp, _ := v.send("POST", "/console/log/cosigned", url.Values{"form_token": {secret}}); resp.StatusCode != 400 {
		t.Errorf("a form without files gives status %d, want 400", resp.StatusCode)
	}
}

// bring sends the form by which cosigned checkpoints come.
func (v *visitor) bring(fields map[string]string, file string) (*http.Response, string) {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		form.WriteField(name, value)
	}
	if file != "" {
		part, err := form.CreateFormFile("checkpoint", "cosigned.txt")
		if err != nil {
			v.t.Fatal(err)
		}
		part.Write([]byte(file))
	}
	form.Close()
	return v.sendBody("POST", "/console/log/cosigned", &body, "Content-Type", form.FormDataContentType())
}

// With many cosigned checkpoints there are pages of them, and what to send next
// continues the newest on each.
func TestManyCosignedCheckpoints(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := newSite(t, func(o *server.Options) { o.Data = data })
	auditor := evidencetest.NewAuditor(t, "auditor.example")
	for range 12 {
		s.freeze(t, `{"report_kind":"usage-ledger"}`)
		s.keep(t, auditor)
	}
	s.freeze(t, `{"report_kind":"usage-ledger"}`)
	v := s.visitor(t, auth.ReportExport)
	_, first := v.send("GET", "/console/log", nil)
	if !containsAll(first, `download="cosigned-12.txt"`, `download="cosigned-3.txt"`, `href="/console/log?cursor=3#witnesses_title"`, "consistency-12-13.txt") || strings.Contains(first, "cosigned-2.txt") {
		t.Errorf("the first page has not the newest ten, or not what leads on: %s", first)
	}
	_, second := v.send("GET", "/console/log?cursor=3", nil)
	if !containsAll(second, `download="cosigned-2.txt"`, `download="cosigned-1.txt"`, `href="/console/log#witnesses_title"`, "consistency-12-13.txt") || strings.Contains(second, "cosigned-3.txt") {
		t.Errorf("the second page has not the others: %s", second)
	}
	rotten := filepath.Join(data, "log", "cosigned", "11")
	if err := errors.Join(os.Chmod(rotten, 0o600), os.WriteFile(rotten, []byte("rotten"), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, first = v.send("GET", "/console/log", nil)
	if !containsAll(first, "damaged</span>", "file again", `download="cosigned-12.txt"`, `download="cosigned-3.txt"`) || strings.Contains(first, "cosigned-11.txt") {
		t.Errorf("the first page does not name the one that is damaged among the others: %s", first)
	}
	if _, wrong := v.send("GET", "/console/log?cursor=x", nil); !containsAll(wrong, "cursor", "Keys that sign exports") {
		t.Errorf("a cursor that is none: %s", wrong)
	}
}

// What witnesses cosigned of a log that was closed stands beside it, page by page.
func TestCosignedCheckpointsOfAClosedLog(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	before, stop, err := start(data)
	if err != nil {
		t.Fatal(err)
	}
	auditor := evidencetest.NewAuditor(t, "auditor.example")
	for range 11 {
		before.freeze(t, `{"report_kind":"usage-ledger"}`)
		before.keep(t, auditor)
	}
	oldest := before.fetch(t, "/api/v1/log/cosigned?size=1")
	if err := errors.Join(stop(), restartLog(t, data)); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(o *server.Options) { o.Data = data })
	b := s.signedIn(t, auth.ReportWrite)
	b.open("/console/log")
	b.shows("No one has cosigned a checkpoint yet", "Closed logs", "What witnesses cosigned of it")
	b.press("#log_1 summary")
	b.shows("auditor.example")
	b.inspect("log-closed")
	if n := b.count("#log_1 a[download]"); n != 10 {
		t.Errorf("the first page has %d checkpoints of the closed log, want 10", n)
	}
	b.click("#log_1 a[rel=next]")
	link := evaluate[string](b, `document.querySelector("#log_1 details[open] a[download='cosigned-log1-1.txt']").getAttribute("href")`)
	if got := s.fetch(t, link); !bytes.Equal(got, oldest) || b.count("#log_1 a[download]") != 1 {
		t.Errorf("the second page has %d checkpoints and leads to %q; want the one of size 1, %q", b.count("#log_1 a[download]"), got, oldest)
	}
	b.shows("No one has cosigned a checkpoint yet")
}

func restartLog(t testing.TB, data string) error {
	dir, err := exporter.OpenDirectory(data, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = exporter.RestartLog(t.Context(), dir, exporter.Options{Now: time.Now})
	return errors.Join(err, dir.Close())
}

// An older copy that knows of entries that it lacks says so, and shows by whom.
func TestLogThatIsBehind(t *testing.T) {
	t.Parallel()
	data, older := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "older")
	first, stop, err := start(data)
	if err != nil {
		t.Fatal(err)
	}
	first.freeze(t, `{"report_kind":"usage-ledger"}`)
	if err := errors.Join(stop(), os.CopyFS(older, os.DirFS(data))); err != nil {
		t.Fatal(err)
	}
	second := newSite(t, func(o *server.Options) { o.Data = data })
	second.freeze(t, `{"report_kind":"usage-summary"}`)
	seen := second.cosign(t, evidencetest.NewAuditor(t, "auditor.example"), second.fetch(t, "/api/v1/log/checkpoint"))
	dir := filepath.Join(older, "log", "cosigned")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "2"), seen, 0o600)); err != nil {
		t.Fatal(err)
	}
	v := newSite(t, func(o *server.Options) { o.Data, o.Keys = older, filepath.Join(data, "keys") }).visitor(t, auth.Admin)
	resp, page := v.send("GET", "/console/log", nil)
	if resp.StatusCode != 200 || !containsAll(page, "an older copy whose log lacks entries", "run licensekit log restart", "contradicts the log", "auditor.example") || strings.Contains(page, "Download the proof") {
		t.Errorf("status %d, want a page that says what is lacking: %s", resp.StatusCode, page)
	}
	key := regexp.MustCompile(`name="key" value="(\w+)"`)
	_, page = v.send("GET", "/console/log/rotation", nil)
	form := url.Values{"form_token": {v.secret("/console/log")}, "key": {key.FindStringSubmatch(page)[1]}}
	if resp, page := v.send("POST", "/console/log/rotation", form); resp.StatusCode != 503 || !containsAll(page, "LOG_BEHIND", "run licensekit log restart") {
		t.Errorf("replacing the key gives status %d, want 503 and what to do", resp.StatusCode)
	}
}

// cosign adds an auditor's cosignature to a checkpoint.
func (s *site) cosign(t testing.TB, by evidencetest.Auditor, checkpoint []byte) []byte {
	t.Helper()
	var logs []struct {
		VerifierKey string `json:"verifier_key"`
	}
	s.api(t, "GET", "/api/v1/logs", "", nil, &logs)
	return by.Sign(t, logs[0].VerifierKey, checkpoint)
}

// keep has the newest checkpoint cosigned and keeps it.
func (s *site) keep(t testing.TB, a evidencetest.Auditor) {
	t.Helper()
	signed := s.cosign(t, a, s.fetch(t, "/api/v1/log/checkpoint"))
	body, err := json.Marshal(map[string]any{"checkpoint": string(signed), "witnesses": []string{a.Key.String()}})
	if err != nil {
		t.Fatal(err)
	}
	s.api(t, "POST", "/api/v1/log/cosigned", "application/json", bytes.NewReader(body), nil)
}
