package webhook

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
)

// An endpoint is told of what it asked for from its creation on, in order, by
// requests that openssl finds signed with its secret.
func TestEventsAreSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback})
	s.happen(t, audit.ExportReady, "before")
	some, all := newReceiver(t, answering(204)), newReceiver(t, answering(200))
	e, secret := s.endpoint(t, some.URL+"/hook?x=1", audit.ExportReady, audit.ExportFailed)
	s.endpoint(t, all.URL)
	s.run(t)
	s.happen(t, audit.ExportCreated, "a")
	s.happen(t, audit.ExportReady, "b")
	s.happen(t, audit.ExportDownloaded, "c")
	s.happen(t, audit.ExportFailed, "d")
	some.comes(t, "b d")
	all.comes(t, "a b c d")
	first := some.requests()[0]
	if got, want := first.Method+" "+first.RequestURI, "POST /hook?x=1"; got != want {
		t.Errorf("request is %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "licensekit/test",
		"X-Locksmith-Event-Sequence": fmt.Sprint(first.event.Sequence), "X-Locksmith-Event-Type": "report_export.ready",
		"Authorization": "", "Cookie": "",
	} {
		if got := first.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	for _, r := range some.requests() {
		checkSignature(t, r, secret)
	}
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "delivered delivered" }, "delivered delivered")
	d := s.history(t, e.ID)[0]
	if d.ID != first.Header.Get("X-Locksmith-Delivery-ID") || d.EventSequence != first.event.Sequence || d.EventType != audit.ExportReady || d.Attempts != 1 || d.ResponseStatus != 204 || d.Error != "" {
		t.Errorf("delivery is %+v, want that of the first request", d)
	}
	if found, err := s.Get(e.ID); err != nil || found.LastDeliveryAt.IsZero() {
		t.Errorf("endpoint is %+v, %v; want it with its last delivery", found, err)
	}
	if log := s.log.String(); strings.Contains(log, secret[10:20]) || strings.Contains(log, "x=1") {
		t.Errorf("the log shows a secret or a URL: %s", log)
	}
}

// checkSignature computes the signature with openssl.
func checkSignature(t *testing.T, r got, secret string) {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("openssl is not installed")
	} else if err != nil {
		t.Skip("install openssl to run this test")
	}
	parts := regexp.MustCompile(`^t=(\d+),v1=([0-9a-f]{64})$`).FindStringSubmatch(r.Header.Get("X-Locksmith-Signature"))
	if parts == nil {
		t.Fatalf("signature is %q, want t=…,v1=…", r.Header.Get("X-Locksmith-Signature"))
	}
	cmd := exec.CommandContext(t.Context(), openssl, "dgst", "-sha256", "-hmac", secret, "-r")
	cmd.Stdin = strings.NewReader(parts[1] + "." + r.Header.Get("X-Locksmith-Delivery-ID") + "." + r.body)
	out, err := cmd.Output()
	if got, _, _ := strings.Cut(string(out), " "); err != nil || got != parts[2] {
		t.Errorf("openssl computes %q, %v; the request says %s", out, err, parts[2])
	}
}

// What fails is tried again, with the same id, and what follows waits for it.
func TestFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback}).run(t)
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	r := newReceiver(t, answering(500), hangUp, answering(404), answering(200))
	e, secret := s.endpoint(t, r.URL)
	s.happen(t, audit.ExportReady, "a", "b")
	r.comes(t, "a a a a b")
	requests := r.requests()
	for i, one := range requests[:4] {
		checkSignature(t, one, secret)
		if got, want := one.Header.Get("X-Locksmith-Delivery-ID"), requests[0].Header.Get("X-Locksmith-Delivery-ID"); got != want {
			t.Errorf("attempt %d has delivery id %s, want %s", i+1, got, want)
		}
	}
	if requests[3].Header.Get("X-Locksmith-Delivery-ID") == requests[4].Header.Get("X-Locksmith-Delivery-ID") {
		t.Error("two events share a delivery id")
	}
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "delivered delivered" }, "delivered delivered")
	if d := s.history(t, e.ID)[0]; d.Attempts != 4 || d.Error != "" {
		t.Errorf("delivery is %+v, want 4 attempts and no error", d)
	}
}

func TestDeliveryIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback}).run(t)
	answers := []http.HandlerFunc{}
	for range Attempts {
		answers = append(answers, answering(503))
	}
	r := newReceiver(t, append(answers, answering(200))...)
	e, _ := s.endpoint(t, r.URL)
	s.happen(t, audit.ExportReady, "a", "b")
	r.comes(t, strings.Repeat("a ", Attempts)+"b")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "failed delivered" }, "failed delivered")
	if d := s.history(t, e.ID)[0]; d.Attempts != Attempts || d.Error != "the answer is 503 Service Unavailable" || !d.NextAttemptAt.IsZero() {
		t.Errorf("delivery is %+v, want it with %d attempts and its last error", d, Attempts)
	}
}

