//go:build unix

package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter"
)

// rotted is a directory in which bits will flip, at rest.
func rotted(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	admin := newDirectory(t, dir)
	c := &clients{t: t, book: &book{}, patient: true}
	i := start(t, dir, admin)
	c.script(t.Context(), i, 1)
	c.script(t.Context(), i, 2)
	if code := i.stop(); code != 0 {
		t.Fatalf("stop: got exit code %d, want 0", code)
	}
	c.complain()
	wantClean(t, dir)
	return dir
}

// flipped inverts one bit of a file while fn runs.
func flipped(t *testing.T, path string, at int64, fn func()) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(content)
	damaged[at] ^= 1 << rand.IntN(8)
	overwrite(t, path, damaged)
	fn()
	overwrite(t, path, content)
}

// overwrite changes a file in its place: its inode and mode stay.
func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, content, 0o600), os.Chmod(path, info.Mode()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// found tells whether the program's check says that something is wrong: in its
// result, or because the directory does not open.
func found(t *testing.T, dir string) (told string, ok bool) {
	t.Helper()
	stdout, stderr, code := licensekit(t, "check", "--data", dir, "--json")
	if strings.Contains(stderr, "goroutine ") {
		return stderr, false
	}
	var result exporter.CheckResult
	if json.Unmarshal([]byte(stdout), &result) == nil && code == 1 {
		return stdout, !result.OK && len(result.Problems) > 0
	}
	return stdout + stderr, code == 1 && stderr != ""
}

// TestRotOfFiles flips bits in every file that never changes.
func TestRotOfFiles(t *testing.T) {
	t.Parallel()
	dir := rotted(t)
	tried := map[string]int{}
	for _, part := range []string{"blobs/sha256", "log", "keys", "licensekit.json"} {
		err := filepath.WalkDir(filepath.Join(dir, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			for range count("LICENSEKIT_FLIPS", 1) {
				at := rand.Int64N(info.Size())
				if part == "keys" { // the digits of a title's date could be others
					at = inKey(t, path)
				}
				flipped(t, path, at, func() {
					if told, ok := found(t, dir); !ok {
						t.Errorf("a bit of byte %d of %s: got it not found:\n%s", at, path, told)
					}
				})
				tried[part]++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wantClean(t, dir)
	t.Logf("bits flipped: %v", tried)
}

// inKey picks a byte of the key in a key file.
func inKey(t *testing.T, path string) int64 {
	t.Helper()
	text, err := os.ReadFile(path)
	begin := bytes.Index(text, []byte("-----BEGIN "))
	if err != nil || begin < 0 {
		t.Fatalf("%s: got %v and no PEM block", path, err)
	}
	return int64(begin + rand.IntN(len(text)-begin))
}

// TestRotOfValues flips bits in values of the database.
func TestRotOfValues(t *testing.T) {
	t.Parallel()
	dir := rotted(t)
	database := filepath.Join(dir, "meta.db")
	values := valuesOf(t, database)
	tried := map[string]int{}
	for range 60 * count("LICENSEKIT_FLIPS", 1) {
		of := values[rand.IntN(len(values))]
		v := of[rand.IntN(len(of))]
		flipped(t, database, v.at+rand.Int64N(v.size), func() {
			if told, ok := found(t, dir); !ok {
				t.Errorf("a bit of a value of bucket %s: got it not found:\n%s", v.bucket, told)
			}
		})
		tried[v.bucket]++
	}
	wantClean(t, dir)
	t.Logf("bits flipped: %v", tried)
}

// stored is where the file has a value.
type stored struct {
	bucket   string
	at, size int64
}

// valuesOf compacts a database, so that what it holds is there once, and finds
// values in the file, bucket by bucket.
func valuesOf(t *testing.T, path string) (values [][]stored) {
	t.Helper()
	compact := path + ".compact"
	from, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	to, err := bbolt.Open(compact, 0o600, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bbolt.Compact(to, from, 0), to.Close(), from.Close(), os.Rename(compact, path)); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			var found []stored
			if err := within(string(name), b, content, &found); err != nil {
				return err
			}
			if len(found) > 0 {
				values = append(values, found)
			}
			return nil
		})
	})
	if err != nil || len(values) == 0 {
		t.Fatalf("values of %s: got %d, %v; want some", path, len(values), err)
	}
	return values
}

// within goes through a bucket and those in it. A value that the file has more
// than once, or that is next to nothing, is left alone.
func within(name string, b *bbolt.Bucket, content []byte, values *[]stored) error {
	return b.ForEach(func(key, value []byte) error {
		if value == nil {
			return within(name+"/"+string(key), b.Bucket(key), content, values)
		}
		pair := append(bytes.Clone(key), value...)
		if len(pair) >= 16 && len(value) > 0 && bytes.Count(content, pair) == 1 {
			*values = append(*values, stored{name, int64(bytes.Index(content, pair) + len(key)), int64(len(value))})
		}
		return nil
	})
}

// TestScrub flips bits under a server that runs: it says so in its metrics, its
// readiness, the log and the audit trail, until they are as they were.
func TestScrub(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	admin := newDirectory(t, dir)
	c := &clients{t: t, book: &book{}, patient: true}
	i := start(t, dir, admin, "--scrub-every", "50ms", "--scrub-rate", "1GiB")
	c.script(t.Context(), i, 1)
	wantReadiness(t, i, "", 0)
	flips := 0
	for _, part := range []string{"blobs/sha256/*/*", "log/tile/*/*.p/*", "log/tile/entries/*.p/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, part))
		if err != nil || len(paths) == 0 {
			t.Fatalf("files of %s: got %v, %v; want some", part, paths, err)
		}
		for range count("LICENSEKIT_FLIPS", 1) * 2 {
			path := paths[rand.IntN(len(paths))]
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := bytes.Clone(content)
			damaged[rand.IntN(len(damaged))] ^= 1 << rand.IntN(8)
			overwrite(t, path, damaged)
			wantReadiness(t, i, "DAMAGE_FOUND", 1)
			if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, content, 0o400)); err != nil {
				t.Fatal(err)
			}
			wantReadiness(t, i, "", 0)
			flips++
		}
	}
	wantAll(t, i, c.book)
	if said := i.output.String(); !strings.Contains(said, "damage found") || !strings.Contains(said, "good again") {
		t.Errorf("the log: got %s; want it to tell of the damage and of its end", said)
	}
	if events := succeed(t, "events", "--data", dir, "--type", "directory.damaged"); strings.Count(events, "directory.damaged") < flips {
		t.Errorf("events: got %s; want at least one for each of %d flips", events, flips)
	}
	if code := i.stop(); code != 0 {
		t.Errorf("stop: got exit code %d, want 0", code)
	}
	wantClean(t, dir)
	c.complain()
	t.Logf("%d bits flipped under a server", flips)
}

// wantReadiness waits until a server is not ready for a reason, or ready if that
// is "", and its metrics say the same.
func wantReadiness(t *testing.T, i *instance, code string, least float64) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		body, err := i.read("/readyz")
		metrics, err2 := i.read("/metrics")
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		known := strings.Contains(body, `"ready"`)
		if code != "" {
			known = strings.Contains(body, `"code":"`+code+`"`)
		}
		if known && metricOf(metrics, "licensekit_damage") >= least && (least > 0 || metricOf(metrics, "licensekit_damage") == 0) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("readiness: got %s, licensekit_damage %v; want reason %q:\n%s", body, metricOf(metrics, "licensekit_damage"), code, &i.output)
		}
	}
}

// read gives the body of a public route, whatever its status.
func (i *instance) read(path string) (string, error) {
	resp, err := http.Get(i.url + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// metricOf gives the value of a metric without labels, -1 if it is not there.
func metricOf(page, name string) float64 {
	for line := range strings.Lines(page) {
		var value float64
		if n, _ := fmt.Sscanf(line, name+" %g", &value); n == 1 {
			return value
		}
	}
	return -1
}
