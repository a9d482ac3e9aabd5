//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/ledger/intake"
	"licensekit/server/client"
)

const (
	soakClients = 64
	soakSeconds = 6 // of load, and set by LICENSEKIT_SOAK; an hour is 3600
)

// TestSoak has many clients do everything at once for a while, twice. What the
// server holds in memory and in descriptors after the second time is what it
// held after the first.
func TestSoak(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("needs /proc")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	admin := newDirectory(t, dir)
	c := &clients{t: t, book: &book{}, excused: heldBack}
	i := start(t, dir, admin, "--workers", "2", "--scrub-every", "100ms", "--scrub-rate", "1GiB", "--collect-grace", "30s")
	half := time.Duration(count("LICENSEKIT_SOAK", soakSeconds)) * time.Second / 2
	i.soak(c, 2*time.Second) // what is held once and for all
	c.complain()
	before := i.soak(c, half)
	after := i.soak(c, half)
	c.complain()
	if limit := before.anon + before.anon/2 + 64<<20; after.anon > limit {
		t.Errorf("memory: got %d MiB, %d MiB before; want at most %d", after.anon>>20, before.anon>>20, limit>>20)
	}
	if after.files > before.files+8 {
		t.Errorf("file descriptors: got %d, %d before; want as many, and a few", after.files, before.files)
	}
	c.settle(i)
	c.follow(i)
	wantAll(t, i, c.book)
	wantVerified(t, i, c.book)
	for line := range strings.Lines(i.output.String()) {
		if strings.Contains(line, "damage found") || strings.Contains(line, "level=ERROR") {
			t.Errorf("the log: got %s; want no errors, and nothing that the scrub found", line)
		}
	}
	if code := i.stop(); code != 0 {
		t.Errorf("stop: got exit code %d, want 0:\n%s", code, &i.output)
	}
	wantClean(t, dir)
	c.complain()
	t.Logf("%d clients for %v twice, memory %d and %d MiB, descriptors %d and %d: %s", soakClients, half,
		before.anon>>20, after.anon>>20, before.files, after.files, c.book.summary())
}

// heldBack excuses what a busy server may say, if it says when to come again.
func heldBack(answer *client.Error) bool {
	return (answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable) && answer.RetryAfter != ""
}

// held is what a process holds.
type held struct {
	anon  int64 // bytes of memory that are no pages of files
	files int
}

// soak sets the clients to work for so long, each with connections of its own,
// and gives what the server holds when all of them are gone.
func (i *instance) soak(c *clients, long time.Duration) held {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), long)
	defer cancel()
	var working sync.WaitGroup
	for n := range soakClients {
		working.Go(func() {
			api, err := client.New(i.url, i.token)
			if err != nil {
				i.t.Error(err)
				return
			}
			defer api.Close()
			for step := n; ctx.Err() == nil; step++ {
				do := c.next()
				switch step % 8 {
				case 3:
					do = c.ranges
				case 6:
					do = func(ctx context.Context, _ *client.Client) error { return i.abort(ctx, c) }
				}
				if !c.attempt(context.WithoutCancel(ctx), api, do) {
					time.Sleep(rand.N(50 * time.Millisecond)) // as it was told
				}
			}
		})
	}
	working.Wait()
	return i.held()
}

// held waits until nobody is connected, so that what is left belongs to the
// server.
func (i *instance) held() (h held) {
	i.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		page, err := i.read("/metrics")
		if err != nil {
			i.t.Fatal(err)
		}
		if metricOf(page, "licensekit_connections") <= 2 && metricOf(page, "licensekit_exports_unfinished") == 0 {
			break
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("connections: got %v after the clients are gone, %v exports unfinished", metricOf(page, "licensekit_connections"), metricOf(page, "licensekit_exports_unfinished"))
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", i.pid))
	if err != nil {
		i.t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.pid))
	if err != nil {
		i.t.Fatal(err)
	}
	h.files = len(files)
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &h.anon); n == 1 {
			h.anon <<= 10
			return h
		}
	}
	i.t.Fatalf("memory of the server: got %s; want RssAnon", status)
	return h
}

// ranges fetches an artifact in two parts, the second one first.
func (c *clients) ranges(ctx context.Context, api *client.Client) error {
	x, ok := c.someReady()
	if !ok || *x.SizeBytes < 2 {
		return nil
	}
	cut := 1 + rand.Int64N(*x.SizeBytes-1)
	second, err := part(ctx, api, x, fmt.Sprintf("bytes=%d-", cut))
	if err != nil {
		return err
	}
	first, err := part(ctx, api, x, fmt.Sprintf("bytes=0-%d", cut-1))
	if err != nil {
		return err
	}
	if got := digestOf(append(first, second...)); got != *x.ArtifactDigest {
		return fmt.Errorf("%w: two parts of %s, cut at %d: got %s, want %s", errWrong, x.ID, cut, got, *x.ArtifactDigest)
	}
	return nil
}