// One receiver that answers nothing holds up no other.
func TestSlowReceiverHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback, timeout: 3 * time.Second}).run(t)
	release := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	quick := newReceiver(t, answering(200))
	e, _ := s.endpoint(t, slow.URL)
	s.endpoint(t, quick.URL, audit.ExportReady)
	s.happen(t, audit.ExportReady, "a", "b", "c")
	quick.comes(t, "a b c")
	eventually(t, func() (string, bool) {
		all := s.history(t, e.ID)
		return fmt.Sprint(all), len(all) == 1 && all[0].Error == "there was no answer in time"
	}, "one delivery without an answer")
}

// Neither an endless body nor an endless head is read.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback, pause: time.Hour}).run(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 32<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
	})
	e, _ := s.endpoint(t, r.URL)
	s.happen(t, audit.ExportReady, "a", "b")
	r.comes(t, "a b")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "delivered pending" }, "delivered pending")
	if got := s.history(t, e.ID)[1].Error; !strings.Contains(got, "exceeded") {
		t.Errorf("the long head is %q, want it refused", got)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback, pause: time.Hour}).run(t)
	elsewhere := newReceiver(t, answering(200))
	r := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	e, _ := s.endpoint(t, r.URL)
	s.happen(t, audit.ExportReady, "a")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "pending" }, "pending")
	if got, want := s.history(t, e.ID)[0].Error, "the answer is 307 Temporary Redirect: redirects are not followed"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
	if got := elsewhere.resources(); got != "" {
		t.Errorf("where it was redirected to got %s, want nothing", got)
	}
}

// A name is judged by what it leads to when the connection is made.
func TestNamesThatLeadHere(t *testing.T) {
	t.Parallel()
	r := newQuietReceiver(t, answering(200))
	r.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	url := "https://localhost" + r.URL[strings.LastIndex(r.URL, ":"):]
	s := newSite(t, setup{roots: roots, pause: time.Hour}).run(t)
	e, _ := s.endpoint(t, url)
	s.happen(t, audit.ExportReady, "a")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "pending" }, "pending")
	if got, want := s.history(t, e.ID)[0].Error, "is a loopback address, and not of a network that --webhook-allow names"; !strings.Contains(got, want) {
		t.Errorf("error is %q, want one with %q", got, want)
	}
	if got := r.resources(); got != "" {
		t.Errorf("the receiver on this machine got %s, want nothing", got)
	}
}

// An encrypted receiver is asked with its certificate checked.
func TestCertificates(t *testing.T) {
	t.Parallel()
	r := newQuietReceiver(t, answering(200))
	r.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	good, bad := newSite(t, setup{allowed: loopback, roots: roots}).run(t), newSite(t, setup{allowed: loopback, pause: time.Hour}).run(t)
	good.endpoint(t, r.URL)
	e, _ := bad.endpoint(t, r.URL)
	good.happen(t, audit.ExportReady, "a")
	bad.happen(t, audit.ExportReady, "b")
	r.comes(t, "a")
	eventually(t, func() (string, bool) { x := bad.statuses(t, e.ID); return x, x == "pending" }, "pending")
	if got := bad.history(t, e.ID)[0].Error; !strings.Contains(got, "certificate") {
		t.Errorf("error is %q, want one about the certificate", got)
	}
	r.comes(t, "a")
}

// What a stop interrupts is sent again after it, and nothing is left out.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback, pause: time.Hour})
	r := newReceiver(t, answering(200), answering(500), answering(200))
	e, _ := s.endpoint(t, r.URL, audit.ExportReady)
	s.run(t)
	s.happen(t, audit.ExportReady, "a")
	r.comes(t, "a")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "delivered" }, "delivered")
	s.stop()
	for range 3 * batch { // are passed over
		s.happen(t, audit.ExportCreated, "x")
	}
	s.happen(t, audit.ExportReady, "b", "c")
	s.run(t)
	r.comes(t, "a b")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "delivered pending" }, "delivered pending")
	s.stop()
	again := newSite(t, setup{allowed: loopback, db: s.db}).run(t)
	if d := again.history(t, e.ID)[1]; d.NextAttemptAt.Before(time.Now().Add(30 * time.Minute)) {
		t.Errorf("after the restart the next attempt is at %v, want it in an hour, as before", d.NextAttemptAt)
	}
	if _, _, err := again.Update(t.Context(), e.ID, Change{Name: pointer("mended")}); err != nil {
		t.Fatal(err)
	}
	r.comes(t, "a b b c")
	if got := r.requests(); got[1].Header.Get("X-Locksmith-Delivery-ID") != got[2].Header.Get("X-Locksmith-Delivery-ID") {
		t.Error("the event was sent with another delivery id after the restart")
	}
	eventually(t, func() (string, bool) { x := again.statuses(t, e.ID); return x, x == "delivered delivered delivered" }, "three deliveries")
}

