//go:build unix

package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/evidence"
)

// kills is how often TestKill ends the server, and set by LICENSEKIT_KILLS.
const kills = 200

func TestKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	admin := newDirectory(t, dir)
	b := &book{}
	c := &clients{t: t, book: b, rotates: true}
	looked, early := 0, 0
	for n := range count("LICENSEKIT_KILLS", kills) {
		i := launch(t, dir, nil)
		if n%5 == 4 { // while it starts
			time.Sleep(rand.N(80 * time.Millisecond))
			i.kill()
			early++
			continue
		}
		if !i.up(admin) {
			t.Fatalf("start after %d kills: got the end of the process, want a server:\n%s", n, &i.output)
		}
		c.settle(i)
		facts := b.all()
		for _, problem := range missing(i, facts[looked:], false) {
			t.Errorf("after %d kills: %v", n, problem)
		}
		looked = max(0, len(facts)-1000)
		ended := c.begin(context.Background(), i, 6)
		time.Sleep(5*time.Millisecond + rand.N(150*time.Millisecond))
		i.kill()
		ended()
		wantWholeBlobs(t, dir, time.Now().Add(-time.Minute))
		if c.complain(); t.Failed() {
			t.FailNow()
		}
	}
	i := start(t, dir, admin)
	c.settle(i)
	wantAll(t, i, b)
	wantVerified(t, i, b)
	if code := i.stop(); code != 0 {
		t.Errorf("stop: got exit code %d, want 0:\n%s", code, &i.output)
	}
	wantClean(t, dir)
	t.Logf("%d kills, %d of them at start: %s", count("LICENSEKIT_KILLS", kills), early, b.summary())
}

// count is a number from the environment, or what the tests of a change run.
func count(variable string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return usual
}

// wantAll compares the whole book.
func wantAll(t *testing.T, i *instance, b *book) {
	t.Helper()
	for _, problem := range missing(i, b.all(), true) {
		t.Error(problem)
	}
}

// wantClean has the program check a directory that no server holds.
func wantClean(t *testing.T, dir string) {
	t.Helper()
	if result := check(t, dir); !result.OK {
		t.Errorf("licensekit check: got %+v, want no problems", result.Problems)
	}
}

func check(t *testing.T, dir string) (result exporter.CheckResult) {
	t.Helper()
	stdout, stderr, _ := licensekit(t, "check", "--data", dir, "--json")
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatalf("licensekit check: got %v:\n%s%s", err, stdout, stderr)
	}
	return result
}

// wantWholeBlobs hashes the blobs that were named since, as they lie there.
func wantWholeBlobs(t *testing.T, dir string, since time.Time) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "blobs", "sha256"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.ModTime().Before(since) {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		hash := sha256.New()
		if _, err := io.Copy(hash, f); err != nil {
			return err
		}
		if got := hex.EncodeToString(hash.Sum(nil)); got != entry.Name() {
			t.Errorf("blob %s: got content that hashes to %s", path, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantVerified fetches the bundle of each export that is ready and has a
// reviewer verify them all.
func wantVerified(t *testing.T, i *instance, b *book) {
	t.Helper()
	var keys []evidence.PublicKeyRecord
	if _, err := i.api.Call(t.Context(), "GET", "/api/v1/system/public-keys", nil, nil, &keys); err != nil {
		t.Fatal(err)
	}
	trust, bundles := t.TempDir(), t.TempDir()
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range keys {
		if k.Purpose == evidence.ForExport {
			write(filepath.Join(trust, k.KID+".pem"), k.PEM)
		} else {
			write(filepath.Join(trust, k.KID+".vkey"), k.VerifierKey+"\n")
		}
	}
	for _, f := range about(b.all(), export) {
		x, err := settled(t.Context(), i.api, f.export.ID)
		if err != nil || x.Status != exporter.Ready {
			t.Errorf("export %s: got %s, %v; want it ready", f.id, x.Status, err)
			continue
		}
		bundle, _, err := i.get("/api/v1/reports/exports/" + f.id + "/bundle")
		if err != nil {
			t.Errorf("bundle of %s: got %v", f.id, err)
			continue
		}
		write(filepath.Join(bundles, f.id+".lkbundle.zip"), string(bundle))
	}
	stdout, stderr, code := licensekit(t, "verify", "--json", "--trust", trust, bundles)
	for verdict := range strings.Lines(stdout) {
		if !strings.Contains(verdict, `"VERIFIED"`) {
			t.Errorf("verify: got %s", verdict)
		}
	}
	if code != 0 {
		t.Errorf("verify: got exit code %d, want 0: %s", code, stderr)
	}
}