func part(ctx context.Context, api *client.Client, x exporter.Export, which string) ([]byte, error) {
	resp, err := api.Do(ctx, client.Request{Method: http.MethodGet, Path: x.DownloadURL, Header: http.Header{"Range": {which}}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return nil, fmt.Errorf("%w: range %s of %s: got status %d, want 206", errWrong, which, x.ID, resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}

func (c *clients) someReady() (x exporter.Export, ok bool) {
	exports := about(c.book.all(), export)
	for range 5 {
		if len(exports) == 0 {
			return x, false
		}
		if x = exports[rand.IntN(len(exports))].export; x.Status == exporter.Ready {
			return x, true
		}
	}
	return x, false
}

// abort leaves in the middle of something: of a head, a body, a download.
func (i *instance) abort(ctx context.Context, c *clients) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(i.url, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	begin := "GET " + "/api/v1/reports/exports HTTP/1.1\r\nHost: lic"
	switch rand.IntN(3) {
	case 0:
		row := newRows(fmt.Sprint("aborted ", rand.Int()), "nobody", 1)[0].line()
		begin = fmt.Sprintf("POST /api/v1/activities HTTP/1.1\r\nHost: licensekit\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 100000\r\n\r\n%s\n%s",
			i.token, ndjson.contentType, row, row[:20])
	case 1:
		x, ok := c.someReady()
		if !ok {
			break
		}
		begin = fmt.Sprintf("GET %s HTTP/1.1\r\nHost: licensekit\r\nAuthorization: Bearer %s\r\n\r\n", x.DownloadURL, i.token)
	}
	if _, err := io.WriteString(conn, begin); err != nil {
		return nil // it may have been held back
	}
	if rand.IntN(2) == 0 {
		conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		io.ReadFull(conn, make([]byte, 100))
	}
	return nil
}

// TestStopUnderLoad asks servers to end while clients work: each request that
// was taken is answered, and what was answered is there. Nothing is cut off but
// idle connections.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	admin := newDirectory(t, dir)
	c := &clients{t: t, book: &book{}, rotates: true}
	stops := count("LICENSEKIT_STOPS", 5)
	for range stops {
		i := start(t, dir, admin)
		c.settle(i)
		ended := c.begin(t.Context(), i, 12)
		slow := i.slowIngestion(t)
		time.Sleep(50*time.Millisecond + rand.N(200*time.Millisecond))
		syscall.Kill(i.pid, syscall.SIGTERM)
		if err := slow(); err != nil {
			t.Errorf("an ingestion that was under way: got %v, want it done", err)
		}
		if code := i.wait(); code != 0 {
			t.Errorf("stop: got exit code %d, want 0:\n%s", code, &i.output)
		}
		ended()
		if said := i.output.String(); strings.Contains(said, "stop serving") || strings.Contains(said, "level=ERROR") {
			t.Errorf("the end: got %s; want it in order", said)
		}
		if result := check(t, dir); !result.OK {
			t.Errorf("licensekit check after a stop: got %+v", result.Problems)
		}
		if c.complain(); t.Failed() {
			t.FailNow()
		}
	}
	i := start(t, dir, admin)
	c.settle(i)
	c.follow(i)
	wantAll(t, i, c.book)
	i.stop()
	wantClean(t, dir)
	t.Logf("%d stops: %s", stops, c.book.summary())
}

// slowIngestion sends one half of its rows and gives what sends the other, once
// the server takes no more connections, and reads the answer.
func (i *instance) slowIngestion(t *testing.T) (finish func() error) {
	t.Helper()
	rows := newRows(fmt.Sprint("slow ", rand.Int()), "slow", 40)
	text := strings.Join(lines(rows), "\n")
	reader, writer := io.Pipe()
	answered := make(chan error, 1)
	go func() {
		defer reader.Close()
		answered <- i.sendAll(t.Context(), reader, len(rows))
	}()
	if _, err := io.WriteString(writer, text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	return func() error {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(i.url, "http://"))
			if err != nil {
				break
			}
			conn.Close()
		}
		_, err := io.WriteString(writer, text[len(text)/2:])
		return errors.Join(err, writer.Close(), <-answered)
	}
}

// sendAll sends activities, all of which must be accepted.
func (i *instance) sendAll(ctx context.Context, body io.Reader, rows int) error {
	resp, err := i.api.Do(ctx, client.Request{
		Method: http.MethodPost, Path: "/api/v1/activities", Body: body, Header: http.Header{"Content-Type": {ndjson.contentType}},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var result intake.Result
	_, err = client.Decode(resp.Body, &result)
	if err == nil && result.Accepted != int64(rows) {
		err = fmt.Errorf("%d of %d rows were accepted", result.Accepted, rows)
	}
	return err
}