// A stop waits for the answer of a request that is under way.
func TestStopWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback}).run(t)
	release := make(chan struct{})
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { <-release })
	e, _ := s.endpoint(t, r.URL)
	s.happen(t, audit.ExportReady, "a", "b")
	r.comes(t, "a")
	stopped := make(chan struct{})
	go func() { s.stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Error("the courier stopped while a request was under way")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	<-stopped
	if got := s.statuses(t, e.ID); got != "delivered" || r.resources() != "a" {
		t.Errorf("after the stop deliveries are %q, the receiver has %q; want one", got, r.resources())
	}
}

// A paused endpoint misses nothing, a deleted one gets nothing more.
func TestPauseAndDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback}).run(t)
	r := newReceiver(t, answering(200))
	e, _ := s.endpoint(t, r.URL, audit.ExportReady)
	witness := newReceiver(t, answering(200))
	s.endpoint(t, witness.URL, audit.ExportReady)
	if _, _, err := s.Update(t.Context(), e.ID, Change{Active: pointer(false)}); err != nil {
		t.Fatal(err)
	}
	s.happen(t, audit.ExportReady, "a", "b")
	witness.comes(t, "a b")
	if got := r.resources(); got != "" {
		t.Errorf("the paused endpoint got %q, want nothing", got)
	}
	if _, _, err := s.Update(t.Context(), e.ID, Change{Active: pointer(true)}); err != nil {
		t.Fatal(err)
	}
	r.comes(t, "a b")
	if err := s.Delete(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	s.happen(t, audit.ExportReady, "c")
	witness.comes(t, "a b c")
	if got := r.resources(); got != "a b" {
		t.Errorf("the deleted endpoint got %q, want nothing more", got)
	}
	if _, _, err := s.Deliveries(e.ID, Query{}); err == nil {
		t.Error("the deleted endpoint still has deliveries")
	}
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{endpointsBucket, positionsBucket} {
			if tx.Bucket([]byte(bucket)).Get([]byte(e.ID)) != nil {
				t.Errorf("%s still holds it", bucket)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A rotated secret signs from the next attempt on.
func TestRotatedSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback, pause: time.Hour}).run(t)
	r := newReceiver(t, answering(401), answering(200))
	e, old := s.endpoint(t, r.URL, audit.ExportReady)
	s.happen(t, audit.ExportReady, "a")
	eventually(t, func() (string, bool) { x := s.statuses(t, e.ID); return x, x == "pending" }, "pending")
	changed, fresh, err := s.Update(t.Context(), e.ID, Change{Rotate: true})
	if err != nil || fresh == old || !strings.HasPrefix(fresh, changed.SecretPrefix) {
		t.Fatalf("rotated: %+v, %q, %v; want a new secret", changed, fresh, err)
	}
	r.comes(t, "a a")
	checkSignature(t, r.requests()[0], old)
	checkSignature(t, r.requests()[1], fresh)
}

func TestTheTest(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback})
	r := newReceiver(t, answering(200), answering(418))
	e, secret := s.endpoint(t, r.URL, audit.ExportReady)
	good, err := s.Test(t.Context(), e.ID)
	if err != nil || good.Status != Delivered || good.Sequence != 1 {
		t.Errorf("test gives %+v, %v; want it delivered", good, err)
	}
	one := r.requests()[0]
	checkSignature(t, one, secret)
	if one.event.Type != TestType || one.event.Sequence != 0 || one.Header.Get("X-Locksmith-Event-Sequence") != "0" {
		t.Errorf("the test's event is %+v, want %s without a sequence", one.event, TestType)
	}
	bad, err := s.Test(t.Context(), e.ID)
	if err != nil || bad.Status != Failed || bad.Error != "the answer is 418 I'm a teapot" || bad.ID == good.ID {
		t.Errorf("test gives %+v, %v; want it failed", bad, err)
	}
	if got := s.statuses(t, e.ID); got != "delivered failed" {
		t.Errorf("history is %q, want both tests", got)
	}
}

// Damage to one endpoint is told, and holds up no other.
func TestDamagedEndpoint(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback})
	broken, whole := newReceiver(t, answering(200)), newReceiver(t, answering(200))
	e, _ := s.endpoint(t, broken.URL)
	s.endpoint(t, whole.URL, audit.ExportReady)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		value := append([]byte{}, tx.Bucket([]byte(endpointsBucket)).Get([]byte(e.ID))...)
		value[len(value)/2] ^= 1
		return tx.Bucket([]byte(endpointsBucket)).Put([]byte(e.ID), value)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.run(t)
	s.happen(t, audit.ExportReady, "a")
	whole.comes(t, "a")
	if _, err := s.List(); err == nil || !strings.Contains(err.Error(), e.ID) {
		t.Errorf("list = %v, want an error that names %s", err, e.ID)
	}
	if got := s.log.String(); !strings.Contains(got, "can't be read") || !strings.Contains(got, e.ID) {
		t.Errorf("the log does not name the damaged endpoint: %s", got)
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	whole := time.Duration(0)
	for attempt := 1; attempt < 100; attempt++ {
		pause := pauseAfter(attempt)
		if pause < firstPause*4/5 || pause > longestPause*6/5 {
			t.Errorf("after attempt %d the pause is %v, want about %v to %v", attempt, pause, firstPause, longestPause)
		}
		if attempt < Attempts {
			whole += pause
		}
	}
	if whole < 12*time.Hour || whole > 48*time.Hour {
		t.Errorf("a delivery is given up after %v, want about a day", whole)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0, "9999999999": 0, "2000000000": maxRetryAfter,
		"Wed, 04 Mar 2026 05:07:07 GMT": time.Minute, "Wed, 04 Mar 2026 05:05:07 GMT": 0, "Wed, 04 Mar 2099 05:05:07 GMT": maxRetryAfter,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", text, got, want)
		}
	}
	s := newSite(t, setup{allowed: loopback})
	d := kept{}
	s.judge(&d, outcome{status: 503, err: http.ErrAbortHandler, retryAfter: time.Hour}, s.now())
	if wait := d.NextAttemptAt.Sub(d.LastAttemptAt); wait < time.Hour || wait > time.Hour+time.Minute {
		t.Errorf("after Retry-After: 3600 the next attempt is in %v, want an hour", wait)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback})
	e, _ := s.endpoint(t, "https://example.com/")
	other, _ := s.endpoint(t, "https://example.com/")
	w := &worker{Courier: s.Courier, id: e.ID}
	enter := func(id string, status Status, sequence int64) (entered kept) {
		entered = kept{Delivery: Delivery{ID: "whd_x", WebhookID: id, Status: status, Sequence: sequence}}
		err := s.move(id, func(tx *bbolt.Tx, at *position) error { return at.enter(tx, &entered) })
		if err != nil {
			t.Fatal(err)
		}
		return entered
	}
	enter(other.ID, Delivered, 0)
	if err := w.settle(kept{Delivery: Delivery{WebhookID: e.ID, Status: Pending}}); err != nil {
		t.Fatal(err)
	}
	for range History + 20 {
		enter(e.ID, Failed, 0)
	}
	page := s.history(t, e.ID)
	if len(page) != History || page[0].Sequence != 22 || page[History-1].Sequence != History+21 {
		t.Errorf("history has %d deliveries from %d, want %d from 22", len(page), page[0].Sequence, History)
	}
	count := func() (n int) {
		s.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket([]byte(deliveriesBucket)).Inspect().KeyN; return nil })
		return n
	}
	if got, want := count(), History+2; got != want { // the one that is tried again, and the other endpoint's
		t.Errorf("the bucket holds %d deliveries, want %d", got, want)
	}
	if err := w.settle(kept{Delivery: Delivery{WebhookID: e.ID, Status: Failed, Sequence: 1}}); err != nil {
		t.Fatal(err)
	}
	if got, want := count(), History+1; got != want {
		t.Errorf("the bucket holds %d deliveries, want %d", got, want)
	}
	if err := s.Delete(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 1 {
		t.Errorf("after the endpoint was deleted the bucket holds %d deliveries, want the other's", got)
	}
}

func TestPagesOfDeliveries(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{allowed: loopback})
	r := newReceiver(t, answering(200), answering(500), answering(200))
	e, _ := s.endpoint(t, r.URL)
	for range 3 {
		if _, err := s.Test(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	for before := int64(0); ; {
		page, next, err := s.Deliveries(e.ID, Query{Before: before, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			got = append(got, d.Sequence)
		}
		if before = next; next == 0 {
			break
		}
	}
	if want := "[3 2 1]"; fmt.Sprint(got) != want {
		t.Errorf("pages of one give %v, want %s", got, want)
	}
	if page, _, _ := s.Deliveries(e.ID, Query{Status: Failed, Limit: 10}); len(page) != 1 || page[0].Sequence != 2 {
		t.Errorf("failed are %+v, want the second", page)
	}
}

// What package exporter looks through when it checks a directory.
func TestBucketsAreChecked(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "exporter", "inspect.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{endpointsBucket, positionsBucket, deliveriesBucket} {
		if !strings.Contains(string(text), `"`+bucket+`"`) {
			t.Errorf("a check of the directory does not look at %s", bucket)
		}
	}
}
